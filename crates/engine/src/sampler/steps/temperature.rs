//! Temperature: logits divided by T. The best logit is taken off first, which leaves the
//! distribution as it is and keeps the quotient finite for every T.

use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct Temperature(f32);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let temperature = settings.temperature;
    (temperature != 1.0 && temperature > 0.0).then(|| Step::Cut(Box::new(Temperature(temperature))))
}

impl Cut for Temperature {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        let max = candidates.max();
        for candidate in candidates.list() {
            candidate.logit = (candidate.logit - max) / self.0;
        }
    }
}
