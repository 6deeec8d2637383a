//! Q4_0: 32 four-bit codes and one scale, `x = d (q - 8)`.
//!
//! Bytes: `d` F16; 16 bytes, value `i` in the low half of byte `i`, value `16 + i` in the high half.
//! Source: ggml, `block_q4_0`.

use super::Format;
use crate::block;

/// Four bits, one scale for 32.
pub static Q4_0: Format = Format::new("Q4_0", Some(2), 32, 18, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 18], out: &mut [f32; 32]| {
        let d = block::f16_at(block, 0);
        for i in 0..16 {
            let code = block[2 + i];
            out[i] = d * f32::from((code & 15) as i8 - 8);
            out[16 + i] = d * f32::from((code >> 4) as i8 - 8);
        }
    });
}
