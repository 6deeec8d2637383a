//! How each layout's bits become code bytes and scales in AVX2 registers, a quarter of a panel at a time.
//!
//! Shifts take their count from a register in the source; once the loops over words are unrolled the
//! counts are constants and the compiler makes them immediate.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every block here: the trait's contract, a whole unit and the instructions"
)]

use std::arch::x86_64::*;

use super::{Codes, Columns, Scales, Unpack};
use crate::linear::layout::{IQ4_LEVELS, Kind, Layout, MXFP4_LEVELS};

/// Word `g` of a plane of bytes.
#[inline(always)]
pub(super) unsafe fn word(plane: *const u8, g: usize, q: usize) -> __m256i {
    unsafe { _mm256_loadu_si256(plane.add(g * 128 + q * 32).cast()) }
}

/// Eight of thirty-two floats.
#[inline(always)]
pub(super) unsafe fn floats(at: *const u8, q: usize) -> __m256 {
    unsafe { _mm256_loadu_ps(at.add(q * 32).cast()) }
}

#[inline(always)]
unsafe fn right(v: __m256i, count: usize) -> __m256i {
    unsafe { _mm256_srl_epi16(v, _mm_cvtsi32_si128(count as i32)) }
}

/// Moves bit `from` of every byte to bit `to`; its neighbours come along.
#[inline(always)]
unsafe fn moved(v: __m256i, from: usize, to: usize) -> __m256i {
    unsafe {
        if from < to {
            _mm256_sll_epi16(v, _mm_cvtsi32_si128((to - from) as i32))
        } else {
            right(v, from - to)
        }
    }
}

/// Word `g` of a plane of nibbles.
#[inline(always)]
unsafe fn nibbles(plane: *const u8, g: usize, q: usize) -> __m256i {
    unsafe { _mm256_and_si256(right(word(plane, g % 4, q), g / 4 * 4), _mm256_set1_epi8(15)) }
}

/// Codes with bits of word `g` of a plane of bits put in at bit `to`.
#[inline(always)]
unsafe fn with_bits(codes: __m256i, plane: *const u8, g: usize, q: usize, to: usize) -> __m256i {
    unsafe {
        let bits = moved(word(plane, 0, q), g, to);
        _mm256_or_si256(codes, _mm256_and_si256(bits, _mm256_set1_epi8(1 << to)))
    }
}

/// The same with a plane of pairs of bits.
#[inline(always)]
unsafe fn with_pairs(codes: __m256i, plane: *const u8, g: usize, q: usize, to: usize) -> __m256i {
    unsafe {
        let pairs = moved(word(plane, g / 4, q), g % 4 * 2, to);
        _mm256_or_si256(codes, _mm256_and_si256(pairs, _mm256_set1_epi8(3 << to)))
    }
}

#[inline(always)]
unsafe fn pairs(plane: *const u8, g: usize, q: usize) -> __m256i {
    unsafe { _mm256_and_si256(right(word(plane, g / 4, q), g % 4 * 2), _mm256_set1_epi8(3)) }
}

#[inline(always)]
unsafe fn levels(table: &[u8; 16], codes: __m256i) -> __m256i {
    unsafe {
        _mm256_shuffle_epi8(
            _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())),
            codes,
        )
    }
}

/// Eight of thirty-two F16.
#[inline(always)]
unsafe fn halves(at: *const u8, q: usize) -> __m256 {
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.add(q * 16).cast())) }
}

#[inline(always)]
unsafe fn minus(v: __m256) -> __m256 {
    unsafe { _mm256_xor_ps(v, _mm256_set1_ps(-0.0)) }
}

/// `scale` times whole numbers.
#[inline(always)]
unsafe fn times(scale: __m256, whole: __m256i) -> __m256 {
    unsafe { _mm256_mul_ps(scale, _mm256_cvtepi32_ps(whole)) }
}

/// Field `i` of sixteen fields of six bits.
#[inline(always)]
unsafe fn six_bits(at: *const u8, i: usize, q: usize) -> __m256i {
    unsafe {
        if i < 15 {
            let field = _mm256_srl_epi32(word(at, i / 5, q), _mm_cvtsi32_si128((i % 5 * 6) as i32));
            _mm256_and_si256(field, _mm256_set1_epi32(63))
        } else {
            let low = _mm256_srli_epi32::<30>(word(at, 0, q));
            let mid = _mm256_slli_epi32::<2>(_mm256_srli_epi32::<30>(word(at, 1, q)));
            let high = _mm256_slli_epi32::<4>(_mm256_srli_epi32::<30>(word(at, 2, q)));
            _mm256_or_si256(_mm256_or_si256(low, mid), high)
        }
    }
}

/// Eight of thirty-two bytes as whole numbers.
#[inline(always)]
unsafe fn bytes(at: *const u8, q: usize) -> __m256i {
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(at.add(q * 8).cast())) }
}

#[inline(always)]
unsafe fn signed_bytes(at: *const u8, q: usize) -> __m256i {
    unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(at.add(q * 8).cast())) }
}

