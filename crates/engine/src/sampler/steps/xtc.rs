//! XTC, "Exclude Top Choices": with a given probability, all tokens above a threshold are dropped
//! but the least probable of them, so that something sensible always remains. (Proposal by p-e-w,
//! text-generation-webui pull request 6335.) Of equal candidates for the one that stays, the
//! highest id stays: it is the last in order of preference.

use super::{Candidates, Cut, Moment, Purpose, SamplerSettings, Step};

struct Xtc {
    probability: f64,
    threshold: f64,
}

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let xtc = &settings.xtc;
    let step = Xtc { probability: f64::from(xtc.probability), threshold: f64::from(xtc.threshold) };
    // Above one half there cannot be two such tokens.
    (step.probability > 0.0 && step.threshold <= 0.5).then(|| Step::Cut(Box::new(step)))
}

impl Cut for Xtc {
    fn cut(&self, moment: &Moment<'_>, candidates: &mut Candidates) {
        if moment.uniform(Purpose::Xtc) >= self.probability {
            return;
        }
        let (list, probabilities) = candidates.softmax();
        let mut least: Option<(f64, u32)> = None;
        for (c, &p) in list.iter().zip(&*probabilities) {
            if p >= self.threshold && least.is_none_or(|(least, _)| p <= least) {
                least = Some((p, c.id));
            }
        }
        if let Some((_, stays)) = least {
            candidates.keep_probable(|id, p| p < self.threshold || id == stays);
        }
    }
}
