//! Packed matrices on AVX2: 8 output rows in a register, `vpmaddubsw` for four columns of them.
//!
//! **Idea.** As on AVX-512, word by word, but with 16 registers and no integer dot product: a panel goes
//! in quarters of 8 rows, and products of unsigned codes and signed activations are added in 16 bits as
//! long as they fit there (four words of up to 5 bits: 4 · 2 · 31 · 127 < 2^15; two words of 6 bits),
//! then widened. Codes of 8 bits would not fit even once: there the sign moves from the code to the
//! activation, and `|code| · activation` is at most 2 · 128 · 127 < 2^15.
//!
//! Sums rest in memory between blocks; they are in the first cache and not on the critical path.
#![allow(
    clippy::inline_always,
    reason = "a function without the instructions' features must vanish into one that has them"
)]
#![allow(clippy::wildcard_imports, reason = "intrinsics are named by their prefix")]
#![allow(clippy::needless_range_loop, reason = "one index runs over several arrays of registers")]

mod formats;

use std::arch::x86_64::*;

use crate::linear::activations::Block;
use crate::linear::layout::{BLOCK, Expanded, Kind, Layout, PANEL};
use crate::linear::{Linear, Start, Sums, TILE, Units};
use crate::scalar::linear::TINY;
use formats::*;

/// The AVX2 loops.
pub(crate) static LINEAR: Linear =
    Linear { quantize, expand, expanded, packed, expand_from, float };

/// What takes more than a shift and a mask to unpack is unpacked once for many rows.
fn expand_from(layout: Layout) -> usize {
    match layout {
        Layout::Q4_0 | Layout::Q4_1 | Layout::Q8_0 | Layout::Int8 => usize::MAX,
        _ => 2 * TILE,
    }
}

/// How far ahead of a block weights are fetched from memory.
const AHEAD: usize = 8192;

/// How the products of codes and activations are added.
#[derive(Clone, Copy, PartialEq)]
enum Codes {
    /// Up to 5 bits: four words before widening.
    Small,
    /// Up to 6 bits: two.
    Middle,
    /// 8 bits around 128: signs move over.
    Signed,
}

/// How one block of 32 columns comes out of a panel's bytes. Everything is unsafe alike: it needs this
/// file's instructions and a pointer to a whole unit, and is inlined where both are at hand.
trait Unpack {
    /// Blocks in a unit.
    const BLOCKS: usize;
    /// Bytes of a unit.
    const BYTES: usize;
    const KIND: Kind;
    const CODES: Codes;

    /// Word `g` (0 … 7) of the 8 rows of quarter `q`.
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i;
    /// Scales and mins of the block; what the kind does not use is never looked at.
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales;
}

/// `[half of the block]`
#[derive(Clone, Copy)]
struct Scales {
    scale: [__m256; 2],
    min: [__m256; 2],
}

/// A block that was unpacked before. `KIND`: 0 plain, 1 min, 2 halves, 3 halves with min; `CODES`: 0
/// small, 1 middle, 2 signed.
struct Ready<const KIND: u8, const CODES: u8>;

