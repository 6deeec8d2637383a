//! Choosing the next token from its logits.
//!
//! # The order
//! Whatever is switched on acts in this one order, which is llama.cpp's default chain with the
//! steps that chain lacks put beside their like:
//!
//! | | step | acts on |
//! |---|---|---|
//! | 1 | logit bias | all logits |
//! | 2 | repetition, then frequency and presence penalty | all logits |
//! | 3 | DRY | all logits |
//! | 4 | no repeated n-grams | all logits |
//! | 5 | the caller's mask (a grammar's allowed tokens) | drops |
//! | 6 | top-k | drops |
//! | 7 | typical | drops |
//! | 8 | top-p | drops |
//! | 9 | min-p | drops |
//! | 10 | epsilon, then eta | drops |
//! | 11 | XTC | drops |
//! | 12 | temperature | reshapes what is left |
//! | 13 | mirostat 2 (with it, steps 6 to 11 do not act) | drops |
//! | 14 | the draw, or with temperature 0 the best token | |
//!
//! Temperature comes last, so what may be said does not depend on it; each single step means what
//! the same step means in transformers. Temperature 0 is greedy: steps 1 to 5, then the best token;
//! steps 6 to 13 do not act. [`Sampler::steps`] names what acts.
//!
//! # What holds
//! - The same logits, settings and tokens so far give the same choice: on every machine, alone or
//!   in any batch. Random numbers are a function of seed and position ([`rng`](self)), logarithms
//!   and exponentials are our own, ties go to the lower id.
//! - [`Sampler::sample`] changes nothing but scratch space; only [`Sampler::accept`] moves on.
//! - Logits that are not finite are an error, never an endless run of token 0.
//! - Greedy choice reads the logits twice and neither sorts nor allocates.

mod candidates;
mod history;
mod logprobs;
mod math;
mod recommended;
mod rng;
mod settings;
mod steps;
mod tokens;

pub use candidates::Candidate;
pub use logprobs::{LogProb, LogSoftmax, top_logprobs};
pub use recommended::{Recommended, Value};
pub use settings::{Dry, MAX_LOGIT_BIAS, Mirostat, SamplerSettings, Xtc};
pub use tokens::TokenSet;

use candidates::Candidates;
use history::History;
use rng::{Purpose, Rng};
use steps::{Moment, Step};

/// Why no token was chosen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting makes no sense.
    #[error("sampler setting {field}: found {found}, expected {expected}")]
    Setting {
        /// The setting, or the metadata field it came from.
        field: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
    /// The logits are not one per token.
    #[error("found {found} logits, expected {expected}, one per token of the vocabulary")]
    Vocabulary {
        /// How many logits there are.
        found: usize,
        /// The size of the vocabulary.
        expected: usize,
    },
    /// The model computed something that is not a number.
    #[error("the logit of token {id} is {value}, expected a finite number")]
    NonFinite {
        /// The first such token.
        id: u32,
        /// Its logit.
        value: f32,
    },
    /// Mask, bans and n-gram rule leave nothing.
    #[error("none of {vocab} tokens is allowed here, expected at least one")]
    NothingAllowed {
        /// The size of the vocabulary.
        vocab: usize,
    },
}

impl Error {
    /// The same error about another field.
    fn of_field(self, name: &str) -> Self {
        match self {
            Self::Setting { found, expected, .. } => {
                Self::Setting { field: name.to_owned(), found, expected }
            }
            other => other,
        }
    }
}

/// A chosen token.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The token.
    pub id: u32,
    /// ln of its probability in the model's own distribution, untouched by any step;
    /// `None` unless [`SamplerSettings::logprobs`] asks for it.
    pub logprob: Option<f64>,
    /// The most probable tokens of that distribution, best first, as many as asked for.
    pub top: Vec<LogProb>,
}

