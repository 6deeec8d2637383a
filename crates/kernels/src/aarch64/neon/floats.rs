//! The loops over floats, 4 lanes wide.
//!
//! Only instructions of the base set are used, and half floats are widened by `fcvtl` in assembly because
//! the intrinsics need a type that is younger than the rest. Tested under emulation only, so never timed.

use std::arch::aarch64::*;
use std::arch::asm;

use crate::vector::{Simd, vector_loops};

/// Proof that NEON is present.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// # Safety
    /// The instructions are present.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must become part of a loop compiled for NEON")]
    unsafe fn new() -> Self {
        Self(())
    }
}

vector_loops!(
    "neon",
    // SAFETY: the loop it is made in has these features enabled.
    unsafe { Neon::new() },
    attend: crate::vector::attend::Many
);

#[allow(clippy::inline_always, reason = "must become part of a loop compiled for NEON")]
// SAFETY (every block below): `self` proves that the instructions are present; loads and stores have
// the caller's word for their addresses.
impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> float32x4_t {
        let out: float32x4_t;
        // SAFETY: as above; touches only the registers it names.
        unsafe {
            let halves = vld1_u16(from);
            asm!(
                "fcvtl {out:v}.4s, {halves:v}.4h",
                out = lateout(vreg) out, halves = in(vreg) halves,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        out
    }
    #[inline(always)]
    unsafe fn splat_f16(self, from: *const u16) -> float32x4_t {
        // SAFETY: as above: four copies of the half are read.
        unsafe { self.load_f16([from.read_unaligned(); 4].as_ptr()) }
    }
    /// Pairs of rows, then fours of rows.
    #[inline(always)]
    unsafe fn transpose(
        self,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (vld1q_f32(from), vld1q_f32(from.add(from_stride)));
            let (c, d) =
                (vld1q_f32(from.add(2 * from_stride)), vld1q_f32(from.add(3 * from_stride)));
            let (ab, cd) =
                (vreinterpretq_f64_f32(vtrn1q_f32(a, b)), vreinterpretq_f64_f32(vtrn1q_f32(c, d)));
            vst1q_f32(to, vreinterpretq_f32_f64(vzip1q_f64(ab, cd)));
            vst1q_f32(to.add(2 * to_stride), vreinterpretq_f32_f64(vzip2q_f64(ab, cd)));
            let (ab, cd) =
                (vreinterpretq_f64_f32(vtrn2q_f32(a, b)), vreinterpretq_f64_f32(vtrn2q_f32(c, d)));
            vst1q_f32(to.add(to_stride), vreinterpretq_f32_f64(vzip1q_f64(ab, cd)));
            vst1q_f32(to.add(3 * to_stride), vreinterpretq_f32_f64(vzip2q_f64(ab, cd)));
        }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> float32x4_t {
        // SAFETY: as above; four bytes are read through an array of four.
        unsafe {
            let b = from.cast::<[i8; 4]>().read_unaligned();
            let wide = [i32::from(b[0]), i32::from(b[1]), i32::from(b[2]), i32::from(b[3])];
            vcvtq_f32_s32(vld1q_s32(wide.as_ptr()))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: float32x4_t) {
        // SAFETY: as above.
        unsafe { vst1q_f32(to, x) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vdivq_f32(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vminq_f32(a, b) }
    }
    #[inline(always)]
    fn round(self, x: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vrndnq_f32(x) }
    }
    /// In two steps (2ⁿ⁻¹, then 2), so that n = 128 can overflow to ∞ as it should.
    #[inline(always)]
    fn scale(self, x: float32x4_t, n: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe {
            let exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(126));
            let half = vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent));
            vmulq_f32(vmulq_f32(x, half), vdupq_n_f32(2.0))
        }
    }
    #[inline(always)]
    fn select_less(
        self,
        a: float32x4_t,
        b: float32x4_t,
        x: float32x4_t,
        y: float32x4_t,
    ) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vbslq_f32(vcltq_f32(a, b), x, y) }
    }
    #[inline(always)]
    fn reduce_add(self, x: float32x4_t) -> f32 {
        // SAFETY: as above.
        unsafe { vaddvq_f32(x) }
    }
    #[inline(always)]
    fn reduce_max(self, x: float32x4_t) -> f32 {
        // SAFETY: as above.
        unsafe { vmaxvq_f32(x) }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        // SAFETY: prefetching never faults.
        unsafe {
            asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, readonly, preserves_flags))
        }
    }
}
