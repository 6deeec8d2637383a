//! Activation functions, in `f64` so that they are the yardstick.

use crate::{Activation, SwigluClamp};

/// `out[i] = kind(x[i])`.
pub(super) fn activate(kind: Activation, x: &[f32], out: &mut [f32]) {
    for (to, x) in out.iter_mut().zip(x) {
        *to = value(kind, f64::from(*x)) as f32;
    }
}

/// `out[i] = kind(gate[i]) · up[i]`.
pub(super) fn activate_mul(kind: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((to, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *to = value(kind, f64::from(*gate)) as f32 * up;
    }
}

/// gpt-oss's clamped gate.
pub(super) fn swiglu_clamped(clamp: SwigluClamp, gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((to, gate), up) in out.iter_mut().zip(gate).zip(up) {
        let gate = gate.min(clamp.limit);
        let up = up.clamp(-clamp.limit, clamp.limit);
        *to = (up + 1.0) * (gate * logistic(f64::from(clamp.alpha * gate)) as f32);
    }
}

/// `x[i] = 1 / (1 + exp(−x[i]))`.
pub(super) fn sigmoid(x: &mut [f32]) {
    for x in x {
        *x = logistic(f64::from(*x)) as f32;
    }
}

fn value(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Silu => x * logistic(x),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::GeluErf => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::GeluQuick => x * logistic(1.702 * x),
        Activation::Relu => x.max(0.0),
        Activation::Relu2 => x.max(0.0) * x.max(0.0),
        Activation::Sigmoid => logistic(x),
        Activation::Tanh => x.tanh(),
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The error function by `2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·5·…·(2n+1))`, whose terms all have one
/// sign.
fn erf(x: f64) -> f64 {
    if x.is_nan() || x.abs() > 6.0 {
        return if x.is_nan() { x } else { x.signum() };
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
