//! IQ4_XS: IQ4_NL's levels in 8 sub-blocks of 32, `x = d (s - 32) level[q]`, `s` of six bits.
//!
//! Bytes: `d` F16; upper two bits of the scales, a `u16`, sub-block `j` in bits `2 j`; their lower four,
//! 4 bytes, even sub-blocks in the low halves; 8 times 16 of codes as in Q4_0. Source: ggml, `block_iq4_xs`.

use super::iq4_nl::{LEVELS, levels, nearest};
use super::{Encoder, Format};
use crate::fit::nested::Nested;
use crate::{block, fit, float};

/// Four bits on a curve, one scale for 32 under one for 256.
pub static IQ4_XS: Format = Format::new("IQ4_XS", Some(23), 256, 136, decode).written_by(Encoder {
    run: encode,
    error_max: 0.16,
    error_rms: 0.0775,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 136], out: &mut [f32; 256]| {
        let (d, high) = (block::f16_at(block, 0), block::u16_at(block, 2));
        for (sub, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let low = block[4 + sub / 2] >> (sub % 2 * 4) & 15;
            let scale = d * f32::from((low | ((high >> (2 * sub) & 3) as u8) << 4) as i8 - 32);
            for i in 0..16 {
                let code = block[8 + sub * 16 + i];
                out[i] = scale * f32::from(LEVELS[usize::from(code & 15)]);
                out[16 + i] = scale * f32::from(LEVELS[usize::from(code >> 4)]);
            }
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 136]| {
            let weights = fit::weights(values, importance);
            let (x, w) = (values.as_chunks::<32>().0, weights.as_chunks::<32>().0);
            let fit = Nested::<8>::fit(x, w, (-32.0, 31.0), &levels());
            block.fill(0);
            block::put_f16(block, 0, fit.d);
            let mut high = 0;
            for (sub, values) in x.iter().enumerate() {
                let inverse = fit::inverse(fit.d * fit.scales[sub]);
                for i in 0..16 {
                    block[8 + sub * 16 + i] =
                        nearest(values[i] * inverse) | nearest(values[16 + i] * inverse) << 4;
                }
                let scale = (fit.scales[sub] + 32.0) as u8;
                block[4 + sub / 2] |= (scale & 15) << (sub % 2 * 4);
                high |= u16::from(scale >> 4) << (2 * sub);
            }
            block[2..4].copy_from_slice(&high.to_le_bytes());
        },
    );
}
