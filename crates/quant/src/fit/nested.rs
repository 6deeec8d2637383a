//! Scales of scales: the K and IQ4 formats round their sub-blocks' scales to small whole numbers under a scale
//! of the whole block.
//!
//! Those whole numbers are chosen, among neighbours, by the error they really leave once the values
//! are rounded under them, and the common scale is solved for once more with all codes held. This is
//! where the encoders go beyond ggml's, which round each sub-scale by itself.

use super::{Affine, Codes, Minimum, affine, code, inverse, peak, scale, sums, to_f16};

/// Weighted squared error of `x = scale q`.
#[inline(always)]
fn error<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    scale: f32,
    codes: &Codes<impl Fn(f32) -> f32 + Copy>,
) -> f32 {
    let inverse = inverse(scale);
    let [error] = sums::<N, 1>(|i| {
        let off = scale * (codes.nearest)(values[i] * inverse) - values[i];
        [weights[i] * off * off]
    });
    error
}

/// `SUBS` whole sub-scales under one F16 scale: `x = d s q`.
pub(crate) struct Nested<const SUBS: usize> {
    /// The common scale, representable as F16.
    pub(crate) d: f32,
    /// The sub-scales.
    pub(crate) scales: [f32; SUBS],
}

impl<const SUBS: usize> Nested<SUBS> {
    /// Fits `SUBS` sub-blocks of `N` values whose sub-scales may be whole numbers from `low` to `high`.
    pub(crate) fn fit<const N: usize>(
        values: &[[f32; N]],
        weights: &[[f32; N]],
        (low, high): (f32, f32),
        codes: &Codes<impl Fn(f32) -> f32 + Copy>,
    ) -> Self {
        let wanted: [f32; SUBS] =
            std::array::from_fn(|sub| scale(&values[sub], &weights[sub], codes));
        let mut best =
            Self::round(to_f16(peak(&wanted) / low), values, weights, &wanted, (low, high), codes);
        for _ in 0..2 {
            let (mut along, mut square) = (0.0, 0.0);
            for sub in 0..SUBS {
                let inverse = inverse(best.0.d * best.0.scales[sub]);
                let [sub_along, sub_square] = sums::<N, 2>(|i| {
                    let code = best.0.scales[sub] * (codes.nearest)(values[sub][i] * inverse);
                    [weights[sub][i] * values[sub][i] * code, weights[sub][i] * code * code]
                });
                along += sub_along;
                square += sub_square;
            }
            if square == 0.0 {
                break;
            }
            let next =
                Self::round(to_f16(along / square), values, weights, &wanted, (low, high), codes);
            if next.1 >= best.1 {
                break;
            }
            best = next;
        }
        best.0
    }

    /// The best whole sub-scales under `d`, near those wanted, and the error they leave.
    fn round<const N: usize>(
        d: f32,
        values: &[[f32; N]],
        weights: &[[f32; N]],
        wanted: &[f32; SUBS],
        (low, high): (f32, f32),
        codes: &Codes<impl Fn(f32) -> f32 + Copy>,
    ) -> (Self, f32) {
        let (mut scales, mut total) = ([0.0; SUBS], 0.0);
        for sub in 0..SUBS {
            let middle = code(wanted[sub] * inverse(d), low, high);
            let mut least = f32::INFINITY;
            for candidate in [middle, middle - 1.0, middle + 1.0] {
                let candidate = candidate.max(low).min(high);
                let error = error(&values[sub], &weights[sub], d * candidate, codes);
                if error < least {
                    (least, scales[sub]) = (error, candidate);
                }
            }
            total += least;
        }
        (Self { d, scales }, total)
    }
}

/// Whole sub-scales and sub-minima under two F16 scales: `x = d s q - dmin m`.
pub(crate) struct NestedAffine<const SUBS: usize> {
    /// The common scale, representable as F16.
    pub(crate) d: f32,
    /// The common scale of the minima, representable as F16.
    pub(crate) dmin: f32,
    /// The sub-scales.
    pub(crate) scales: [f32; SUBS],
    /// The sub-minima.
    pub(crate) mins: [f32; SUBS],
}

