//! How long a piece of work must take at the least: the roofline.
//!
//! Memory and arithmetic work at the same time, so the longer of the two is the bound; the kinds
//! of arithmetic share the same execution ports, so their times add up. A kernel can come close to
//! this bound and never below it (up to the error of the measurements). Source: Williams,
//! Waterman, Patterson, "Roofline", 2009.

use crate::Limits;
use serde::Serialize;

/// What a piece of work reads and computes. An operation is one multiplication or one addition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Bytes of weights read.
    pub weight_bytes_read: u64,
    /// Bytes of the KV cache read.
    pub kv_bytes_read: u64,
    /// Bytes of activations and anything else that goes through memory.
    pub other_bytes: u64,
    /// Operations on eight-bit whole numbers.
    pub int8_ops: u64,
    /// Operations on BF16.
    pub bf16_ops: u64,
    /// Operations on F32.
    pub f32_ops: u64,
}

impl Cost {
    /// All bytes that go through memory.
    pub fn bytes(&self) -> u64 {
        self.weight_bytes_read.saturating_add(self.kv_bytes_read).saturating_add(self.other_bytes)
    }
}

/// What limits a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Reading memory.
    Memory,
    /// Arithmetic, most of it on eight-bit whole numbers.
    Int8,
    /// Arithmetic, most of it on BF16.
    Bf16,
    /// Arithmetic, most of it on F32.
    F32,
}

/// The least time a piece of work can take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// The bound.
    pub seconds: f64,
    /// Which limit sets it.
    pub bound: Bound,
    /// What reading alone would take.
    pub memory_seconds: f64,
    /// What arithmetic alone would take.
    pub compute_seconds: f64,
}

impl Prediction {
    /// Tokens per second, when the work is that of so many tokens; infinite for no work.
    pub fn tokens_per_s(&self, tokens: u64) -> f64 {
        tokens as f64 / self.seconds
    }
}

/// The least time this work can take within these limits, with all of their threads.
pub fn predict(cost: &Cost, limits: &Limits) -> Prediction {
    let memory_seconds = cost.bytes() as f64 / limits.read_bytes_per_s;
    let kinds = [
        (Bound::Int8, cost.int8_ops as f64 / limits.int8_ops_per_s),
        (Bound::Bf16, cost.bf16_ops as f64 / limits.bf16_ops_per_s),
        (Bound::F32, cost.f32_ops as f64 / limits.f32_ops_per_s),
    ];
    let compute_seconds: f64 = kinds.iter().map(|(_, seconds)| seconds).sum();
    let [first, second, third] = kinds;
    let longest = [second, third].into_iter().fold(first, |a, b| if b.1 > a.1 { b } else { a });
    let bound = if memory_seconds >= compute_seconds { Bound::Memory } else { longest.0 };
    Prediction {
        seconds: memory_seconds.max(compute_seconds),
        bound,
        memory_seconds,
        compute_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tests::limits;

    #[test]
    fn decoding_is_bound_by_memory_and_prefill_by_arithmetic() {
        // 1.2 billion parameters at 4.5 bits; limits of a small server.
        let weights = 1_236_000_000 * 9 / 16;
        let decode =
            Cost { weight_bytes_read: weights, int8_ops: 2 * 1_236_000_000, ..Cost::default() };
        let one = predict(&decode, &limits());
        assert_eq!(one.bound, Bound::Memory);
        assert!((one.tokens_per_s(1) - 66e9 / weights as f64).abs() < 1e-6);
        let prefill = Cost { int8_ops: 512 * decode.int8_ops, ..decode };
        let all = predict(&prefill, &limits());
        assert_eq!(all.bound, Bound::Int8);
        assert!(all.tokens_per_s(512) > 5.0 * one.tokens_per_s(1));
    }

    #[test]
    fn kinds_of_arithmetic_add_up_and_the_largest_is_named() {
        let cost = Cost { bf16_ops: 900_000_000_000, f32_ops: 900_000_000_000, ..Cost::default() };
        let found = predict(&cost, &limits());
        assert_eq!(found.bound, Bound::F32);
        assert!((found.seconds - 3.0).abs() < 1e-9);
        assert!(predict(&Cost::default(), &limits()).seconds == 0.0);
    }
}
