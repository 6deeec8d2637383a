//! Q8_0: 32 signed bytes and one scale, `x = d q`.
//!
//! Bytes: `d` F16; 32 `i8`. Source: ggml, `block_q8_0`.

use super::Format;
use crate::block;

/// Eight bits, one scale for 32.
pub static Q8_0: Format = Format::new("Q8_0", Some(8), 32, 34, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 34], out: &mut [f32; 32]| {
        let d = block::f16_at(block, 0);
        for i in 0..32 {
            out[i] = d * f32::from(block[2 + i] as i8);
        }
    });
}