/// Chooses the tokens of one sequence.
pub struct Sampler {
    settings: SamplerSettings,
    vocab: usize,
    rng: Rng,
    steps: Vec<(&'static str, Step)>,
    history: History,
    candidates: Candidates,
    mu: f64,
    /// The last choice and its surprise in bits, for mirostat.
    offered: Option<(u32, f64)>,
    /// How many tokens past the answer's end the next draw is for.
    ahead: u64,
}

impl Sampler {
    /// A sampler for a vocabulary of `vocab` tokens; settings that make no sense are refused.
    pub fn new(settings: SamplerSettings, vocab: usize) -> Result<Self, Error> {
        settings.validate()?;
        if let Some((id, _)) = settings.logit_bias.iter().find(|(id, _)| *id as usize >= vocab) {
            return Err(Error::Setting {
                field: "logit_bias".to_owned(),
                found: format!("token {id}"),
                expected: format!("tokens below {vocab}, the size of the vocabulary"),
            });
        }
        Ok(Self {
            vocab,
            rng: Rng::new(settings.seed, 0),
            steps: steps::active(&settings),
            history: History::new(settings.penalty_window),
            candidates: Candidates::new(),
            mu: steps::first_mu(&settings),
            offered: None,
            ahead: 0,
            settings,
        })
    }

    /// The same settings and seed with other random numbers: for the n-th of several answers to
    /// one prompt. Stream 0 is the default.
    #[must_use]
    pub fn with_stream(mut self, stream: u32) -> Self {
        self.rng = Rng::new(self.settings.seed, stream);
        self
    }

    /// The sampler of another answer to the same prompt, before its first token.
    pub(crate) fn sibling(&self, prompt: &[u32], stream: u32) -> Self {
        let settings = self.settings.clone();
        let mut sibling = Self {
            vocab: self.vocab,
            rng: Rng::new(settings.seed, stream),
            steps: steps::active(&settings),
            history: History::new(settings.penalty_window),
            candidates: Candidates::new(),
            mu: steps::first_mu(&settings),
            offered: None,
            ahead: 0,
            settings,
        };
        sibling.prompt(prompt);
        sibling
    }

    /// Tells what the prompt was, before the first choice; penalties look at it.
    pub fn prompt(&mut self, ids: &[u32]) {
        for &id in ids {
            if self.history.generated() == 0 {
                self.history.push_prompt(id);
            } else {
                self.history.push(id);
            }
        }
    }

    /// Chooses the next token. `logits` `[vocab]`
    pub fn sample(&mut self, logits: &[f32]) -> Result<Choice, Error> {
        self.choose(logits, None)
    }

    /// Chooses the next token among `allowed`. `logits` `[vocab]`
    pub fn sample_among(&mut self, logits: &[f32], allowed: &TokenSet) -> Result<Choice, Error> {
        self.choose(logits, Some(allowed))
    }

    /// What would be chosen `ahead` tokens later from these logits, as far as that can be known now. The
    /// random number is the one of that token. `logits` `[vocab]`
    pub(crate) fn foresee(&mut self, logits: &[f32], ahead: u64) -> Result<u32, Error> {
        self.check(logits)?;
        self.ahead = ahead;
        let id = self.run_steps(logits, None).and_then(|()| self.draw());
        self.ahead = 0;
        self.offered = None;
        id
    }

    /// Takes a token as the next one of the answer, chosen here or given from outside.
    pub fn accept(&mut self, id: u32) {
        if let (Some(mirostat), Some((offered, surprise))) = (&self.settings.mirostat, self.offered)
            && offered == id
        {
            self.mu = steps::next_mu(mirostat, self.mu, surprise);
        }
        self.offered = None;
        self.history.push(id);
    }

    /// What the draw would be made from: the tokens left after all steps, ascending by id, with
    /// their logits. With temperature 0 the best token alone. `logits` `[vocab]`
    pub fn candidates(
        &mut self,
        logits: &[f32],
        allowed: Option<&TokenSet>,
    ) -> Result<Vec<Candidate>, Error> {
        self.check(logits)?;
        self.run_steps(logits, allowed)?;
        if self.settings.is_greedy() {
            self.candidates.keep_top(1);
        }
        Ok(self.candidates.list().clone())
    }

