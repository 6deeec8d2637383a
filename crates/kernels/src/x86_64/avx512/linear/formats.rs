//! How each layout's bits become code bytes and scales in AVX-512 registers.
//!
//! Shifts take their count from a register in the source; once the loops over words are unrolled the
//! counts are constants and the compiler makes them immediate.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every block here: the trait's contract, a whole unit and the instructions"
)]

use std::arch::x86_64::*;

use super::{Columns, Scales, Unpack};
use crate::linear::layout::{IQ4_LEVELS, Kind, Layout, MXFP4_LEVELS};

/// `a | b & c`
const OR_AND: i32 = 0xf8;

/// Word `g` of a plane of bytes.
#[inline(always)]
pub(super) unsafe fn words(plane: *const u8, g: usize) -> [__m512i; 2] {
    unsafe {
        let at = plane.add(g * 128);
        [_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(64).cast())]
    }
}

/// Thirty-two floats.
#[inline(always)]
pub(super) unsafe fn floats(at: *const u8) -> [__m512; 2] {
    unsafe { [_mm512_loadu_ps(at.cast()), _mm512_loadu_ps(at.add(64).cast())] }
}

#[inline(always)]
unsafe fn right(v: __m512i, count: usize) -> __m512i {
    unsafe { _mm512_srl_epi16(v, _mm_cvtsi32_si128(count as i32)) }
}

#[inline(always)]
unsafe fn left(v: __m512i, count: usize) -> __m512i {
    unsafe { _mm512_sll_epi16(v, _mm_cvtsi32_si128(count as i32)) }
}

/// Moves bit `from` of every byte to bit `to`; its neighbours come along.
#[inline(always)]
unsafe fn moved(v: __m512i, from: usize, to: usize) -> __m512i {
    unsafe { if from < to { left(v, to - from) } else { right(v, from - to) } }
}

/// Word `g` of a plane of nibbles.
#[inline(always)]
unsafe fn nibbles(plane: *const u8, g: usize) -> [__m512i; 2] {
    unsafe {
        let [a, b] = words(plane, g % 4);
        let mask = _mm512_set1_epi8(15);
        [_mm512_and_si512(right(a, g / 4 * 4), mask), _mm512_and_si512(right(b, g / 4 * 4), mask)]
    }
}

/// Codes with bits of word `g` of a plane of bits, or of pairs of bits, put in at bit `to`.
#[inline(always)]
unsafe fn with_bits(codes: [__m512i; 2], plane: *const u8, g: usize, to: usize) -> [__m512i; 2] {
    unsafe {
        let bits = words(plane, 0);
        let mask = _mm512_set1_epi8(1 << to);
        [
            _mm512_ternarylogic_epi32::<OR_AND>(codes[0], moved(bits[0], g, to), mask),
            _mm512_ternarylogic_epi32::<OR_AND>(codes[1], moved(bits[1], g, to), mask),
        ]
    }
}

#[inline(always)]
unsafe fn with_pairs(codes: [__m512i; 2], plane: *const u8, g: usize, to: usize) -> [__m512i; 2] {
    unsafe {
        let pairs = words(plane, g / 4);
        let mask = _mm512_set1_epi8(3 << to);
        [
            _mm512_ternarylogic_epi32::<OR_AND>(codes[0], moved(pairs[0], g % 4 * 2, to), mask),
            _mm512_ternarylogic_epi32::<OR_AND>(codes[1], moved(pairs[1], g % 4 * 2, to), mask),
        ]
    }
}

#[inline(always)]
unsafe fn pairs(plane: *const u8, g: usize) -> [__m512i; 2] {
    unsafe {
        let [a, b] = words(plane, g / 4);
        let mask = _mm512_set1_epi8(3);
        [_mm512_and_si512(right(a, g % 4 * 2), mask), _mm512_and_si512(right(b, g % 4 * 2), mask)]
    }
}

#[inline(always)]
unsafe fn levels(table: &[u8; 16], codes: [__m512i; 2]) -> [__m512i; 2] {
    unsafe {
        let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
        [_mm512_shuffle_epi8(table, codes[0]), _mm512_shuffle_epi8(table, codes[1])]
    }
}

