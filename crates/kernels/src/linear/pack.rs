//! File blocks into panels: moving bits, never changing them.
//!
//! Every byte of a unit belongs to one row, so rows are written one by one without reading back. Words
//! of four codes are moved at once; with 32 rows in flight a unit is written whole before it leaves the
//! first cache.
#![allow(clippy::inline_always, reason = "loops of constant size fall apart when these stay calls")]

use quant::Format;

use crate::linear::layout::{BLOCK, Layout, PANEL};

/// Four codes, one a byte, the first lowest.
type Word = u32;
/// A block of 32 codes.
type Words = [Word; 8];

const LOW4: Word = 0x0f0f_0f0f;
const LOW2: Word = 0x0303_0303;
const LOW1: Word = 0x0101_0101;

/// Packs `raw`, whole rows of `row_bytes` in the file's layout, as rows `first …` of a panel.
pub(crate) fn rows(
    format: &Format,
    layout: Layout,
    raw: &[u8],
    row_bytes: usize,
    first: usize,
    panel: &mut [u8],
) {
    let rows = Rows { raw, row_bytes, first };
    match layout {
        Layout::F32 | Layout::F16 | Layout::Bf16 => floats(format, layout, rows, panel),
        Layout::Q4_0 | Layout::Iq4Nl => rows.each(panel, q4_0),
        Layout::Q4_1 => rows.each(panel, q4_1),
        Layout::Q5_0 => rows.each(panel, q5_0),
        Layout::Q5_1 => rows.each(panel, q5_1),
        Layout::Q8_0 => rows.each(panel, q8_0),
        Layout::Q2K => rows.each(panel, q2_k),
        Layout::Q3K => rows.each(panel, q3_k),
        Layout::Q4K => rows.each(panel, q4_k),
        Layout::Q5K => rows.each(panel, q5_k),
        Layout::Q6K => rows.each(panel, q6_k),
        Layout::Iq4Xs => rows.each(panel, iq4_xs),
        Layout::Mxfp4 => rows.each(panel, mxfp4),
        Layout::Int8 => int8(format, rows, panel),
    }
}

#[derive(Clone, Copy)]
struct Rows<'a> {
    raw: &'a [u8],
    row_bytes: usize,
    first: usize,
}

impl<'a> Rows<'a> {
    /// Each row and its place in the panel.
    fn iter(self) -> impl Iterator<Item = (usize, &'a [u8])> {
        self.raw.chunks_exact(self.row_bytes).enumerate().map(move |(i, row)| (self.first + i, row))
    }

    /// Calls `one(file block, unit, row)` for every block of every row, unit by unit.
    #[inline(always)]
    fn each<const RAW: usize, const UNIT: usize>(
        self,
        panel: &mut [u8],
        one: impl Fn(&[u8; RAW], &mut [u8; UNIT], usize),
    ) {
        for (u, unit) in panel.as_chunks_mut::<UNIT>().0.iter_mut().enumerate() {
            for (row, raw) in self.iter() {
                assert!(row < PANEL, "a panel has {PANEL} rows");
                one(take(raw, u * RAW), unit, row);
            }
        }
    }
}

#[inline(always)]
fn take<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    bytes[at..].first_chunk().expect("the format's block size")
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Word {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline(always)]
fn put<const N: usize>(unit: &mut [u8], at: usize, bytes: [u8; N]) {
    unit[at..at + N].copy_from_slice(&bytes);
}

/// Writes one word per 128 bytes from `at` on: the planes' step from word to word.
#[inline(always)]
fn put_words<const N: usize>(unit: &mut [u8], at: usize, row: usize, words: [Word; N]) {
    for (i, w) in words.into_iter().enumerate() {
        put(unit, at + i * 128 + row * 4, w.to_le_bytes());
    }
}

fn nibbles(c: Words) -> [Word; 4] {
    std::array::from_fn(|g| c[g] & LOW4 | (c[4 + g] & LOW4) << 4)
}

fn pairs(c: Words, bit: u32) -> [Word; 2] {
    std::array::from_fn(|p| (0..4).map(|f| (c[4 * p + f] >> bit & LOW2) << (2 * f)).sum())
}

fn bits(c: Words, bit: u32) -> [Word; 1] {
    [(0..8).map(|g| (c[g] >> bit & LOW1) << g).sum()]
}

