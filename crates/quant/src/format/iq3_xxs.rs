//! IQ3_XXS: four magnitudes by one 8-bit code, signs by seven bits for eight, `x = d (s + 1/2)/2 · ±point`.
//!
//! Bytes: `d` F16; 64 of codes; 8 `u32`, one for 32 values: four sign codes of seven bits and, on top,
//! `s` of four. Source: ggml, `block_iq3_xxs`.

use super::{Encoder, Format};
use crate::lattice::{self, Plan, Shift};
use crate::{block, fit, float, grid};

/// 3.06 bits: points of four, one scale for 32.
pub static IQ3_XXS: Format =
    Format::new("IQ3_XXS", Some(18), 256, 98, decode).written_by(Encoder {
        run: encode,
        error_max: 1.0,
        error_rms: 0.1865,
        largest: float::F16_MAX,
    });

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 98], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let word = block::u32_at(block, 66 + group / 4 * 4);
            let scale = d * (0.5 + (word >> 28) as f32) * 0.5;
            let signs = grid::even_signs(word >> (group % 4 * 7));
            let low = &grid::IQ3_XXS[usize::from(block[2 + group * 2])];
            let high = &grid::IQ3_XXS[usize::from(block[3 + group * 2])];
            for i in 0..4 {
                out[i] = grid::signed(scale * f32::from(low[i]), signs, i);
                out[4 + i] = grid::signed(scale * f32::from(high[i]), signs, 4 + i);
            }
        }
    });
}

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 32, unit: 0.25, top: 15, shift: Shift::None };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 98]| {
            let weights = fit::weights(values, importance);
            let (magnitudes, signs) = lattice::split_even_signs(values, &weights);
            let fit = grid::IQ3_XXS_SEARCH.fit(&magnitudes, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            for group in 0..64 {
                block[2 + group] = fit.choices[group].point as u8;
            }
            for sub in 0..8 {
                let signs =
                    (0..4).fold(0, |word, i| word | u32::from(signs[sub * 4 + i] & 127) << (7 * i));
                let word = signs | u32::from(fit.scales[sub]) << 28;
                block[66 + sub * 4..70 + sub * 4].copy_from_slice(&word.to_le_bytes());
            }
        },
    );
}
