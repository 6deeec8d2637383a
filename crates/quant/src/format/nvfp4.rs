//! NVFP4: four-bit floats E2M1, one unsigned E4M3 scale for 16 (NVIDIA, 2025).
//!
//! Bytes: 4 scales; 4 times 8 of codes, value `i` of 16 in the low half of byte `i`, value `8 + i` in
//! the high half. A tensor's second scale is a tensor of its own. Source: ggml, `block_nvfp4`.

use super::mxfp4::{E2M1_DOUBLED, nearest_e2m1};
use super::{Encoder, Format};
use crate::{block, fit, float};

/// Four-bit floats, one FP8 scale for 16.
pub static NVFP4: Format = Format::new("NVFP4", Some(40), 64, 36, decode).written_by(Encoder {
    run: encode,
    error_max: 0.21,
    error_rms: 0.09,
    largest: 2688.0,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 36], out: &mut [f32; 64]| {
        for (sub, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            // Codes are doubled, so scales are halved. ggml reads the code of NaN as zero.
            let scale = if block[sub] == 0x7f { 0.0 } else { 0.5 * unsigned_e4m3(block[sub]) };
            for i in 0..8 {
                let code = block[4 + sub * 8 + i];
                out[i] = scale * f32::from(E2M1_DOUBLED[usize::from(code & 15)]);
                out[8 + i] = scale * f32::from(E2M1_DOUBLED[usize::from(code >> 4)]);
            }
        }
    });
}

/// E4M3 without a sign; the top bit is not looked at, and no code is special.
#[inline(always)]
fn unsigned_e4m3(code: u8) -> f32 {
    let magnitude = u32::from(code & 0x7f) << 20;
    let subnormal = f32::from_bits(magnitude + (121 << 23)) - f32::from_bits(121 << 23);
    if magnitude < 1 << 23 { subnormal } else { f32::from_bits(magnitude + (120 << 23)) }
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 64], _, block: &mut [u8; 36]| {
        for (sub, values) in values.as_chunks::<16>().0.iter().enumerate() {
            let middle = float::f32_to_e4m3(fit::peak(values).abs() / 6.0).min(0x7e);
            let mut least = f32::INFINITY;
            for scale_code in middle.saturating_sub(1)..=(middle + 1).min(0x7e) {
                let scale = 0.5 * unsigned_e4m3(scale_code);
                let inverse = fit::inverse(scale);
                let codes = values.map(|value| nearest_e2m1(value * inverse));
                let off =
                    |i: usize| scale * f32::from(E2M1_DOUBLED[usize::from(codes[i])]) - values[i];
                let error: f32 = (0..16).map(|i| off(i) * off(i)).sum();
                if error < least {
                    least = error;
                    block[sub] = scale_code;
                    for i in 0..8 {
                        block[4 + sub * 8 + i] = codes[i] | codes[8 + i] << 4;
                    }
                }
            }
        }
    });
}
