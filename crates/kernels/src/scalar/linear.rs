//! What a packed matrix means, in plain Rust. Every instruction set computes exactly this, in this order:
//!
//! for each output, over blocks of 32 columns in turn, `total = fma(part, activation scale, total)` with
//! `part` a block's sum as [`Kind`] puts it together from whole-number dot products; float matrices are
//! summed column by column in chunks of 256, and chunks are added in turn.
//!
//! Block formats thus give the same bits on every instruction set; float formats give the same bits on
//! those that fuse multiply and add, which plain Rust does not do here (it would call a library per term).
#![allow(clippy::inline_always, reason = "one weight's meaning, in the innermost loop")]

use half::f16;

use crate::linear::activations::Block;
use crate::linear::layout::{
    BLOCK, Expanded, FLOAT_CHUNK, IQ4_LEVELS, Kind, Layout, MXFP4_LEVELS, PANEL, e8m0_half,
};
use crate::linear::{Linear, Start, Sums, Units};

/// The plain loops.
pub(crate) static LINEAR: Linear =
    Linear { quantize, expand, expanded, packed, expand_from: |_| 2, float };

/// Codes of a row's blocks; see [`crate::Kernels::activations`].
pub(crate) fn quantize(x: &[f32], out: &mut [Block]) {
    for (x, out) in x.as_chunks::<BLOCK>().0.iter().zip(out) {
        // As bits, so that what is not a number counts as largest and is not lost.
        let max = f32::from_bits(x.iter().fold(0, |m, v| m.max(v.abs().to_bits())));
        let usable = max.is_finite() && max > TINY;
        let inverse = if usable { 127.0 / max } else { 0.0 };
        *out = Block::ZERO;
        out.scale = if max > TINY || !max.is_finite() { max / 127.0 } else { 0.0 };
        if !usable {
            continue;
        }
        for (code, x) in out.codes.iter_mut().zip(x) {
            *code = (x * inverse).round_ties_even() as i8;
        }
        for (half, codes) in out.minus_half.iter_mut().zip(out.codes.as_chunks::<16>().0) {
            *half = -codes.iter().map(|c| i32::from(*c)).sum::<i32>();
        }
        out.minus_sum = out.minus_half[0] + out.minus_half[1];
    }
}

/// Blocks whose largest magnitude is not above this count as zeros: 127 over it is near overflow.
pub(crate) const TINY: f32 = 1e-30;

/// Unpacks blocks `first_block …` of a panel.
pub(crate) fn expand(layout: Layout, panel: &[u8], first_block: usize, out: &mut [Expanded]) {
    for (i, out) in out.iter_mut().enumerate() {
        let block = first_block + i;
        let per_unit = layout.unit() / BLOCK;
        let unit = &panel[block / per_unit * layout.unit_bytes()..][..layout.unit_bytes()];
        for row in 0..PANEL {
            expand_row(layout, unit, block % per_unit, row, out);
        }
    }
}

