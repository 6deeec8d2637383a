//! From weights in a format to memory, fit and speed.

use kernels::{KvFormat, PAGE_TOKENS};
use machine::{Bound, Bytes, Limits, Rates, predict};
use model::Model;
use serde::Serialize;

use super::{Choice, Memory};
use crate::cost::{Step, Weights};

/// What does not depend on the weights' formats.
pub(super) struct Forecast<'a> {
    pub(super) model: &'a Model,
    pub(super) limits: &'a Limits,
    /// What this program's loops reach.
    pub(super) rates: &'a Rates,
    /// Tokens a user may have.
    pub(super) context: usize,
    pub(super) users: usize,
    pub(super) kv: KvFormat,
    /// Tokens of a prompt computed at once.
    pub(super) chunk: usize,
    /// Memory there is.
    pub(super) free: Bytes,
    /// Of all users.
    pub(super) kv_cache: Bytes,
    pub(super) activations: Bytes,
    /// The program itself with its tokenizer.
    pub(super) program: Bytes,
}

/// Tokens a second as foretold, and the most this machine allows any program.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Speeds {
    pub(super) at_start: f64,
    pub(super) at_context: f64,
    limit_at_start: f64,
    bound_at_start: Bound,
    limit_at_context: f64,
    bound_at_context: Bound,
}

impl Forecast<'_> {
    pub(super) fn option(&self, format: String, as_is: bool, weights: &Weights) -> Choice {
        let own = Bytes(weights.memory);
        let total = own + self.kv_cache + self.activations + self.program;
        Choice {
            format,
            as_is,
            bits_per_weight: weights.bits_per_weight(),
            file_bytes: Bytes(weights.file),
            memory: Memory {
                weights: own,
                kv_cache: self.kv_cache,
                activations: self.activations,
                program: self.program,
                total,
            },
            fits: total <= self.free,
            largest_context: self.largest_context(own),
            prompt_tokens_per_s: self.prompt(weights),
            generation_tokens_per_s: self.generation(weights),
        }
    }

    /// Bytes a token adds to one user's cache.
    pub(super) fn kv_bytes_per_token(&self) -> u64 {
        self.page_bytes() / PAGE_TOKENS as u64
    }

    /// Bytes of a page in all layers.
    fn page_bytes(&self) -> u64 {
        self.kv_cache.get() / (self.context.div_ceil(PAGE_TOKENS) * self.users).max(1) as u64
    }

    /// Most tokens each user could have beside these weights.
    fn largest_context(&self, weights: Bytes) -> usize {
        let left = self.free.saturating_sub(weights + self.activations + self.program);
        let left = left.get();
        let page = self.page_bytes() * self.users as u64;
        let pages = left.checked_div(page).unwrap_or(u64::MAX);
        let tokens = pages.saturating_mul(PAGE_TOKENS as u64);
        usize::try_from(tokens).unwrap_or(usize::MAX).min(self.model.context)
    }

    fn prompt(&self, weights: &Weights) -> Speeds {
        let rows = self.chunk.min(self.context);
        let step = |depth| Step { sequences: 1, rows, depth, wanted: 1, kv: self.kv };
        self.speeds(weights, rows, &step, self.context - rows)
    }

    fn generation(&self, weights: &Weights) -> Speeds {
        let users = self.users;
        let step = |depth| Step { sequences: users, rows: 1, depth, wanted: users, kv: self.kv };
        self.speeds(weights, users, &step, self.context - 1)
    }

    fn speeds(
        &self,
        weights: &Weights,
        tokens: usize,
        step: &dyn Fn(usize) -> Step,
        deep: usize,
    ) -> Speeds {
        let limit = |depth| predict(&weights.step(self.model, &step(depth)), self.limits);
        let foretold = |depth| {
            let seconds = self.rates.seconds(&weights.work(self.model, &step(depth)));
            // What was not timed is foretold as the most there can be.
            let seconds = seconds.unwrap_or_else(|| limit(depth).seconds);
            tokens as f64 / seconds
        };
        let (start, end) = (limit(0), limit(deep));
        Speeds {
            at_start: foretold(0),
            at_context: foretold(deep),
            limit_at_start: start.tokens_per_s(tokens as u64),
            bound_at_start: start.bound,
            limit_at_context: end.tokens_per_s(tokens as u64),
            bound_at_context: end.bound,
        }
    }
}
