//! exp, tanh, the logistic function and erfc as polynomials, fitted by us (weighted least squares on
//! Chebyshev nodes, reweighted towards the least worst error; coefficients rounded to `f32`).

use super::Simd;

/// exp(x) within 2e-7 of it: 0 below about −87, ∞ above about 88.7.
///
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2; exp(r) = 1 + r + r²·q(r), q within 3.1e-9 of its share.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    let x = s.max(s.splat(-87.33), s.min(s.splat(88.8), x));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, the first short enough for n · part to be exact.
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    let q = s.fma(r, s.splat(0.001_381_459_4), s.splat(0.008_368_718));
    let q = s.fma(r, q, s.splat(0.041_668_39));
    let q = s.fma(r, q, s.splat(0.166_665_21));
    let q = s.fma(r, q, s.splat(0.499_999_94));
    let p = s.add(s.fma(s.mul(r, r), q, r), s.splat(1.0));
    let y = s.scale(p, n);
    // So that −∞ (a masked score) gives 0 exactly.
    s.select_less(x, s.splat(-87.0), s.splat(0.0), y)
}

/// 1 / (1 + exp(−x)).
#[inline(always)]
pub(crate) fn logistic<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

/// tanh(x): x + x³·P(x²) below ½, 1 − 2 / (exp(2|x|) + 1) above.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let zero = s.splat(0.0);
    let one = s.splat(1.0);
    let size = s.max(s.sub(zero, x), x);
    let square = s.mul(x, x);
    let p = s.fma(square, s.splat(0.017_256_96), s.splat(-0.053_052_936));
    let p = s.fma(square, p, s.splat(0.133_259_88));
    let p = s.fma(square, p, s.splat(-0.333_331_5));
    let near = s.fma(s.mul(x, square), p, x);
    let far = s.sub(one, s.div(s.splat(2.0), s.add(exp(s, s.add(size, size)), one)));
    let far = s.select_less(x, zero, s.sub(zero, far), far);
    s.select_less(size, s.splat(0.5), near, far)
}

/// erfc(z) / 2 for z ≥ 0: exp(−z²) · t · P(t) with t = 1 / (1 + 0.35 z), P within 5.4e-9 of its share
/// for z ≤ 7, beyond which nothing is left.
#[inline(always)]
pub(crate) fn half_erfc<S: Simd>(s: S, z: S::V) -> S::V {
    let t = s.div(s.splat(1.0), s.fma(s.splat(0.35), z, s.splat(1.0)));
    let p = s.fma(t, s.splat(0.065_348_81), s.splat(-0.389_962_97));
    let p = s.fma(t, p, s.splat(0.804_965_9));
    let p = s.fma(t, p, s.splat(-0.676_883_4));
    let p = s.fma(t, p, s.splat(0.603_097_8));
    let p = s.fma(t, p, s.splat(-0.026_979_927));
    let p = s.fma(t, p, s.splat(0.231_496_29));
    let p = s.fma(t, p, s.splat(0.191_067_23));
    let p = s.fma(t, p, s.splat(0.197_850_27));
    let envelope = exp(s, s.sub(s.splat(0.0), s.mul(z, z)));
    s.mul(s.mul(s.splat(0.5), envelope), s.mul(t, p))
}
