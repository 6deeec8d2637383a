//! Q3_K: three-bit codes in 16 sub-blocks of 16, `x = d (s - 32) (q - 4)`, `s` of six bits.
//!
//! Bytes: 32 of third bits, value `32 j + l` in bit `j` of byte `l`; 64 of lower two bits, laid as in
//! Q2_K; 12 of `s`, see [`scales`]; `d` F16. Source: ggml, `block_q3_K`.

use super::Format;
use crate::block;

/// Three bits, one scale for 16.
pub static Q3_K: Format = Format::new("Q3_K", Some(11), 256, 110, decode);

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
