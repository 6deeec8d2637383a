//! IQ1_S: eight ternary values by one 11-bit code, `x = d (2 s + 1) (t ± 1/8)`.
//!
//! Bytes: `d` F16; 32 of codes' lower eight bits; 8 `u16`, one for 32 values: four times the codes'
//! upper three bits, `s` of three, and the shift's sign on top. Source: ggml, `block_iq1_s`.

use super::Format;
use crate::{block, grid};

/// 1.56 bits: ternary points of eight, one scale for 32.
pub static IQ1_S: Format = Format::new("IQ1_S", Some(19), 256, 50, decode);

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
