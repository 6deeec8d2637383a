//! Normalisation of one row.

/// `out = x / sqrt(mean(x²) + eps) · gain`.
pub(super) fn rms_norm(x: &[f32], gain: Option<&[f32]>, eps: f32, out: &mut [f32]) {
    out.copy_from_slice(x);
    rms_norm_in_place(out, gain, eps);
}

/// The same, in place.
pub(super) fn rms_norm_in_place(x: &mut [f32], gain: Option<&[f32]>, eps: f32) {
    let squares: f64 = x.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    let factor = (1.0 / (squares / x.len() as f64 + f64::from(eps)).sqrt()) as f32;
    for (i, v) in x.iter_mut().enumerate() {
        *v = *v * factor * gain.map_or(1.0, |g| g[i]);
    }
}

/// `out = (x − mean) / sqrt(variance + eps) · gain + bias`.
pub(super) fn layer_norm(
    x: &[f32],
    gain: Option<&[f32]>,
    bias: Option<&[f32]>,
    eps: f32,
    out: &mut [f32],
) {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    let factor = 1.0 / (variance + f64::from(eps)).sqrt();
    for (i, (to, v)) in out.iter_mut().zip(x).enumerate() {
        let unit = ((f64::from(*v) - mean) * factor) as f32;
        *to = unit * gain.map_or(1.0, |g| g[i]) + bias.map_or(0.0, |b| b[i]);
    }
}