/// Bit `4G + j` of `qh` to bit `G` of byte `j`.
fn turn_bits(qh: u32) -> Word {
    u32::from_le_bytes(std::array::from_fn(|j| {
        let x = qh >> j & 0x1111_1111;
        let x = (x | x >> 3) & 0x0303_0303;
        let x = (x | x >> 6) & 0x000f_000f;
        (x | x >> 12) as u8
    }))
}

/// Sixteen fields of six bits in three words: fields `5i … 5i+4` in word `i`, field 15 in the top bits of all.
fn six_bits(fields: [u8; 16]) -> [Word; 3] {
    std::array::from_fn(|i| {
        let five: u32 = (0..5).map(|f| u32::from(fields[5 * i + f] & 63) << (6 * f)).sum();
        five | (u32::from(fields[15]) >> (2 * i) & 3) << 30
    })
}

fn half_codes(raw: &[u8], at: usize) -> [Word; 4] {
    std::array::from_fn(|g| word(raw, at + 4 * g))
}

fn q4_0(raw: &[u8; 18], unit: &mut [u8; 576], row: usize) {
    put_words(unit, 0, row, half_codes(raw, 2));
    put(unit, 512 + row * 2, [raw[0], raw[1]]);
}

fn q4_1(raw: &[u8; 20], unit: &mut [u8; 640], row: usize) {
    put_words(unit, 0, row, half_codes(raw, 4));
    put(unit, 512 + row * 2, [raw[0], raw[1]]);
    put(unit, 576 + row * 2, [raw[2], raw[3]]);
}

fn q5_0(raw: &[u8; 22], unit: &mut [u8; 704], row: usize) {
    put_words(unit, 0, row, half_codes(raw, 6));
    put_words(unit, 512, row, [turn_bits(word(raw, 2))]);
    put(unit, 640 + row * 2, [raw[0], raw[1]]);
}

fn q5_1(raw: &[u8; 24], unit: &mut [u8; 768], row: usize) {
    put_words(unit, 0, row, half_codes(raw, 8));
    put_words(unit, 512, row, [turn_bits(word(raw, 4))]);
    put(unit, 640 + row * 2, [raw[0], raw[1]]);
    put(unit, 704 + row * 2, [raw[2], raw[3]]);
}

fn q8_0(raw: &[u8; 34], unit: &mut [u8; 1088], row: usize) {
    let codes: Words = std::array::from_fn(|g| word(raw, 2 + 4 * g) ^ 0x8080_8080);
    put_words(unit, 0, row, codes);
    put(unit, 1024 + row * 2, [raw[0], raw[1]]);
}

fn mxfp4(raw: &[u8; 17], unit: &mut [u8; 544], row: usize) {
    put_words(unit, 0, row, half_codes(raw, 1));
    unit[512 + row] = raw[0];
}

/// Codes of two bits in K blocks: 128 columns take 32 bytes, block `b` of them at bit `2b`.
fn k_pairs(raw: &[u8], at: usize, block: usize) -> Words {
    std::array::from_fn(|g| word(raw, at + block / 4 * 32 + 4 * g) >> (2 * (block % 4)) & LOW2)
}

/// Codes of four bits in K blocks: 64 columns take 32 bytes, the first 32 in the low halves.
fn k_nibbles(raw: &[u8], at: usize, block: usize) -> Words {
    std::array::from_fn(|g| word(raw, at + block / 2 * 32 + 4 * g) >> (4 * (block % 2)) & LOW4)
}

/// One bit a code in K blocks: block `b` at bit `b` of 32 bytes.
fn k_bits(raw: &[u8], at: usize, block: usize) -> Words {
    std::array::from_fn(|g| word(raw, at + 4 * g) >> block & LOW1)
}

/// The scales, then the mins, of Q4_K and Q5_K.
fn k_scales(q: &[u8; 12]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let (j, min) = (i % 8, i / 8);
        if j < 4 {
            q[j + 4 * min] & 63
        } else {
            (q[j + 4] >> (4 * min) & 15) | (q[j - 4 + 4 * min] >> 6) << 4
        }
    })
}

fn q2_k(raw: &[u8; 84], unit: &mut [u8; 2688], row: usize) {
    for block in 0..8 {
        put_words(unit, block * 256, row, pairs(k_pairs(raw, 16, block), 0));
    }
    for sub in 0..16 {
        unit[2048 + sub * PANEL + row] = raw[sub];
    }
    put(unit, 2560 + row * 2, [raw[80], raw[81]]);
    put(unit, 2624 + row * 2, [raw[82], raw[83]]);
}

