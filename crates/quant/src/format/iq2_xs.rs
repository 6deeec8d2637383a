//! IQ2_XS: eight magnitudes by one 9-bit code, `x = d (s + 1/2)/4 · ±point`, a scale for 16.
//!
//! Bytes: `d` F16; 32 `u16`: nine bits of code, seven of signs; 8 of scales, even sub-blocks in the low
//! halves. Source: ggml, `block_iq2_xs`.

use super::Format;
use crate::{block, grid};

/// 2.31 bits: points of eight, one scale for 16.
pub static IQ2_XS: Format = Format::new("IQ2_XS", Some(17), 256, 74, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 74], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let word = block::u16_at(block, 2 + group * 2);
            let sub = block[66 + group / 4] >> (group / 2 % 2 * 4) & 15;
            let scale = d * (0.5 + f32::from(sub)) * 0.25;
            let point = &grid::IQ2_XS[usize::from(word & 511)];
            let signs = grid::even_signs(u32::from(word >> 9));
            for i in 0..8 {
                out[i] = grid::signed(scale * f32::from(point[i]), signs, i);
            }
        }
    });
}
