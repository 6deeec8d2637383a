//! Q1_0: 128 signs and one magnitude, `x = d` or `-d`.
//!
//! Bytes: `d` F16; 16 bytes of signs, lowest bit first, 1 for plus. Source: ggml, `block_q1_0`.

use super::{Encoder, Format};
use crate::{block, float, grid};

/// One bit, one scale for 128.
pub static Q1_0: Format = Format::new("Q1_0", Some(41), 128, 18, decode).written_by(Encoder {
    run: encode,
    error_max: 1.0,
    error_rms: 0.62,
    largest: float::F16_MAX,
});

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

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 128], _, block: &mut [u8; 18]| {
        block::put_f16(block, 0, values.iter().map(|value| value.abs()).sum::<f32>() / 128.0);
        for (signs, values) in block[2..].iter_mut().zip(values.as_chunks::<8>().0) {
            *signs =
                values.iter().rev().fold(0, |signs, &value| signs << 1 | u8::from(value >= 0.0));
        }
    });
}
