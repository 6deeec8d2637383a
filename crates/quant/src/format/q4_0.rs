//! Q4_0: 32 four-bit codes and one scale, `x = d (q - 8)`.
//!
//! Bytes: `d` F16; 16 bytes, value `i` in the low half of byte `i`, value `16 + i` in the high half.
//! Source: ggml, `block_q4_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Four bits, one scale for 32.
pub static Q4_0: Format = Format::new("Q4_0", Some(2), 32, 18, decode).written_by(Encoder {
    run: encode,
    error_max: 0.19,
    error_rms: 0.091,
    largest: float::F16_MAX,
});

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

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 32], importance, block: &mut [u8; 18]| {
            // Without importance the largest magnitude takes the lowest code, as everybody's encoder does.
            let d = match importance {
                None => fit::peak(values) / -8.0,
                Some(_) => {
                    fit::scale(values, &fit::weights(values, importance), &fit::whole(-8.0, 7.0))
                }
            };
            let inverse = fit::inverse(d);
            let code = |value: f32| ((value * inverse + 8.5) as u8).min(15);
            block::put_f16(block, 0, d);
            for i in 0..16 {
                block[2 + i] = code(values[i]) | code(values[16 + i]) << 4;
            }
        },
    );
}
