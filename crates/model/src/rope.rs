//! Rotary position embedding and the ways of stretching it over longer contexts.
//!
//! Su et al. 2021 (RoFormer); linear: Chen et al. 2023; dynamic NTK: as in transformers'
//! `modeling_rope_utils`; YaRN: Peng et al. 2023; LongRoPE: Ding et al. 2024; Llama 3's: Meta's
//! reference code. Frequencies are computed in `f64` and rounded once.

use std::f64::consts::PI;

/// Index of a rotation in [`crate::Graph::ropes`].
pub type RopeId = usize;

/// Which entries of a head form a rotating pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// Entry `i` with entry `i + dims / 2` (Hugging Face checkpoints, NeoX).
    Halves,
    /// Entry `2 i` with entry `2 i + 1` (GPT-J, Llama's GGUF files).
    Interleaved,
}

/// How the frequencies are changed for contexts longer than the model was first trained on.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// They are not.
    None,
    /// Every frequency divided by `factor`.
    Linear {
        /// Stretch.
        factor: f64,
    },
    /// Frequency `i` divided by `divisors[i]`, as a file lists them.
    Divisors {
        /// One for each pair.
        divisors: Vec<f32>,
    },
    /// The base grows with the length of the sequence beyond `original`.
    Dynamic {
        /// Stretch.
        factor: f64,
        /// Context of the first training, in tokens.
        original: usize,
    },
    /// Long wavelengths divided by `factor`, short ones kept, a smooth step between.
    Llama3 {
        /// Stretch.
        factor: f64,
        /// Wavelengths above `original / low` are long.
        low: f64,
        /// Wavelengths below `original / high` are short.
        high: f64,
        /// Context of the first training, in tokens.
        original: usize,
    },
    /// As Llama 3's idea, with a linear ramp over dimensions, and attention sharpened.
    Yarn {
        /// Stretch.
        factor: f64,
        /// Context of the first training, in tokens.
        original: usize,
        /// Turns within `original` above which a dimension is kept.
        beta_fast: f64,
        /// Turns within `original` below which a dimension is divided.
        beta_slow: f64,
        /// Whether the ramp's ends are rounded to whole dimensions.
        ends: RampEnds,
        /// Factor on cosine and sine.
        attention: f64,
    },
    /// Two lists of divisors, by whether the sequence is longer than `original`.
    LongRope {
        /// For sequences up to `original` tokens.
        short: Vec<f32>,
        /// For longer ones.
        long: Vec<f32>,
        /// Context of the first training, in tokens.
        original: usize,
        /// Factor on cosine and sine.
        attention: f64,
    },
}

/// Whether YaRN's ramp begins and ends at whole dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampEnds {
    /// Rounded outwards (the usual form).
    Rounded,
    /// As computed (gpt-oss).
    Exact,
}

/// A rotation: everything but the position.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Which entries pair.
    pub style: RopeStyle,
    /// Entries of a head that turn; even.
    pub dims: usize,
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// How it is stretched.
    pub scaling: Scaling,
}

/// What a backend needs: angles are `position * frequencies[i]`, cosine and sine times `attention`.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequencies {
    /// Radians a position, one for each pair.
    pub turns: Vec<f32>,
    /// Factor on cosine and sine.
    pub attention: f32,
}

