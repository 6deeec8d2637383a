//! How each layout's bits become signed bytes and scales in NEON registers, four rows at a time.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every block here: the trait's contract, a whole unit; the instructions are the base set"
)]
#![allow(unused_unsafe, reason = "which intrinsics are unsafe differs between compiler versions")]
#![allow(clippy::inline_always, reason = "registers must not travel through memory")]
#![allow(clippy::wildcard_imports, reason = "intrinsics are named by their prefix")]

use std::arch::aarch64::*;

use super::{Columns, Scales, Unpack};
use crate::linear::layout::{IQ4_LEVELS, Kind, Layout, MXFP4_LEVELS};

/// Word `g` of a plane of bytes.
#[inline(always)]
unsafe fn word(plane: *const u8, g: usize, e: usize) -> uint8x16_t {
    unsafe { vld1q_u8(plane.add(g * 128 + e * 16)) }
}

/// The same as four whole numbers.
#[inline(always)]
unsafe fn whole(plane: *const u8, g: usize, e: usize) -> uint32x4_t {
    unsafe { vreinterpretq_u32_u8(word(plane, g, e)) }
}

/// Four of thirty-two floats.
#[inline(always)]
unsafe fn floats(at: *const u8, e: usize) -> float32x4_t {
    unsafe { vreinterpretq_f32_u8(vld1q_u8(at.add(e * 16))) }
}

/// Four of thirty-two F16, widened by `fcvtl` in assembly: the intrinsic wants a type that is not stable.
#[inline(always)]
unsafe fn halves(at: *const u8, e: usize) -> float32x4_t {
    unsafe {
        let halves: uint16x4_t = vld1_u16(at.add(e * 8).cast());
        let wide: float32x4_t;
        std::arch::asm!(
            "fcvtl {wide:v}.4s, {halves:v}.4h",
            wide = out(vreg) wide,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
        wide
    }
}

/// Bytes shifted right; left by what is below zero.
#[inline(always)]
unsafe fn right(v: uint8x16_t, count: i32) -> uint8x16_t {
    unsafe { vshlq_u8(v, vdupq_n_s8(-count as i8)) }
}

#[inline(always)]
unsafe fn right_u32(v: uint32x4_t, count: usize) -> uint32x4_t {
    unsafe { vshlq_u32(v, vdupq_n_s32(-(count as i32))) }
}

/// Word `g` of a plane of nibbles.
#[inline(always)]
unsafe fn nibbles(plane: *const u8, g: usize, e: usize) -> uint8x16_t {
    unsafe { vandq_u8(right(word(plane, g % 4, e), (g / 4 * 4) as i32), vdupq_n_u8(15)) }
}

/// Codes with bits of word `g` of a plane of bits put in at bit `to`.
#[inline(always)]
unsafe fn with_bits(
    codes: uint8x16_t,
    plane: *const u8,
    g: usize,
    e: usize,
    to: usize,
) -> uint8x16_t {
    unsafe {
        let bits = right(word(plane, 0, e), g as i32 - to as i32);
        vorrq_u8(codes, vandq_u8(bits, vdupq_n_u8(1 << to)))
    }
}

/// The same with a plane of pairs of bits.
#[inline(always)]
unsafe fn with_pairs(
    codes: uint8x16_t,
    plane: *const u8,
    g: usize,
    e: usize,
    to: usize,
) -> uint8x16_t {
    unsafe {
        let pairs = right(word(plane, g / 4, e), (g % 4 * 2) as i32 - to as i32);
        vorrq_u8(codes, vandq_u8(pairs, vdupq_n_u8(3 << to)))
    }
}

#[inline(always)]
unsafe fn levels(table: &[u8; 16], codes: uint8x16_t) -> uint8x16_t {
    unsafe { vqtbl1q_u8(vld1q_u8(table.as_ptr()), codes) }
}

/// Codes less the kind's offset.
#[inline(always)]
unsafe fn signed(codes: uint8x16_t, kind: Kind) -> int8x16_t {
    unsafe {
        match kind {
            Kind::Plain { offset } | Kind::Halves { offset } => {
                vreinterpretq_s8_u8(vsubq_u8(codes, vdupq_n_u8(offset as u8)))
            }
            Kind::Min | Kind::HalvesMin => vreinterpretq_s8_u8(codes),
        }
    }
}

/// `scale` times whole numbers.
#[inline(always)]
unsafe fn times(scale: float32x4_t, whole: uint32x4_t) -> float32x4_t {
    unsafe { vmulq_f32(scale, vcvtq_f32_u32(whole)) }
}

/// `scale` times whole numbers less 32.
#[inline(always)]
unsafe fn times_less_32(scale: float32x4_t, whole: uint32x4_t) -> float32x4_t {
    unsafe {
        let less = vsubq_s32(vreinterpretq_s32_u32(whole), vdupq_n_s32(32));
        vmulq_f32(scale, vcvtq_f32_s32(less))
    }
}

/// Field `i` of sixteen fields of six bits.
#[inline(always)]
unsafe fn six_bits(at: *const u8, i: usize, e: usize) -> uint32x4_t {
    unsafe {
        if i < 15 {
            vandq_u32(right_u32(whole(at, i / 5, e), i % 5 * 6), vdupq_n_u32(63))
        } else {
            let low = right_u32(whole(at, 0, e), 30);
            let mid = vshlq_n_u32::<2>(right_u32(whole(at, 1, e), 30));
            let high = vshlq_n_u32::<4>(right_u32(whole(at, 2, e), 30));
            vorrq_u32(vorrq_u32(low, mid), high)
        }
    }
}

/// Four of thirty-two bytes.
#[inline(always)]
unsafe fn four(at: *const u8, e: usize) -> u64 {
    unsafe { u64::from(at.add(e * 4).cast::<u32>().read_unaligned()) }
}

#[inline(always)]
unsafe fn bytes(at: *const u8, e: usize) -> uint32x4_t {
    unsafe { vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four(at, e))))) }
}

