//! IQ3_S: four magnitudes by one 9-bit code, free signs, `x = d (2 s + 1) · ±point`, `s` of four bits.
//!
//! Bytes: `d` F16; 64 of codes' lower eight bits; 8 of their ninth, code `c` in bit `c % 8`; 32 of signs;
//! 4 of scales for 32, even sub-blocks in the low halves. Source: ggml, `block_iq3_s`.

use super::Format;
use crate::{block, grid};

/// 3.44 bits: points of four, free signs, one scale for 32.
pub static IQ3_S: Format = Format::new("IQ3_S", Some(21), 256, 110, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 110], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let high = usize::from(block[66 + group / 4]) >> (group % 4 * 2);
            let sub = block[106 + group / 8] >> (group / 4 % 2 * 4) & 15;
            let scale = d * f32::from(1 + 2 * sub);
            let signs = u32::from(block[74 + group]);
            let first = &grid::IQ3_S[usize::from(block[2 + group * 2]) | (high & 1) << 8];
            let second = &grid::IQ3_S[usize::from(block[3 + group * 2]) | (high & 2) << 7];
            for i in 0..4 {
                out[i] = grid::signed(scale * f32::from(first[i]), signs, i);
                out[4 + i] = grid::signed(scale * f32::from(second[i]), signs, 4 + i);
            }
        }
    });
}
