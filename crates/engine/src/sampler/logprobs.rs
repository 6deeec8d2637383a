//! Log-probabilities of the model's own distribution, before any sampling step touched it.

use super::candidates::{Candidate, best_first};
use super::math;

/// A token, its logit and its natural log-probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogProb {
    /// The token.
    pub id: u32,
    /// The logit the model gave it.
    pub logit: f32,
    /// ln of its probability.
    pub logprob: f64,
}

/// The normaliser of a distribution over tokens: log-probability = logit - max - ln Σ e^(logit -
/// max), the sum accumulated in `f64`. Kept in two parts, since their sum loses small differences
/// between large logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogSoftmax {
    max: f64,
    log_sum: f64,
}

impl LogSoftmax {
    /// `logits` `[vocab]`, finite.
    pub fn of(logits: &[f32]) -> Self {
        let max = math::max(logits);
        Self { max: f64::from(max), log_sum: math::ln(math::sum_exp(logits, max)) }
    }

    /// The log-probability of a token with this logit.
    pub fn logprob(&self, logit: f32) -> f64 {
        f64::from(logit) - self.max - self.log_sum
    }
}

/// The `n` most probable tokens, best first, ties to the lower id. `logits` `[vocab]`, finite.
pub fn top_logprobs(logits: &[f32], n: usize) -> Vec<LogProb> {
    let softmax = LogSoftmax::of(logits);
    let with =
        |c: Candidate| LogProb { id: c.id, logit: c.logit, logprob: softmax.logprob(c.logit) };
    best_first(logits, n).into_iter().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_softmax_sums_to_one_and_survives_large_logits() {
        for shift in [0.0_f32, 1e4, -1e4, 3e38, -3e38] {
            let logits: Vec<f32> = [0.0_f32, 1.0, 2.0, -3.0].iter().map(|x| x + shift).collect();
            let softmax = LogSoftmax::of(&logits);
            let sum: f64 = logits.iter().map(|&x| softmax.logprob(x).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{shift}: {sum}");
        }
        let top = top_logprobs(&[0.0, 1.0, 1.0], 2);
        assert_eq!((top[0].id, top[1].id), (1, 2));
        let expected = 1.0 - (1.0 + 2.0 * 1.0_f64.exp()).ln();
        assert!((top[0].logprob - expected).abs() < 1e-15);
        assert!(top_logprobs(&[], 3).is_empty());
    }
}
