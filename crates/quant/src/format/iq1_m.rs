//! IQ1_M: IQ1_S with a scale for 16 and a shift for eight, `x = d (2 s + 1) (t ± 1/8)`.
//!
//! Bytes: 32 of codes' lower eight bits; 16 of halves, even groups low: the codes' upper three bits and
//! the shift's sign; 4 `u16` of four scales of three bits each, whose top halves together are `d` F16,
//! lowest first. Source: ggml, `block_iq1_m`.

use super::Format;
use super::iq1_s::SHIFT;
use crate::{block, float, grid};

/// 1.75 bits: ternary points of eight, one scale for 16.
pub static IQ1_M: Format = Format::new("IQ1_M", Some(29), 256, 56, decode);

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
