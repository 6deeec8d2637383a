//! IEEE 754 binary32, little endian: the values themselves.

use super::Format;
use crate::block;

/// Single precision, exact.
pub static F32: Format = Format::new("F32", Some(0), 1, 4, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 4], out: &mut [f32; 1]| {
        out[0] = f32::from_le_bytes(*block)
    });
}
