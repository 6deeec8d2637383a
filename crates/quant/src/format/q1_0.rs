//! Q1_0: 128 signs and one magnitude, `x = d` or `-d`.
//!
//! Bytes: `d` F16; 16 bytes of signs, lowest bit first, 1 for plus. Source: ggml, `block_q1_0`.

use super::Format;
use crate::{block, grid};

/// One bit, one scale for 128.
pub static Q1_0: Format = Format::new("Q1_0", Some(41), 128, 18, decode);

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 18], out: &mut [f32; 128]| {
        let d = block::f16_at(block, 0);
        for (out, &signs) in out.as_chunks_mut::<8>().0.iter_mut().zip(&block[2..]) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = grid::signed(d, u32::from(!signs), i);
            }
        }
    });
}
