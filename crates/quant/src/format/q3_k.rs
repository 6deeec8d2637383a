//! Q3_K: three-bit codes in 16 sub-blocks of 16, `x = d (s - 32) (q - 4)`, `s` of six bits.
//!
//! Bytes: 32 of third bits, value `32 j + l` in bit `j` of byte `l`; 64 of lower two bits, laid as in
//! Q2_K; 12 of `s`, see [`scales`]; `d` F16. Source: ggml, `block_q3_K`.

use super::{Encoder, Format};
use crate::fit::nested::Nested;
use crate::{block, fit, float};

/// Three bits, one scale for 16.
pub static Q3_K: Format = Format::new("Q3_K", Some(11), 256, 110, decode).written_by(Encoder {
    run: encode,
    error_max: 0.29,
    error_rms: 0.152,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 110], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 108);
        let scales = scales(block);
        for (sub, &scale) in scales.iter().enumerate() {
            let scale = d * f32::from(scale);
            let (half, bit) = (sub % 2 * 16, sub / 2);
            let (from, shift) = (32 + sub / 8 * 32 + half, sub % 8 / 2 * 2);
            for i in 0..16 {
                let low = block[from + i] >> shift & 3;
                let high = block[half + i] >> bit & 1;
                out[sub * 16 + i] = scale * f32::from((low | high << 2) as i8 - 4);
            }
        }
    });
}

/// The 16 scales of a block, already less 32. Of scale `i` (of 16) the low four bits are half `i / 8`
/// of byte `i % 8`, the upper two are bits `2 (i / 4)` of byte `8 + i % 4`.
#[inline(always)]
fn scales(block: &[u8; 110]) -> [i8; 16] {
    std::array::from_fn(|i| {
        let low = block[96 + i % 8] >> (i / 8 * 4) & 15;
        let high = block[104 + i % 4] >> (i / 4 * 2) & 3;
        (low | high << 4) as i8 - 32
    })
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 110]| {
            let weights = fit::weights(values, importance);
            let codes = fit::whole(-4.0, 3.0);
            let (x, w) = (values.as_chunks::<16>().0, weights.as_chunks::<16>().0);
            let fit = Nested::<16>::fit(x, w, (-32.0, 31.0), &codes);
            block.fill(0);
            for (sub, &scale) in fit.scales.iter().enumerate() {
                let inverse = fit::inverse(fit.d * scale);
                let (half, bit) = (sub % 2 * 16, sub / 2);
                let (from, shift) = (32 + sub / 8 * 32 + half, sub % 8 / 2 * 2);
                for i in 0..16 {
                    let code = (fit::code(values[sub * 16 + i] * inverse, -4.0, 3.0) + 4.0) as u8;
                    block[from + i] |= (code & 3) << shift;
                    block[half + i] |= (code >> 2) << bit;
                }
                let scale = (scale + 32.0) as u8;
                block[96 + sub % 8] |= (scale & 15) << (sub / 8 * 4);
                block[104 + sub % 4] |= (scale >> 4) << (sub / 4 * 2);
            }
            block::put_f16(block, 108, fit.d);
        },
    );
}
