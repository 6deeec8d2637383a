//! bfloat16: the upper half of an `f32`, 8 bits of exponent, 7 of mantissa.

use super::{Encoder, Format};
use crate::{block, float};

/// Brain float.
pub static BF16: Format = Format::new("BF16", Some(30), 1, 2, decode).written_by(Encoder {
    run: encode,
    error_max: 3.91e-3,
    error_rms: 1.75e-3,
    largest: f32::INFINITY,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = float::bf16_to_f32(u16::from_le_bytes(*block));
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 1], _, block: &mut [u8; 2]| {
        *block = float::f32_to_bf16(values[0]).to_le_bytes();
    });
}
