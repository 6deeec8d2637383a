//! Q4_1: 32 four-bit codes, a scale and a minimum, `x = d q + m`.
//!
//! Bytes: `d` F16; `m` F16; codes as in Q4_0. Source: ggml, `block_q4_1`.

use super::{Encoder, Format};
use crate::fit::{self, Minimum};
use crate::{block, float};

/// Four bits, a scale and a minimum for 32.
pub static Q4_1: Format = Format::new("Q4_1", Some(3), 32, 20, decode).written_by(Encoder {
    run: encode,
    error_max: 0.12,
    error_rms: 0.081,
    largest: float::F16_MAX,
});

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

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 32], importance, block: &mut [u8; 20]| {
            let (d, low) = match importance {
                None => {
                    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
                    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    ((high - low) / 15.0, low)
                }
                Some(_) => {
                    let fit =
                        fit::affine(values, &fit::weights(values, importance), 15.0, Minimum::Free);
                    (fit.scale, -fit.min)
                }
            };
            let inverse = fit::inverse(d);
            let code = |value: f32| (((value - low) * inverse + 0.5) as u8).min(15);
            block::put_f16(block, 0, d);
            block::put_f16(block, 2, low);
            for i in 0..16 {
                block[4 + i] = code(values[i]) | code(values[16 + i]) << 4;
            }
        },
    );
}
