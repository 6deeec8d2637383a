//! Mirostat 2: tokens whose surprise exceeds a running limit μ are dropped, and μ follows what was
//! chosen: μ ← μ - η (surprise - τ), from 2τ at the start, so the surprise per token settles near
//! τ. Surprises are in bits, of the distribution before the cut (Basu et al., "Mirostat: a neural
//! text decoding algorithm that directly controls perplexity", 2020, algorithm 2).

use super::super::math;
use super::{Candidates, Cut, Mirostat, Moment, SamplerSettings, Step};

struct Mirostat2;

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    settings.mirostat.as_ref().map(|_| Step::Cut(Box::new(Mirostat2)))
}

impl Cut for Mirostat2 {
    fn cut(&self, moment: &Moment<'_>, candidates: &mut Candidates) {
        let threshold = math::exp(-moment.mu.max(0.0) * std::f64::consts::LN_2);
        candidates.measure();
        candidates.keep_probable(|_, p| p >= threshold);
    }
}

/// The limit after a token of this surprise, in bits.
pub(super) fn next_mu(mirostat: &Mirostat, mu: f64, surprise: f64) -> f64 {
    mu - f64::from(mirostat.eta) * (surprise - f64::from(mirostat.tau))
}
