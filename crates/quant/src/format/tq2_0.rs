//! TQ2_0: ternary values in two bits, `x = d (q - 1)`.
//!
//! Bytes: 64 of codes: 32 bytes hold 128 values, value `32 j + l` in bits `2 j` of byte `l`; `d` F16.
//! Source: ggml, `block_tq2_0`.

use super::{Encoder, Format};
use crate::{block, fit, float};

/// Ternary, one scale for 256, 2.06 bits.
pub static TQ2_0: Format = Format::new("TQ2_0", Some(35), 256, 66, decode).written_by(Encoder {
    run: encode,
    error_max: 0.501,
    error_rms: 0.82,
    largest: float::F16_MAX,
});

fn decode(bytes: &[u8], out: &mut [f32]) {
    block::decode(bytes, out, |block: &[u8; 66], out: &mut [f32; 256]| {
        let d = block::f16_at(block, 64);
        for (part, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (from, shift) = (part / 4 * 32, part % 4 * 2);
            for i in 0..32 {
                out[i] = d * f32::from((block[from + i] >> shift & 3) as i8 - 1);
            }
        }
    });
}

fn encode(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    block::encode(values, importance, out, |values: &[f32; 256], _, block: &mut [u8; 66]| {
        let d = fit::peak(values).abs();
        let inverse = fit::inverse(d);
        block.fill(0);
        for (part, values) in values.as_chunks::<32>().0.iter().enumerate() {
            let (from, shift) = (part / 4 * 32, part % 4 * 2);
            for i in 0..32 {
                block[from + i] |= ((fit::round_half_away(values[i] * inverse) + 1) as u8) << shift;
            }
        }
        block::put_f16(block, 64, d);
    });
}
