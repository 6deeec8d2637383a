//! Activation functions.

use super::{Each, Simd, each_into, each_of_one, math};
use crate::{Activation, SwigluClamp};

/// `out[i] = kind(x[i])`.
#[inline(always)]
pub(crate) fn activate<S: Simd>(s: S, kind: Activation, x: &[f32], out: &mut [f32]) {
    match kind {
        Activation::Silu => each_into(s, &Alone(Silu), x, x, out),
        Activation::GeluTanh => each_into(s, &Alone(GeluTanh), x, x, out),
        Activation::GeluErf => each_into(s, &Alone(GeluErf), x, x, out),
        Activation::GeluQuick => each_into(s, &Alone(GeluQuick), x, x, out),
        Activation::Relu => each_into(s, &Alone(Relu), x, x, out),
        Activation::Relu2 => each_into(s, &Alone(Relu2), x, x, out),
        Activation::Sigmoid => each_into(s, &Alone(Sigmoid), x, x, out),
        Activation::Tanh => each_into(s, &Alone(Tanh), x, x, out),
    }
}

/// `out[i] = kind(gate[i]) · up[i]`.
#[inline(always)]
pub(crate) fn activate_mul<S: Simd>(
    s: S,
    kind: Activation,
    gate: &[f32],
    up: &[f32],
    out: &mut [f32],
) {
    match kind {
        Activation::Silu => each_into(s, &Gate(Silu), gate, up, out),
        Activation::GeluTanh => each_into(s, &Gate(GeluTanh), gate, up, out),
        Activation::GeluErf => each_into(s, &Gate(GeluErf), gate, up, out),
        Activation::GeluQuick => each_into(s, &Gate(GeluQuick), gate, up, out),
        Activation::Relu => each_into(s, &Gate(Relu), gate, up, out),
        Activation::Relu2 => each_into(s, &Gate(Relu2), gate, up, out),
        Activation::Sigmoid => each_into(s, &Gate(Sigmoid), gate, up, out),
        Activation::Tanh => each_into(s, &Gate(Tanh), gate, up, out),
    }
}

/// gpt-oss's clamped gate.
#[inline(always)]
pub(crate) fn swiglu_clamped<S: Simd>(
    s: S,
    clamp: SwigluClamp,
    gate: &[f32],
    up: &[f32],
    out: &mut [f32],
) {
    each_into(s, &clamp, gate, up, out);
}

/// `x[i] = 1 / (1 + exp(−x[i]))`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: &mut [f32]) {
    each_of_one(s, &Alone(Sigmoid), x);
}

/// `x[i] = cap · tanh(x[i] / cap)`.
#[inline(always)]
pub(crate) fn softcap<S: Simd>(s: S, x: &mut [f32], cap: f32) {
    each_of_one(s, &Softcap(cap), x);
}

/// `cap · tanh(x / cap)`.
pub(crate) struct Softcap(pub(crate) f32);

impl Each for Softcap {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, x: S::V, _: S::V) -> S::V {
        let cap = s.splat(self.0);
        s.mul(cap, math::tanh(s, s.div(x, cap)))
    }
}

impl Each for SwigluClamp {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, gate: S::V, up: S::V) -> S::V {
        let limit = s.splat(self.limit);
        let gate = s.min(limit, gate);
        let up = s.max(s.splat(-self.limit), s.min(limit, up));
        let gated = s.mul(gate, math::logistic(s, s.mul(s.splat(self.alpha), gate)));
        s.mul(s.add(up, s.splat(1.0)), gated)
    }
}

/// A function of one number.
trait Curve {
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V;
}

struct Alone<C>(C);

impl<C: Curve> Each for Alone<C> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, x: S::V, _: S::V) -> S::V {
        self.0.at(s, x)
    }
}

struct Gate<C>(C);

impl<C: Curve> Each for Gate<C> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, gate: S::V, up: S::V) -> S::V {
        s.mul(self.0.at(s, gate), up)
    }
}

struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        s.mul(x, math::logistic(s, x))
    }
}

struct GeluQuick;

impl Curve for GeluQuick {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        s.mul(x, math::logistic(s, s.mul(x, s.splat(1.702))))
    }
}

struct GeluTanh;

impl Curve for GeluTanh {
    /// x/2 · (1 + tanh u) = x · logistic(2u): nothing cancels where the tanh is near −1.
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        let cubic = s.fma(s.mul(x, s.splat(0.044_715)), s.mul(x, x), x);
        s.mul(x, math::logistic(s, s.mul(s.splat(1.595_769), cubic)))
    }
}

struct GeluErf;

impl Curve for GeluErf {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        let zero = s.splat(0.0);
        let size = s.max(s.sub(zero, x), x);
        let rest = math::half_erfc(s, s.mul(size, s.splat(std::f32::consts::FRAC_1_SQRT_2)));
        s.mul(x, s.select_less(x, zero, rest, s.sub(s.splat(1.0), rest)))
    }
}

struct Relu;

impl Curve for Relu {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        s.max(x, s.splat(0.0))
    }
}

struct Relu2;

impl Curve for Relu2 {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        let x = s.max(x, s.splat(0.0));
        s.mul(x, x)
    }
}

struct Sigmoid;

impl Curve for Sigmoid {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        math::logistic(s, x)
    }
}

struct Tanh;

impl Curve for Tanh {
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, x: S::V) -> S::V {
        math::tanh(s, x)
    }
}