/// Thirty-two F16.
#[inline(always)]
unsafe fn halves(at: *const u8) -> [__m512; 2] {
    unsafe {
        let (a, b) = (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast()));
        [_mm512_cvtph_ps(a), _mm512_cvtph_ps(b)]
    }
}

#[inline(always)]
unsafe fn minus(v: [__m512; 2]) -> [__m512; 2] {
    unsafe {
        [_mm512_xor_ps(v[0], _mm512_set1_ps(-0.0)), _mm512_xor_ps(v[1], _mm512_set1_ps(-0.0))]
    }
}

/// `scale` times whole numbers.
#[inline(always)]
unsafe fn times(scale: [__m512; 2], whole: [__m512i; 2]) -> [__m512; 2] {
    unsafe {
        let whole = [_mm512_cvtepi32_ps(whole[0]), _mm512_cvtepi32_ps(whole[1])];
        [_mm512_mul_ps(scale[0], whole[0]), _mm512_mul_ps(scale[1], whole[1])]
    }
}

/// Field `i` of sixteen fields of six bits.
#[inline(always)]
unsafe fn six_bits(at: *const u8, i: usize) -> [__m512i; 2] {
    unsafe {
        if i < 15 {
            let count = _mm_cvtsi32_si128((i % 5 * 6) as i32);
            let [a, b] = words(at, i / 5);
            let mask = _mm512_set1_epi32(63);
            [
                _mm512_and_si512(_mm512_srl_epi32(a, count), mask),
                _mm512_and_si512(_mm512_srl_epi32(b, count), mask),
            ]
        } else {
            let [a, b, c] = [words(at, 0), words(at, 1), words(at, 2)];
            [tops(a[0], b[0], c[0]), tops(a[1], b[1], c[1])]
        }
    }
}

/// The two top bits of three words as one field.
#[inline(always)]
unsafe fn tops(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    unsafe {
        let low = _mm512_srli_epi32::<30>(a);
        let mid = _mm512_slli_epi32::<2>(_mm512_srli_epi32::<30>(b));
        let high = _mm512_slli_epi32::<4>(_mm512_srli_epi32::<30>(c));
        _mm512_or_si512(_mm512_or_si512(low, mid), high)
    }
}

/// Thirty-two bytes as whole numbers.
#[inline(always)]
unsafe fn bytes(at: *const u8) -> [__m512i; 2] {
    unsafe {
        let (a, b) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(at.add(16).cast()));
        [_mm512_cvtepu8_epi32(a), _mm512_cvtepu8_epi32(b)]
    }
}

#[inline(always)]
unsafe fn signed_bytes(at: *const u8) -> [__m512i; 2] {
    unsafe {
        let (a, b) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(at.add(16).cast()));
        [_mm512_cvtepi8_epi32(a), _mm512_cvtepi8_epi32(b)]
    }
}

#[inline(always)]
unsafe fn less_32(v: [__m512i; 2]) -> [__m512i; 2] {
    unsafe {
        [
            _mm512_sub_epi32(v[0], _mm512_set1_epi32(32)),
            _mm512_sub_epi32(v[1], _mm512_set1_epi32(32)),
        ]
    }
}

#[inline(always)]
unsafe fn one(scale: [__m512; 2]) -> Scales {
    unsafe { Scales { scale: [scale; 2], min: [[_mm512_setzero_ps(); 2]; 2] } }
}

#[inline(always)]
fn one_min(scale: [__m512; 2], min: [__m512; 2]) -> Scales {
    Scales { scale: [scale; 2], min: [min; 2] }
}

#[inline(always)]
unsafe fn two(scale: [[__m512; 2]; 2]) -> Scales {
    unsafe { Scales { scale, min: [[_mm512_setzero_ps(); 2]; 2] } }
}

#[inline(always)]
unsafe fn low_halves(v: [__m512i; 2]) -> [__m512i; 2] {
    unsafe {
        [
            _mm512_and_si512(v[0], _mm512_set1_epi32(15)),
            _mm512_and_si512(v[1], _mm512_set1_epi32(15)),
        ]
    }
}

#[inline(always)]
unsafe fn high_halves(v: [__m512i; 2]) -> [__m512i; 2] {
    unsafe { [_mm512_srli_epi32::<4>(v[0]), _mm512_srli_epi32::<4>(v[1])] }
}

