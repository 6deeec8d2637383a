//! Whole numbers and truth values, little endian. Index tensors and packed codes come in these; no
//! weights do, but their sizes must be known to read a file.

use super::Format;
use crate::block;

/// Whole numbers, `i8`.
pub static I8: Format = Format::new("I8", Some(24), 1, 1, decode_i8);

/// Whole numbers, `i16`.
pub static I16: Format = Format::new("I16", Some(25), 1, 2, decode_i16);

/// Whole numbers, `i32`; what an `f32` cannot hold is rounded.
pub static I32: Format = Format::new("I32", Some(26), 1, 4, decode_i32);

/// Whole numbers, `i64`; what an `f32` cannot hold is rounded.
pub static I64: Format = Format::new("I64", Some(27), 1, 8, decode_i64);

/// Whole numbers, `u8`.
pub static U8: Format = Format::new("U8", None, 1, 1, decode_u8);

/// Whole numbers, `u16`.
pub static U16: Format = Format::new("U16", None, 1, 2, decode_u16);

/// Whole numbers, `u32`; what an `f32` cannot hold is rounded.
pub static U32: Format = Format::new("U32", None, 1, 4, decode_u32);

/// Whole numbers, `u64`; what an `f32` cannot hold is rounded.
pub static U64: Format = Format::new("U64", None, 1, 8, decode_u64);

/// One byte, true unless zero.
pub static BOOL: Format = Format::new("BOOL", None, 1, 1, decode_bool);

fn decode_i8(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 1], out: &mut [f32; 1]| {
        out[0] = i8::from_le_bytes(*block) as f32;
    });
}

fn decode_i16(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = i16::from_le_bytes(*block) as f32;
    });
}

fn decode_i32(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 4], out: &mut [f32; 1]| {
        out[0] = i32::from_le_bytes(*block) as f32;
    });
}

fn decode_i64(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 8], out: &mut [f32; 1]| {
        out[0] = i64::from_le_bytes(*block) as f32;
    });
}

fn decode_u8(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 1], out: &mut [f32; 1]| {
        out[0] = u8::from_le_bytes(*block) as f32;
    });
}

fn decode_u16(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
        out[0] = u16::from_le_bytes(*block) as f32;
    });
}

fn decode_u32(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 4], out: &mut [f32; 1]| {
        out[0] = u32::from_le_bytes(*block) as f32;
    });
}

fn decode_u64(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 8], out: &mut [f32; 1]| {
        out[0] = u64::from_le_bytes(*block) as f32;
    });
}

fn decode_bool(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 1], out: &mut [f32; 1]| {
        out[0] = f32::from(u8::from(block[0] != 0));
    });
}
