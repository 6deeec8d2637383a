//! The loops over floats, 16 lanes wide.

use std::arch::x86_64::*;

use crate::vector::{Simd, vector_loops};

/// Proof that AVX-512 F, BW, VL and DQ are present.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The instructions are present.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must become part of a loop compiled for AVX-512")]
    unsafe fn new() -> Self {
        Self(())
    }
}

vector_loops!(
    "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c",
    // SAFETY: the loop it is made in has these features enabled.
    unsafe { Avx512::new() },
    attend: crate::vector::attend::Wide
);

#[allow(clippy::inline_always, reason = "must become part of a loop compiled for AVX-512")]
// SAFETY (every block below): `self` proves that the instructions are present; loads and stores have
// the caller's word for their addresses.
impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn splat_f16(self, from: *const u16) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtph_ps(_mm256_set1_epi16(from.read_unaligned().cast_signed())) }
    }
    /// Pairs of rows, fours of rows, then quarters of registers.
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
            let mut fours = [_mm512_setzero_ps(); 16];
            for g in 0..4 {
                let from = from.add(4 * g * from_stride);
                let (a, b) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(from_stride)));
                let (c, d) = (
                    _mm512_loadu_ps(from.add(2 * from_stride)),
                    _mm512_loadu_ps(from.add(3 * from_stride)),
                );
                let low = (
                    _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
                    _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
                );
                let high = (
                    _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
                    _mm512_castps_pd(_mm512_unpackhi_ps(c, d)),
                );
                fours[4 * g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low.0, low.1));
                fours[4 * g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low.0, low.1));
                fours[4 * g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high.0, high.1));
                fours[4 * g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high.0, high.1));
            }
            for j in 0..4 {
                let (a, b, c, d) = (fours[j], fours[4 + j], fours[8 + j], fours[12 + j]);
                let even = [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d)];
                let odd = [_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d)];
                let to = to.add(j * to_stride);
                _mm512_storeu_ps(to, _mm512_shuffle_f32x4::<0x88>(even[0], even[1]));
                _mm512_storeu_ps(
                    to.add(4 * to_stride),
                    _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]),
                );
                _mm512_storeu_ps(
                    to.add(8 * to_stride),
                    _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]),
                );
                _mm512_storeu_ps(
                    to.add(12 * to_stride),
                    _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]),
                );
            }
        }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(to, x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, x: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x) }
    }
    #[inline(always)]
    fn scale(self, x: __m512, n: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_scalef_ps(x, n) }
    }
    #[inline(always)]
    fn select_less(self, a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x) }
    }
    #[inline(always)]
    fn reduce_add(self, x: __m512) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_ps(x) }
    }
    #[inline(always)]
    fn reduce_max(self, x: __m512) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_max_ps(x) }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        // SAFETY: prefetching never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