/// Field `i` of eight: four bits of a word, then two of a half word.
#[inline(always)]
unsafe fn four_and_two(low: __m512i, high: *const u8, i: usize) -> __m512i {
    unsafe {
        let high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(high.cast()));
        let low = _mm512_srl_epi32(low, _mm_cvtsi32_si128((4 * i) as i32));
        let high = _mm512_srl_epi32(high, _mm_cvtsi32_si128((2 * i) as i32));
        let high = _mm512_and_si512(high, _mm512_set1_epi32(3));
        _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi32(15)), _mm512_slli_epi32::<4>(high))
    }
}

/// `e8m0_half` of sixteen bytes: the exponent less one, save for the two codes that are subnormal.
#[inline(always)]
unsafe fn exponents(code: __m512i) -> __m512 {
    unsafe {
        let one = _mm512_set1_epi32(1);
        let normal = _mm512_slli_epi32::<23>(_mm512_sub_epi32(code, one));
        let subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x0020_0000), code);
        let small = _mm512_cmple_epi32_mask(code, one);
        _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, small, subnormal))
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

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { nibbles(unit, g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one(halves(unit.add(512))) }
    }
}

pub(super) struct Q4_1;

impl Unpack for Q4_1 {
    const BLOCKS: usize = Layout::Q4_1.unit() / 32;
    const BYTES: usize = Layout::Q4_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q4_1);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { nibbles(unit, g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one_min(halves(unit.add(512)), minus(halves(unit.add(576)))) }
    }
}

pub(super) struct Q5_0;

impl Unpack for Q5_0 {
    const BLOCKS: usize = Layout::Q5_0.unit() / 32;
    const BYTES: usize = Layout::Q5_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_0);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { with_bits(nibbles(unit, g), unit.add(512), g, 4) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one(halves(unit.add(640))) }
    }
}

pub(super) struct Q5_1;

impl Unpack for Q5_1 {
    const BLOCKS: usize = Layout::Q5_1.unit() / 32;
    const BYTES: usize = Layout::Q5_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_1);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { with_bits(nibbles(unit, g), unit.add(512), g, 4) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one_min(halves(unit.add(640)), minus(halves(unit.add(704)))) }
    }
}

pub(super) struct Q8_0;

impl Unpack for Q8_0 {
    const BLOCKS: usize = Layout::Q8_0.unit() / 32;
    const BYTES: usize = Layout::Q8_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q8_0);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { words(unit, g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one(halves(unit.add(1024))) }
    }
}

pub(super) struct Q2K;

impl Unpack for Q2K {
    const BLOCKS: usize = Layout::Q2K.unit() / 32;
    const BYTES: usize = Layout::Q2K.unit_bytes();
    const KIND: Kind = kind(Layout::Q2K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe { pairs(unit.add(block * 256), g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let (d, least) = (halves(unit.add(2560)), halves(unit.add(2624)));
            let at = unit.add(2048 + block * 64);
            let (first, last) = (bytes(at), bytes(at.add(32)));
            Scales {
                scale: [times(d, low_halves(first)), times(d, low_halves(last))],
                min: [times(least, high_halves(first)), times(least, high_halves(last))],
            }
        }
    }
}

pub(super) struct Q3K;

impl Unpack for Q3K {
    const BLOCKS: usize = Layout::Q3K.unit() / 32;
    const BYTES: usize = Layout::Q3K.unit_bytes();
    const KIND: Kind = kind(Layout::Q3K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe {
            let planes = unit.add(block * 384);
            with_bits(pairs(planes, g), planes.add(256), g, 2)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let d = halves(unit.add(3456));
            let first = less_32(six_bits(unit.add(3072), block * 2));
            let last = less_32(six_bits(unit.add(3072), block * 2 + 1));
            two([times(d, first), times(d, last)])
        }
    }
}

pub(super) struct Q4K;

impl Unpack for Q4K {
    const BLOCKS: usize = Layout::Q4K.unit() / 32;
    const BYTES: usize = Layout::Q4K.unit_bytes();
    const KIND: Kind = kind(Layout::Q4K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe { nibbles(unit.add(block * 512), g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(4480)), six_bits(unit.add(4096), block));
            one_min(scale, times(halves(unit.add(4544)), six_bits(unit.add(4096), 8 + block)))
        }
    }
}

