//! MXFP4: 32 four-bit floats E2M1 under one power of two (OCP Microscaling Formats 1.0, 2023).
//!
//! Bytes as in ggml (`block_mxfp4`): the E8M0 exponent; 16 of codes, value `i` in the low half of byte
//! `i`, value `16 + i` in the high half. Safetensors releases (gpt-oss) keep exponents in a tensor of
//! their own and neighbours in one byte: [`from_pairs`] brings those to this layout.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Four-bit floats, one power of two for 32.
pub static MXFP4: Format = Format::new("MXFP4", Some(39), 32, 17, decode).written_by(Encoder {
    run: encode,
    error_max: 0.2501,
    error_rms: 0.12,
    largest: f32::MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 17], out: &mut [f32; 32]| {
        let d = float::e8m0_half_to_f32(block[0]);
        for i in 0..16 {
            let code = block[1 + i];
            out[i] = d * f32::from(E2M1_DOUBLED[usize::from(code & 15)]);
            out[16 + i] = d * f32::from(E2M1_DOUBLED[usize::from(code >> 4)]);
        }
    });
}

/// Twice the values of the E2M1 codes.
pub(crate) const E2M1_DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The block made of an exponent and 16 bytes of neighbouring pairs (value `2 i` in the low half of
/// byte `i`), as safetensors releases hold them. Nothing is lost.
pub fn from_pairs(pairs: &[u8; 16], exponent: u8) -> [u8; 17] {
    let code = |value: usize| pairs[value / 2] >> (value % 2 * 4) & 15;
    std::array::from_fn(|i| if i == 0 { exponent } else { code(i - 1) | code(15 + i) << 4 })
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 32], _, block: &mut [u8; 17]| {
        // The largest value's exponent, two lower: the largest code is 6, of exponent two.
        let peak = fit::peak(values).abs();
        let exponent = (peak.to_bits() >> 23).saturating_sub(2) as u8;
        let scale = float::e8m0_half_to_f32(exponent);
        block[0] = exponent;
        for i in 0..16 {
            block[1 + i] =
                nearest_e2m1(values[i] / scale) | nearest_e2m1(values[16 + i] / scale) << 4;
        }
    });
}

/// The code nearest to `doubled / 2`; of two equally near, the one of the lower code.
#[inline(always)]
pub(crate) fn nearest_e2m1(doubled: f32) -> u8 {
    const BETWEEN: [f32; 7] = [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0];
    let code = BETWEEN.iter().map(|&between| u8::from(doubled.abs() > between)).sum::<u8>();
    if code == 0 || doubled > 0.0 { code } else { code | 8 }
}
