//! TQ1_0: ternary values, five to a byte, `x = d t` with `t` of -1, 0, 1.
//!
//! A byte is the fraction `n / 243` in 256ths, rounded up, where `n` has the ternary digits of its five
//! values; multiplying by 3 moves the next digit over the point (compilade's packing).
//!
//! Bytes: 32 of values `l, 32 + l, …, 128 + l`; 16 of `160 + l, …, 224 + l`; 4 of four digits each,
//! `240 + l, …, 252 + l`; `d` F16. Source: ggml, `block_tq1_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Ternary, one scale for 256, 1.69 bits.
pub static TQ1_0: Format = Format::new("TQ1_0", Some(34), 256, 54, decode).written_by(Encoder {
    run: encode,
    error_max: 0.501,
    error_rms: 0.82,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 54], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 52);
        digits::<32, 5>(d, &block[..32], &mut out[..160]);
        digits::<16, 5>(d, &block[32..48], &mut out[160..240]);
        digits::<4, 4>(d, &block[48..52], &mut out[240..]);
    });
}

/// Unpacks `DIGITS` digits from each of `N` bytes, the first digits of all bytes first.
#[inline(always)]
fn digits<const N: usize, const DIGITS: usize>(d: f32, bytes: &[u8], out: &mut [f32]) {
    let mut power = 1u8;
    for out in out.as_chunks_mut::<N>().0.iter_mut().take(DIGITS) {
        for (out, &byte) in out.iter_mut().zip(bytes) {
            let digit = (u16::from(byte.wrapping_mul(power)) * 3) >> 8;
            *out = d * f32::from(digit as i8 - 1);
        }
        power = power.wrapping_mul(3);
    }
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 256], _, block: &mut [u8; 54]| {
        let d = fit::peak(values).abs();
        let inverse = fit::inverse(d);
        let ternary: [u16; 256] =
            std::array::from_fn(|i| (fit::round_half_away(values[i] * inverse) + 1) as u16);
        put_digits::<32, 5>(&ternary[..160], &mut block[..32]);
        put_digits::<16, 5>(&ternary[160..240], &mut block[32..48]);
        put_digits::<4, 4>(&ternary[240..], &mut block[48..52]);
        block::put_f16(block, 52, d);
    });
}

/// Packs `DIGITS` digits into each of `N` bytes, as [`digits`] reads them; missing digits are zero.
#[inline(always)]
fn put_digits<const N: usize, const DIGITS: usize>(ternary: &[u16], out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        let number = (0..5)
            .fold(0, |number, p| 3 * number + if p < DIGITS { ternary[p * N + i] } else { 0 });
        *out = (number * 256).div_ceil(243) as u8;
    }
}