pub(super) struct Q5K;

impl Unpack for Q5K {
    const BLOCKS: usize = Layout::Q5K.unit() / 32;
    const BYTES: usize = Layout::Q5K.unit_bytes();
    const KIND: Kind = kind(Layout::Q5K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe {
            let planes = unit.add(block * 640);
            with_bits(nibbles(planes, g), planes.add(512), g, 4)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(5504)), six_bits(unit.add(5120), block));
            one_min(scale, times(halves(unit.add(5568)), six_bits(unit.add(5120), 8 + block)))
        }
    }
}

pub(super) struct Q6K;

impl Unpack for Q6K {
    const BLOCKS: usize = Layout::Q6K.unit() / 32;
    const BYTES: usize = Layout::Q6K.unit_bytes();
    const KIND: Kind = kind(Layout::Q6K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe {
            let planes = unit.add(block * 768);
            with_pairs(nibbles(planes, g), planes.add(512), g, 4)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let d = halves(unit.add(6656));
            let at = unit.add(6144 + block * 64);
            two([times(d, signed_bytes(at)), times(d, signed_bytes(at.add(32)))])
        }
    }
}

pub(super) struct Iq4Nl;

impl Unpack for Iq4Nl {
    const BLOCKS: usize = Layout::Iq4Nl.unit() / 32;
    const BYTES: usize = Layout::Iq4Nl.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Nl);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { levels(&IQ4_LEVELS, nibbles(unit, g)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { one(halves(unit.add(512))) }
    }
}

pub(super) struct Iq4Xs;

impl Unpack for Iq4Xs {
    const BLOCKS: usize = Layout::Iq4Xs.unit() / 32;
    const BYTES: usize = Layout::Iq4Xs.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Xs);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize) -> [__m512i; 2] {
        unsafe { levels(&IQ4_LEVELS, nibbles(unit.add(block * 512), g)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize) -> Scales {
        unsafe {
            let low = words(unit.add(4096), 0);
            let high = unit.add(4224);
            let six =
                [four_and_two(low[0], high, block), four_and_two(low[1], high.add(32), block)];
            one(times(halves(unit.add(4288)), less_32(six)))
        }
    }
}

pub(super) struct Mxfp4;

impl Unpack for Mxfp4 {
    const BLOCKS: usize = Layout::Mxfp4.unit() / 32;
    const BYTES: usize = Layout::Mxfp4.unit_bytes();
    const KIND: Kind = kind(Layout::Mxfp4);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { levels(&MXFP4_LEVELS, nibbles(unit, g)) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe {
            let codes = bytes(unit.add(512));
            one([exponents(codes[0]), exponents(codes[1])])
        }
    }
}

pub(super) struct Int8;

impl Unpack for Int8 {
    const BLOCKS: usize = Layout::Int8.unit() / 32;
    const BYTES: usize = Layout::Int8.unit_bytes();
    const KIND: Kind = kind(Layout::Int8);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize) -> [__m512i; 2] {
        unsafe { words(unit, g) }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize) -> Scales {
        unsafe { two([floats(unit.add(1024)), floats(unit.add(1152))]) }
    }
}

pub(super) struct F32;

impl Columns for F32 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F32.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize) -> [__m512; 2] {
        unsafe { floats(unit) }
    }
}

pub(super) struct F16;

impl Columns for F16 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize) -> [__m512; 2] {
        unsafe { halves(unit) }
    }
}

pub(super) struct Bf16;

impl Columns for Bf16 {
    const COLUMNS: usize = 2;
    const BYTES: usize = Layout::Bf16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, i: usize) -> [__m512; 2] {
        unsafe {
            let [a, b] = words(unit, 0);
            let column = if i == 0 {
                [_mm512_slli_epi32::<16>(a), _mm512_slli_epi32::<16>(b)]
            } else {
                let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
                [_mm512_and_si512(a, mask), _mm512_and_si512(b, mask)]
            };
            [_mm512_castsi512_ps(column[0]), _mm512_castsi512_ps(column[1])]
        }
    }
}