fn q3_k(raw: &[u8; 110], unit: &mut [u8; 3520], row: usize) {
    for block in 0..8 {
        put_words(unit, block * 384, row, pairs(k_pairs(raw, 32, block), 0));
        put_words(unit, block * 384 + 256, row, bits(k_bits(raw, 0, block), 0));
    }
    let q: &[u8; 12] = take(raw, 96);
    let scales = std::array::from_fn(|i| {
        (q[i % 8] >> (4 * (i / 8)) & 15) | (q[8 + i % 4] >> (2 * (i / 4)) & 3) << 4
    });
    put_words(unit, 3072, row, six_bits(scales));
    put(unit, 3456 + row * 2, [raw[108], raw[109]]);
}

fn q4_k(raw: &[u8; 144], unit: &mut [u8; 4608], row: usize) {
    for block in 0..8 {
        put_words(unit, block * 512, row, nibbles(k_nibbles(raw, 16, block)));
    }
    put_words(unit, 4096, row, six_bits(k_scales(take(raw, 4))));
    put(unit, 4480 + row * 2, [raw[0], raw[1]]);
    put(unit, 4544 + row * 2, [raw[2], raw[3]]);
}

fn q5_k(raw: &[u8; 176], unit: &mut [u8; 5632], row: usize) {
    for block in 0..8 {
        put_words(unit, block * 640, row, nibbles(k_nibbles(raw, 48, block)));
        put_words(unit, block * 640 + 512, row, bits(k_bits(raw, 16, block), 0));
    }
    put_words(unit, 5120, row, six_bits(k_scales(take(raw, 4))));
    put(unit, 5504 + row * 2, [raw[0], raw[1]]);
    put(unit, 5568 + row * 2, [raw[2], raw[3]]);
}

fn q6_k(raw: &[u8; 210], unit: &mut [u8; 6720], row: usize) {
    for block in 0..8 {
        // 128 columns take 64 bytes of low halves: blocks 0 and 2 share the first 32, 1 and 3 the last.
        let (half, b) = (block / 4, block % 4);
        let low = std::array::from_fn(|g| {
            word(raw, half * 64 + b % 2 * 32 + 4 * g) >> (4 * (b / 2)) & LOW4
        });
        let high = std::array::from_fn(|g| word(raw, 128 + half * 32 + 4 * g) >> (2 * b) & LOW2);
        put_words(unit, block * 768, row, nibbles(low));
        put_words(unit, block * 768 + 512, row, pairs(high, 0));
    }
    for sub in 0..16 {
        unit[6144 + sub * PANEL + row] = raw[192 + sub];
    }
    put(unit, 6656 + row * 2, [raw[208], raw[209]]);
}

fn iq4_xs(raw: &[u8; 136], unit: &mut [u8; 4352], row: usize) {
    for block in 0..8 {
        put_words(unit, block * 512, row, half_codes(raw, 8 + block * 16));
    }
    put_words(unit, 4096, row, [word(raw, 4)]);
    put(unit, 4224 + row * 2, [raw[2], raw[3]]);
    put(unit, 4288 + row * 2, [raw[0], raw[1]]);
}

/// Floats, column by column; what is not stored as it lies in the file goes through its values.
fn floats(format: &Format, layout: Layout, rows: Rows<'_>, panel: &mut [u8]) {
    match (layout, format.name) {
        (Layout::F32, "F32") => {
            rows.each(panel, |raw: &[u8; 4], unit: &mut [u8; 128], row| put(unit, row * 4, *raw));
        }
        (Layout::F16, _) => {
            rows.each(panel, |raw: &[u8; 2], unit: &mut [u8; 64], row| put(unit, row * 2, *raw));
        }
        (Layout::Bf16, "BF16") => {
            for (row, raw) in rows.iter() {
                for (k, raw) in raw.as_chunks::<2>().0.iter().enumerate() {
                    put(panel, k / 2 * 128 + row * 4 + k % 2 * 2, *raw);
                }
            }
        }
        _ => {
            let mut values = vec![0.0; rows.row_bytes / format.bytes * format.block];
            for (row, raw) in rows.iter() {
                format.decode(raw, &mut values).expect("whole rows");
                for (k, value) in values.iter().enumerate() {
                    if layout == Layout::F32 {
                        put(panel, k * 128 + row * 4, value.to_le_bytes());
                    } else {
                        // Exact: an FP8 number has fewer bits than a BF16.
                        let top = (value.to_bits() >> 16) as u16;
                        put(panel, k / 2 * 128 + row * 4 + k % 2 * 2, top.to_le_bytes());
                    }
                }
            }
        }
    }
}

