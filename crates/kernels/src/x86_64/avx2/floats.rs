//! The loops over floats, 8 lanes wide.

use std::arch::x86_64::*;

use crate::vector::{Simd, vector_loops};

/// Proof that AVX2, FMA and F16C are present.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The instructions are present.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must become part of a loop compiled for AVX2")]
    unsafe fn new() -> Self {
        Self(())
    }
}

vector_loops!(
    "avx2,fma,f16c",
    // SAFETY: the loop it is made in has these features enabled.
    unsafe { Avx2::new() },
    attend: crate::vector::attend::Narrow
);

#[allow(clippy::inline_always, reason = "must become part of a loop compiled for AVX2")]
// SAFETY (every block below): `self` proves that the instructions are present; loads and stores have
// the caller's word for their addresses.
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn splat_f16(self, from: *const u16) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtph_ps(_mm_set1_epi16(from.read_unaligned().cast_signed())) }
    }
    /// Pairs of rows, fours of rows, then halves of registers.
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
            let mut fours = [_mm256_setzero_ps(); 8];
            for g in 0..2 {
                let from = from.add(4 * g * from_stride);
                let (a, b) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(from_stride)));
                let (c, d) = (
                    _mm256_loadu_ps(from.add(2 * from_stride)),
                    _mm256_loadu_ps(from.add(3 * from_stride)),
                );
                let low = (
                    _mm256_castps_pd(_mm256_unpacklo_ps(a, b)),
                    _mm256_castps_pd(_mm256_unpacklo_ps(c, d)),
                );
                let high = (
                    _mm256_castps_pd(_mm256_unpackhi_ps(a, b)),
                    _mm256_castps_pd(_mm256_unpackhi_ps(c, d)),
                );
                fours[4 * g] = _mm256_castpd_ps(_mm256_unpacklo_pd(low.0, low.1));
                fours[4 * g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low.0, low.1));
                fours[4 * g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high.0, high.1));
                fours[4 * g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high.0, high.1));
            }
            for j in 0..4 {
                let (a, b) = (fours[j], fours[4 + j]);
                _mm256_storeu_ps(to.add(j * to_stride), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.add((4 + j) * to_stride), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(to, x) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, x: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x) }
    }
    /// In two steps (2ⁿ⁻¹, then 2), so that n = 128 can overflow to ∞ as it should.
    #[inline(always)]
    fn scale(self, x: __m256, n: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(126));
            let half = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
            _mm256_mul_ps(_mm256_mul_ps(x, half), _mm256_set1_ps(2.0))
        }
    }
    #[inline(always)]
    fn select_less(self, a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn reduce_add(self, x: __m256) -> f32 {
        // SAFETY: as above.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn reduce_max(self, x: __m256) -> f32 {
        // SAFETY: as above.
        unsafe {
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        // SAFETY: prefetching never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
