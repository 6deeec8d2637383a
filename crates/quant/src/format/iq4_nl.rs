//! IQ4_NL: four-bit codes of 16 uneven levels, `x = d level[q]`.
//!
//! The levels lie closer where weights do: near zero. Bytes: `d` F16; codes as in Q4_0.
//! Source: ggml, `block_iq4_nl`, `kvalues_iq4nl`.

use super::{Encoder, Format};
use crate::fit::{self, Codes};
use crate::{block, float};

/// Four bits on a curve, one scale for 32.
pub static IQ4_NL: Format = Format::new("IQ4_NL", Some(20), 32, 18, decode).written_by(Encoder {
    run: encode,
    error_max: 0.185,
    error_rms: 0.077,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 18], out: &mut [f32; 32]| {
        let d = block::f16_at(block, 0);
        for i in 0..16 {
            let code = block[2 + i];
            out[i] = d * f32::from(LEVELS[usize::from(code & 15)]);
            out[16 + i] = d * f32::from(LEVELS[usize::from(code >> 4)]);
        }
    });
}

/// The values of the codes.
pub(crate) const LEVELS: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 32], importance, block: &mut [u8; 18]| {
            let codes = levels();
            let d = fit::to_f16(fit::scale(values, &fit::weights(values, importance), &codes));
            let inverse = fit::inverse(d);
            block::put_f16(block, 0, d);
            for i in 0..16 {
                block[2 + i] =
                    nearest(values[i] * inverse) | nearest(values[16 + i] * inverse) << 4;
            }
        },
    );
}

/// The levels as codes to fit a scale to.
pub(crate) fn levels() -> Codes<impl Fn(f32) -> f32 + Copy> {
    // A sum of steps instead of a look-up, so that it vectorises.
    let nearest = |value: f32| {
        let mut level = f32::from(LEVELS[0]);
        for pair in LEVELS.windows(2) {
            let (low, high) = (f32::from(pair[0]), f32::from(pair[1]));
            level += if 2.0 * value > low + high { high - low } else { 0.0 };
        }
        level
    };
    Codes { nearest, low: f32::from(LEVELS[0]), high: f32::from(LEVELS[15]), spread: 16.0 }
}

/// The code of the level nearest to `value`.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> u8 {
    LEVELS
        .windows(2)
        .map(|pair| u8::from(2.0 * value > f32::from(pair[0]) + f32::from(pair[1])))
        .sum()
}
