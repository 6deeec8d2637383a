//! Q5_0: 32 five-bit codes and one scale, `x = d (q - 16)`.
//!
//! Bytes: `d` F16; the codes' fifth bits, a `u32`, value `i` in bit `i`; the lower four as in Q4_0.
//! Source: ggml, `block_q5_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Five bits, one scale for 32.
pub static Q5_0: Format = Format::new("Q5_0", Some(6), 32, 22, decode).written_by(Encoder {
    run: encode,
    error_max: 0.085,
    error_rms: 0.0445,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 22], out: &mut [f32; 32]| {
        let (d, high) = (block::f16_at(block, 0), block::u32_at(block, 2));
        for i in 0..16 {
            let code = block[6 + i];
            let (first, second) = ((high >> i << 4) as u8 & 16, (high >> (16 + i) << 4) as u8 & 16);
            out[i] = d * f32::from((code & 15 | first) as i8 - 16);
            out[16 + i] = d * f32::from((code >> 4 | second) as i8 - 16);
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 32], importance, block: &mut [u8; 22]| {
            // Without importance the largest magnitude takes the lowest code, as everybody's encoder does.
            let d = match importance {
                None => fit::peak(values) / -16.0,
                Some(_) => {
                    fit::scale(values, &fit::weights(values, importance), &fit::whole(-16.0, 15.0))
                }
            };
            let inverse = fit::inverse(d);
            let code = |value: f32| ((value * inverse + 16.5) as u8).min(31);
            block::put_f16(block, 0, d);
            put_codes(&mut block[2..], &std::array::from_fn(|i| code(values[i])));
        },
    );
}

/// Writes the fifth bits of 32 codes, then their lower four.
#[inline(always)]
pub(crate) fn put_codes(out: &mut [u8], codes: &[u8; 32]) {
    let high =
        codes.iter().enumerate().fold(0, |high, (i, code)| high | u32::from(code >> 4 & 1) << i);
    out[..4].copy_from_slice(&high.to_le_bytes());
    for i in 0..16 {
        out[4 + i] = codes[i] & 15 | codes[16 + i] << 4;
    }
}
