//! Q2_0: 64 two-bit codes and one scale, `x = d (q - 1)`.
//!
//! Bytes: `d` F16; 16 bytes of four codes each, the first in the lowest bits. Source: ggml, `block_q2_0`.

use super::Format;
use crate::block;

/// Two bits, one scale for 64.
pub static Q2_0: Format = Format::new("Q2_0", Some(42), 64, 18, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 18], out: &mut [f32; 64]| {
        let d = block::f16_at(block, 0);
        for (out, &codes) in out.as_chunks_mut::<4>().0.iter_mut().zip(&block[2..]) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f32::from((codes >> (2 * i) & 3) as i8 - 1) * d;
            }
        }
    });
}
