//! IEEE 754 binary64, little endian, rounded to the nearest `f32`.

use super::{Encoder, Format};
use crate::block;

/// Double precision.
pub static F64: Format = Format::new("F64", Some(28), 1, 8, decode).written_by(Encoder {
    run: encode,
    error_max: 0.0,
    error_rms: 0.0,
    largest: f32::INFINITY,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 8], out: &mut [f32; 1]| {
        out[0] = f64::from_le_bytes(*block) as f32;
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 1], _, block: &mut [u8; 8]| {
        *block = f64::from(values[0]).to_le_bytes();
    });
}