#[inline(always)]
unsafe fn less_32(v: __m256i) -> __m256i {
    unsafe { _mm256_sub_epi32(v, _mm256_set1_epi32(32)) }
}

#[inline(always)]
unsafe fn one(scale: __m256) -> Scales {
    unsafe { Scales { scale: [scale; 2], min: [_mm256_setzero_ps(); 2] } }
}

#[inline(always)]
fn one_min(scale: __m256, min: __m256) -> Scales {
    Scales { scale: [scale; 2], min: [min; 2] }
}

#[inline(always)]
unsafe fn two(first: __m256, last: __m256) -> Scales {
    unsafe { Scales { scale: [first, last], min: [_mm256_setzero_ps(); 2] } }
}

#[inline(always)]
unsafe fn low_halves(v: __m256i) -> __m256i {
    unsafe { _mm256_and_si256(v, _mm256_set1_epi32(15)) }
}

/// Field `i` of eight: four bits of a word, then two of a half word.
#[inline(always)]
unsafe fn four_and_two(low: __m256i, high: *const u8, i: usize) -> __m256i {
    unsafe {
        let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(high.cast()));
        let low = _mm256_srl_epi32(low, _mm_cvtsi32_si128((4 * i) as i32));
        let high = _mm256_srl_epi32(high, _mm_cvtsi32_si128((2 * i) as i32));
        let high = _mm256_and_si256(high, _mm256_set1_epi32(3));
        _mm256_or_si256(low_halves(low), _mm256_slli_epi32::<4>(high))
    }
}

/// `e8m0_half` of eight bytes: the exponent less one, save for the two codes that are subnormal.
#[inline(always)]
unsafe fn exponents(code: __m256i) -> __m256 {
    unsafe {
        let normal = _mm256_slli_epi32::<23>(_mm256_sub_epi32(code, _mm256_set1_epi32(1)));
        let subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x0020_0000), code);
        let small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), code);
        _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, small))
    }
}

/// A layout's figures, from the one place that has them.
const fn kind(layout: Layout) -> Kind {
    match layout.kind() {
        Some(kind) => kind,
        None => panic!("a float layout has no kind"),
    }
}

pub(super) struct Q4_0;

impl Unpack for Q4_0 {
    const BLOCKS: usize = Layout::Q4_0.unit() / 32;
    const BYTES: usize = Layout::Q4_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q4_0);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { nibbles(unit, g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one(halves(unit.add(512), q)) }
    }
}

pub(super) struct Q4_1;

impl Unpack for Q4_1 {
    const BLOCKS: usize = Layout::Q4_1.unit() / 32;
    const BYTES: usize = Layout::Q4_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q4_1);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { nibbles(unit, g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one_min(halves(unit.add(512), q), minus(halves(unit.add(576), q))) }
    }
}

pub(super) struct Q5_0;

impl Unpack for Q5_0 {
    const BLOCKS: usize = Layout::Q5_0.unit() / 32;
    const BYTES: usize = Layout::Q5_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_0);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { with_bits(nibbles(unit, g, q), unit.add(512), g, q, 4) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one(halves(unit.add(640), q)) }
    }
}

pub(super) struct Q5_1;

impl Unpack for Q5_1 {
    const BLOCKS: usize = Layout::Q5_1.unit() / 32;
    const BYTES: usize = Layout::Q5_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_1);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { with_bits(nibbles(unit, g, q), unit.add(512), g, q, 4) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one_min(halves(unit.add(640), q), minus(halves(unit.add(704), q))) }
    }
}

pub(super) struct Q8_0;

impl Unpack for Q8_0 {
    const BLOCKS: usize = Layout::Q8_0.unit() / 32;
    const BYTES: usize = Layout::Q8_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q8_0);
    const CODES: Codes = Codes::Signed;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { word(unit, g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one(halves(unit.add(1024), q)) }
    }
}

pub(super) struct Q2K;

impl Unpack for Q2K {
    const BLOCKS: usize = Layout::Q2K.unit() / 32;
    const BYTES: usize = Layout::Q2K.unit_bytes();
    const KIND: Kind = kind(Layout::Q2K);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe { pairs(unit.add(block * 256), g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let (d, least) = (halves(unit.add(2560), q), halves(unit.add(2624), q));
            let at = unit.add(2048 + block * 64);
            let (first, last) = (bytes(at, q), bytes(at.add(32), q));
            Scales {
                scale: [times(d, low_halves(first)), times(d, low_halves(last))],
                min: [
                    times(least, _mm256_srli_epi32::<4>(first)),
                    times(least, _mm256_srli_epi32::<4>(last)),
                ],
            }
        }
    }
}

pub(super) struct Q3K;

