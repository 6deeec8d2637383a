//! The steps from logits to a choice, and their one order.
//!
//! A step of kind `Edit` changes logits of the whole vocabulary; a step of kind `Cut` drops tokens
//! or reshapes what is left. Edits come first. To add a step: one file, one line in [`ORDER`].

mod dry;
mod epsilon;
mod eta;
mod logit_bias;
mod min_p;
mod mirostat;
mod no_repeat;
mod penalties;
mod temperature;
mod top_k;
mod top_p;
mod typical;
mod xtc;

use super::candidates::Candidates;
use super::history::History;
use super::rng::{Purpose, Rng};
use super::{Mirostat, SamplerSettings};

/// A step, switched on.
pub(crate) enum Step {
    /// Changes logits `[vocab]`; minus infinity forbids a token.
    Edit(Box<dyn Edit>),
    /// Works on the tokens left.
    Cut(Box<dyn Cut>),
}

/// See [`Step::Edit`].
pub(crate) trait Edit: Send + Sync {
    fn edit(&self, history: &History, logits: &mut [f32]);
}

/// See [`Step::Cut`].
pub(crate) trait Cut: Send + Sync {
    fn cut(&self, moment: &Moment<'_>, candidates: &mut Candidates);
}

/// What a step may know about the moment it acts in.
pub(crate) struct Moment<'a> {
    pub(crate) rng: &'a Rng,
    /// How many tokens the answer has so far.
    pub(crate) position: u64,
    /// Mirostat's running limit on surprise, in bits.
    pub(crate) mu: f64,
}

impl Moment<'_> {
    pub(crate) fn uniform(&self, purpose: Purpose) -> f64 {
        self.rng.uniform(self.position, purpose)
    }
}

/// Builds a step from the settings; `None` when they leave it off.
type Build = fn(&SamplerSettings) -> Option<Step>;

/// Every step, in the order in which they act.
pub(crate) const ORDER: &[(&str, Build)] = &[
    ("logit_bias", logit_bias::step),
    ("penalties", penalties::step),
    ("dry", dry::step),
    ("no_repeat_ngram", no_repeat::step),
    ("top_k", top_k::step),
    ("typical_p", typical::step),
    ("top_p", top_p::step),
    ("min_p", min_p::step),
    ("epsilon", epsilon::step),
    ("eta", eta::step),
    ("xtc", xtc::step),
    ("temperature", temperature::step),
    ("mirostat", mirostat::step),
];

/// The steps these settings switch on, in order. Greedy choice needs no cut (none drops the best
/// token but those that are about drawing), and mirostat stands in for the other cuts.
pub(crate) fn active(settings: &SamplerSettings) -> Vec<(&'static str, Step)> {
    let wanted = |name: &str, step: &Step| match step {
        Step::Edit(_) => true,
        Step::Cut(_) if settings.is_greedy() => false,
        Step::Cut(_) => settings.mirostat.is_none() || matches!(name, "temperature" | "mirostat"),
    };
    ORDER
        .iter()
        .filter_map(|&(name, build)| build(settings).map(|step| (name, step)))
        .filter(|(name, step)| wanted(name, step))
        .collect()
}

/// Mirostat's limit before the first token.
pub(crate) fn first_mu(settings: &SamplerSettings) -> f64 {
    settings.mirostat.as_ref().map_or(0.0, |mirostat| 2.0 * f64::from(mirostat.tau))
}

/// Mirostat's limit after a token of this surprise, in bits.
pub(crate) fn next_mu(mirostat: &Mirostat, mu: f64, surprise: f64) -> f64 {
    mirostat::next_mu(mirostat, mu, surprise)
}

#[cfg(test)]
mod tests {
    use super::super::{Dry, TokenSet, Xtc};
    use super::*;

    fn everything() -> SamplerSettings {
        SamplerSettings {
            temperature: 0.5,
            top_k: 10,
            top_p: 0.9,
            min_p: 0.01,
            typical_p: 0.9,
            epsilon_cutoff: 0.001,
            eta_cutoff: 0.001,
            repetition_penalty: 1.1,
            no_repeat_ngram_size: 3,
            dry: Dry {
                multiplier: 0.8,
                base: 1.75,
                allowed_length: 2,
                window: 0,
                breakers: TokenSet::default(),
            },
            xtc: Xtc { probability: 0.5, threshold: 0.1 },
            logit_bias: vec![(0, 1.0)],
            ..SamplerSettings::default()
        }
    }

    #[test]
    fn neutral_settings_have_no_steps_and_edits_come_before_cuts() {
        assert!(active(&SamplerSettings::default()).is_empty());
        let steps = active(&everything());
        assert_eq!(steps.len(), ORDER.len() - 1);
        let first_cut = steps.iter().position(|(_, step)| matches!(step, Step::Cut(_))).unwrap();
        assert!(steps[first_cut..].iter().all(|(_, step)| matches!(step, Step::Cut(_))));
    }

    #[test]
    fn mirostat_replaces_the_cuts_and_greedy_needs_none() {
        let mut settings = everything();
        settings.mirostat = Some(Mirostat::default());
        let names: Vec<_> = active(&settings).iter().map(|(name, _)| *name).collect();
        let edits = ["logit_bias", "penalties", "dry", "no_repeat_ngram"];
        assert_eq!(names, [&edits[..], &["temperature", "mirostat"]].concat());
        settings.temperature = 0.0;
        let names: Vec<_> = active(&settings).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, edits);
    }
}
