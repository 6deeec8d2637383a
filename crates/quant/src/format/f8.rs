//! The 8-bit floats of the OCP FP8 text (2023), as safetensors files carry them: E4M3 without
//! infinities (up to 448), E5M2 (up to 57344), and E8M0, a bare power of two, used as a scale.
//!
//! A checkpoint's block scales (`weight_scale_inv`) lie in a tensor of their own and are the loader's
//! business; decoding here gives the codes' own values.

use super::{Encoder, Format};
use crate::float;

/// Three bits of mantissa, no infinities.
pub static F8_E4M3: Format = Format::new("F8_E4M3", None, 1, 1, decode_e4m3).written_by(Encoder {
    run: encode_e4m3,
    error_max: 0.0625,
    error_rms: 0.0285,
    largest: f32::INFINITY,
});

/// Two bits of mantissa, the upper half of an F16.
pub static F8_E5M2: Format = Format::new("F8_E5M2", None, 1, 1, decode_e5m2).written_by(Encoder {
    run: encode_e5m2,
    error_max: 0.125,
    error_rms: 0.055,
    largest: f32::INFINITY,
});

/// A power of two, 2^(code - 127).
pub static F8_E8M0: Format = Format::new("F8_E8M0", None, 1, 1, decode_e8m0);

fn decode_e4m3(bytes: &[u8], out: &mut [f32]) {
    for (out, &code) in out.iter_mut().zip(bytes) {
        *out = float::e4m3_to_f32(code);
    }
}

fn decode_e5m2(bytes: &[u8], out: &mut [f32]) {
    for (out, &code) in out.iter_mut().zip(bytes) {
        *out = float::e5m2_to_f32(code);
    }
}

fn decode_e8m0(bytes: &[u8], out: &mut [f32]) {
    for (out, &code) in out.iter_mut().zip(bytes) {
        *out = float::e8m0_to_f32(code);
    }
}

fn encode_e4m3(values: &[f32], _: Option<&[f32]>, out: &mut [u8]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = float::f32_to_e4m3(value);
    }
}

fn encode_e5m2(values: &[f32], _: Option<&[f32]>, out: &mut [u8]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = float::f32_to_e5m2(value);
    }
}
