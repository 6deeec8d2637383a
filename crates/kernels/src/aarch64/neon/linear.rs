//! Packed matrices on NEON: 4 output rows in a register, signed bytes multiplied in pairs of words.
//!
//! **Idea.** A word of four codes of 4 rows meets the word of four activations, repeated. Two words'
//! products fit 16 bits (2 · 128 · 127 < 2^15), so they are added there and then folded into 32 bits;
//! only the base set's instructions are used. The format's offset is taken from the codes first, which
//! are then signed bytes whatever the format.
//!
//! Tested under emulation only, so never timed.
#![allow(unused_unsafe, reason = "which intrinsics are unsafe differs between compiler versions")]
#![allow(clippy::inline_always, reason = "registers must not travel through memory")]
#![allow(clippy::wildcard_imports, reason = "intrinsics are named by their prefix")]
#![allow(clippy::needless_range_loop, reason = "one index runs over several arrays of registers")]

mod formats;

use std::arch::aarch64::*;

use crate::linear::activations::Block;
use crate::linear::layout::{Kind, Layout, PANEL};
use crate::linear::{Linear, Start, Sums, TILE, Units};
use crate::scalar::linear::LINEAR as SCALAR;
use formats::*;

/// The NEON loops; weights are never unpacked beforehand.
pub(crate) static LINEAR: Linear = Linear { packed, expand_from: |_| usize::MAX, float, ..SCALAR };

/// Registers that hold a panel's rows.
const PARTS: usize = PANEL / 4;

/// How one block of 32 columns comes out of a panel's bytes, four rows (an eighth) at a time. Unsafe:
/// wants a pointer to a whole unit.
trait Unpack {
    /// Blocks in a unit.
    const BLOCKS: usize;
    /// Bytes of a unit.
    const BYTES: usize;
    const KIND: Kind;

    /// Word `g` (0 … 7) of the rows of eighth `e`, the offset taken off.
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t;
    /// Scales and mins of the block; what the kind does not use is never looked at.
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales;
}

/// `[half of the block]`
#[derive(Clone, Copy)]
struct Scales {
    scale: [float32x4_t; 2],
    min: [float32x4_t; 2],
}

fn packed(layout: Layout, units: Units<'_>, x: &[&[Block]], sums: &mut [&mut Sums], start: Start) {
    let (Units::Far(units) | Units::Near(units)) = units;
    match layout {
        Layout::Q4_0 => rows::<Q4_0>(units, x, sums, start),
        Layout::Q4_1 => rows::<Q4_1>(units, x, sums, start),
        Layout::Q5_0 => rows::<Q5_0>(units, x, sums, start),
        Layout::Q5_1 => rows::<Q5_1>(units, x, sums, start),
        Layout::Q8_0 => rows::<Q8_0>(units, x, sums, start),
        Layout::Q2K => rows::<Q2K>(units, x, sums, start),
        Layout::Q3K => rows::<Q3K>(units, x, sums, start),
        Layout::Q4K => rows::<Q4K>(units, x, sums, start),
        Layout::Q5K => rows::<Q5K>(units, x, sums, start),
        Layout::Q6K => rows::<Q6K>(units, x, sums, start),
        Layout::Iq4Nl => rows::<Iq4Nl>(units, x, sums, start),
        Layout::Iq4Xs => rows::<Iq4Xs>(units, x, sums, start),
        Layout::Mxfp4 => rows::<Mxfp4>(units, x, sums, start),
        Layout::Int8 => rows::<Int8>(units, x, sums, start),
        Layout::F32 | Layout::F16 | Layout::Bf16 => {
            unreachable!("float panels have their own loop")
        }
    }
}

fn rows<W: Unpack>(units: &[u8], x: &[&[Block]], sums: &mut [&mut Sums], start: Start) {
    match x.len() {
        1 => add::<W, 1>(units, x, sums, start),
        2 => add::<W, 2>(units, x, sums, start),
        3 => add::<W, 3>(units, x, sums, start),
        4 => add::<W, 4>(units, x, sums, start),
        5 => add::<W, 5>(units, x, sums, start),
        TILE => add::<W, TILE>(units, x, sums, start),
        rows => unreachable!("a tile of {rows} rows"),
    }
}

