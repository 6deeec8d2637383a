//! Locally typical sampling: the tokens whose surprise is nearest the expected surprise stay,
//! until their probabilities reach p; at least one (Meister et al., "Locally typical sampling",
//! 2022). Ties in nearness go to the lower id.

use super::super::math;
use super::{Candidates, Cut, Moment, SamplerSettings, Step};

struct Typical(f64);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    (settings.typical_p < 1.0).then(|| Step::Cut(Box::new(Typical(f64::from(settings.typical_p)))))
}

impl Cut for Typical {
    fn cut(&self, _: &Moment<'_>, candidates: &mut Candidates) {
        let max = f64::from(candidates.max());
        let total = math::ln(candidates.total_weight());
        let (list, probabilities) = candidates.softmax();
        let surprises = list.iter().map(|c| total - (f64::from(c.logit) - max));
        let entropy: f64 = surprises.clone().zip(&*probabilities).map(|(s, p)| s * p).sum();
        // Distances are not negative, so their bits order as they do.
        let mut order: Vec<(u64, u32)> =
            surprises.zip(0..).map(|(s, place)| ((s - entropy).abs().to_bits(), place)).collect();
        order.sort_unstable();
        let mut sum = 0.0;
        let mut kept = 0;
        while kept < order.len() && (kept == 0 || sum < self.0) {
            sum += probabilities[order[kept].1 as usize];
            kept += 1;
        }
        let border = order.get(kept).copied();
        let mut place = 0;
        let surprise_of = |logit: f32| total - (f64::from(logit) - max);
        list.retain(|c| {
            let key = ((surprise_of(c.logit) - entropy).abs().to_bits(), place);
            place += 1;
            border.is_none_or(|border| key < border)
        });
    }
}
