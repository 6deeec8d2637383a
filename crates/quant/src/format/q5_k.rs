//! Q5_K: five-bit codes in 8 sub-blocks of 32, `x = d s q - dmin m`, `s` and `m` of six bits.
//!
//! Bytes: `d` F16; `dmin` F16; 12 of `s` and `m` as in Q4_K; 32 of fifth bits, sub-block `j` in bit
//! `j`; 128 of the lower four, laid as in Q4_K. Source: ggml, `block_q5_K`.

use super::q4_k::{put_scales, scale_and_min};
use super::{Encoder, Format};
use crate::fit::nested::NestedAffine;
use crate::{block, fit, float};

/// Five bits, scale and minimum for 32.
pub static Q5_K: Format = Format::new("Q5_K", Some(13), 256, 176, decode).written_by(Encoder {
    run: encode,
    error_max: 0.07,
    error_rms: 0.036,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 176], out: &mut [f32; 256]| {
        let (d, min) = (block::f16_at(block, 0), block::f16_at(block, 2));
        let (scales, mins) = scale_and_min(block);
        for pair in 0..4 {
            let (first, second) = (2 * pair, 2 * pair + 1);
            let (scale, low) = (d * f32::from(scales[first]), min * f32::from(mins[first]));
            let (scale2, low2) = (d * f32::from(scales[second]), min * f32::from(mins[second]));
            for i in 0..32 {
                let (code, high) = (block[48 + pair * 32 + i], block[16 + i] >> first);
                out[pair * 64 + i] = scale * f32::from(code & 15 | (high & 1) << 4) - low;
                out[pair * 64 + 32 + i] = scale2 * f32::from(code >> 4 | (high & 2) << 3) - low2;
            }
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 176]| {
            let weights = fit::weights(values, importance);
            let fit = NestedAffine::<8>::fit(
                values.as_chunks::<32>().0,
                weights.as_chunks::<32>().0,
                31.0,
                63.0,
            );
            put_scales(block, &fit);
            block[16..48].fill(0);
            for pair in 0..4 {
                for i in 0..32 {
                    let first = fit.code(2 * pair, values[pair * 64 + i], 31.0);
                    let second = fit.code(2 * pair + 1, values[pair * 64 + 32 + i], 31.0);
                    block[48 + pair * 32 + i] = first & 15 | second << 4;
                    block[16 + i] |= (first >> 4 | second >> 4 << 1) << (2 * pair);
                }
            }
        },
    );
}
