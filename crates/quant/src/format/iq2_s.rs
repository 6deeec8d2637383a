//! IQ2_S: eight magnitudes by one 10-bit code, eight free signs, `x = d (s + 1/2)/4 · ±point`.
//!
//! Bytes: `d` F16; 32 of codes' lower eight bits; 32 of signs; 8 of codes' upper two, group `g` in bits
//! `2 (g % 4)`; 8 of scales for 16, even sub-blocks in the low halves. Source: ggml, `block_iq2_s`.

use super::{Encoder, Format};
use crate::lattice::{self, Plan, Shift};
use crate::{block, fit, float, grid};

/// 2.56 bits: points of eight, free signs, one scale for 16.
pub static IQ2_S: Format = Format::new("IQ2_S", Some(22), 256, 82, decode).written_by(Encoder {
    run: encode,
    error_max: 1.03,
    error_rms: 0.251,
    largest: float::F16_MAX,
});

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

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 16, unit: 0.125, top: 15, shift: Shift::None };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 82]| {
            let weights = fit::weights(values, importance);
            let (magnitudes, signs) = lattice::split_signs(values);
            let fit = grid::IQ2_S_SEARCH.fit(&magnitudes, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            block[34..66].copy_from_slice(&signs);
            for group in 0..32 {
                let [low, high] = fit.choices[group].point.to_le_bytes();
                block[2 + group] = low;
                block[66 + group / 4] |= high << (group % 4 * 2);
            }
            for sub in 0..16 {
                block[74 + sub / 2] |= fit.scales[sub] << (sub % 2 * 4);
            }
        },
    );
}
