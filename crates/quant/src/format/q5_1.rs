//! Q5_1: 32 five-bit codes, a scale and a minimum, `x = d q + m`.
//!
//! Bytes: `d` F16; `m` F16; fifth bits and lower four as in Q5_0. Source: ggml, `block_q5_1`.

use super::Format;
use crate::block;

/// Five bits, a scale and a minimum for 32.
pub static Q5_1: Format = Format::new("Q5_1", Some(7), 32, 24, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 24], out: &mut [f32; 32]| {
        let (d, m) = (block::f16_at(block, 0), block::f16_at(block, 2));
        let high = block::u32_at(block, 4);
        for i in 0..16 {
            let code = block[8 + i];
            let (first, second) = ((high >> i << 4) as u8 & 16, (high >> (16 + i) << 4) as u8 & 16);
            out[i] = d * f32::from(code & 15 | first) + m;
            out[16 + i] = d * f32::from(code >> 4 | second) + m;
        }
    });
}
