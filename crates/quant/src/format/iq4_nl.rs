//! IQ4_NL: four-bit codes of 16 uneven levels, `x = d level[q]`.
//!
//! The levels lie closer where weights do: near zero. Bytes: `d` F16; codes as in Q4_0.
//! Source: ggml, `block_iq4_nl`, `kvalues_iq4nl`.

use super::Format;
use crate::block;

/// Four bits on a curve, one scale for 32.
pub static IQ4_NL: Format = Format::new("IQ4_NL", Some(20), 32, 18, decode);

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
