//! Q5_1: 32 five-bit codes, a scale and a minimum, `x = d q + m`.
//!
//! Bytes: `d` F16; `m` F16; fifth bits and lower four as in Q5_0. Source: ggml, `block_q5_1`.

use super::q5_0::put_codes;
use super::{Encoder, Format};
use crate::fit::{self, Minimum};
use crate::{block, float};

/// Five bits, a scale and a minimum for 32.
pub static Q5_1: Format = Format::new("Q5_1", Some(7), 32, 24, decode).written_by(Encoder {
    run: encode,
    error_max: 0.075,
    error_rms: 0.0395,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 24], out: &mut [f32; 32]| {
        let (d, m) = (block::f16_at(block, 0), block::f16_at(block, 2));
        let high = block::u32_at(block, 4);
        for i in 0..16 {
            let code = block[8 + i];
            let (first, second) = ((high >> i << 4) as u8 & 16, (high >> (16 + i) << 4) as u8 & 16);
            out[i] = d * f32::from(code & 15 | first) + m;
            out[16 + i] = d * f32::from(code >> 4 | second) + m;
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 32], importance, block: &mut [u8; 24]| {
            let (d, low) = match importance {
                None => {
                    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
                    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    ((high - low) / 31.0, low)
                }
                Some(_) => {
                    let fit =
                        fit::affine(values, &fit::weights(values, importance), 31.0, Minimum::Free);
                    (fit.scale, -fit.min)
                }
            };
            let inverse = fit::inverse(d);
            let code = |value: f32| (((value - low) * inverse + 0.5) as u8).min(31);
            block::put_f16(block, 0, d);
            block::put_f16(block, 2, low);
            put_codes(&mut block[4..], &std::array::from_fn(|i| code(values[i])));
        },
    );
}
