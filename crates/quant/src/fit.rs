//! The search for scales: which scale, and which offset, lets small whole codes come nearest to values.
//!
//! Rounding makes the error a jagged function of the scale, so a handful of scales around the obvious
//! one are tried; for each, the codes it gives are held and the scale that serves *them* best is
//! solved for (weighted least squares). The approach is that of ggml's reference quantizers. What
//! blocks of sub-blocks need on top is in [`nested`].

pub(crate) mod nested;

use crate::float::{F16_MAX, f16_to_f32, f32_to_f16};

/// Values below this in magnitude are nothing to any format with F16 scales.
const TINY: f32 = 1e-30;

/// The whole number nearest to `value`, which is first brought between `low` and `high` (below 2^22).
#[inline(always)]
pub(crate) fn code(value: f32, low: f32, high: f32) -> f32 {
    // The mantissa's last bit is worth one between 2^23 and 2^24; NaN becomes `low`.
    (value.max(low).min(high) + 12_582_912.0) - 12_582_912.0
}

/// The nearest whole number, halves away from zero, for magnitudes far below 2^31.
#[inline(always)]
pub(crate) fn round_half_away(value: f32) -> i32 {
    let whole = value as i32;
    let rest = value - whole as f32;
    whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)
}

/// `value` as an F16 can hold it, infinities excluded.
#[inline(always)]
pub(crate) fn to_f16(value: f32) -> f32 {
    f16_to_f32(f32_to_f16(value.clamp(-F16_MAX, F16_MAX)))
}

/// `1 / scale`, or zero when there is no scale, or one so small that its inverse would be infinite.
#[inline(always)]
pub(crate) fn inverse(scale: f32) -> f32 {
    if scale.abs() < f32::MIN_POSITIVE { 0.0 } else { 1.0 / scale }
}

/// How much each value's error counts: its importance times its size, damped by the block's spread.
/// Large weights matter more than their number says, which plain squared error would miss.
pub(crate) fn weights<const N: usize>(
    values: &[f32; N],
    importance: Option<&[f32; N]>,
) -> [f32; N] {
    let square = values.iter().map(|value| value * value).sum::<f32>() / N as f32;
    // What is negative or not a number does not count; the rest counts in proportion to the largest.
    let sane = |weight: f32| if weight > 0.0 { weight.min(f32::MAX) } else { 0.0 };
    let most = importance
        .map_or(0.0, |importance| importance.iter().copied().map(sane).fold(0.0, f32::max));
    std::array::from_fn(|i| {
        let importance =
            importance.filter(|_| most > 0.0).map_or(1.0, |importance| sane(importance[i]) / most);
        importance * (square + values[i] * values[i]).sqrt()
    })
}

/// The first value of the largest magnitude.
pub(crate) fn peak(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |peak: f32, &value| if value.abs() > peak.abs() { value } else { peak })
}

/// Sums over `0..N` of three terms at once, in eight lanes.
#[inline(always)]
fn sums<const N: usize, const TERMS: usize>(term: impl Fn(usize) -> [f32; TERMS]) -> [f32; TERMS] {
    let mut lanes = [[0.0f32; 8]; TERMS];
    for chunk in 0..N / 8 {
        for lane in 0..8 {
            let terms = term(chunk * 8 + lane);
            for (lanes, term) in lanes.iter_mut().zip(terms) {
                lanes[lane] += term;
            }
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// Codes of one scale: what a scaled value becomes, and where the ends of the range lie.
#[derive(Clone, Copy)]
pub(crate) struct Codes<F> {
    /// The code, as a number, nearest to a value divided by the scale.
    pub(crate) nearest: F,
    /// The lowest code, negative.
    pub(crate) low: f32,
    /// The highest code.
    pub(crate) high: f32,
    /// How far beyond and within the range's ends the largest value is tried.
    pub(crate) spread: f32,
}

/// All whole numbers from `low` to `high`.
pub(crate) fn whole(low: f32, high: f32) -> Codes<impl Fn(f32) -> f32 + Copy> {
    Codes { nearest: move |value| code(value, low, high), low, high, spread: 1.0 }
}

/// The scale `s` with the least weighted error of `x = s q`. Its sign says which way the range's longer end points.
#[inline(always)]
pub(crate) fn scale<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    codes: &Codes<impl Fn(f32) -> f32 + Copy>,
) -> f32 {
    let peak = peak(values);
    if peak.abs() < TINY {
        return 0.0;
    }
    let (mut best, mut best_gain) = (0.0, 0.0);
    let mut attempt = |inverse: f32| {
        let [along, square] = sums::<N, 2>(|i| {
            let code = (codes.nearest)(values[i] * inverse);
            [weights[i] * values[i] * code, weights[i] * code * code]
        });
        // With the best scale for these codes, the error is the values' own square less this.
        if square > 0.0 && along * along > best_gain * square {
            best_gain = along * along / square;
            best = along / square;
        }
        best
    };
    for step in -8..=8 {
        let off = codes.spread * step as f32 / 8.0;
        attempt((codes.low - off) / peak);
        attempt((codes.high + off) / peak);
    }
    for _ in 0..2 {
        let refined = attempt(0.0);
        attempt(inverse(refined));
    }
    best
}

/// `x = scale q - min`, with a scale that is not negative.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    /// What a code counts.
    pub(crate) scale: f32,
    /// What is taken off.
    pub(crate) min: f32,
}

/// Where the lowest code of an affine format may lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Minimum {
    /// Anywhere.
    Free,
    /// At zero or below.
    Negative,
}

/// The scale and minimum with the least weighted error of `x = s q - m` for codes from 0 to `top`.
#[inline(always)]
pub(crate) fn affine<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    top: f32,
    minimum: Minimum,
) -> Affine {
    let start = if minimum == Minimum::Negative { 0.0 } else { f32::INFINITY };
    let low = values.iter().fold(start, |low: f32, &value| low.min(value));
    let high = values.iter().fold(low, |high: f32, &value| high.max(value));
    let mut best = Affine { scale: 0.0, min: -low };
    if high - low < TINY {
        return best;
    }
    let [weight, along, square] =
        sums::<N, 3>(|i| [weights[i], weights[i] * values[i], weights[i] * values[i] * values[i]]);
    let mut least = f32::INFINITY;
    let mut attempt = |inverse: f32, min: f32| {
        let [codes, codes_square, codes_along] = sums::<N, 3>(|i| {
            let code = code((values[i] + min) * inverse, 0.0, top);
            [weights[i] * code, weights[i] * code * code, weights[i] * code * values[i]]
        });
        if codes_square == 0.0 {
            return best;
        }
        let determinant = weight * codes_square - codes * codes;
        let mut scale = (weight * codes_along - along * codes) / determinant;
        let mut min = (scale * codes - along) / weight;
        // When all codes are alike, scale and minimum cannot be told apart.
        if determinant <= 1e-5 * weight * codes_square || min < 0.0 && minimum == Minimum::Negative
        {
            (scale, min) = (codes_along / codes_square, 0.0);
        }
        let error =
            square - 2.0 * scale * codes_along + 2.0 * min * along + scale * scale * codes_square
                - 2.0 * scale * min * codes
                + min * min * weight;
        if scale > 0.0 && error < least {
            least = error;
            best = Affine { scale, min };
        }
        best
    };
    for step in -10..=10 {
        attempt((top + step as f32 * 0.1) / (high - low), -low);
    }
    for _ in 0..2 {
        let refined = attempt(0.0, 0.0);
        attempt(inverse(refined.scale), refined.min);
    }
    best
}