fn expand_row(layout: Layout, unit: &[u8], block: usize, row: usize, out: &mut Expanded) {
    let half_float =
        |at: usize| f16::from_le_bytes([unit[at + row * 2], unit[at + row * 2 + 1]]).to_f32();
    let six = |at: usize, i: usize| six_bits(unit, at, row, i);
    match layout {
        Layout::F32 | Layout::F16 | Layout::Bf16 => {
            unreachable!("float panels are not made of codes")
        }
        Layout::Q4_0 => {
            nibbles(unit, row, out, |n, _| n);
            out.scale[0][row] = half_float(512);
        }
        Layout::Iq4Nl => {
            nibbles(unit, row, out, |n, _| IQ4_LEVELS[usize::from(n)]);
            out.scale[0][row] = half_float(512);
        }
        Layout::Mxfp4 => {
            nibbles(unit, row, out, |n, _| MXFP4_LEVELS[usize::from(n)]);
            out.scale[0][row] = e8m0_half(unit[512 + row]);
        }
        Layout::Q4_1 => {
            nibbles(unit, row, out, |n, _| n);
            out.scale[0][row] = half_float(512);
            out.min[0][row] = -half_float(576);
        }
        Layout::Q5_0 => {
            nibbles(unit, row, out, |n, at| n | bit(&unit[512..], row, at) << 4);
            out.scale[0][row] = half_float(640);
        }
        Layout::Q5_1 => {
            nibbles(unit, row, out, |n, at| n | bit(&unit[512..], row, at) << 4);
            out.scale[0][row] = half_float(640);
            out.min[0][row] = -half_float(704);
        }
        Layout::Q8_0 => {
            codes(row, out, |(g, j)| unit[g * 128 + row * 4 + j]);
            out.scale[0][row] = half_float(1024);
        }
        Layout::Q2K => {
            codes(row, out, |at| pair(&unit[block * 256..], row, at));
            for half in 0..2 {
                let byte = unit[2048 + (block * 2 + half) * PANEL + row];
                out.scale[half][row] = half_float(2560) * f32::from(byte & 15);
                out.min[half][row] = half_float(2624) * f32::from(byte >> 4);
            }
        }
        Layout::Q3K => {
            let planes = &unit[block * 384..];
            codes(row, out, |at| pair(planes, row, at) | bit(&planes[256..], row, at) << 2);
            for half in 0..2 {
                out.scale[half][row] = half_float(3456) * (six(3072, block * 2 + half) - 32.0);
            }
        }
        Layout::Q4K => {
            nibbles(&unit[block * 512..], row, out, |n, _| n);
            out.scale[0][row] = half_float(4480) * six(4096, block);
            out.min[0][row] = half_float(4544) * six(4096, 8 + block);
        }
        Layout::Q5K => {
            let planes = &unit[block * 640..];
            nibbles(planes, row, out, |n, at| n | bit(&planes[512..], row, at) << 4);
            out.scale[0][row] = half_float(5504) * six(5120, block);
            out.min[0][row] = half_float(5568) * six(5120, 8 + block);
        }
        Layout::Q6K => {
            let planes = &unit[block * 768..];
            nibbles(planes, row, out, |n, at| n | pair(&planes[512..], row, at) << 4);
            for half in 0..2 {
                let scale = unit[6144 + (block * 2 + half) * PANEL + row] as i8;
                out.scale[half][row] = half_float(6656) * f32::from(scale);
            }
        }
        Layout::Iq4Xs => {
            nibbles(&unit[block * 512..], row, out, |n, _| IQ4_LEVELS[usize::from(n)]);
            let low = unit[4096 + row * 4 + block / 2] >> (4 * (block % 2)) & 15;
            let high = unit[4224 + row * 2 + block / 4] >> (2 * (block % 4)) & 3;
            out.scale[0][row] = half_float(4288) * (f32::from(low | high << 4) - 32.0);
        }
        Layout::Int8 => {
            codes(row, out, |(g, j)| unit[g * 128 + row * 4 + j]);
            for half in 0..2 {
                let at = 1024 + half * 128 + row * 4;
                out.scale[half][row] =
                    f32::from_le_bytes([unit[at], unit[at + 1], unit[at + 2], unit[at + 3]]);
            }
        }
    }
}

/// Word and byte in the word.
type At = (usize, usize);

fn codes(row: usize, out: &mut Expanded, code: impl Fn(At) -> u8) {
    for g in 0..8 {
        for j in 0..4 {
            out.codes[g][row * 4 + j] = code((g, j));
        }
    }
}

fn nibbles(plane: &[u8], row: usize, out: &mut Expanded, code: impl Fn(u8, At) -> u8) {
    codes(row, out, |(g, j)| code(plane[g % 4 * 128 + row * 4 + j] >> (g / 4 * 4) & 15, (g, j)));
}

fn pair(plane: &[u8], row: usize, (g, j): At) -> u8 {
    plane[g / 4 * 128 + row * 4 + j] >> (g % 4 * 2) & 3
}

fn bit(plane: &[u8], row: usize, (g, j): At) -> u8 {
    plane[row * 4 + j] >> g & 1
}

fn six_bits(unit: &[u8], at: usize, row: usize, i: usize) -> f32 {
    let word = |w: usize| {
        let at = at + w * 128 + row * 4;
        u32::from_le_bytes([unit[at], unit[at + 1], unit[at + 2], unit[at + 3]])
    };
    let field = if i < 15 {
        word(i / 5) >> (6 * (i % 5)) & 63
    } else {
        word(0) >> 30 | (word(1) >> 30) << 2 | (word(2) >> 30) << 4
    };
    field as f32
}

