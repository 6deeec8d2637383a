//! Logit bias: a number added to the logits of chosen tokens; minus infinity forbids one.

use super::{Edit, History, SamplerSettings, Step};

struct LogitBias(Vec<(u32, f32)>);

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let bias = settings.logit_bias.clone();
    (!bias.is_empty()).then(|| Step::Edit(Box::new(LogitBias(bias))))
}

impl Edit for LogitBias {
    fn edit(&self, _: &History, logits: &mut [f32]) {
        for &(id, bias) in &self.0 {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit += bias;
            }
        }
    }
}