impl<const KIND: u8, const CODES: u8> Unpack for Ready<KIND, CODES> {
    const BLOCKS: usize = 1;
    const BYTES: usize = size_of::<Expanded>();
    // The offset comes with the call.
    const KIND: Kind = match KIND {
        0 => Kind::Plain { offset: 1 },
        1 => Kind::Min,
        2 => Kind::Halves { offset: 1 },
        _ => Kind::HalvesMin,
    };
    const CODES: Codes = match CODES {
        0 => Codes::Small,
        1 => Codes::Middle,
        _ => Codes::Signed,
    };

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        // SAFETY: as the trait says.
        unsafe { word(unit, g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        // SAFETY: as the trait says.
        unsafe {
            let at = unit.add(1024);
            Scales {
                scale: [floats(at, q), floats(at.add(128), q)],
                min: [floats(at.add(256), q), floats(at.add(384), q)],
            }
        }
    }
}

/// Adds the first blocks of `units`, as many as the rows have, to the sums of `M` rows.
#[target_feature(enable = "avx2,fma,f16c")]
fn add<W: Unpack, const M: usize>(
    units: Units<'_>,
    x: &[&[Block]],
    offset: i32,
    sums: &mut [&mut Sums],
    start: Start,
) {
    let (ahead, units) = match units {
        Units::Far(units) => (AHEAD, units),
        Units::Near(units) => (0, units),
    };
    let blocks = x[0].len();
    assert!(x.len() == M && sums.len() == M && x.iter().all(|x| x.len() == blocks));
    assert!(units.len() >= blocks.div_ceil(W::BLOCKS) * W::BYTES);
    if start == Start::Zero {
        for sums in sums.iter_mut() {
            **sums = [0.0; PANEL];
        }
    }
    let rows: [*const Block; M] = std::array::from_fn(|m| x[m].as_ptr());
    // SAFETY: rows have `blocks` blocks and there are that many blocks' units (asserted); the
    // instructions are this function's own.
    unsafe {
        let mut unit = units.as_ptr();
        let mut b = 0;
        while b < blocks {
            for block in 0..W::BLOCKS {
                if ahead > 0 {
                    let share = W::BYTES / W::BLOCKS;
                    fetch(unit.wrapping_add(ahead + block * share), share);
                }
                let mut x = rows;
                for m in 0..M {
                    x[m] = rows[m].add(b + block);
                }
                for q in 0..4 {
                    add_block::<W, M>(unit, block, q, x, offset, sums);
                }
            }
            b += W::BLOCKS;
            unit = unit.add(W::BYTES);
        }
    }
}

/// Asks for some bytes, wherever they are; none need be there.
#[inline(always)]
unsafe fn fetch(at: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        // SAFETY: a hint reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(line).cast()) }
    }
}

#[inline(always)]
unsafe fn add_block<W: Unpack, const M: usize>(
    unit: *const u8,
    block: usize,
    q: usize,
    x: [*const Block; M],
    offset: i32,
    sums: &mut [&mut Sums],
) {
    // SAFETY: the caller has the instructions, a whole unit and a block of each row.
    unsafe {
        // Signed codes have their offset taken off already.
        let offset = if W::CODES as u8 == Codes::Signed as u8 { 0 } else { offset };
        let s = W::scales(unit, block, q);
        let mut part = [_mm256_setzero_ps(); M];
        match W::KIND {
            Kind::Plain { .. } => {
                let dot = dots::<W, M, 8>(unit, block, q, x, [0, 1, 2, 3, 4, 5, 6, 7]);
                for m in 0..M {
                    let dot =
                        _mm256_add_epi32(dot[m], _mm256_set1_epi32(offset * (*x[m]).minus_sum));
                    part[m] = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), s.scale[0]);
                }
            }
            Kind::Min => {
                let dot = dots::<W, M, 8>(unit, block, q, x, [0, 1, 2, 3, 4, 5, 6, 7]);
                for m in 0..M {
                    let sum = _mm256_cvtepi32_ps(_mm256_set1_epi32((*x[m]).minus_sum));
                    let less = _mm256_mul_ps(s.min[0], sum);
                    part[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[m]), s.scale[0], less);
                }
            }
            Kind::Halves { .. } => {
                let dot = dots::<W, M, 4>(unit, block, q, x, [4, 5, 6, 7]);
                for m in 0..M {
                    let dot =
                        _mm256_add_epi32(dot[m], _mm256_set1_epi32(offset * (*x[m]).minus_half[1]));
                    part[m] = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), s.scale[1]);
                }
                let dot = dots::<W, M, 4>(unit, block, q, x, [0, 1, 2, 3]);
                for m in 0..M {
                    let dot =
                        _mm256_add_epi32(dot[m], _mm256_set1_epi32(offset * (*x[m]).minus_half[0]));
                    part[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), s.scale[0], part[m]);
                }
            }
            Kind::HalvesMin => {
                for m in 0..M {
                    let first = _mm256_cvtepi32_ps(_mm256_set1_epi32((*x[m]).minus_half[0]));
                    let last = _mm256_cvtepi32_ps(_mm256_set1_epi32((*x[m]).minus_half[1]));
                    part[m] = _mm256_fmadd_ps(s.min[1], last, _mm256_mul_ps(s.min[0], first));
                }
                let dot = dots::<W, M, 4>(unit, block, q, x, [4, 5, 6, 7]);
                for m in 0..M {
                    part[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[m]), s.scale[1], part[m]);
                }
                let dot = dots::<W, M, 4>(unit, block, q, x, [0, 1, 2, 3]);
                for m in 0..M {
                    part[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[m]), s.scale[0], part[m]);
                }
            }
        }
        for m in 0..M {
            let total = sums.get_unchecked_mut(m).as_mut_ptr().add(q * 8);
            let scale = _mm256_set1_ps((*x[m]).scale);
            _mm256_storeu_ps(total, _mm256_fmadd_ps(part[m], scale, _mm256_loadu_ps(total)));
        }
    }
}

