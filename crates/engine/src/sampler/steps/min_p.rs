//! Min-p: tokens with at least a share of the best token's probability stay (Nguyen et al.,
//! "Turning up the heat: min-p sampling", 2024). In logits: within ln(share) of the best.

use super::super::math;
use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct MinP {
    distance: f32,
}

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let share = f64::from(settings.min_p);
    // Below the smallest normal number the share keeps everything that could ever be drawn.
    (share >= f64::from(f32::MIN_POSITIVE))
        .then(|| Step::Cut(Box::new(MinP { distance: math::ln(share) as f32 })))
}

impl Cut for MinP {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        candidates.keep_at_least(candidates.max() + self.distance);
    }
}
