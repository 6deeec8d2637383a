//! DRY, "Don't Repeat Yourself": the longer the repetition a token would continue, the more its
//! logit loses, exponentially.
//!
//! If the last m tokens also stand earlier in the text, the token that followed them there would
//! make the repetition m + 1 long; for m ≥ `allowed_length` it loses
//! `multiplier · base^(m - allowed_length)`, with m the longest such match. A match does not reach
//! across a breaker, and breakers themselves are never penalised.
//!
//! All matches are found at once by the Z function of the reversed text (how long each position
//! agrees with the end), so the cost is linear in the window, not quadratic in the repetition.
//! Source: the proposal by p-e-w (text-generation-webui pull request 5677).

use super::super::TokenSet;
use super::{Edit, History, SamplerSettings, Step};
use std::collections::HashMap;

struct DryStep {
    multiplier: f64,
    base: f64,
    allowed: usize,
    window: usize,
    breakers: TokenSet,
}

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let dry = &settings.dry;
    (dry.multiplier > 0.0).then(|| {
        Step::Edit(Box::new(DryStep {
            multiplier: f64::from(dry.multiplier),
            base: f64::from(dry.base),
            allowed: dry.allowed_length as usize,
            window: if dry.window == 0 { usize::MAX } else { dry.window as usize },
            breakers: dry.breakers.clone(),
        }))
    })
}

impl Edit for DryStep {
    fn edit(&self, history: &History, logits: &mut [f32]) {
        let ids = history.ids();
        let ids = &ids[ids.len().saturating_sub(self.window)..];
        for (id, length) in self.longest_matches(ids) {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit -= self.penalty(length);
            }
        }
    }
}

impl DryStep {
    /// A penalty of a million is as good as any larger one, and keeps the logit finite.
    fn penalty(&self, length: usize) -> f32 {
        let mut penalty = self.multiplier;
        for _ in self.allowed..length {
            penalty *= self.base;
            if penalty >= 1e6 || self.base == 1.0 {
                break;
            }
        }
        penalty.min(1e6) as f32
    }

    /// Per token that would continue a repetition: the longest match before it, if long enough.
    fn longest_matches(&self, ids: &[u32]) -> HashMap<u32, usize> {
        let mut longest = HashMap::new();
        let limit = ids.iter().rev().take_while(|&&id| !self.breakers.contains(id)).count();
        if limit < self.allowed {
            return longest;
        }
        let agreement = z_function_from_the_end(ids);
        for (distance, &length) in agreement.iter().enumerate().skip(1) {
            let length = length.min(limit);
            let next = ids[ids.len() - distance];
            if length >= self.allowed && !self.breakers.contains(next) {
                let best = longest.entry(next).or_insert(0);
                *best = length.max(*best);
            }
        }
        longest
    }
}

/// For every distance d from the end: how many tokens before it equal those before the end.
fn z_function_from_the_end(ids: &[u32]) -> Vec<usize> {
    let n = ids.len();
    let back = |i: usize| ids[n - 1 - i];
    let mut z = vec![0; n];
    let (mut left, mut right) = (0, 0);
    for i in 1..n {
        let mut length = if i < right { z[i - left].min(right - i) } else { 0 };
        while i + length < n && back(length) == back(i + length) {
            length += 1;
        }
        z[i] = length;
        if i + length > right {
            (left, right) = (i, i + length);
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::super::super::rng::{Purpose, Rng};
    use super::*;

    fn dry(allowed: usize, breakers: &[u32]) -> DryStep {
        let mut set = TokenSet::none(100);
        for &id in breakers {
            set.insert(id);
        }
        DryStep { multiplier: 0.8, base: 1.75, allowed, window: usize::MAX, breakers: set }
    }

    /// The definition, looked up position by position.
    fn directly(step: &DryStep, ids: &[u32]) -> HashMap<u32, usize> {
        let mut longest = HashMap::new();
        for next in 1..ids.len() {
            let mut length = 0;
            while length < next
                && ids[next - 1 - length] == ids[ids.len() - 1 - length]
                && !step.breakers.contains(ids[next - 1 - length])
            {
                length += 1;
            }
            if length >= step.allowed && !step.breakers.contains(ids[next]) {
                let best = longest.entry(ids[next]).or_insert(0);
                *best = length.max(*best);
            }
        }
        longest
    }

    #[test]
    fn matches_are_those_of_the_definition() {
        let rng = Rng::new(11, 0);
        for case in 0..400_u64 {
            let length = case % 40;
            let draw = |i| (rng.uniform(case * 100 + i, Purpose::Choice) * 3.5) as u32;
            let ids: Vec<u32> = (0..length).map(draw).collect();
            let step = dry(1 + (case % 3) as usize, if case % 2 == 0 { &[3] } else { &[] });
            assert_eq!(step.longest_matches(&ids), directly(&step, &ids), "{ids:?}");
        }
    }

    #[test]
    fn the_penalty_grows_with_the_repetition_and_stays_finite() {
        let step = dry(2, &[]);
        let matches = step.longest_matches(&[1, 2, 3, 4, 9, 1, 2, 3]);
        assert_eq!(matches, HashMap::from([(4, 3)]));
        assert!((step.penalty(3) - 0.8 * 1.75).abs() < 1e-6);
        assert_eq!(step.penalty(2), 0.8);
        assert_eq!(step.penalty(1_000_000), 1e6);
    }

    #[test]
    fn a_breaker_ends_the_match() {
        let ids = [1, 2, 50, 3, 4, 1, 2, 50, 3];
        assert_eq!(dry(2, &[]).longest_matches(&ids), HashMap::from([(4, 4)]));
        assert!(dry(2, &[50]).longest_matches(&ids).is_empty());
        assert_eq!(dry(1, &[50]).longest_matches(&ids), HashMap::from([(4, 1)]));
        assert!(dry(1, &[4]).longest_matches(&ids).is_empty(), "breakers are not penalised");
    }
}
