//! Sums, products, scaling, soft capping, softmax.

/// `x[i] += y[i]`.
pub(super) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `x[i] *= y[i]`.
pub(super) fn mul(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x *= y;
    }
}

/// `x[i] += factor · y[i]`, rounded once.
pub(super) fn add_scaled(x: &mut [f32], factor: f32, y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = factor.mul_add(*y, *x);
    }
}

/// `x[i] *= factor`.
pub(super) fn scale(x: &mut [f32], factor: f32) {
    for x in x {
        *x *= factor;
    }
}

/// `x[i] = cap · tanh(x[i] / cap)`.
pub(super) fn softcap(x: &mut [f32], cap: f32) {
    for x in x {
        *x = (f64::from(cap) * (f64::from(*x) / f64::from(cap)).tanh()) as f32;
    }
}

/// `exp(x[i] − max) / Σ`.
pub(super) fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return x.fill(0.0);
    }
    let mut sum = 0.0f64;
    for x in &mut *x {
        let weight = f64::from(*x - max).exp();
        sum += weight;
        *x = weight as f32;
    }
    for x in x {
        *x = (f64::from(*x) / sum) as f32;
    }
}
