//! bfloat16: the upper half of an `f32`, 8 bits of exponent, 7 of mantissa.

use super::Format;
use crate::{block, float};

/// Brain float.
pub static BF16: Format = Format::new("BF16", Some(30), 1, 2, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = float::bf16_to_f32(u16::from_le_bytes(*block));
    });
}