/// Adds the first blocks of `units`, as many as the rows have, to the sums of `M` rows.
fn add<W: Unpack, const M: usize>(
    units: &[u8],
    x: &[&[Block]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    let blocks = x[0].len();
    assert!(x.len() == M && sums.len() == M && x.iter().all(|x| x.len() == blocks));
    assert!(units.len() >= blocks.div_ceil(W::BLOCKS) * W::BYTES);
    if start == Start::Zero {
        for sums in sums.iter_mut() {
            **sums = [0.0; PANEL];
        }
    }
    for b in 0..blocks {
        let at: [&Block; M] = std::array::from_fn(|m| &x[m][b]);
        for e in 0..PARTS {
            // SAFETY: there are as many units (asserted).
            unsafe {
                let unit = units.as_ptr().add(b / W::BLOCKS * W::BYTES);
                add_block::<W, M>(unit, b % W::BLOCKS, e, at, sums);
            }
        }
    }
}

#[inline(always)]
unsafe fn add_block<W: Unpack, const M: usize>(
    unit: *const u8,
    block: usize,
    e: usize,
    x: [&Block; M],
    sums: &mut [&mut Sums],
) {
    // SAFETY: the caller has a whole unit; each row's sums are 32 floats.
    unsafe {
        let s = W::scales(unit, block, e);
        let mut w = [vdupq_n_s8(0); 8];
        for g in 0..8 {
            w[g] = W::word(unit, block, g, e);
        }
        for m in 0..M {
            let whole = |v: i32| vcvtq_f32_s32(vdupq_n_s32(v));
            let halves = x[m].minus_half;
            let part = match W::KIND {
                Kind::Plain { .. } => {
                    let dot = vaddq_s32(dot(w, x[m], 0), dot(w, x[m], 4));
                    vmulq_f32(vcvtq_f32_s32(dot), s.scale[0])
                }
                Kind::Min => {
                    let dot = vaddq_s32(dot(w, x[m], 0), dot(w, x[m], 4));
                    let less = vmulq_f32(s.min[0], whole(x[m].minus_sum));
                    vfmaq_f32(less, vcvtq_f32_s32(dot), s.scale[0])
                }
                Kind::Halves { .. } => {
                    let last = vmulq_f32(vcvtq_f32_s32(dot(w, x[m], 4)), s.scale[1]);
                    vfmaq_f32(last, vcvtq_f32_s32(dot(w, x[m], 0)), s.scale[0])
                }
                Kind::HalvesMin => {
                    let less = vmulq_f32(s.min[0], whole(halves[0]));
                    let less = vfmaq_f32(less, s.min[1], whole(halves[1]));
                    let last = vfmaq_f32(less, vcvtq_f32_s32(dot(w, x[m], 4)), s.scale[1]);
                    vfmaq_f32(last, vcvtq_f32_s32(dot(w, x[m], 0)), s.scale[0])
                }
            };
            let at = sums[m].as_mut_ptr().add(e * 4);
            vst1q_f32(at, vfmaq_f32(vld1q_f32(at), part, vdupq_n_f32(x[m].scale)));
        }
    }
}

/// Products of four words from `first` on, in whole numbers.
#[inline(always)]
unsafe fn dot(w: [int8x16_t; 8], x: &Block, first: usize) -> int32x4_t {
    // SAFETY: the base set.
    unsafe {
        let mut low = vdupq_n_s32(0);
        let mut high = vdupq_n_s32(0);
        for g in [first, first + 2] {
            let a = vreinterpretq_s8_s32(vdupq_n_s32(x.word(g)));
            let b = vreinterpretq_s8_s32(vdupq_n_s32(x.word(g + 1)));
            let pairs = vmull_s8(vget_low_s8(w[g]), vget_low_s8(a));
            low = vpadalq_s16(low, vmlal_s8(pairs, vget_low_s8(w[g + 1]), vget_low_s8(b)));
            let pairs = vmull_high_s8(w[g], a);
            high = vpadalq_s16(high, vmlal_high_s8(pairs, w[g + 1], b));
        }
        vpaddq_s32(low, high)
    }
}

fn float(layout: Layout, units: Units<'_>, x: &[&[f32]], sums: &mut [&mut Sums], start: Start) {
    match layout {
        Layout::F32 => float_rows::<F32>(units, x, sums, start),
        Layout::F16 => float_rows::<F16>(units, x, sums, start),
        Layout::Bf16 => float_rows::<Bf16>(units, x, sums, start),
        _ => unreachable!("panels of codes have their own loop"),
    }
}

fn float_rows<W: Columns>(units: Units<'_>, x: &[&[f32]], sums: &mut [&mut Sums], start: Start) {
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

/// How columns come out of a float panel's bytes.
trait Columns {
    /// Columns and bytes of a unit.
    const COLUMNS: usize;
    const BYTES: usize;

    /// Column `i` of a unit, the four rows of eighth `e`.
    unsafe fn column(unit: *const u8, i: usize, e: usize) -> float32x4_t;
}

/// Adds a chunk of columns to the sums of `M` rows, half of the panel at a time: fused multiply and add
/// in the order of columns.
fn add_columns<W: Columns, const M: usize>(
    units: Units<'_>,
    x: &[&[f32]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    let (Units::Far(units) | Units::Near(units)) = units;
    const Q: usize = PARTS / 2;
    let columns = x[0].len();
    assert!(x.len() == M && sums.len() == M && x.iter().all(|x| x.len() == columns));
    assert!(units.len() >= columns.div_ceil(W::COLUMNS) * W::BYTES);
    for first in [0, Q] {
        // SAFETY: there are that many columns (asserted); each row's sums are 32 floats.
        unsafe {
            let mut acc = [[vdupq_n_f32(0.0); Q]; M];
            for k in 0..columns {
                let unit = units.as_ptr().add(k / W::COLUMNS * W::BYTES);
                let mut w = [vdupq_n_f32(0.0); Q];
                for q in 0..Q {
                    w[q] = W::column(unit, k % W::COLUMNS, first + q);
                }
                for m in 0..M {
                    let x = vdupq_n_f32(x[m][k]);
                    for q in 0..Q {
                        acc[m][q] = vfmaq_f32(acc[m][q], w[q], x);
                    }
                }
            }
            for m in 0..M {
                for q in 0..Q {
                    let at = sums[m].as_mut_ptr().add((first + q) * 4);
                    let mut total = vdupq_n_f32(0.0);
                    if start == Start::Continue {
                        total = vld1q_f32(at);
                    }
                    vst1q_f32(at, vaddq_f32(total, acc[m][q]));
                }
            }
        }
    }
}