impl<const SUBS: usize> NestedAffine<SUBS> {
    /// Fits `SUBS` sub-blocks of `N` values with codes from 0 to `top` and sub-scales from 0 to `levels`.
    pub(crate) fn fit<const N: usize>(
        values: &[[f32; N]],
        weights: &[[f32; N]],
        top: f32,
        levels: f32,
    ) -> Self {
        let wanted: [Affine; SUBS] =
            std::array::from_fn(|sub| affine(&values[sub], &weights[sub], top, Minimum::Negative));
        let largest = |of: fn(&Affine) -> f32| wanted.iter().map(of).fold(0.0, f32::max) / levels;
        let (d, dmin) = (to_f16(largest(|fit| fit.scale)), to_f16(largest(|fit| fit.min)));
        let mut best = Self::round((d, dmin), values, weights, &wanted, (top, levels));
        for _ in 0..2 {
            let Some(scales) = best.0.solve(values, weights, top) else { break };
            let next = Self::round(scales, values, weights, &wanted, (top, levels));
            if next.1 >= best.1 {
                break;
            }
            best = next;
        }
        best.0
    }

    /// The code of `value` in sub-block `sub`.
    #[inline(always)]
    pub(crate) fn code(&self, sub: usize, value: f32, top: f32) -> u8 {
        let (scale, min) = (self.d * self.scales[sub], self.dmin * self.mins[sub]);
        code((value + min) * inverse(scale), 0.0, top) as u8
    }

    /// The pair of common scales that serves the present codes, sub-scales and sub-minima best.
    fn solve<const N: usize>(
        &self,
        values: &[[f32; N]],
        weights: &[[f32; N]],
        top: f32,
    ) -> Option<(f32, f32)> {
        let mut total = [0.0f32; 5];
        for sub in 0..SUBS {
            let (s, m) = (self.scales[sub], self.mins[sub]);
            let (inverse, min) = (inverse(self.d * s), self.dmin * m);
            let terms = sums::<N, 5>(|i| {
                let (x, w) = (values[sub][i], weights[sub][i]);
                let q = s * code((x + min) * inverse, 0.0, top);
                [w * q * q, w * q * m, w * m * m, w * q * x, w * m * x]
            });
            for (total, term) in total.iter_mut().zip(terms) {
                *total += term;
            }
        }
        let [qq, qm, mm, qx, mx] = total.map(f64::from);
        let determinant = qq * mm - qm * qm;
        if determinant <= 0.0 {
            return None;
        }
        let d = (qx * mm - mx * qm) / determinant;
        let dmin = (qx * qm - mx * qq) / determinant;
        (d > 0.0 && dmin >= 0.0).then_some((to_f16(d as f32), to_f16(dmin as f32)))
    }

    /// The best whole sub-scales and sub-minima near those wanted, and the error they leave.
    fn round<const N: usize>(
        (d, dmin): (f32, f32),
        values: &[[f32; N]],
        weights: &[[f32; N]],
        wanted: &[Affine; SUBS],
        (top, levels): (f32, f32),
    ) -> (Self, f32) {
        let mut nested = Self { d, dmin, scales: [0.0; SUBS], mins: [0.0; SUBS] };
        let mut total = 0.0;
        for sub in 0..SUBS {
            let middle = code(wanted[sub].scale * inverse(d), 0.0, levels);
            let middle_min = code(wanted[sub].min * inverse(dmin), 0.0, levels);
            let mut least = f32::INFINITY;
            for step in [0.0, -1.0, 1.0] {
                for step_min in [0.0, -1.0, 1.0] {
                    let s = (middle + step).max(0.0).min(levels);
                    let m = (middle_min + step_min).max(0.0).min(levels);
                    let (scale, min) = (d * s, dmin * m);
                    let inverse = inverse(scale);
                    let [error] = sums::<N, 1>(|i| {
                        let off = scale * code((values[sub][i] + min) * inverse, 0.0, top)
                            - min
                            - values[sub][i];
                        [weights[sub][i] * off * off]
                    });
                    if error < least {
                        (least, nested.scales[sub], nested.mins[sub]) = (error, s, m);
                    }
                }
            }
            total += least;
        }
        (nested, total)
    }
}
