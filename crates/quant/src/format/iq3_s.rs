//! IQ3_S: four magnitudes by one 9-bit code, free signs, `x = d (2 s + 1) · ±point`, `s` of four bits.
//!
//! Bytes: `d` F16; 64 of codes' lower eight bits; 8 of their ninth, code `c` in bit `c % 8`; 32 of signs;
//! 4 of scales for 32, even sub-blocks in the low halves. Source: ggml, `block_iq3_s`.

use super::{Encoder, Format};
use crate::lattice::{self, Plan, Shift};
use crate::{block, fit, float, grid};

/// 3.44 bits: points of four, free signs, one scale for 32.
pub static IQ3_S: Format = Format::new("IQ3_S", Some(21), 256, 110, decode).written_by(Encoder {
    run: encode,
    error_max: 0.55,
    error_rms: 0.1347,
    largest: float::F16_MAX,
});

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

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 32, unit: 1.0, top: 15, shift: Shift::None };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 110]| {
            let weights = fit::weights(values, importance);
            let (magnitudes, signs) = lattice::split_signs(values);
            let fit = grid::IQ3_S_SEARCH.fit(&magnitudes, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            block[74..106].copy_from_slice(&signs);
            for group in 0..64 {
                let [low, high] = fit.choices[group].point.to_le_bytes();
                block[2 + group] = low;
                block[66 + group / 8] |= high << (group % 8);
            }
            for sub in 0..8 {
                block[106 + sub / 2] |= fit.scales[sub] << (sub % 2 * 4);
            }
        },
    );
}
