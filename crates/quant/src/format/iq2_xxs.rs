//! IQ2_XXS: eight magnitudes by one 8-bit code, signs by seven bits, `x = d (s + 1/2)/4 · ±point`.
//!
//! Bytes: `d` F16; 8 sub-blocks of 32: four codes, then a `u32` of four sign codes of seven bits and,
//! on top, `s` of four. Source: ggml, `block_iq2_xxs`; after QuIP#'s lattices (Tseng et al., 2024).

use super::{Encoder, Format};
use crate::lattice::{self, Plan, Shift};
use crate::{block, fit, float, grid};

/// 2.06 bits: points of eight, one scale for 32.
pub static IQ2_XXS: Format =
    Format::new("IQ2_XXS", Some(16), 256, 66, decode).written_by(Encoder {
        run: encode,
        error_max: 1.19,
        error_rms: 0.344,
        largest: float::F16_MAX,
    });

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

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 32, unit: 0.125, top: 15, shift: Shift::None };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 66]| {
            let weights = fit::weights(values, importance);
            let (magnitudes, signs) = lattice::split_even_signs(values, &weights);
            let fit = grid::IQ2_XXS_SEARCH.fit(&magnitudes, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            for sub in 0..8 {
                let mut word = u32::from(fit.scales[sub]) << 28;
                for i in 0..4 {
                    block[2 + sub * 8 + i] = fit.choices[sub * 4 + i].point as u8;
                    word |= u32::from(signs[sub * 4 + i] & 127) << (7 * i);
                }
                block[6 + sub * 8..10 + sub * 8].copy_from_slice(&word.to_le_bytes());
            }
        },
    );
}
