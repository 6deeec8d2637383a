//! IEEE 754 binary16: 5 bits of exponent, 10 of mantissa; up to 65504.

use super::Format;
use crate::{block, float};

/// Half precision.
pub static F16: Format = Format::new("F16", Some(1), 1, 2, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = float::f16_to_f32(u16::from_le_bytes(*block));
    });
}
