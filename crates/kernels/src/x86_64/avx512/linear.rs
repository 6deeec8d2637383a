//! Packed matrices on AVX-512 with VNNI: 16 output rows in a register, `vpdpbusd` for four columns of them.
//!
//! **Idea.** A word of four activations is broadcast and meets the words of 32 rows, two registers. With
//! six activation rows that makes twelve chains of `vpdpbusd` and as many float sums, which fills the 32
//! registers; each weight register serves six rows. The format's offset is where the integer chain
//! starts (`-offset · sum`), so codes stay unsigned. One body, [`add`], does all of it: for few rows it
//! unpacks the file's bits in registers ([`formats`]), for many it reads blocks unpacked before.
//!
//! **Roofline.** One row: 4.5 bits a weight from memory; the chain of a block is 8 deep, blocks overlap.
//! Many rows: of each block's instructions on the two multiply ports 96 are `vpdpbusd` and 24 to 36 put
//! the sum together, so 0.73 to 0.8 of the peak is the most this shape can give.
//!
//! **Measured** (Zen 5, two threads, a shared machine; `benches/linear.rs`). One row: 0.8 to 1.0 of the
//! read bandwidth in every format but Q4_0, which reaches 0.7 to 1.0. 510 rows: Q4_0 and Q8_0 0.6 to 0.66
//! of the int8 peak, IQ4_NL and MXFP4 0.55 to 0.65, Q4_K 0.5 to 0.57, Q5_0 and Q5_K 0.5 to 0.56, Q6_K, Q2_K
//! and Q3_K 0.42 to 0.5; floats 0.75 to 0.85 of the f32 peak.
//!
//! **Tried.** Fetching ahead: +20 to +90 % for one to four rows, Q6_K and Q4_K most. Fetching 2 KiB
//! ahead or into the second cache only: less. Unpacking first for every format: 0.24 against 0.42 of the
//! peak at 16 rows of Q4_K.
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

/// The AVX-512 loops.
pub(crate) static LINEAR: Linear =
    Linear { quantize, expand, expanded, packed, expand_from, float };

/// Bits that lie in two or three planes are worth putting together once, if the rows are many. What a
/// shift and a mask or a table bring about is not: reading it unpacked takes longer.
fn expand_from(layout: Layout) -> usize {
    match layout {
        Layout::Q5_0 | Layout::Q5_1 | Layout::Q5K | Layout::Q2K | Layout::Q3K => 16 * TILE,
        _ => usize::MAX,
    }
}

/// How far ahead of a block weights are fetched from memory. A block's share at a time: bursts of a
/// whole unit of 256 columns halved the speed of Q4_K and Q6_K.
const AHEAD: usize = 8192;

/// How one block of 32 columns comes out of a panel's bytes. Everything is unsafe alike: it needs this
/// file's instructions and a pointer to a whole unit, and is inlined where both are at hand.
trait Unpack {
    /// Blocks in a unit.
    const BLOCKS: usize;
    /// Bytes of a unit.
    const BYTES: usize;
    const KIND: Kind;

    /// Word `g` (0 … 7) of rows 0 … 15 and 16 … 31.
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2];
    /// Scales and mins of the block; what the kind does not use is never looked at.
    unsafe fn scales(unit: *const u8, block: usize) -> Scales;
}

/// `[half of the block, half of the rows]`
#[derive(Clone, Copy)]
struct Scales {
    scale: [[__m512; 2]; 2],
    min: [[__m512; 2]; 2],
}

/// A block that was unpacked before.
struct Ready<const HALVES: bool, const MIN: bool>;