#[inline(always)]
unsafe fn signed_bytes(at: *const u8, e: usize) -> float32x4_t {
    unsafe { vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four(at, e)))))) }
}

/// Field `i` of eight: four bits of a word, then two of a half word.
#[inline(always)]
unsafe fn four_and_two(low: uint32x4_t, high: *const u8, i: usize) -> uint32x4_t {
    unsafe {
        let low = vandq_u32(right_u32(low, 4 * i), vdupq_n_u32(15));
        let high = right_u32(vmovl_u16(vld1_u16(high.cast())), 2 * i);
        vorrq_u32(low, vshlq_n_u32::<4>(vandq_u32(high, vdupq_n_u32(3))))
    }
}

/// `e8m0_half` of four bytes: the exponent less one, save for the two codes that are subnormal.
#[inline(always)]
unsafe fn exponents(code: uint32x4_t) -> float32x4_t {
    unsafe {
        let normal = vshlq_n_u32::<23>(vsubq_u32(code, vdupq_n_u32(1)));
        let subnormal = vshlq_u32(vdupq_n_u32(0x0020_0000), vreinterpretq_s32_u32(code));
        let small = vcltq_u32(code, vdupq_n_u32(2));
        vreinterpretq_f32_u32(vbslq_u32(small, subnormal, normal))
    }
}

#[inline(always)]
unsafe fn one(scale: float32x4_t) -> Scales {
    unsafe { Scales { scale: [scale; 2], min: [vdupq_n_f32(0.0); 2] } }
}

#[inline(always)]
fn one_min(scale: float32x4_t, min: float32x4_t) -> Scales {
    Scales { scale: [scale; 2], min: [min; 2] }
}

#[inline(always)]
unsafe fn two(first: float32x4_t, last: float32x4_t) -> Scales {
    unsafe { Scales { scale: [first, last], min: [vdupq_n_f32(0.0); 2] } }
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
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = nibbles(unit, g, e);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one(halves(unit.add(512), e)) }
    }
}

