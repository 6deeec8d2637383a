//! Top-p, nucleus sampling: the fewest best tokens whose probabilities reach p stay, at least one
//! (Holtzman et al., "The curious case of neural text degeneration", 2019).

use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct TopP(f64);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    (settings.top_p < 1.0).then(|| Step::Cut(Box::new(TopP(f64::from(settings.top_p)))))
}

impl Cut for TopP {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        let wanted = self.0 * candidates.total_weight();
        let mut sum = 0.0;
        candidates.keep_best_while(|weight| {
            sum += weight;
            sum < wanted
        });
    }
}
