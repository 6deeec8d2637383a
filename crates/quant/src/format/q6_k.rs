//! Q6_K: six-bit codes in 16 sub-blocks of 16, `x = d s (q - 32)`, `s` a signed byte.
//!
//! Bytes: 128 of lower four bits: 64 bytes hold 128 values, the first 64 in the low halves; 64 of upper
//! two, value `32 j + l` of 128 in bits `2 j` of byte `l`; 16 of `s`; `d` F16. Source: ggml, `block_q6_K`.

use super::{Encoder, Format};
use crate::fit::nested::Nested;
use crate::{block, fit, float};

/// Six bits, one scale for 16.
pub static Q6_K: Format = Format::new("Q6_K", Some(14), 256, 210, decode).written_by(Encoder {
    run: encode,
    error_max: 0.028,
    error_rms: 0.0178,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 210], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 208);
        for sub in 0..16 {
            let scale = d * f32::from(block[192 + sub] as i8);
            let (half, quarter, part) = (sub / 8, sub % 8 / 2, sub % 2 * 16);
            let (from, shift) = (half * 64 + quarter % 2 * 32 + part, quarter / 2 * 4);
            let (from_high, shift_high) = (128 + half * 32 + part, quarter * 2);
            for i in 0..16 {
                let low = block[from + i] >> shift & 15;
                let high = block[from_high + i] >> shift_high & 3;
                out[sub * 16 + i] = scale * f32::from((low | high << 4) as i8 - 32);
            }
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 210]| {
            let weights = fit::weights(values, importance);
            let codes = fit::whole(-32.0, 31.0);
            let (x, w) = (values.as_chunks::<16>().0, weights.as_chunks::<16>().0);
            let fit = Nested::<16>::fit(x, w, (-128.0, 127.0), &codes);
            block.fill(0);
            for (sub, &scale) in fit.scales.iter().enumerate() {
                let inverse = fit::inverse(fit.d * scale);
                let (half, quarter, part) = (sub / 8, sub % 8 / 2, sub % 2 * 16);
                let (from, shift) = (half * 64 + quarter % 2 * 32 + part, quarter / 2 * 4);
                let (from_high, shift_high) = (128 + half * 32 + part, quarter * 2);
                for i in 0..16 {
                    let code =
                        (fit::code(values[sub * 16 + i] * inverse, -32.0, 31.0) + 32.0) as u8;
                    block[from + i] |= (code & 15) << shift;
                    block[from_high + i] |= (code >> 4) << shift_high;
                }
                block[192 + sub] = scale as i8 as u8;
            }
            block::put_f16(block, 208, fit.d);
        },
    );
}