pub(super) struct Q4_1;

impl Unpack for Q4_1 {
    const BLOCKS: usize = Layout::Q4_1.unit() / 32;
    const BYTES: usize = Layout::Q4_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q4_1);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = nibbles(unit, g, e);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one_min(halves(unit.add(512), e), vnegq_f32(halves(unit.add(576), e))) }
    }
}

pub(super) struct Q5_0;

impl Unpack for Q5_0 {
    const BLOCKS: usize = Layout::Q5_0.unit() / 32;
    const BYTES: usize = Layout::Q5_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_0);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = with_bits(nibbles(unit, g, e), unit.add(512), g, e, 4);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one(halves(unit.add(640), e)) }
    }
}

pub(super) struct Q5_1;

impl Unpack for Q5_1 {
    const BLOCKS: usize = Layout::Q5_1.unit() / 32;
    const BYTES: usize = Layout::Q5_1.unit_bytes();
    const KIND: Kind = kind(Layout::Q5_1);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = with_bits(nibbles(unit, g, e), unit.add(512), g, e, 4);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one_min(halves(unit.add(640), e), vnegq_f32(halves(unit.add(704), e))) }
    }
}

pub(super) struct Q8_0;

impl Unpack for Q8_0 {
    const BLOCKS: usize = Layout::Q8_0.unit() / 32;
    const BYTES: usize = Layout::Q8_0.unit_bytes();
    const KIND: Kind = kind(Layout::Q8_0);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = word(unit, g, e);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one(halves(unit.add(1024), e)) }
    }
}

pub(super) struct Q2K;

impl Unpack for Q2K {
    const BLOCKS: usize = Layout::Q2K.unit() / 32;
    const BYTES: usize = Layout::Q2K.unit_bytes();
    const KIND: Kind = kind(Layout::Q2K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = with_pairs(vdupq_n_u8(0), unit.add(block * 256), g, e, 0);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let (d, least) = (halves(unit.add(2560), e), halves(unit.add(2624), e));
            let at = unit.add(2048 + block * 64);
            let (first, last) = (bytes(at, e), bytes(at.add(32), e));
            let low = vdupq_n_u32(15);
            Scales {
                scale: [times(d, vandq_u32(first, low)), times(d, vandq_u32(last, low))],
                min: [times(least, right_u32(first, 4)), times(least, right_u32(last, 4))],
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
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = {
                let planes = unit.add(block * 384);
                let low = with_pairs(vdupq_n_u8(0), planes, g, e, 0);
                with_bits(low, planes.add(256), g, e, 2)
            };
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let d = halves(unit.add(3456), e);
            let first = times_less_32(d, six_bits(unit.add(3072), block * 2, e));
            two(first, times_less_32(d, six_bits(unit.add(3072), block * 2 + 1, e)))
        }
    }
}

pub(super) struct Q4K;

impl Unpack for Q4K {
    const BLOCKS: usize = Layout::Q4K.unit() / 32;
    const BYTES: usize = Layout::Q4K.unit_bytes();
    const KIND: Kind = kind(Layout::Q4K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = nibbles(unit.add(block * 512), g, e);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(4480), e), six_bits(unit.add(4096), block, e));
            one_min(scale, times(halves(unit.add(4544), e), six_bits(unit.add(4096), 8 + block, e)))
        }
    }
}

pub(super) struct Q5K;

impl Unpack for Q5K {
    const BLOCKS: usize = Layout::Q5K.unit() / 32;
    const BYTES: usize = Layout::Q5K.unit_bytes();
    const KIND: Kind = kind(Layout::Q5K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = {
                let planes = unit.add(block * 640);
                with_bits(nibbles(planes, g, e), planes.add(512), g, e, 4)
            };
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let scale = times(halves(unit.add(5504), e), six_bits(unit.add(5120), block, e));
            one_min(scale, times(halves(unit.add(5568), e), six_bits(unit.add(5120), 8 + block, e)))
        }
    }
}

