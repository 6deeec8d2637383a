//! The loops over floats, written once for every vector width.
//!
//! A [`Simd`] value is a token that the instructions of a set are present; its methods are those
//! instructions. The loops below are generic over it and always inlined, so each instruction set's
//! instance (made by [`vector_loops`]) is compiled for that set from end to end: one text, three
//! machines. Every lane and every tail goes through the same arithmetic.
#![allow(
    clippy::inline_always,
    reason = "an instance must be compiled with its own instructions throughout"
)]

pub(crate) mod activation;
pub(crate) mod attend;
pub(crate) mod elementwise;
pub(crate) mod math;
pub(crate) mod norm;
pub(crate) mod rope;

/// The vector instructions of one set, on vectors of [`Simd::LANES`] floats.
///
/// Owning one proves that the instructions are present: that is what makes its methods safe.
pub(crate) trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// Floats in a vector: 4, 8 or 16.
    const LANES: usize;

    fn splat(self, x: f32) -> Self::V;
    /// Reads a vector.
    ///
    /// # Safety
    /// `LANES` floats are readable there.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Reads half floats.
    ///
    /// # Safety
    /// `LANES` halves are readable there.
    unsafe fn load_f16(self, from: *const u16) -> Self::V;
    /// One half float in all lanes.
    ///
    /// # Safety
    /// A half is readable there.
    unsafe fn splat_f16(self, from: *const u16) -> Self::V;
    /// Writes the transpose of the square of `LANES` rows at `from`, each `from_stride` floats after the
    /// last, to `to`.
    ///
    /// # Safety
    /// The rows are readable and writable; the two squares are apart.
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);
    /// Reads signed bytes.
    ///
    /// # Safety
    /// `LANES` bytes are readable there.
    unsafe fn load_i8(self, from: *const i8) -> Self::V;
    /// Writes a vector.
    ///
    /// # Safety
    /// `LANES` floats are writable there.
    unsafe fn store(self, to: *mut f32, x: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater; `b` where they cannot be compared (or not a number, as the machine has it).
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; `b` where they cannot be compared (or not a number, as the machine has it).
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even.
    fn round(self, x: Self::V) -> Self::V;
    /// `x · 2ⁿ` for whole `n` in `-126 ..= 128` (0 allowed to come out for the least of them).
    fn scale(self, x: Self::V, n: Self::V) -> Self::V;
    /// Where `a < b`, `x`, elsewhere `y`.
    fn select_less(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    fn reduce_add(self, x: Self::V) -> f32;
    fn reduce_max(self, x: Self::V) -> f32;
    /// Asks for the cache line at `at`, which need not be readable.
    fn prefetch(self, at: *const u8);
}

/// Makes an instruction set's instances of all loops: functions of the types in `Table`.
macro_rules! vector_loops {
    ($features:literal, $simd:expr, attend: $attend:ty) => {
        use $crate::attend::{Span, State};
        use $crate::vector::{activation, attend, elementwise, norm, rope as turn};
        use $crate::{Activation, RopeStyle, SwigluClamp};

        #[target_feature(enable = $features)]
        pub(super) fn rms_norm(x: &[f32], gain: Option<&[f32]>, eps: f32, out: &mut [f32]) {
            norm::rms_norm($simd, x, gain, eps, out);
        }
        #[target_feature(enable = $features)]
        pub(super) fn rms_norm_in_place(x: &mut [f32], gain: Option<&[f32]>, eps: f32) {
            norm::rms_norm_in_place($simd, x, gain, eps);
        }
        #[target_feature(enable = $features)]
        pub(super) fn layer_norm(
            x: &[f32],
            gain: Option<&[f32]>,
            bias: Option<&[f32]>,
            eps: f32,
            out: &mut [f32],
        ) {
            norm::layer_norm($simd, x, gain, bias, eps, out);
        }
        #[target_feature(enable = $features)]
        pub(super) fn rope(x: &mut [f32], style: RopeStyle, cos: &[f32], sin: &[f32]) {
            turn::rope($simd, x, style, cos, sin);
        }
        #[target_feature(enable = $features)]
        pub(super) fn activate(kind: Activation, x: &[f32], out: &mut [f32]) {
            activation::activate($simd, kind, x, out);
        }
        #[target_feature(enable = $features)]
        pub(super) fn activate_mul(kind: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
            activation::activate_mul($simd, kind, gate, up, out);
        }
        #[target_feature(enable = $features)]
        pub(super) fn swiglu_clamped(
            clamp: SwigluClamp,
            gate: &[f32],
            up: &[f32],
            out: &mut [f32],
        ) {
            activation::swiglu_clamped($simd, clamp, gate, up, out);
        }
        #[target_feature(enable = $features)]
        pub(super) fn sigmoid(x: &mut [f32]) {
            activation::sigmoid($simd, x);
        }
        #[target_feature(enable = $features)]
        pub(super) fn add(x: &mut [f32], y: &[f32]) {
            elementwise::add($simd, x, y);
        }
        #[target_feature(enable = $features)]
        pub(super) fn mul(x: &mut [f32], y: &[f32]) {
            elementwise::mul($simd, x, y);
        }
        #[target_feature(enable = $features)]
        pub(super) fn add_scaled(x: &mut [f32], factor: f32, y: &[f32]) {
            elementwise::add_scaled($simd, x, factor, y);
        }
        #[target_feature(enable = $features)]
        pub(super) fn scale(x: &mut [f32], factor: f32) {
            elementwise::scale($simd, x, factor);
        }
        #[target_feature(enable = $features)]
        pub(super) fn softcap(x: &mut [f32], cap: f32) {
            elementwise::softcap($simd, x, cap);
        }
        #[target_feature(enable = $features)]
        pub(super) fn softmax(x: &mut [f32]) {
            elementwise::softmax($simd, x);
        }
        #[target_feature(enable = $features)]
        pub(super) fn attend_span(span: &Span<'_>, state: &mut State<'_>, work: &mut [f32]) {
            attend::attend_span::<_, $attend>($simd, span, state, work);
        }
    };
}
pub(crate) use vector_loops;

/// A function of two numbers, applied lane by lane.
pub(crate) trait Each {
    fn of<S: Simd>(&self, s: S, a: S::V, b: S::V) -> S::V;
}

/// `out[i] = f(a[i], b[i])` for `len` numbers; the last incomplete vector is padded with zeros.
///
/// # Safety
/// `len` floats are readable at `a` and `b` and writable at `out`, which is one of them or apart.
#[inline(always)]
pub(crate) unsafe fn each<S: Simd>(
    s: S,
    f: &impl Each,
    a: *const f32,
    b: *const f32,
    out: *mut f32,
    len: usize,
) {
    let whole = len / S::LANES * S::LANES;
    let mut i = 0;
    while i < whole {
        // SAFETY: `i + LANES <= len`.
        unsafe { s.store(out.add(i), f.of(s, s.load(a.add(i)), s.load(b.add(i)))) };
        i += S::LANES;
    }
    let tail = len - whole;
    if tail > 0 {
        let (mut x, mut y) = ([0f32; 16], [0f32; 16]);
        // SAFETY: `tail < LANES <= 16` floats from `whole` on lie inside.
        unsafe {
            std::ptr::copy_nonoverlapping(a.add(whole), x.as_mut_ptr(), tail);
            std::ptr::copy_nonoverlapping(b.add(whole), y.as_mut_ptr(), tail);
            s.store(x.as_mut_ptr(), f.of(s, s.load(x.as_ptr()), s.load(y.as_ptr())));
            std::ptr::copy_nonoverlapping(x.as_ptr(), out.add(whole), tail);
        }
    }
}

/// `x[i] = f(x[i], y[i])`.
#[inline(always)]
pub(crate) fn each_in_place<S: Simd>(s: S, f: &impl Each, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "both are equally long");
    // SAFETY: both are that long.
    unsafe { each(s, f, x.as_ptr(), y.as_ptr(), x.as_mut_ptr(), y.len()) }
}

/// `x[i] = f(x[i], x[i])`.
#[inline(always)]
pub(crate) fn each_of_one<S: Simd>(s: S, f: &impl Each, x: &mut [f32]) {
    // SAFETY: all three are `x`.
    unsafe { each(s, f, x.as_ptr(), x.as_ptr(), x.as_mut_ptr(), x.len()) }
}

/// `out[i] = f(a[i], b[i])`.
#[inline(always)]
pub(crate) fn each_into<S: Simd>(s: S, f: &impl Each, a: &[f32], b: &[f32], out: &mut [f32]) {
    assert!(a.len() == out.len() && b.len() == out.len(), "all are equally long");
    // SAFETY: all are that long.
    unsafe { each(s, f, a.as_ptr(), b.as_ptr(), out.as_mut_ptr(), out.len()) }
}
