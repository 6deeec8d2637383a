//! IEEE 754 binary32, little endian: the values themselves.

use super::{Encoder, Format};
use crate::block;

/// Single precision, exact.
pub static F32: Format = Format::new("F32", Some(0), 1, 4, decode).written_by(Encoder {
    run: encode,
    error_max: 0.0,
    error_rms: 0.0,
    largest: f32::INFINITY,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 4], out: &mut [f32; 1]| {
        out[0] = f32::from_le_bytes(*block);
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 1], _, block: &mut [u8; 4]| {
        *block = values[0].to_le_bytes();
    });
}