/// Whole-number products of some words.
#[inline(always)]
unsafe fn dots<W: Unpack, const M: usize, const WORDS: usize>(
    unit: *const u8,
    block: usize,
    q: usize,
    x: [*const Block; M],
    words: [usize; WORDS],
) -> [__m256i; M] {
    // SAFETY: as in `add_block`; a block has eight words.
    unsafe {
        let mut dot = [_mm256_setzero_si256(); M];
        let ones = _mm256_set1_epi16(1);
        let step = match W::CODES {
            Codes::Small => 4,
            Codes::Middle => 2,
            Codes::Signed => 1,
        };
        let mut i = 0;
        while i < WORDS {
            let mut w = [_mm256_setzero_si256(); 4];
            for j in 0..step {
                w[j] = W::word(unit, block, words[i + j], q);
            }
            if step == 1 {
                let code = _mm256_xor_si256(w[0], _mm256_set1_epi8(-128));
                let size = _mm256_abs_epi8(code);
                for m in 0..M {
                    let turned = _mm256_sign_epi8(four(x[m], words[i]), code);
                    let pairs = _mm256_maddubs_epi16(size, turned);
                    dot[m] = _mm256_add_epi32(dot[m], _mm256_madd_epi16(pairs, ones));
                }
            } else {
                for m in 0..M {
                    let mut pairs = _mm256_maddubs_epi16(w[0], four(x[m], words[i]));
                    for j in 1..step {
                        let more = _mm256_maddubs_epi16(w[j], four(x[m], words[i + j]));
                        pairs = _mm256_add_epi16(pairs, more);
                    }
                    dot[m] = _mm256_add_epi32(dot[m], _mm256_madd_epi16(pairs, ones));
                }
            }
            i += step;
        }
        dot
    }
}

/// Word `g` of a row's block, for all lanes.
#[inline(always)]
unsafe fn four(x: *const Block, g: usize) -> __m256i {
    // SAFETY: as in `add_block`.
    unsafe { _mm256_set1_epi32((*x).word(g)) }
}

