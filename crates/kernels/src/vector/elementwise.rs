//! Sums, products, scaling, softmax.

pub(crate) use super::activation::softcap;
use super::{Each, Simd, each_in_place, each_of_one, math};

/// `x[i] += y[i]`.
#[inline(always)]
pub(crate) fn add<S: Simd>(s: S, x: &mut [f32], y: &[f32]) {
    each_in_place(s, &Add, x, y);
}

/// `x[i] *= y[i]`.
#[inline(always)]
pub(crate) fn mul<S: Simd>(s: S, x: &mut [f32], y: &[f32]) {
    each_in_place(s, &Mul, x, y);
}

/// `x[i] += factor · y[i]`.
#[inline(always)]
pub(crate) fn add_scaled<S: Simd>(s: S, x: &mut [f32], factor: f32, y: &[f32]) {
    each_in_place(s, &AddScaled(factor), x, y);
}

/// `x[i] *= factor`.
#[inline(always)]
pub(crate) fn scale<S: Simd>(s: S, x: &mut [f32], factor: f32) {
    each_of_one(s, &Scale(factor), x);
}

/// `exp(x[i] − max) / Σ`.
#[inline(always)]
pub(crate) fn softmax<S: Simd>(s: S, x: &mut [f32]) {
    let max = greatest(s, x);
    if max == f32::NEG_INFINITY {
        x.fill(0.0);
        return;
    }
    let shift = s.splat(max);
    let mut sum = s.splat(0.0);
    let mut chunks = x.chunks_exact_mut(S::LANES);
    for chunk in &mut chunks {
        // SAFETY: a chunk is a vector.
        unsafe {
            let y = math::exp(s, s.sub(s.load(chunk.as_ptr()), shift));
            sum = s.add(sum, y);
            s.store(chunk.as_mut_ptr(), y);
        }
    }
    let tail = chunks.into_remainder();
    let mut last = [f32::NEG_INFINITY; 16];
    last[..tail.len()].copy_from_slice(tail);
    // SAFETY: a vector is at most 16 long.
    unsafe {
        let y = math::exp(s, s.sub(s.load(last.as_ptr()), shift));
        sum = s.add(sum, y);
        s.store(last.as_mut_ptr(), y);
    }
    tail.copy_from_slice(&last[..tail.len()]);
    let sum = s.reduce_add(sum);
    scale(s, x, 1.0 / sum);
}

#[inline(always)]
fn greatest<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut max = s.splat(f32::NEG_INFINITY);
    let chunks = x.chunks_exact(S::LANES);
    let mut tail = f32::NEG_INFINITY;
    for v in chunks.remainder() {
        tail = tail.max(*v);
    }
    for chunk in chunks {
        // SAFETY: a chunk is a vector.
        max = s.max(unsafe { s.load(chunk.as_ptr()) }, max);
    }
    s.reduce_max(max).max(tail)
}

struct Add;

impl Each for Add {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, a: S::V, b: S::V) -> S::V {
        s.add(a, b)
    }
}

struct Mul;

impl Each for Mul {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, a: S::V, b: S::V) -> S::V {
        s.mul(a, b)
    }
}

struct AddScaled(f32);

impl Each for AddScaled {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, a: S::V, b: S::V) -> S::V {
        s.fma(s.splat(self.0), b, a)
    }
}

struct Scale(f32);

impl Each for Scale {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, a: S::V, _: S::V) -> S::V {
        s.mul(a, s.splat(self.0))
    }
}
