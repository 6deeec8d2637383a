//! IQ1_S: eight ternary values by one 11-bit code, `x = d (2 s + 1) (t ± 1/8)`.
//!
//! Bytes: `d` F16; 32 of codes' lower eight bits; 8 `u16`, one for 32 values: four times the codes'
//! upper three bits, `s` of three, and the shift's sign on top. Source: ggml, `block_iq1_s`.

use super::{Encoder, Format};
use crate::lattice::{Plan, Shift};
use crate::{block, fit, float, grid};

/// 1.56 bits: ternary points of eight, one scale for 32.
pub static IQ1_S: Format = Format::new("IQ1_S", Some(19), 256, 50, decode).written_by(Encoder {
    run: encode,
    error_max: 1.08,
    error_rms: 0.478,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 50], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 0);
        for (group, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let word = block::u16_at(block, 34 + group / 4 * 2);
            let scale = d * f32::from(2 * (word >> 12 & 7) + 1);
            let shift = if word & 0x8000 == 0 { SHIFT } else { -SHIFT };
            let high = usize::from(word >> (group % 4 * 3) & 7);
            let point = &grid::IQ1[usize::from(block[2 + group]) | high << 8];
            for i in 0..8 {
                out[i] = scale * (f32::from(point[i]) + shift);
            }
        }
    });
}

/// How far a group's three levels are moved, up or down.
pub(crate) const SHIFT: f32 = 0.125;

/// How scales lie over the values.
const PLAN: Plan = Plan { sub: 32, unit: 1.0, top: 7, shift: Shift::Sub };

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 50]| {
            let weights = fit::weights(values, importance);
            let fit = grid::IQ1_SEARCH.fit(values, &weights, &PLAN);
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            for sub in 0..8 {
                let mut word =
                    u16::from(fit.scales[sub]) << 12 | u16::from(fit.choices[sub * 4].down) << 15;
                for i in 0..4 {
                    let [low, high] = fit.choices[sub * 4 + i].point.to_le_bytes();
                    block[2 + sub * 4 + i] = low;
                    word |= u16::from(high) << (3 * i);
                }
                block[34 + sub * 2..36 + sub * 2].copy_from_slice(&word.to_le_bytes());
            }
        },
    );
}
