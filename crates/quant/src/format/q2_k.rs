//! Q2_K: two-bit codes in 16 sub-blocks of 16, `x = d s q - dmin m`, `s` and `m` of four bits.
//!
//! The K formats (ggml, k-quants, 2023) put 256 values in a block, split into sub-blocks whose
//! scales are themselves small integers under one F16 scale.
//!
//! Bytes: 16 of `s` (low half) and `m` (high half); 64 of codes: 32 bytes hold 128 values, value
//! `32 j + l` in bits `2 j` of byte `l`; `d` F16; `dmin` F16. Source: ggml, `block_q2_K`.

use super::{Encoder, Format};
use crate::fit::nested::NestedAffine;
use crate::{block, fit, float};

/// Two bits, scale and minimum for 16.
pub static Q2_K: Format = Format::new("Q2_K", Some(10), 256, 84, decode).written_by(Encoder {
    run: encode,
    error_max: 0.46,
    error_rms: 0.277,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 84], out: &mut [f32; 256]| {
        let (d, min) = (block::f16_at(block, 80), block::f16_at(block, 82));
        for sub in 0..16 {
            let scale = d * f32::from(block[sub] & 15);
            let low = min * f32::from(block[sub] >> 4);
            let (from, shift) = (16 + sub / 8 * 32 + sub % 2 * 16, sub % 8 / 2 * 2);
            for i in 0..16 {
                out[sub * 16 + i] = scale * f32::from(block[from + i] >> shift & 3) - low;
            }
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 84]| {
            let weights = fit::weights(values, importance);
            let fit = NestedAffine::<16>::fit(
                values.as_chunks::<16>().0,
                weights.as_chunks::<16>().0,
                3.0,
                15.0,
            );
            block.fill(0);
            for sub in 0..16 {
                block[sub] = fit.scales[sub] as u8 | (fit.mins[sub] as u8) << 4;
                let (from, shift) = (16 + sub / 8 * 32 + sub % 2 * 16, sub % 8 / 2 * 2);
                for i in 0..16 {
                    block[from + i] |= fit.code(sub, values[sub * 16 + i], 3.0) << shift;
                }
            }
            block::put_f16(block, 80, fit.d);
            block::put_f16(block, 82, fit.dmin);
        },
    );
}