fn expanded(
    kind: Kind,
    weights: &[Expanded],
    x: &[&[Block]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    // SAFETY: an `Expanded` is bytes and floats without gaps; only its extent matters here.
    let units =
        unsafe { std::slice::from_raw_parts(weights.as_ptr().cast(), size_of_val(weights)) };
    let units = Units::Near(units);
    match kind {
        Kind::Plain { offset: 128 } => rows::<Ready<0, 2>>(units, x, 128, sums, start),
        Kind::Plain { offset } => rows::<Ready<0, 0>>(units, x, offset, sums, start),
        Kind::Min => rows::<Ready<1, 0>>(units, x, 0, sums, start),
        Kind::Halves { offset: 128 } => rows::<Ready<2, 2>>(units, x, 128, sums, start),
        Kind::Halves { offset } => rows::<Ready<2, 1>>(units, x, offset, sums, start),
        Kind::HalvesMin => rows::<Ready<3, 0>>(units, x, 0, sums, start),
    }
}

fn packed(layout: Layout, units: Units<'_>, x: &[&[Block]], sums: &mut [&mut Sums], start: Start) {
    match layout {
        Layout::Q4_0 => rows::<Q4_0>(units, x, offset::<Q4_0>(), sums, start),
        Layout::Q4_1 => rows::<Q4_1>(units, x, offset::<Q4_1>(), sums, start),
        Layout::Q5_0 => rows::<Q5_0>(units, x, offset::<Q5_0>(), sums, start),
        Layout::Q5_1 => rows::<Q5_1>(units, x, offset::<Q5_1>(), sums, start),
        Layout::Q8_0 => rows::<Q8_0>(units, x, offset::<Q8_0>(), sums, start),
        Layout::Q2K => rows::<Q2K>(units, x, offset::<Q2K>(), sums, start),
        Layout::Q3K => rows::<Q3K>(units, x, offset::<Q3K>(), sums, start),
        Layout::Q4K => rows::<Q4K>(units, x, offset::<Q4K>(), sums, start),
        Layout::Q5K => rows::<Q5K>(units, x, offset::<Q5K>(), sums, start),
        Layout::Q6K => rows::<Q6K>(units, x, offset::<Q6K>(), sums, start),
        Layout::Iq4Nl => rows::<Iq4Nl>(units, x, offset::<Iq4Nl>(), sums, start),
        Layout::Iq4Xs => rows::<Iq4Xs>(units, x, offset::<Iq4Xs>(), sums, start),
        Layout::Mxfp4 => rows::<Mxfp4>(units, x, offset::<Mxfp4>(), sums, start),
        Layout::Int8 => rows::<Int8>(units, x, offset::<Int8>(), sums, start),
        Layout::F32 | Layout::F16 | Layout::Bf16 => {
            unreachable!("float panels have their own loop")
        }
    }
}

fn offset<W: Unpack>() -> i32 {
    match W::KIND {
        Kind::Plain { offset } | Kind::Halves { offset } => offset,
        Kind::Min | Kind::HalvesMin => 0,
    }
}

fn rows<W: Unpack>(
    units: Units<'_>,
    x: &[&[Block]],
    offset: i32,
    sums: &mut [&mut Sums],
    start: Start,
) {
    // SAFETY: this file's loops are in a table only where its instructions are.
    unsafe {
        match x.len() {
            1 => add::<W, 1>(units, x, offset, sums, start),
            2 => add::<W, 2>(units, x, offset, sums, start),
            3 => add::<W, 3>(units, x, offset, sums, start),
            4 => add::<W, 4>(units, x, offset, sums, start),
            5 => add::<W, 5>(units, x, offset, sums, start),
            TILE => add::<W, TILE>(units, x, offset, sums, start),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

fn expand(layout: Layout, panel: &[u8], first_block: usize, out: &mut [Expanded]) {
    // SAFETY: this file's loops are in a table only where its instructions are.
    unsafe {
        match layout {
            Layout::Q4_0 => expand_of::<Q4_0>(panel, first_block, out),
            Layout::Q4_1 => expand_of::<Q4_1>(panel, first_block, out),
            Layout::Q5_0 => expand_of::<Q5_0>(panel, first_block, out),
            Layout::Q5_1 => expand_of::<Q5_1>(panel, first_block, out),
            Layout::Q8_0 => expand_of::<Q8_0>(panel, first_block, out),
            Layout::Q2K => expand_of::<Q2K>(panel, first_block, out),
            Layout::Q3K => expand_of::<Q3K>(panel, first_block, out),
            Layout::Q4K => expand_of::<Q4K>(panel, first_block, out),
            Layout::Q5K => expand_of::<Q5K>(panel, first_block, out),
            Layout::Q6K => expand_of::<Q6K>(panel, first_block, out),
            Layout::Iq4Nl => expand_of::<Iq4Nl>(panel, first_block, out),
            Layout::Iq4Xs => expand_of::<Iq4Xs>(panel, first_block, out),
            Layout::Mxfp4 => expand_of::<Mxfp4>(panel, first_block, out),
            Layout::Int8 => expand_of::<Int8>(panel, first_block, out),
            Layout::F32 | Layout::F16 | Layout::Bf16 => {
                unreachable!("float panels are not made of codes")
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn expand_of<W: Unpack>(panel: &[u8], first_block: usize, out: &mut [Expanded]) {
    assert!(panel.len() >= (first_block + out.len()).div_ceil(W::BLOCKS) * W::BYTES);
    for (i, out) in out.iter_mut().enumerate() {
        let (unit, block) = ((first_block + i) / W::BLOCKS, (first_block + i) % W::BLOCKS);
        for q in 0..4 {
            // SAFETY: the panel holds the unit (asserted); an `Expanded` takes eight words of 32 rows and
            // four times 32 floats; the instructions are this function's own.
            unsafe {
                let unit = panel.as_ptr().add(unit * W::BYTES);
                for g in 0..8 {
                    let to = out.codes[g].as_mut_ptr().add(q * 32);
                    _mm256_storeu_si256(to.cast(), W::word(unit, block, g, q));
                }
                let s = W::scales(unit, block, q);
                _mm256_storeu_ps(out.scale[0].as_mut_ptr().add(q * 8), s.scale[0]);
                if matches!(W::KIND, Kind::Halves { .. } | Kind::HalvesMin) {
                    _mm256_storeu_ps(out.scale[1].as_mut_ptr().add(q * 8), s.scale[1]);
                }
                if matches!(W::KIND, Kind::Min | Kind::HalvesMin) {
                    _mm256_storeu_ps(out.min[0].as_mut_ptr().add(q * 8), s.min[0]);
                }
                if matches!(W::KIND, Kind::HalvesMin) {
                    _mm256_storeu_ps(out.min[1].as_mut_ptr().add(q * 8), s.min[1]);
                }
            }
        }
    }
}

fn quantize(x: &[f32], out: &mut [Block]) {
    // SAFETY: this file's loops are in a table only where its instructions are.
    unsafe { quantize_all(x, out) }
}

#[target_feature(enable = "avx2,fma")]
fn quantize_all(x: &[f32], out: &mut [Block]) {
    for (x, out) in x.as_chunks::<BLOCK>().0.iter().zip(out) {
        let mut largest = _mm256_setzero_si256();
        for x in x.as_chunks::<8>().0 {
            // SAFETY: eight floats.
            let x = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
            largest = _mm256_max_epu32(largest, _mm256_and_si256(x, _mm256_set1_epi32(i32::MAX)));
        }
        let max = f32::from_bits(largest_of(largest));
        let usable = max.is_finite() && max > TINY;
        let inverse = _mm256_set1_ps(if usable { 127.0 / max } else { 0.0 });
        let scale = if max > TINY || !max.is_finite() { max / 127.0 } else { 0.0 };
        *out = Block { scale, ..Block::ZERO };
        if !usable {
            continue;
        }
        for (half, x) in x.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: sixteen floats, and sixteen of the 32 codes.
            unsafe {
                let code = |at| _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(at), inverse));
                let (a, b) = (code(x.as_ptr()), code(x.as_ptr().add(8)));
                out.minus_half[half] = -sum_of(_mm256_add_epi32(a, b));
                let both = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(a, b));
                let bytes = _mm_packs_epi16(
                    _mm256_castsi256_si128(both),
                    _mm256_extracti128_si256::<1>(both),
                );
                _mm_storeu_si128(out.codes.as_mut_ptr().add(16 * half).cast(), bytes);
            }
        }
        out.minus_sum = out.minus_half[0] + out.minus_half[1];
    }
}

#[target_feature(enable = "avx2")]
fn largest_of(v: __m256i) -> u32 {
    let v = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let v = _mm_max_epu32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
    let v = _mm_max_epu32(v, _mm_shuffle_epi32::<0b10_11_00_01>(v));
    _mm_cvtsi128_si32(v).cast_unsigned()
}

#[target_feature(enable = "avx2")]
fn sum_of(v: __m256i) -> i32 {
    let v = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
    let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b10_11_00_01>(v));
    _mm_cvtsi128_si32(v)
}

fn float(layout: Layout, units: Units<'_>, x: &[&[f32]], sums: &mut [&mut Sums], start: Start) {
    match layout {
        Layout::F32 => float_of::<F32>(units, x, sums, start),
        Layout::F16 => float_of::<F16>(units, x, sums, start),
        Layout::Bf16 => float_of::<Bf16>(units, x, sums, start),
        _ => unreachable!("panels of codes have their own loop"),
    }
}

fn float_of<W: Columns>(units: Units<'_>, x: &[&[f32]], sums: &mut [&mut Sums], start: Start) {
    // SAFETY: this file's loops are in a table only where its instructions are.
    unsafe {
        match x.len() {
            1 => add_columns::<W, 1, 4>(units, x, sums, start),
            2 => add_columns::<W, 2, 4>(units, x, sums, start),
            3 => add_columns::<W, 3, 2>(units, x, sums, start),
            4 => add_columns::<W, 4, 2>(units, x, sums, start),
            5 => add_columns::<W, 5, 2>(units, x, sums, start),
            TILE => add_columns::<W, TILE, 2>(units, x, sums, start),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// How columns come out of a float panel's bytes.
trait Columns {
    /// Columns and bytes of a unit.
    const COLUMNS: usize;
    const BYTES: usize;

    /// Column `i` of a unit, the 8 rows of quarter `q`.
    unsafe fn column(unit: *const u8, i: usize, q: usize) -> __m256;
}

/// Adds a chunk of columns to the sums of `M` rows, `Q` quarters of the panel at a time: fused multiply
/// and add in the order of columns.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_columns<W: Columns, const M: usize, const Q: usize>(
    units: Units<'_>,
    x: &[&[f32]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    let (ahead, units) = match units {
        Units::Far(units) => (AHEAD, units),
        Units::Near(units) => (0, units),
    };
    let columns = x[0].len();
    assert!(x.len() == M && sums.len() == M && x.iter().all(|x| x.len() == columns));
    assert!(units.len() >= columns.div_ceil(W::COLUMNS) * W::BYTES);
    let x: [*const f32; M] = std::array::from_fn(|m| x[m].as_ptr());
    for first in (0..4).step_by(Q) {
        // SAFETY: rows have `columns` values and there are that many columns (asserted); the
        // instructions are this function's own.
        unsafe {
            let mut acc = [[_mm256_setzero_ps(); Q]; M];
            let mut unit = units.as_ptr();
            let mut k = 0;
            while k + W::COLUMNS <= columns {
                if ahead > 0 {
                    fetch(unit.wrapping_add(ahead), W::BYTES);
                }
                for i in 0..W::COLUMNS {
                    add_column::<W, M, Q>(unit, i, first, x, k + i, &mut acc);
                }
                k += W::COLUMNS;
                unit = unit.add(W::BYTES);
            }
            if k < columns {
                add_column::<W, M, Q>(unit, 0, first, x, k, &mut acc);
            }
            for m in 0..M {
                for q in 0..Q {
                    let at = sums[m].as_mut_ptr().add((first + q) * 8);
                    let mut total = _mm256_setzero_ps();
                    if start == Start::Continue {
                        total = _mm256_loadu_ps(at);
                    }
                    _mm256_storeu_ps(at, _mm256_add_ps(total, acc[m][q]));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn add_column<W: Columns, const M: usize, const Q: usize>(
    unit: *const u8,
    i: usize,
    first: usize,
    x: [*const f32; M],
    k: usize,
    acc: &mut [[__m256; Q]; M],
) {
    // SAFETY: the caller has the instructions, a whole unit and a value of each row.
    unsafe {
        let mut w = [_mm256_setzero_ps(); Q];
        for q in 0..Q {
            w[q] = W::column(unit, i, first + q);
        }
        for m in 0..M {
            let x = _mm256_set1_ps(*x[m].add(k));
            for q in 0..Q {
                acc[m][q] = _mm256_fmadd_ps(w[q], x, acc[m][q]);
            }
        }
    }
}
