//! Epsilon sampling: tokens of at least this probability stay, else the best one (Hewitt et al.,
//! "Truncation sampling as language model desmoothing", 2022).

use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct Epsilon(f64);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let epsilon = f64::from(settings.epsilon_cutoff);
    (epsilon > 0.0).then(|| Step::Cut(Box::new(Epsilon(epsilon))))
}

impl Cut for Epsilon {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        candidates.keep_probable(|_, p| p >= self.0);
    }
}