impl<const HALVES: bool, const MIN: bool> Unpack for Ready<HALVES, MIN> {
    const BLOCKS: usize = 1;
    const BYTES: usize = size_of::<Expanded>();
    // The offset comes with the call.
    const KIND: Kind = match (HALVES, MIN) {
        (false, false) => Kind::Plain { offset: 1 },
        (false, true) => Kind::Min,
        (true, false) => Kind::Halves { offset: 1 },
        (true, true) => Kind::HalvesMin,
    };

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        // SAFETY: as the trait says.
        unsafe { words(unit, g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        // SAFETY: as the trait says.
        unsafe {
            let at = unit.add(1024);
            Scales {
                scale: [floats(at), floats(at.add(128))],
                min: [floats(at.add(256)), floats(at.add(384))],
            }
        }
    }
}

/// Adds the first blocks of `units`, as many as the rows have, to the sums of `M` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
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
    let x: [*const Block; M] = std::array::from_fn(|m| x[m].as_ptr());
    let shift = _mm_cvtsi32_si128(offset.trailing_zeros() as i32);
    // SAFETY: rows have `blocks` blocks and there are that many blocks' units (asserted); the
    // instructions are this function's own.
    unsafe {
        let mut acc = [[_mm512_setzero_ps(); 2]; M];
        if start == Start::Continue {
            for m in 0..M {
                acc[m] = floats(sums[m].as_ptr().cast());
            }
        }
        let mut unit = units.as_ptr();
        let mut b = 0;
        while b < blocks {
            for block in 0..W::BLOCKS {
                if ahead > 0 {
                    fetch(
                        unit.wrapping_add(ahead + block * (W::BYTES / W::BLOCKS)),
                        W::BYTES / W::BLOCKS,
                    );
                }
                let mut at = x;
                for m in 0..M {
                    at[m] = x[m].add(b + block);
                }
                add_block::<W, M>(unit, block, at, shift, &mut acc);
            }
            b += W::BLOCKS;
            unit = unit.add(W::BYTES);
        }
        for m in 0..M {
            store(sums[m], acc[m]);
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
    x: [*const Block; M],
    shift: __m128i,
    acc: &mut [[__m512; 2]; M],
) {
    // SAFETY: the caller has the instructions, a whole unit and a block of each row.
    unsafe {
        let mut part = [[_mm512_setzero_ps(); 2]; M];
        match W::KIND {
            Kind::Plain { .. } => {
                let mut dot = starts(x, shift, |x| x.minus_sum);
                dots::<W, M, 8>(unit, block, x, [0, 4, 1, 5, 2, 6, 3, 7], &mut dot);
                let s = W::scales(unit, block);
                for m in 0..M {
                    for h in 0..2 {
                        part[m][h] = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[m][h]), s.scale[0][h]);
                    }
                }
            }
            Kind::Min => {
                let mut dot = [[_mm512_setzero_si512(); 2]; M];
                dots::<W, M, 8>(unit, block, x, [0, 4, 1, 5, 2, 6, 3, 7], &mut dot);
                let s = W::scales(unit, block);
                for m in 0..M {
                    let sum = _mm512_cvtepi32_ps(_mm512_set1_epi32((*x[m]).minus_sum));
                    for h in 0..2 {
                        let less = _mm512_mul_ps(s.min[0][h], sum);
                        part[m][h] =
                            _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[m][h]), s.scale[0][h], less);
                    }
                }
            }
            Kind::Halves { .. } => {
                let s = W::scales(unit, block);
                let mut dot = starts(x, shift, |x| x.minus_half[1]);
                dots::<W, M, 4>(unit, block, x, [4, 5, 6, 7], &mut dot);
                for m in 0..M {
                    for h in 0..2 {
                        part[m][h] = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[m][h]), s.scale[1][h]);
                    }
                }
                let mut dot = starts(x, shift, |x| x.minus_half[0]);
                dots::<W, M, 4>(unit, block, x, [0, 1, 2, 3], &mut dot);
                for m in 0..M {
                    for h in 0..2 {
                        let first = _mm512_cvtepi32_ps(dot[m][h]);
                        part[m][h] = _mm512_fmadd_ps(first, s.scale[0][h], part[m][h]);
                    }
                }
            }
            Kind::HalvesMin => {
                let s = W::scales(unit, block);
                for m in 0..M {
                    let first = _mm512_cvtepi32_ps(_mm512_set1_epi32((*x[m]).minus_half[0]));
                    let last = _mm512_cvtepi32_ps(_mm512_set1_epi32((*x[m]).minus_half[1]));
                    for h in 0..2 {
                        let less = _mm512_mul_ps(s.min[0][h], first);
                        part[m][h] = _mm512_fmadd_ps(s.min[1][h], last, less);
                    }
                }
                let mut dot = [[_mm512_setzero_si512(); 2]; M];
                dots::<W, M, 4>(unit, block, x, [4, 5, 6, 7], &mut dot);
                for m in 0..M {
                    for h in 0..2 {
                        let last = _mm512_cvtepi32_ps(dot[m][h]);
                        part[m][h] = _mm512_fmadd_ps(last, s.scale[1][h], part[m][h]);
                    }
                }
                let mut dot = [[_mm512_setzero_si512(); 2]; M];
                dots::<W, M, 4>(unit, block, x, [0, 1, 2, 3], &mut dot);
                for m in 0..M {
                    for h in 0..2 {
                        let first = _mm512_cvtepi32_ps(dot[m][h]);
                        part[m][h] = _mm512_fmadd_ps(first, s.scale[0][h], part[m][h]);
                    }
                }
            }
        }
        for m in 0..M {
            let scale = _mm512_set1_ps((*x[m]).scale);
            for h in 0..2 {
                acc[m][h] = _mm512_fmadd_ps(part[m][h], scale, acc[m][h]);
            }
        }
    }
}

