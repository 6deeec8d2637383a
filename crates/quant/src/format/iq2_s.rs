//! IQ2_S: eight magnitudes by one 10-bit code, eight free signs, `x = d (s + 1/2)/4 · ±point`.
//!
//! Bytes: `d` F16; 32 of codes' lower eight bits; 32 of signs; 8 of codes' upper two, group `g` in bits
//! `2 (g % 4)`; 8 of scales for 16, even sub-blocks in the low halves. Source: ggml, `block_iq2_s`.

use super::Format;
use crate::{block, grid};

/// 2.56 bits: points of eight, free signs, one scale for 16.
pub static IQ2_S: Format = Format::new("IQ2_S", Some(22), 256, 82, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 82], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let high = block[66 + group / 4] >> (group % 4 * 2) & 3;
            let sub = block[74 + group / 4] >> (group / 2 % 2 * 4) & 15;
            let scale = d * (0.5 + f32::from(sub)) * 0.25;
            let point = &grid::IQ2_S[usize::from(block[2 + group]) | usize::from(high) << 8];
            let signs = u32::from(block[34 + group]);
            for i in 0..8 {
                out[i] = grid::signed(scale * f32::from(point[i]), signs, i);
            }
        }
    });
}
