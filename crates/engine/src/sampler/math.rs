//! Exponential and logarithm that are the same bits on every machine.
//!
//! The system's `exp` and `ln` differ in the last place between C libraries, and a last place is
//! enough to move a draw from one token to the next. These use only IEEE additions,
//! multiplications and comparisons, which every machine rounds alike. `exp` has no branch, so a sum
//! over a vocabulary vectorises. Error of both: below 4 units in the last place of `f64` over
//! the range used here (tested against the system's).

/// Below this `exp` returns exactly zero: the smallest normal `f64` is about e^-708.4.
const FLOOR: f64 = -708.0;
/// 1.5 · 2^52: adding it leaves the nearest whole number in the low bits of the mantissa.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts; the first has trailing zeros, so `k * LN2_HIGH` is exact for |k| < 2^11.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/12!, 1/11! … 1/1!, 1/0!
const TAYLOR: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
    1.0,
    1.0,
];

/// e^x for x ≤ 700; zero below [`FLOOR`], so also for minus infinity.
pub(crate) fn exp(x: f64) -> f64 {
    let [power] = exp_each([x]);
    power
}

/// [`exp`] of several numbers at once: one loop per operation, so that they vectorise.
#[inline]
fn exp_each<const N: usize>(x: [f64; N]) -> [f64; N] {
    let inside = x.map(|x| if x < FLOOR { FLOOR } else { x });
    let shifted = inside.map(|x| x * std::f64::consts::LOG2_E + ROUNDER);
    let mut r = [0.0; N];
    for i in 0..N {
        let k = shifted[i] - ROUNDER;
        r[i] = (inside[i] - k * LN2_HIGH) - k * LN2_LOW;
    }
    let mut power = [1.0 / 6_227_020_800.0; N];
    for coefficient in TAYLOR {
        for i in 0..N {
            power[i] = power[i] * r[i] + coefficient;
        }
    }
    for i in 0..N {
        // The whole number k sits in the low bits of `shifted`: moved up, it is the exponent 2^k.
        power[i] *= f64::from_bits((shifted[i].to_bits() << 52).wrapping_add(1023 << 52));
    }
    for i in 0..N {
        power[i] = if x[i] < FLOOR { 0.0 } else { power[i] };
    }
    power
}

/// Natural logarithm of a positive normal number: the exponent, and the mantissa by the series of
/// artanh, m = (1 + s) / (1 - s).
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 1.0 / 27.0;
    for odd in [25.0, 23.0, 21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * square + 1.0 / odd;
    }
    let k = exponent as f64;
    k * LN2_HIGH + (2.0 * s * sum + k * LN2_LOW)
}

/// Σ e^(x - max) over a slice, in `f64`, in one fixed order: eight interleaved partial sums.
pub(crate) fn sum_exp(values: &[f32], max: f32) -> f64 {
    let max = f64::from(max);
    let mut sums = [0.0_f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        let weights = exp_each(chunk.map(|value| f64::from(value) - max));
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight;
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += exp(f64::from(value) - max);
    }
    sums.iter().sum()
}

/// Replaces every x by e^x.
pub(crate) fn exp_all(values: &mut [f64]) {
    let (chunks, rest) = values.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = exp_each(*chunk);
    }
    for value in rest {
        *value = exp(*value);
    }
}

/// The largest value of a slice; minus infinity when it is empty. NaN is never larger.
pub(crate) fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |best, &x| if x > best { x } else { best })
}

/// Whether every value is finite.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    values.chunks(4096).all(|chunk| {
        chunk.iter().fold(0_u32, |bad, x| bad | u32::from(x.to_bits() & EXPONENT == EXPONENT)) == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_four_units_in_the_last_place() {
        for step in 0..200_000 {
            let x = -700.0 + f64::from(step) * 0.007;
            let x = x.min(700.0);
            let (own, system) = (exp(x), x.exp());
            assert!((own - system).abs() <= 4.0 * f64::EPSILON * system, "{x}: {own} {system}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e300), 0.0);
    }

    #[test]
    fn ln_is_within_four_units_in_the_last_place() {
        for step in 1..200_000 {
            let x = f64::from(step) * 0.37 + 1e-9;
            let (own, system) = (ln(x), x.ln());
            assert!((own - system).abs() <= 4.0 * f64::EPSILON * system.abs().max(0.1), "{x}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sums_and_maxima_of_odd_lengths() {
        for n in 0..40_u16 {
            let values: Vec<f32> = (0..n).map(|i| f32::from(i * 7 % 23)).collect();
            let direct = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&values), direct);
            if n > 0 {
                let plain: f64 = values.iter().map(|&x| f64::from(x - direct).exp()).sum();
                assert!((sum_exp(&values, direct) - plain).abs() < 1e-12 * plain);
            }
            assert!(all_finite(&values));
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!all_finite(&[0.0, bad, 1.0]));
        }
    }
}