/// Where integer chains start: a sum of the activations, shifted by the offset's power of two.
#[inline(always)]
unsafe fn starts<const M: usize>(
    x: [*const Block; M],
    shift: __m128i,
    sum: impl Fn(&Block) -> i32,
) -> [[__m512i; 2]; M] {
    // SAFETY: as in `add_block`.
    unsafe {
        let mut starts = [[_mm512_setzero_si512(); 2]; M];
        for m in 0..M {
            starts[m] = [_mm512_sll_epi32(_mm512_set1_epi32(sum(&*x[m])), shift); 2];
        }
        starts
    }
}

/// Adds the products of some words.
#[inline(always)]
unsafe fn dots<W: Unpack, const M: usize, const WORDS: usize>(
    unit: *const u8,
    block: usize,
    x: [*const Block; M],
    order: [usize; WORDS],
    dot: &mut [[__m512i; 2]; M],
) {
    for i in 0..WORDS {
        let g = order[i];
        // SAFETY: as in `add_block`; a block has eight words.
        unsafe {
            let w = W::word(unit, block, g);
            for m in 0..M {
                let four = _mm512_set1_epi32((*x[m]).word(g));
                for h in 0..2 {
                    dot[m][h] = _mm512_dpbusd_epi32(dot[m][h], w[h], four);
                }
            }
        }
    }
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
        Kind::Plain { offset } => rows::<Ready<false, false>>(units, x, offset, sums, start),
        Kind::Min => rows::<Ready<false, true>>(units, x, 1, sums, start),
        Kind::Halves { offset } => rows::<Ready<true, false>>(units, x, offset, sums, start),
        Kind::HalvesMin => rows::<Ready<true, true>>(units, x, 1, sums, start),
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
        Kind::Min | Kind::HalvesMin => 1,
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

#[inline(always)]
unsafe fn store(to: &mut [f32; PANEL], from: [__m512; 2]) {
    // SAFETY: thirty-two floats; the caller has the instructions.
    unsafe {
        _mm512_storeu_ps(to.as_mut_ptr(), from[0]);
        _mm512_storeu_ps(to.as_mut_ptr().add(16), from[1]);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn expand_of<W: Unpack>(panel: &[u8], first_block: usize, out: &mut [Expanded]) {
    assert!(panel.len() >= (first_block + out.len()).div_ceil(W::BLOCKS) * W::BYTES);
    for (i, out) in out.iter_mut().enumerate() {
        let (unit, block) = ((first_block + i) / W::BLOCKS, (first_block + i) % W::BLOCKS);
        // SAFETY: the panel holds the unit (asserted); an `Expanded` takes eight words of 32 rows and
        // four times 32 floats; the instructions are this function's own.
        unsafe {
            let unit = panel.as_ptr().add(unit * W::BYTES);
            for (g, codes) in out.codes.iter_mut().enumerate() {
                let w = W::word(unit, block, g);
                _mm512_storeu_si512(codes.as_mut_ptr().cast(), w[0]);
                _mm512_storeu_si512(codes.as_mut_ptr().add(64).cast(), w[1]);
            }
            let s = W::scales(unit, block);
            store(&mut out.scale[0], s.scale[0]);
            if matches!(W::KIND, Kind::Halves { .. } | Kind::HalvesMin) {
                store(&mut out.scale[1], s.scale[1]);
            }
            if matches!(W::KIND, Kind::Min | Kind::HalvesMin) {
                store(&mut out.min[0], s.min[0]);
            }
            if matches!(W::KIND, Kind::HalvesMin) {
                store(&mut out.min[1], s.min[1]);
            }
        }
    }
}

fn quantize(x: &[f32], out: &mut [Block]) {
    // SAFETY: this file's loops are in a table only where its instructions are.
    unsafe { quantize_all(x, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn quantize_all(x: &[f32], out: &mut [Block]) {
    for (x, out) in x.as_chunks::<BLOCK>().0.iter().zip(out) {
        // SAFETY: a block of 32 values; the instructions are this function's own.
        let x = unsafe { floats(x.as_ptr().cast()) };
        let size =
            [_mm512_castps_si512(_mm512_abs_ps(x[0])), _mm512_castps_si512(_mm512_abs_ps(x[1]))];
        let max = f32::from_bits(_mm512_reduce_max_epu32(_mm512_max_epu32(size[0], size[1])));
        let usable = max.is_finite() && max > TINY;
        let inverse = _mm512_set1_ps(if usable { 127.0 / max } else { 0.0 });
        let scale = if max > TINY || !max.is_finite() { max / 127.0 } else { 0.0 };
        *out = Block { scale, ..Block::ZERO };
        if !usable {
            continue;
        }
        for (half, x) in x.into_iter().enumerate() {
            let codes = _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse));
            out.minus_half[half] = -_mm512_reduce_add_epi32(codes);
            // SAFETY: 16 of the 32 codes.
            unsafe {
                _mm_storeu_si128(
                    out.codes.as_mut_ptr().add(16 * half).cast(),
                    _mm512_cvtepi32_epi8(codes),
                );
            }
        }
        out.minus_sum = out.minus_half[0] + out.minus_half[1];
    }
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
            1 => add_columns::<W, 1>(units, x, sums, start),
            2 => add_columns::<W, 2>(units, x, sums, start),
            3 => add_columns::<W, 3>(units, x, sums, start),
            4 => add_columns::<W, 4>(units, x, sums, start),
            5 => add_columns::<W, 5>(units, x, sums, start),
            TILE => add_columns::<W, TILE>(units, x, sums, start),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// How columns come out of a float panel's bytes.
trait Columns {
    /// Columns and bytes of a unit.
    const COLUMNS: usize;
    const BYTES: usize;

    /// Column `i` of a unit, rows 0 … 15 and 16 … 31.
    unsafe fn column(unit: *const u8, i: usize) -> [__m512; 2];
}

/// Adds a chunk of columns to the sums of `M` rows: fused multiply and add in the order of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn add_columns<W: Columns, const M: usize>(
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
    // SAFETY: rows have `columns` values and there are that many columns (asserted); the instructions
    // are this function's own.
    unsafe {
        let mut acc = [[_mm512_setzero_ps(); 2]; M];
        let mut unit = units.as_ptr();
        let mut k = 0;
        while k + W::COLUMNS <= columns {
            if ahead > 0 {
                fetch(unit.wrapping_add(ahead), W::BYTES);
            }
            for i in 0..W::COLUMNS {
                add_column(W::column(unit, i), x, k + i, &mut acc);
            }
            k += W::COLUMNS;
            unit = unit.add(W::BYTES);
        }
        if k < columns {
            add_column(W::column(unit, 0), x, k, &mut acc);
        }
        for m in 0..M {
            let mut total = [_mm512_setzero_ps(); 2];
            if start == Start::Continue {
                total = floats(sums[m].as_ptr().cast());
            }
            total = [_mm512_add_ps(total[0], acc[m][0]), _mm512_add_ps(total[1], acc[m][1])];
            store(sums[m], total);
        }
    }
}

#[inline(always)]
unsafe fn add_column<const M: usize>(
    w: [__m512; 2],
    x: [*const f32; M],
    k: usize,
    acc: &mut [[__m512; 2]; M],
) {
    // SAFETY: the caller has the instructions and a value of each row.
    unsafe {
        for m in 0..M {
            let x = _mm512_set1_ps(*x[m].add(k));
            acc[m][0] = _mm512_fmadd_ps(w[0], x, acc[m][0]);
            acc[m][1] = _mm512_fmadd_ps(w[1], x, acc[m][1]);
        }
    }
}
