//! Q2_0: 64 two-bit codes and one scale, `x = d (q - 1)`.
//!
//! Bytes: `d` F16; 16 bytes of four codes each, the first in the lowest bits. Source: ggml, `block_q2_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Two bits, one scale for 64.
pub static Q2_0: Format = Format::new("Q2_0", Some(42), 64, 18, decode).written_by(Encoder {
    run: encode,
    error_max: 0.7,
    error_rms: 0.375,
    largest: float::F16_MAX,
});

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

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 64], importance, block: &mut [u8; 18]| {
            let codes = fit::whole(-1.0, 2.0);
            let d = fit::to_f16(fit::scale(values, &fit::weights(values, importance), &codes));
            block::put_f16(block, 0, d);
            for (packed, values) in block[2..].iter_mut().zip(values.as_chunks::<4>().0) {
                let code = |value: f32| (fit::code(value * fit::inverse(d), -1.0, 2.0) + 1.0) as u8;
                *packed = values.iter().rev().fold(0, |packed, &value| packed << 2 | code(value));
            }
        },
    );
}
