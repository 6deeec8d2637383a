//! Q5_0: 32 five-bit codes and one scale, `x = d (q - 16)`.
//!
//! Bytes: `d` F16; the codes' fifth bits, a `u32`, value `i` in bit `i`; the lower four as in Q4_0.
//! Source: ggml, `block_q5_0`.

use super::Format;
use crate::block;

/// Five bits, one scale for 32.
pub static Q5_0: Format = Format::new("Q5_0", Some(6), 32, 22, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 22], out: &mut [f32; 32]| {
        let (d, high) = (block::f16_at(block, 0), block::u32_at(block, 2));
        for i in 0..16 {
            let code = block[6 + i];
            let (first, second) = ((high >> i << 4) as u8 & 16, (high >> (16 + i) << 4) as u8 & 16);
            out[i] = d * f32::from((code & 15 | first) as i8 - 16);
            out[16 + i] = d * f32::from((code >> 4 | second) as i8 - 16);
        }
    });
}
