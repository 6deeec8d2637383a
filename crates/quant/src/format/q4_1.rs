//! Q4_1: 32 four-bit codes, a scale and a minimum, `x = d q + m`.
//!
//! Bytes: `d` F16; `m` F16; codes as in Q4_0. Source: ggml, `block_q4_1`.

use super::Format;
use crate::block;

/// Four bits, a scale and a minimum for 32.
pub static Q4_1: Format = Format::new("Q4_1", Some(3), 32, 20, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 20], out: &mut [f32; 32]| {
        let (d, m) = (block::f16_at(block, 0), block::f16_at(block, 2));
        for i in 0..16 {
            let code = block[4 + i];
            out[i] = d * f32::from(code & 15) + m;
            out[16 + i] = d * f32::from(code >> 4) + m;
        }
    });
}