impl Unpack for Q3K {
    const BLOCKS: usize = Layout::Q3K.unit() / 32;
    const BYTES: usize = Layout::Q3K.unit_bytes();
    const KIND: Kind = kind(Layout::Q3K);
    const CODES: Codes = Codes::Middle;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe {
            let planes = unit.add(block * 384);
            with_bits(pairs(planes, g, q), planes.add(256), g, q, 2)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let d = halves(unit.add(3456), q);
            let first = less_32(six_bits(unit.add(3072), block * 2, q));
            let last = less_32(six_bits(unit.add(3072), block * 2 + 1, q));
            two(times(d, first), times(d, last))
        }
    }
}

pub(super) struct Q4K;

impl Unpack for Q4K {
    const BLOCKS: usize = Layout::Q4K.unit() / 32;
    const BYTES: usize = Layout::Q4K.unit_bytes();
    const KIND: Kind = kind(Layout::Q4K);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe { nibbles(unit.add(block * 512), g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(4480), q), six_bits(unit.add(4096), block, q));
            one_min(scale, times(halves(unit.add(4544), q), six_bits(unit.add(4096), 8 + block, q)))
        }
    }
}

pub(super) struct Q5K;

impl Unpack for Q5K {
    const BLOCKS: usize = Layout::Q5K.unit() / 32;
    const BYTES: usize = Layout::Q5K.unit_bytes();
    const KIND: Kind = kind(Layout::Q5K);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe {
            let planes = unit.add(block * 640);
            with_bits(nibbles(planes, g, q), planes.add(512), g, q, 4)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(5504), q), six_bits(unit.add(5120), block, q));
            one_min(scale, times(halves(unit.add(5568), q), six_bits(unit.add(5120), 8 + block, q)))
        }
    }
}

pub(super) struct Q6K;

impl Unpack for Q6K {
    const BLOCKS: usize = Layout::Q6K.unit() / 32;
    const BYTES: usize = Layout::Q6K.unit_bytes();
    const KIND: Kind = kind(Layout::Q6K);
    const CODES: Codes = Codes::Middle;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe {
            let planes = unit.add(block * 768);
            with_pairs(nibbles(planes, g, q), planes.add(512), g, q, 4)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let (d, at) = (halves(unit.add(6656), q), unit.add(6144 + block * 64));
            two(times(d, signed_bytes(at, q)), times(d, signed_bytes(at.add(32), q)))
        }
    }
}

pub(super) struct Iq4Nl;

impl Unpack for Iq4Nl {
    const BLOCKS: usize = Layout::Iq4Nl.unit() / 32;
    const BYTES: usize = Layout::Iq4Nl.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Nl);
    const CODES: Codes = Codes::Signed;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { levels(&IQ4_LEVELS, nibbles(unit, g, q)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one(halves(unit.add(512), q)) }
    }
}

pub(super) struct Iq4Xs;

impl Unpack for Iq4Xs {
    const BLOCKS: usize = Layout::Iq4Xs.unit() / 32;
    const BYTES: usize = Layout::Iq4Xs.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Xs);
    const CODES: Codes = Codes::Signed;

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, q: usize) -> __m256i {
        unsafe { levels(&IQ4_LEVELS, nibbles(unit.add(block * 512), g, q)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, q: usize) -> Scales {
        unsafe {
            let six = four_and_two(word(unit.add(4096), 0, q), unit.add(4224 + q * 16), block);
            one(times(halves(unit.add(4288), q), less_32(six)))
        }
    }
}

pub(super) struct Mxfp4;

impl Unpack for Mxfp4 {
    const BLOCKS: usize = Layout::Mxfp4.unit() / 32;
    const BYTES: usize = Layout::Mxfp4.unit_bytes();
    const KIND: Kind = kind(Layout::Mxfp4);
    const CODES: Codes = Codes::Small;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { levels(&MXFP4_LEVELS, nibbles(unit, g, q)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { one(exponents(bytes(unit.add(512), q))) }
    }
}

pub(super) struct Int8;

impl Unpack for Int8 {
    const BLOCKS: usize = Layout::Int8.unit() / 32;
    const BYTES: usize = Layout::Int8.unit_bytes();
    const KIND: Kind = kind(Layout::Int8);
    const CODES: Codes = Codes::Signed;

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, q: usize) -> __m256i {
        unsafe { word(unit, g, q) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, q: usize) -> Scales {
        unsafe { two(floats(unit.add(1024), q), floats(unit.add(1152), q)) }
    }
}

pub(super) struct F32;

impl Columns for F32 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F32.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize, q: usize) -> __m256 {
        unsafe { floats(unit, q) }
    }
}

pub(super) struct F16;

impl Columns for F16 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize, q: usize) -> __m256 {
        unsafe { halves(unit, q) }
    }
}

pub(super) struct Bf16;

impl Columns for Bf16 {
    const COLUMNS: usize = 2;
    const BYTES: usize = Layout::Bf16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, i: usize, q: usize) -> __m256 {
        unsafe {
            let pair = word(unit, 0, q);
            let column = if i == 0 {
                _mm256_slli_epi32::<16>(pair)
            } else {
                _mm256_and_si256(pair, _mm256_set1_epi32(0xffff_0000_u32 as i32))
            };
            _mm256_castsi256_ps(column)
        }
    }
}
