//! Q4_K: four-bit codes in 8 sub-blocks of 32, `x = d s q - dmin m`, `s` and `m` of six bits.
//!
//! Bytes: `d` F16; `dmin` F16; 12 of `s` and `m`, see [`scale_and_min`]; 128 of codes: 32 bytes hold
//! two sub-blocks, the first in the low halves. Source: ggml, `block_q4_K`.

use super::{Encoder, Format};
use crate::fit::nested::NestedAffine;
use crate::{block, fit, float};

/// Four bits, scale and minimum for 32.
pub static Q4_K: Format = Format::new("Q4_K", Some(12), 256, 144, decode).written_by(Encoder {
    run: encode,
    error_max: 0.11,
    error_rms: 0.0735,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 144], out: &mut [f32; 256]| {
        let (d, min) = (block::f16_at(block, 0), block::f16_at(block, 2));
        let (scales, mins) = scale_and_min(block);
        for pair in 0..4 {
            let (first, second) = (2 * pair, 2 * pair + 1);
            let (scale, low) = (d * f32::from(scales[first]), min * f32::from(mins[first]));
            let (scale2, low2) = (d * f32::from(scales[second]), min * f32::from(mins[second]));
            for i in 0..32 {
                let code = block[16 + pair * 32 + i];
                out[pair * 64 + i] = scale * f32::from(code & 15) - low;
                out[pair * 64 + 32 + i] = scale2 * f32::from(code >> 4) - low2;
            }
        }
    });
}

/// The eight scales and eight minima of a Q4_K or Q5_K block, from its bytes 4 to 16.
///
/// Scale `i < 4` is the low six bits of byte `i`, minimum `i < 4` those of byte `4 + i`; of the later
/// ones the low four bits share byte `4 + i` (scale low, minimum high) and the upper two are the top
/// bits of the bytes of scale and minimum `i - 4`.
#[inline(always)]
pub(crate) fn scale_and_min(block: &[u8]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for i in 0..4 {
        let (scale, min, both) = (block[4 + i], block[8 + i], block[12 + i]);
        scales[i] = scale & 63;
        mins[i] = min & 63;
        scales[4 + i] = both & 15 | scale >> 2 & 0x30;
        mins[4 + i] = both >> 4 | min >> 2 & 0x30;
    }
    (scales, mins)
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(
        values,
        importance,
        out,
        |values: &[f32; 256], importance, block: &mut [u8; 144]| {
            let weights = fit::weights(values, importance);
            let fit = NestedAffine::<8>::fit(
                values.as_chunks::<32>().0,
                weights.as_chunks::<32>().0,
                15.0,
                63.0,
            );
            put_scales(block, &fit);
            for pair in 0..4 {
                for i in 0..32 {
                    let first = fit.code(2 * pair, values[pair * 64 + i], 15.0);
                    let second = fit.code(2 * pair + 1, values[pair * 64 + 32 + i], 15.0);
                    block[16 + pair * 32 + i] = first | second << 4;
                }
            }
        },
    );
}

/// Writes the two common scales and the eight of each kind, as [`scale_and_min`] reads them.
pub(crate) fn put_scales(block: &mut [u8], fit: &NestedAffine<8>) {
    block::put_f16(block, 0, fit.d);
    block::put_f16(block, 2, fit.dmin);
    let (scales, mins) = (fit.scales.map(|scale| scale as u8), fit.mins.map(|min| min as u8));
    for i in 0..4 {
        block[4 + i] = scales[i] | (scales[4 + i] & 0x30) << 2;
        block[8 + i] = mins[i] | (mins[4 + i] & 0x30) << 2;
        block[12 + i] = scales[4 + i] & 15 | mins[4 + i] << 4;
    }
}
