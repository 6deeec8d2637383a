//! Normalisation of one row: four running sums, so that adding is not the bottleneck.

use super::Simd;

/// `out = x / sqrt(mean(x²) + eps) · gain`.
#[inline(always)]
pub(crate) fn rms_norm<S: Simd>(s: S, x: &[f32], gain: Option<&[f32]>, eps: f32, out: &mut [f32]) {
    assert!(
        x.len() == out.len() && gain.is_none_or(|g| g.len() == x.len()),
        "all are equally long"
    );
    // SAFETY: all are that long.
    unsafe { rms_norm_at(s, x.as_ptr(), gain, eps, out.as_mut_ptr(), x.len()) }
}

/// The same, in place.
#[inline(always)]
pub(crate) fn rms_norm_in_place<S: Simd>(s: S, x: &mut [f32], gain: Option<&[f32]>, eps: f32) {
    assert!(gain.is_none_or(|g| g.len() == x.len()), "both are equally long");
    // SAFETY: both are that long.
    unsafe { rms_norm_at(s, x.as_ptr(), gain, eps, x.as_mut_ptr(), x.len()) }
}

/// # Safety
/// `len` floats at `x`, `out` (the same or apart) and in `gain`.
#[inline(always)]
unsafe fn rms_norm_at<S: Simd>(
    s: S,
    x: *const f32,
    gain: Option<&[f32]>,
    eps: f32,
    out: *mut f32,
    len: usize,
) {
    // SAFETY: the caller's word.
    let squares = unsafe { sum_of_squares(s, x, 0.0, len) };
    let factor = 1.0 / (squares / len as f32 + eps).sqrt();
    // SAFETY: the caller's word.
    unsafe {
        match gain {
            Some(gain) => super::each(s, &Scaled(factor), x, gain.as_ptr(), out, len),
            None => super::each(s, &Times(factor), x, x, out, len),
        }
    }
}

/// `out = (x − mean) / sqrt(variance + eps) · gain + bias`.
#[inline(always)]
pub(crate) fn layer_norm<S: Simd>(
    s: S,
    x: &[f32],
    gain: Option<&[f32]>,
    bias: Option<&[f32]>,
    eps: f32,
    out: &mut [f32],
) {
    let len = x.len();
    let fits = |y: Option<&[f32]>| y.is_none_or(|y| y.len() == len);
    assert!(out.len() == len && fits(gain) && fits(bias), "all are equally long");
    let mean = sum(s, x) / len as f32;
    // SAFETY: `x` is that long.
    let variance = unsafe { sum_of_squares(s, x.as_ptr(), mean, len) } / len as f32;
    let factor = 1.0 / (variance + eps).sqrt();
    super::each_into(s, &Centred { mean, factor }, x, x, out);
    if let Some(gain) = gain {
        super::elementwise::mul(s, out, gain);
    }
    if let Some(bias) = bias {
        super::elementwise::add(s, out, bias);
    }
}

#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let chunks = x.chunks_exact(4 * S::LANES);
    let tail: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        let mut i = 0;
        while i < 4 {
            // SAFETY: a chunk holds four vectors.
            sums[i] = s.add(sums[i], unsafe { s.load(chunk.as_ptr().add(i * S::LANES)) });
            i += 1;
        }
    }
    s.reduce_add(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]))) + tail
}

/// Σ (x − mean)².
///
/// # Safety
/// `len` floats at `x`.
#[inline(always)]
unsafe fn sum_of_squares<S: Simd>(s: S, x: *const f32, mean: f32, len: usize) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let middle = s.splat(mean);
    let step = 4 * S::LANES;
    let mut at = 0;
    while at + step <= len {
        let mut i = 0;
        while i < 4 {
            // SAFETY: `at + step <= len`.
            let v = s.sub(unsafe { s.load(x.add(at + i * S::LANES)) }, middle);
            sums[i] = s.fma(v, v, sums[i]);
            i += 1;
        }
        at += step;
    }
    let mut tail = 0.0;
    while at < len {
        // SAFETY: `at < len`.
        let v = unsafe { *x.add(at) } - mean;
        tail += v * v;
        at += 1;
    }
    s.reduce_add(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]))) + tail
}

struct Scaled(f32);

impl super::Each for Scaled {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, x: S::V, gain: S::V) -> S::V {
        s.mul(s.mul(x, s.splat(self.0)), gain)
    }
}

struct Times(f32);

impl super::Each for Times {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, x: S::V, _: S::V) -> S::V {
        s.mul(x, s.splat(self.0))
    }
}

struct Centred {
    mean: f32,
    factor: f32,
}

impl super::Each for Centred {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, x: S::V, _: S::V) -> S::V {
        s.mul(s.sub(x, s.splat(self.mean)), s.splat(self.factor))
    }
}
