//! IQ1_M: IQ1_S with a scale for 16 and a shift for eight, `x = d (2 s + 1) (t ± 1/8)`.
//!
//! Bytes: 32 of codes' lower eight bits; 16 of halves, even groups low: the codes' upper three bits and
//! the shift's sign; 4 `u16` of four scales of three bits each, whose top halves together are `d` F16,
//! lowest first. Source: ggml, `block_iq1_m`.

use super::iq1_s::SHIFT;
use super::{Encoder, Format};
use crate::lattice::{Plan, Shift};
use crate::{block, fit, float, grid};

/// 1.75 bits: ternary points of eight, one scale for 16.
pub static IQ1_M: Format = Format::new("IQ1_M", Some(29), 256, 56, decode).written_by(Encoder {
    run: encode,
    error_max: 1.05,
    error_rms: 0.442,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 56], out: &mut [f32; 256]| {
        let words: [u16; 4] = std::array::from_fn(|i| block::u16_at(block, 48 + i * 2));
        let d = words.iter().rev().fold(0, |d, word| d << 4 | word >> 12);
        let d = float::f16_to_f32(d);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let sub = words[group / 8] >> (group / 2 % 4 * 3) & 7;
            let scale = d * f32::from(2 * sub + 1);
            let half = block[32 + group / 2] >> (group % 2 * 4);
            let shift = if half & 8 == 0 { SHIFT } else { -SHIFT };
            let point = &grid::IQ1[usize::from(block[group]) | usize::from(half & 7) << 8];
            for i in 0..8 {
                out[i] = scale * (f32::from(point[i]) + shift);
            }
        }
    });
}

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 16, unit: 1.0, top: 7, shift: Shift::Group };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 56]| {
            let weights = fit::weights(values, importance);
            let fit = grid::IQ1_SEARCH.fit(values, &weights, &PLAN);
            block.fill(0);
            for group in 0..32 {
                let choice = fit.choices[group];
                let [low, high] = choice.point.to_le_bytes();
                block[group] = low;
                block[32 + group / 2] |= (high | choice.down << 3) << (group % 2 * 4);
            }
            let d = float::f32_to_f16(fit.d);
            for quarter in 0..4 {
                let scales = (0..4)
                    .fold(0, |word, i| word | u16::from(fit.scales[quarter * 4 + i]) << (3 * i));
                let word = scales | (d >> (4 * quarter) & 15) << 12;
                block[48 + quarter * 2..50 + quarter * 2].copy_from_slice(&word.to_le_bytes());
            }
        },
    );
}