/// Adds unpacked blocks of some activation rows to their sums.
pub(crate) fn expanded(
    kind: Kind,
    weights: &[Expanded],
    x: &[&[Block]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    for (x, sums) in x.iter().zip(sums) {
        begin(sums, start);
        for (w, x) in weights.iter().zip(*x) {
            add_block(kind, w, x, sums);
        }
    }
}

fn begin(sums: &mut Sums, start: Start) {
    if start == Start::Zero {
        *sums = [0.0; PANEL];
    }
}

fn add_block(kind: Kind, w: &Expanded, x: &Block, sums: &mut Sums) {
    let dots = [dots(w, x, 0), dots(w, x, 4)];
    for (row, total) in sums.iter_mut().enumerate() {
        let both = dots[0][row] + dots[1][row];
        let [first, last] = [w.scale[0][row], w.scale[1][row]];
        let part = match kind {
            Kind::Plain { offset } => (both + offset * x.minus_sum) as f32 * first,
            Kind::Min => (both as f32).mul_add(first, w.min[0][row] * x.minus_sum as f32),
            Kind::Halves { offset } => {
                let last = (dots[1][row] + offset * x.minus_half[1]) as f32 * last;
                ((dots[0][row] + offset * x.minus_half[0]) as f32).mul_add(first, last)
            }
            Kind::HalvesMin => {
                let part = w.min[0][row] * x.minus_half[0] as f32;
                let part = w.min[1][row].mul_add(x.minus_half[1] as f32, part);
                let part = (dots[1][row] as f32).mul_add(last, part);
                (dots[0][row] as f32).mul_add(first, part)
            }
        };
        *total = part.mul_add(x.scale, *total);
    }
}

/// Dot products of the 32 rows with words `first .. first + 4`.
fn dots(w: &Expanded, x: &Block, first: usize) -> [i32; PANEL] {
    let mut dots = [0; PANEL];
    for g in first..first + 4 {
        for (dot, codes) in dots.iter_mut().zip(w.codes[g].as_chunks::<4>().0) {
            for (code, x) in codes.iter().zip(&x.codes[g * 4..]) {
                *dot += i32::from(*code) * i32::from(*x);
            }
        }
    }
    dots
}

/// Adds blocks of some rows to their sums, unpacking each in turn. `units` begins with the first block's.
pub(crate) fn packed(
    layout: Layout,
    units: Units<'_>,
    x: &[&[Block]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    let (Units::Far(units) | Units::Near(units)) = units;
    let Some(kind) = layout.kind() else { unreachable!("float panels have their own loop") };
    let blocks = x.first().map_or(0, |x| x.len());
    for sums in &mut *sums {
        begin(sums, start);
    }
    let mut block = [Expanded::ZERO];
    for b in 0..blocks {
        expand(layout, units, b, &mut block);
        for (x, sums) in x.iter().zip(&mut *sums) {
            add_block(kind, &block[0], &x[b], sums);
        }
    }
}

/// Adds a chunk of columns (at most [`FLOAT_CHUNK`]) of some rows to their sums. `units` begins with the
/// chunk's first column.
pub(crate) fn float(
    layout: Layout,
    units: Units<'_>,
    x: &[&[f32]],
    sums: &mut [&mut Sums],
    start: Start,
) {
    let (Units::Far(units) | Units::Near(units)) = units;
    for (x, sums) in x.iter().zip(sums) {
        debug_assert!(x.len() <= FLOAT_CHUNK, "a chunk of {} columns", x.len());
        let mut chunk = [0f32; PANEL];
        for (k, x) in x.iter().enumerate() {
            for (row, total) in chunk.iter_mut().enumerate() {
                *total += weight(layout, units, k, row) * x;
            }
        }
        begin(sums, start);
        for (total, chunk) in sums.iter_mut().zip(chunk) {
            *total += chunk;
        }
    }
}

#[inline(always)]
fn weight(layout: Layout, panel: &[u8], k: usize, row: usize) -> f32 {
    match layout {
        Layout::F32 => {
            let at = k * 128 + row * 4;
            f32::from_le_bytes([panel[at], panel[at + 1], panel[at + 2], panel[at + 3]])
        }
        Layout::F16 => {
            let at = k * 64 + row * 2;
            f16::from_le_bytes([panel[at], panel[at + 1]]).to_f32()
        }
        _ => {
            let at = k / 2 * 128 + row * 4 + k % 2 * 2;
            f32::from_bits(u32::from(u16::from_le_bytes([panel[at], panel[at + 1]])) << 16)
        }
    }
}