impl Rope {
    /// The frequencies for a sequence whose prompt has `length` tokens.
    pub fn frequencies(&self, length: usize) -> Frequencies {
        let plain = |i: usize, theta: f64| theta.powf(-2.0 * i as f64 / self.dims as f64);
        let pairs = 0..self.dims / 2;
        let each = |f: &dyn Fn(usize) -> f64| pairs.clone().map(|i| f(i) as f32).collect();
        let divided = |by: &[f32]| {
            each(&|i| plain(i, self.theta) / by.get(i).copied().map_or(1.0, f64::from))
        };
        let (turns, attention) = match &self.scaling {
            Scaling::None => (each(&|i| plain(i, self.theta)), 1.0),
            Scaling::Linear { factor } => (each(&|i| plain(i, self.theta) / factor), 1.0),
            Scaling::Divisors { divisors } => (divided(divisors), 1.0),
            Scaling::Dynamic { factor, original } => {
                let over = length.max(*original) as f64 / *original as f64;
                let dims = self.dims as f64;
                let stretch = (factor * over - (factor - 1.0)).powf(dims / (dims - 2.0));
                (each(&|i| plain(i, self.theta * stretch)), 1.0)
            }
            Scaling::Llama3 { factor, low, high, original } => {
                let original = *original as f64;
                let one = |i: usize| {
                    let frequency = plain(i, self.theta);
                    let wavelength = 2.0 * PI / frequency;
                    if wavelength > original / low {
                        frequency / factor
                    } else if wavelength < original / high {
                        frequency
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        (1.0 - smooth) * frequency / factor + smooth * frequency
                    }
                };
                (each(&one), 1.0)
            }
            Scaling::Yarn { factor, original, beta_fast, beta_slow, ends, attention } => {
                let (low, high) = self.ramp(*original, *beta_fast, *beta_slow, *ends);
                let one = |i: usize| {
                    let kept = 1.0 - ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    let frequency = plain(i, self.theta);
                    frequency / factor * (1.0 - kept) + frequency * kept
                };
                (each(&one), *attention)
            }
            Scaling::LongRope { short, long, original, attention } => {
                (divided(if length > *original { long } else { short }), *attention)
            }
        };
        Frequencies { turns, attention: attention as f32 }
    }

    /// Sequences of two lengths turn alike when this is equal for both; keys cached under one
    /// variant can't serve another.
    pub fn variant(&self, length: usize) -> usize {
        match &self.scaling {
            Scaling::Dynamic { original, .. } => length.max(*original),
            Scaling::LongRope { original, .. } => usize::from(length > *original),
            _ => 0,
        }
    }

    /// The length beyond which a growing sequence changes its variant and must be computed anew;
    /// `None` where it never does (a dynamic base stays as the prompt set it).
    pub fn crossing(&self) -> Option<usize> {
        match &self.scaling {
            Scaling::LongRope { original, .. } => Some(*original),
            _ => None,
        }
    }

    fn ramp(&self, original: usize, fast: f64, slow: f64, ends: RampEnds) -> (f64, f64) {
        let dims = self.dims as f64;
        let at = |turns: f64| {
            dims * (original as f64 / (turns * 2.0 * PI)).ln() / (2.0 * self.theta.ln())
        };
        let (low, high) = match ends {
            RampEnds::Rounded => (at(fast).floor(), at(slow).ceil()),
            RampEnds::Exact => (at(fast), at(slow)),
        };
        let (low, high) = (low.max(0.0), high.min(dims - 1.0));
        (low, if low == high { high + 0.001 } else { high })
    }
}

/// YaRN's usual sharpening of attention for a stretch: `0.1 * weight * ln(factor) + 1`.
pub fn yarn_attention(factor: f64, weight: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 }
}

/// LongRoPE's sharpening of attention: `sqrt(1 + ln(factor) / ln(original))`.
pub fn long_rope_attention(factor: f64, original: usize) -> f64 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original as f64).ln()).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: Scaling) -> Rope {
        Rope { style: RopeStyle::Halves, dims: 8, theta: 10_000.0, scaling }
    }

    #[test]
    fn plain_frequencies_fall_geometrically() {
        assert_eq!(rope(Scaling::None).frequencies(1).turns, [1.0, 0.1, 0.01, 0.001]);
    }

    #[test]
    fn long_rope_changes_its_list_beyond_the_original_context() {
        let long = Scaling::LongRope {
            short: vec![1.0; 4],
            long: vec![2.0; 4],
            original: 64,
            attention: 1.0,
        };
        let rope = rope(long);
        assert_eq!(rope.frequencies(64).turns[0], 1.0);
        assert_eq!(rope.frequencies(65).turns[0], 0.5);
        assert_ne!(rope.variant(64), rope.variant(65));
    }

    #[test]
    fn llama3_keeps_short_waves_and_divides_long_ones() {
        let llama3 = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 64 };
        let turns = rope(llama3).frequencies(1).turns;
        assert_eq!(turns[0], 1.0);
        assert!((f64::from(turns[3]) - 0.001 / 8.0).abs() < 1e-9);
    }
}