pub(super) struct Q6K;

impl Unpack for Q6K {
    const BLOCKS: usize = Layout::Q6K.unit() / 32;
    const BYTES: usize = Layout::Q6K.unit_bytes();
    const KIND: Kind = kind(Layout::Q6K);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = {
                let planes = unit.add(block * 768);
                with_pairs(nibbles(planes, g, e), planes.add(512), g, e, 4)
            };
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let (d, at) = (halves(unit.add(6656), e), unit.add(6144 + block * 64));
            two(vmulq_f32(d, signed_bytes(at, e)), vmulq_f32(d, signed_bytes(at.add(32), e)))
        }
    }
}

pub(super) struct Iq4Nl;

impl Unpack for Iq4Nl {
    const BLOCKS: usize = Layout::Iq4Nl.unit() / 32;
    const BYTES: usize = Layout::Iq4Nl.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Nl);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = levels(&IQ4_LEVELS, nibbles(unit, g, e));
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one(halves(unit.add(512), e)) }
    }
}

pub(super) struct Iq4Xs;

impl Unpack for Iq4Xs {
    const BLOCKS: usize = Layout::Iq4Xs.unit() / 32;
    const BYTES: usize = Layout::Iq4Xs.unit_bytes();
    const KIND: Kind = kind(Layout::Iq4Xs);

    #[inline(always)]
    unsafe fn word(unit: *const u8, block: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = levels(&IQ4_LEVELS, nibbles(unit.add(block * 512), g, e));
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, block: usize, e: usize) -> Scales {
        unsafe {
            let six = four_and_two(whole(unit.add(4096), 0, e), unit.add(4224 + e * 8), block);
            one(times_less_32(halves(unit.add(4288), e), six))
        }
    }
}

pub(super) struct Mxfp4;

impl Unpack for Mxfp4 {
    const BLOCKS: usize = Layout::Mxfp4.unit() / 32;
    const BYTES: usize = Layout::Mxfp4.unit_bytes();
    const KIND: Kind = kind(Layout::Mxfp4);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = levels(&MXFP4_LEVELS, nibbles(unit, g, e));
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { one(exponents(bytes(unit.add(512), e))) }
    }
}

pub(super) struct Int8;

impl Unpack for Int8 {
    const BLOCKS: usize = Layout::Int8.unit() / 32;
    const BYTES: usize = Layout::Int8.unit_bytes();
    const KIND: Kind = kind(Layout::Int8);

    #[inline(always)]
    unsafe fn word(unit: *const u8, _: usize, g: usize, e: usize) -> int8x16_t {
        unsafe {
            let codes = word(unit, g, e);
            signed(codes, Self::KIND)
        }
    }

    #[inline(always)]
    unsafe fn scales(unit: *const u8, _: usize, e: usize) -> Scales {
        unsafe { two(floats(unit.add(1024), e), floats(unit.add(1152), e)) }
    }
}

pub(super) struct F32;

impl Columns for F32 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F32.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize, e: usize) -> float32x4_t {
        unsafe { floats(unit, e) }
    }
}

pub(super) struct F16;

impl Columns for F16 {
    const COLUMNS: usize = 1;
    const BYTES: usize = Layout::F16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, _: usize, e: usize) -> float32x4_t {
        unsafe { halves(unit, e) }
    }
}

pub(super) struct Bf16;

impl Columns for Bf16 {
    const COLUMNS: usize = 2;
    const BYTES: usize = Layout::Bf16.unit_bytes();

    #[inline(always)]
    unsafe fn column(unit: *const u8, i: usize, e: usize) -> float32x4_t {
        unsafe {
            let pair = whole(unit, 0, e);
            let column = if i == 0 {
                vshlq_n_u32::<16>(pair)
            } else {
                vandq_u32(pair, vdupq_n_u32(0xffff_0000))
            };
            vreinterpretq_f32_u32(column)
        }
    }
}
