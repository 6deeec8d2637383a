//! IEEE 754 binary16: 5 bits of exponent, 10 of mantissa; up to 65504.

use super::{Encoder, Format};
use crate::{block, float};

/// Half precision.
pub static F16: Format = Format::new("F16", Some(1), 1, 2, decode).written_by(Encoder {
    run: encode,
    error_max: 4.9e-4,
    error_rms: 2.2e-4,
    largest: f32::INFINITY,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = float::f16_to_f32(u16::from_le_bytes(*block));
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 1], _, block: &mut [u8; 2]| {
        *block = float::f32_to_f16(values[0]).to_le_bytes();
    });
}
