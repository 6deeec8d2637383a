//! IQ2_XS: eight magnitudes by one 9-bit code, `x = d (s + 1/2)/4 · ±point`, a scale for 16.
//!
//! Bytes: `d` F16; 32 `u16`: nine bits of code, seven of signs; 8 of scales, even sub-blocks in the low
//! halves. Source: ggml, `block_iq2_xs`.

use super::{Encoder, Format};
use crate::lattice::{self, Plan, Shift};
use crate::{block, fit, float, grid};

/// 2.31 bits: points of eight, one scale for 16.
pub static IQ2_XS: Format = Format::new("IQ2_XS", Some(17), 256, 74, decode).written_by(Encoder {
    run: encode,
    error_max: 1.12,
    error_rms: 0.301,
    largest: float::F16_MAX,
});

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

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 16, unit: 0.125, top: 15, shift: Shift::None };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 74]| {
            let weights = fit::weights(values, importance);
            let (magnitudes, signs) = lattice::split_even_signs(values, &weights);
            let fit = grid::IQ2_XS_SEARCH.fit(&magnitudes, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            for group in 0..32 {
                let word = fit.choices[group].point | u16::from(signs[group] & 127) << 9;
                block[2 + group * 2..4 + group * 2].copy_from_slice(&word.to_le_bytes());
            }
            for sub in 0..16 {
                block[66 + sub / 2] |= fit.scales[sub] << (sub % 2 * 4);
            }
        },
    );
}
