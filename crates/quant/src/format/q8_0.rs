//! Q8_0: 32 signed bytes and one scale, `x = d q`.
//!
//! Bytes: `d` F16; 32 `i8`. Source: ggml, `block_q8_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Eight bits, one scale for 32.
pub static Q8_0: Format = Format::new("Q8_0", Some(8), 32, 34, decode).written_by(Encoder {
    run: encode,
    error_max: 4.5e-3,
    error_rms: 5.6e-3,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 34], out: &mut [f32; 32]| {
        let d = block::f16_at(block, 0);
        for i in 0..32 {
            out[i] = d * f32::from(block[2 + i] as i8);
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 32], _, block: &mut [u8; 34]| {
        let d = fit::peak(values).abs() / 127.0;
        let inverse = fit::inverse(d);
        block::put_f16(block, 0, d);
        for i in 0..32 {
            block[2 + i] = fit::round_half_away(values[i] * inverse) as i8 as u8;
        }
    });
}
