//! IEEE 754 binary64, little endian, rounded to the nearest `f32`.

use super::Format;
use crate::block;

/// Double precision.
pub static F64: Format = Format::new("F64", Some(28), 1, 8, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 8], out: &mut [f32; 1]| {
        out[0] = f64::from_le_bytes(*block) as f32
    });
}
