//! IQ2_XXS: eight magnitudes by one 8-bit code, signs by seven bits, `x = d (s + 1/2)/4 · ±point`.
//!
//! Bytes: `d` F16; 8 sub-blocks of 32: four codes, then a `u32` of four sign codes of seven bits and,
//! on top, `s` of four. Source: ggml, `block_iq2_xxs`; after QuIP#'s lattices (Tseng et al., 2024).

use super::Format;
use crate::{block, grid};

/// 2.06 bits: points of eight, one scale for 32.
pub static IQ2_XXS: Format = Format::new("IQ2_XXS", Some(16), 256, 66, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 66], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (sub, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let at = 2 + sub * 8;
            let word = block::u32_at(block, at + 4);
            let scale = d * (0.5 + (word >> 28) as f32) * 0.25;
            for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let point = &grid::IQ2_XXS[usize::from(block[at + group])];
                let signs = grid::even_signs(word >> (7 * group));
                for i in 0..8 {
                    out[i] = grid::signed(scale * f32::from(point[i]), signs, i);
                }
            }
        }
    });
}
