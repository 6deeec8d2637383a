//! Walking a run of blocks, and reading the small integers and scales inside one.
//!
//! Blocks are handed out as arrays of constant length, so that indexing inside a format's loop is
//! checked at compile time and the loops vectorise.

use crate::float::{F16_MAX, f16_to_f32, f32_to_f16};

/// Calls `one` for every block and its values. The caller has checked the lengths.
#[inline(always)]
pub(crate) fn decode<const BYTES: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; BYTES], &mut [f32; N]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (values, _) = out.as_chunks_mut::<N>();
    for (block, values) in blocks.iter().zip(values) {
        one(block, values);
    }
}

/// Calls `one` for every block's values, their importance and the bytes they shall become. The caller
/// has checked the lengths.
#[inline(always)]
pub(crate) fn encode<const BYTES: usize, const N: usize>(
    values: &[f32],
    importance: Option<&[f32]>,
    out: &mut [u8],
    one: impl Fn(&[f32; N], Option<&[f32; N]>, &mut [u8; BYTES]),
) {
    let (values, _) = values.as_chunks::<N>();
    let (blocks, _) = out.as_chunks_mut::<BYTES>();
    let importance = importance.map(|importance| importance.as_chunks::<N>().0);
    for (at, (values, block)) in values.iter().zip(blocks).enumerate() {
        one(values, importance.map(|importance| &importance[at]), block);
    }
}

/// Writes `value` as the nearest finite F16 at byte `at`.
#[inline(always)]
pub(crate) fn put_f16(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f32_to_f16(value.clamp(-F16_MAX, F16_MAX)).to_le_bytes());
}

/// The F16 scale at byte `at`.
#[inline(always)]
pub(crate) fn f16_at(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16_at(block, at))
}

/// The little-endian `u16` at byte `at`.
#[inline(always)]
pub(crate) fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

/// The little-endian `u32` at byte `at`.
#[inline(always)]
pub(crate) fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}