    /// The steps these settings switch on, in the order in which they act.
    pub fn steps(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|(name, _)| *name)
    }

    /// The settings.
    pub fn settings(&self) -> &SamplerSettings {
        &self.settings
    }

    fn choose(&mut self, logits: &[f32], allowed: Option<&TokenSet>) -> Result<Choice, Error> {
        self.check(logits)?;
        let id = if self.steps.is_empty() && allowed.is_none() && self.settings.is_greedy() {
            let max = math::max(logits);
            let best = logits.iter().position(|&logit| logit == max);
            best.ok_or(Error::NothingAllowed { vocab: self.vocab })? as u32
        } else {
            self.run_steps(logits, allowed)?;
            self.draw()?
        };
        let (logprob, top) = match self.settings.logprobs {
            None => (None, Vec::new()),
            Some(n) => {
                let own = LogSoftmax::of(logits).logprob(logits[id as usize]);
                (Some(own), if n > 0 { top_logprobs(logits, n as usize) } else { Vec::new() })
            }
        };
        Ok(Choice { id, logprob, top })
    }

    /// The place in the answer that is drawn for.
    fn position(&self) -> u64 {
        self.history.generated() as u64 + self.ahead
    }

    fn check(&self, logits: &[f32]) -> Result<(), Error> {
        if logits.len() != self.vocab {
            return Err(Error::Vocabulary { found: logits.len(), expected: self.vocab });
        }
        if !math::all_finite(logits) {
            let bad = logits.iter().zip(0..).find(|(value, _)| !value.is_finite());
            let (&value, id) = bad.expect("some value was found not finite");
            return Err(Error::NonFinite { id, value });
        }
        Ok(())
    }

