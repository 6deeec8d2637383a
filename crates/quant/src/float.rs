//! Bits of the small floats to `f32` and back, without branches so that loops over them vectorise.

use half::{bf16, f16};

/// The largest finite binary16.
pub(crate) const F16_MAX: f32 = 65504.0;

/// IEEE 754 binary16, exactly.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    // One exponent up, then the implicit one taken off again, normalises the subnormals.
    let subnormal = (f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23)).to_bits();
    let normal = magnitude + (112 << 23);
    let special = magnitude | 0x7f80_0000;
    let finite = if magnitude < 1 << 23 { subnormal } else { normal };
    let value = if magnitude >= 31 << 23 { special } else { finite };
    f32::from_bits(value | u32::from(bits & 0x8000) << 16)
}

/// To IEEE 754 binary16, to the nearest, ties to even; what is too large becomes an infinity.
#[inline(always)]
pub(crate) fn f32_to_f16(value: f32) -> u16 {
    f16::from_f32(value).to_bits()
}

/// bfloat16: the upper half of an `f32`.
#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// To bfloat16, to the nearest, ties to even.
#[inline(always)]
pub(crate) fn f32_to_bf16(value: f32) -> u16 {
    bf16::from_f32(value).to_bits()
}

/// OCP FP8 E4M3 (the "fn" kind: no infinities, all ones is not a number).
#[inline(always)]
pub(crate) fn e4m3_to_f32(bits: u8) -> f32 {
    let magnitude = u32::from(bits & 0x7f) << 20;
    let subnormal = (f32::from_bits(magnitude + (121 << 23)) - f32::from_bits(121 << 23)).to_bits();
    let normal = magnitude + (120 << 23);
    let finite = if magnitude < 1 << 23 { subnormal } else { normal };
    let value = if bits & 0x7f == 0x7f { 0x7fc0_0000 } else { finite };
    f32::from_bits(value | u32::from(bits & 0x80) << 24)
}

/// To OCP FP8 E4M3, to the nearest, ties to even. Finite values beyond 448 become 448; infinities
/// and NaN become NaN, since the format has no infinity.
#[inline(always)]
pub(crate) fn f32_to_e4m3(value: f32) -> u8 {
    let sign = (value.to_bits() >> 24) as u8 & 0x80;
    if !value.is_finite() {
        return sign | 0x7f;
    }
    let magnitude = value.abs().min(448.0);
    // The exponent of the step below which this value is rounded: 3 bits under its own exponent, at
    // least that of the subnormals. Adding and taking off 2^23 steps rounds to nearest even.
    let exponent = (magnitude.to_bits() >> 23).max(121);
    let step = f32::from_bits((exponent + 20) << 23);
    let rounded = (magnitude + step) - step;
    let code = if rounded < f32::from_bits(121 << 23) {
        // Subnormal: so many times 2^-9.
        (rounded * 512.0) as u32
    } else {
        (rounded.to_bits() - (120 << 23)) >> 20
    };
    sign | code as u8
}

/// The largest finite E4M3 value.
#[cfg(test)]
pub(crate) const E4M3_MAX: f32 = 448.0;

/// FP8 E5M2: the upper half of a binary16.
#[inline(always)]
pub(crate) fn e5m2_to_f32(bits: u8) -> f32 {
    f16_to_f32(u16::from(bits) << 8)
}

/// To FP8 E5M2, to the nearest, ties to even; what is too large becomes an infinity.
#[inline(always)]
pub(crate) fn f32_to_e5m2(value: f32) -> u8 {
    if value.is_nan() {
        return (value.to_bits() >> 24) as u8 & 0x80 | 0x7e;
    }
    let sign = (value.to_bits() >> 24) as u8 & 0x80;
    let magnitude = value.abs();
    let exponent = (magnitude.to_bits() >> 23).max(113);
    if magnitude >= 61440.0 {
        return sign | 0x7c;
    }
    let step = f32::from_bits((exponent + 21) << 23);
    let rounded = (magnitude + step) - step;
    sign | (f32_to_f16(rounded) >> 8) as u8
}

/// OCP E8M0, a power of two, **halved**: ggml stores doubled FP4 codes beside it, which stay whole
/// numbers. Code 255, NaN in the OCP text, is 2^127 here as in ggml.
#[inline(always)]
pub(crate) fn e8m0_half_to_f32(code: u8) -> f32 {
    let code = u32::from(code);
    f32::from_bits(if code < 2 { 0x0020_0000 << code } else { (code - 1) << 23 })
}

/// OCP E8M0: 2^(code - 127), and NaN for 255.
#[inline(always)]
pub(crate) fn e8m0_to_f32(code: u8) -> f32 {
    match code {
        0 => f32::from_bits(0x0040_0000),
        255 => f32::NAN,
        _ => f32::from_bits(u32::from(code) << 23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_is_what_half_says() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
            assert!(
                ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(),
                "{bits:#x}"
            );
        }
    }

    #[test]
    fn fp8_codes_survive_a_round_trip() {
        for code in 0..=u8::MAX {
            let value = e4m3_to_f32(code);
            assert!(value.is_nan() || f32_to_e4m3(value) == code, "E4M3 {code:#x} = {value}");
            let value = e5m2_to_f32(code);
            assert!(value.is_nan() || f32_to_e5m2(value) == code, "E5M2 {code:#x} = {value}");
        }
    }

    /// The nearest code, even on a tie, found by looking at all of them.
    fn nearest(value: f32, finite: &[(f32, u8)]) -> u8 {
        let distance = |of: f32| (f64::from(of) - f64::from(value)).abs();
        let best = finite.iter().map(|&(of, _)| distance(of)).fold(f64::INFINITY, f64::min);
        let mut codes =
            finite.iter().filter(|&&(of, _)| distance(of) == best).map(|&(_, code)| code);
        let first = codes.next().unwrap();
        codes.find(|code| code & 1 == 0).filter(|_| first & 1 == 1).unwrap_or(first)
    }

    #[test]
    fn fp8_rounds_to_the_nearest_ties_to_even() {
        type Small = (&'static str, f32, fn(u8) -> f32, fn(f32) -> u8);
        let small: [Small; 2] = [
            ("E4M3", E4M3_MAX, e4m3_to_f32, f32_to_e4m3),
            ("E5M2", 57344.0, e5m2_to_f32, f32_to_e5m2),
        ];
        for (name, max, decode, encode) in small {
            let finite: Vec<(f32, u8)> = (0..0x7f)
                .map(|code| (decode(code), code))
                .filter(|(value, _)| value.is_finite())
                .collect();
            for pair in finite.windows(2) {
                let (low, high) = (pair[0].0, pair[1].0);
                let middle = f32::midpoint(low, high);
                for value in [low, middle.next_down(), middle, middle.next_up(), high.next_down()] {
                    assert_eq!(encode(value), nearest(value, &finite), "{name} {value}");
                    assert_eq!(encode(-value), nearest(value, &finite) | 0x80, "{name} -{value}");
                }
            }
            assert_eq!(decode(encode(max)), max);
        }
        assert_eq!(e4m3_to_f32(f32_to_e4m3(1e30)), E4M3_MAX);
        assert!(e4m3_to_f32(f32_to_e4m3(f32::INFINITY)).is_nan());
        assert_eq!(e5m2_to_f32(f32_to_e5m2(1e30)), f32::INFINITY);
        assert_eq!(e5m2_to_f32(f32_to_e5m2(61439.0)), 57344.0);
    }
}