/// Any format of whole blocks, through its values: 8-bit codes with a scale for every 16.
fn int8(format: &Format, rows: Rows<'_>, panel: &mut [u8]) {
    let mut values = vec![0.0; rows.row_bytes / format.bytes * format.block];
    let (units, _) = panel.as_chunks_mut::<1280>();
    for (row, raw) in rows.iter() {
        format.decode(raw, &mut values).expect("whole rows");
        for (values, unit) in values.as_chunks::<BLOCK>().0.iter().zip(&mut *units) {
            for (half, values) in values.as_chunks::<16>().0.iter().enumerate() {
                let (codes, step) = whole_steps(values);
                for (g, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
                    put(unit, (half * 4 + g) * 128 + row * 4, *codes);
                }
                put(unit, 1024 + half * 128 + row * 4, step.to_le_bytes());
            }
        }
    }
}

/// Sixteen values as whole multiples of a step, raised by 128. Exact where a step exists of which all
/// are multiples up to 127 (their greatest common divisor); else nearest, with the largest at 127.
fn whole_steps(values: &[f32; 16]) -> ([u8; 16], f32) {
    let max = values.iter().fold(0f32, |m, v| m.max(v.abs()));
    if max == 0.0 {
        return ([128; 16], 0.0);
    }
    let step = common_step(values).filter(|step| max / step <= 127.0).unwrap_or(max / 127.0);
    let codes = values.map(|v| ((v / step).round_ties_even() as i32 + 128).clamp(1, 255) as u8);
    (codes, step)
}

/// The largest step of which all values are whole multiples.
fn common_step(values: &[f32; 16]) -> Option<f32> {
    let mut common = 0u64;
    let lowest = values.iter().filter(|v| **v != 0.0).map(|v| exponent(*v)).min()?;
    for v in values {
        if !v.is_finite() {
            return None;
        }
        let shift = (exponent(*v) - lowest).max(0);
        if *v != 0.0 && shift > 32 {
            return None;
        }
        let mut rest = mantissa(*v) << shift.min(32);
        while rest != 0 {
            (common, rest) = (rest, common % rest);
        }
    }
    let zeros = common.trailing_zeros();
    (common >> zeros < 1 << 24)
        .then(|| ((common >> zeros) as f64 * 2f64.powi(lowest + zeros as i32)) as f32)
}

/// `value = ± mantissa · 2^exponent`
fn exponent(value: f32) -> i32 {
    ((value.to_bits() >> 23 & 255) as i32).max(1) - 150
}

fn mantissa(value: f32) -> u64 {
    let bits = value.to_bits();
    let fraction = u64::from(bits & 0x007f_ffff);
    if bits & 0x7f80_0000 == 0 { fraction } else { fraction | 1 << 23 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_step_is_found_exactly() {
        let d = 0.123_456_7_f32;
        for step in [d, 1.0, f32::MIN_POSITIVE / 8.0, 3.0e20] {
            let ints: [i32; 16] = std::array::from_fn(|i| [0, 8, -25, 43, 127, -127, 1, 3][i % 8]);
            // Multiples that a float holds exactly need a step with some zeros at the end.
            let step = f32::from_bits(step.to_bits() & !0xff);
            let values = ints.map(|i| i as f32 * step);
            let (codes, found) = whole_steps(&values);
            for (value, code) in values.iter().zip(codes) {
                assert_eq!((i32::from(code) - 128) as f32 * found, *value);
            }
        }
        assert_eq!(whole_steps(&[0.0; 16]), ([128; 16], 0.0));
    }

    #[test]
    fn bits_turn() {
        for i in 0..32 {
            let turned = turn_bits(1 << i).to_le_bytes();
            let mut expected = [0u8; 4];
            expected[i % 4] = 1 << (i / 4);
            assert_eq!(turned, expected);
        }
    }
}