    /// Steps 1 to 13; at least one token is left.
    fn run_steps(&mut self, logits: &[f32], allowed: Option<&TokenSet>) -> Result<(), Error> {
        self.candidates.load(logits);
        let dense = self.candidates.logits_mut();
        for (_, step) in &self.steps {
            if let Step::Edit(edit) = step {
                edit.edit(&self.history, dense);
            }
        }
        if let Some(allowed) = allowed {
            for (logit, id) in dense.iter_mut().zip(0..) {
                if !allowed.contains(id) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        match self.candidates.max() {
            f32::NEG_INFINITY => return Err(Error::NothingAllowed { vocab: self.vocab }),
            // Only logits near the end of the number range, pushed over it by a penalty.
            f32::INFINITY => {
                let id = self.candidates.best().expect("the highest logit belongs to a token");
                return Err(Error::NonFinite { id, value: f32::INFINITY });
            }
            _ => {}
        }
        let moment = Moment { rng: &self.rng, position: self.position(), mu: self.mu };
        for (_, step) in &self.steps {
            if let Step::Cut(cut) = step {
                cut.cut(&moment, &mut self.candidates);
            }
        }
        Ok(())
    }

    /// Step 14: walks the probabilities upwards by id until they pass a random number.
    fn draw(&mut self) -> Result<u32, Error> {
        let nothing = Error::NothingAllowed { vocab: self.vocab };
        if self.settings.is_greedy() {
            return self.candidates.best().ok_or(nothing);
        }
        let target = self.rng.uniform(self.position(), Purpose::Choice);
        let (list, probabilities) = self.candidates.softmax();
        let mut sum = 0.0;
        let mut chosen = None;
        for (candidate, &p) in list.iter().zip(&*probabilities) {
            // The last token of positive probability stands in when rounding leaves the sum short.
            if p > 0.0 {
                chosen = Some(*candidate);
                sum += p;
                if sum > target {
                    break;
                }
            }
        }
        let chosen = chosen.ok_or(nothing)?;
        self.offered = self.candidates.surprise(chosen.logit).map(|bits| (chosen.id, bits));
        Ok(chosen.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_is_the_lowest_of_the_best() {
        let mut sampler = Sampler::new(SamplerSettings::greedy(), 5).unwrap();
        assert_eq!(sampler.sample(&[0.0, 3.0, -1.0, 3.0, 2.0]).unwrap().id, 1);
        assert_eq!(sampler.sample(&[-0.0, 0.0, -1.0, 0.0, -2.0]).unwrap().id, 0);
        let banned = SamplerSettings {
            logit_bias: vec![(1, f32::NEG_INFINITY)],
            ..SamplerSettings::greedy()
        };
        let mut sampler = Sampler::new(banned, 5).unwrap();
        assert_eq!(sampler.sample(&[0.0, 3.0, -1.0, 3.0, 2.0]).unwrap().id, 3);
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error_for_every_setting() {
        for settings in
            [SamplerSettings::greedy(), SamplerSettings::default(), SamplerSettings::chat()]
        {
            let mut sampler = Sampler::new(settings, 3).unwrap();
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                match sampler.sample(&[0.0, 1.0, value]) {
                    Err(Error::NonFinite { id: 2, .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            let short = sampler.sample(&[0.0, 1.0]).unwrap_err();
            assert_eq!(short, Error::Vocabulary { found: 2, expected: 3 });
        }
        let mut none = Sampler::new(SamplerSettings::greedy(), 0).unwrap();
        assert_eq!(none.sample(&[]).unwrap_err(), Error::NothingAllowed { vocab: 0 });
    }

    #[test]
    fn a_mask_is_obeyed_and_an_empty_one_is_an_error() {
        let logits = [5.0, 4.0, 3.0, 2.0];
        let mut allowed = TokenSet::none(4);
        for settings in [SamplerSettings::greedy(), SamplerSettings::chat()] {
            let mut sampler = Sampler::new(settings, 4).unwrap();
            assert_eq!(
                sampler.sample_among(&logits, &TokenSet::none(4)).unwrap_err(),
                Error::NothingAllowed { vocab: 4 }
            );
            allowed.insert(2);
            assert_eq!(sampler.sample_among(&logits, &allowed).unwrap().id, 2);
        }
    }

    #[test]
    fn a_bias_outside_the_vocabulary_is_refused() {
        let settings = SamplerSettings { logit_bias: vec![(9, 1.0)], ..SamplerSettings::default() };
        assert!(
            matches!(Sampler::new(settings, 9), Err(Error::Setting { field, .. }) if field == "logit_bias")
        );
    }

    #[test]
    fn logprobs_are_of_the_untouched_distribution() {
        let settings = SamplerSettings {
            logprobs: Some(2),
            temperature: 0.3,
            top_k: 1,
            logit_bias: vec![(0, 50.0)],
            ..SamplerSettings::default()
        };
        let logits = [0.0, 1.0, 2.0];
        let choice = Sampler::new(settings, 3).unwrap().sample(&logits).unwrap();
        let total = (1.0 + 1.0_f64.exp() + 2.0_f64.exp()).ln();
        assert_eq!(choice.id, 0);
        assert!((choice.logprob.unwrap() + total).abs() < 1e-12);
        assert_eq!(choice.top.iter().map(|x| x.id).collect::<Vec<_>>(), [2, 1]);
        assert!((choice.top[0].logprob - (2.0 - total)).abs() < 1e-12);
    }

    #[test]
    fn sampling_again_changes_nothing_and_accepting_moves_on() {
        let settings =
            SamplerSettings { mirostat: Some(Mirostat::default()), ..Default::default() };
        let logits: Vec<f32> = (0..50).map(|i| (i * 7 % 11) as f32 * 0.3).collect();
        let mut sampler = Sampler::new(settings, 50).unwrap();
        let mut ids = Vec::new();
        for _ in 0..40 {
            let choice = sampler.sample(&logits).unwrap();
            assert_eq!(sampler.sample(&logits).unwrap(), choice);
            sampler.accept(choice.id);
            ids.push(choice.id);
        }
        ids.dedup();
        assert!(ids.len() > 20, "the draws differ from position to position: {ids:?}");
    }
}
