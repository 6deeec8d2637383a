//! Q6_K: six-bit codes in 16 sub-blocks of 16, `x = d s (q - 32)`, `s` a signed byte.
//!
//! Bytes: 128 of lower four bits: 64 bytes hold 128 values, the first 64 in the low halves; 64 of upper
//! two, value `32 j + l` of 128 in bits `2 j` of byte `l`; 16 of `s`; `d` F16. Source: ggml, `block_q6_K`.

use super::Format;
use crate::block;

/// Six bits, one scale for 16.
pub static Q6_K: Format = Format::new("Q6_K", Some(14), 256, 210, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 210], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 208);
        for sub in 0..16 {
            let scale = d * f32::from(block[192 + sub] as i8);
            let (half, quarter, part) = (sub / 8, sub % 8 / 2, sub % 2 * 16);
            let (from, shift) = (half * 64 + quarter % 2 * 32 + part, quarter / 2 * 4);
            let (from_high, shift_high) = (128 + half * 32 + part, quarter * 2);
            for i in 0..16 {
                let low = block[from + i] >> shift & 15;
                let high = block[from_high + i] >> shift_high & 3;
                out[sub * 16 + i] = scale * f32::from((low | high << 4) as i8 - 32);
            }
        }
    });
}
