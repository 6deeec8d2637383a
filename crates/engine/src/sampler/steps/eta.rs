//! Eta sampling: epsilon sampling whose threshold falls where the distribution is flat:
//! min(ε, √ε · e^-entropy) (Hewitt et al., "Truncation sampling as language model desmoothing",
//! 2022).

use super::super::math;
use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct Eta(f64);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let epsilon = f64::from(settings.eta_cutoff);
    (epsilon > 0.0).then(|| Step::Cut(Box::new(Eta(epsilon))))
}

impl Cut for Eta {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        let max = f64::from(candidates.max());
        let total = math::ln(candidates.total_weight());
        let (list, probabilities) = candidates.softmax();
        let surprise = |logit: f32| total - (f64::from(logit) - max);
        let entropy: f64 =
            list.iter().zip(&*probabilities).map(|(c, p)| surprise(c.logit) * p).sum();
        let threshold = self.0.min(self.0.sqrt() * math::exp(-entropy));
        candidates.keep_probable(|_, p| p >= threshold);
    }
}
