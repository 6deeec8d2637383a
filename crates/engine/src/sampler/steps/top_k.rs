//! Top-k: the k best tokens stay (Fan et al., "Hierarchical neural story generation", 2018).
//! Exactly k: of equal logits at the border the lower ids stay.

use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct TopK(usize);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let k = settings.top_k as usize;
    (k > 0).then(|| Step::Cut(Box::new(TopK(k))))
}

impl Cut for TopK {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        candidates.keep_top(self.0);
    }
}
