//! Repetition, frequency and presence penalties, for the tokens in the penalty window.
//!
//! Repetition acts on tokens of prompt and answer: positive logits are divided by the penalty,
//! negative ones multiplied (Keskar et al., "CTRL", 2019, with the sign rule all engines share).
//! Frequency and presence act on tokens of the answer, as in the OpenAI interface: count ×
//! frequency, and presence once, are subtracted.

use super::{Edit, History, SamplerSettings, Step};

struct Penalties {
    repetition: f32,
    frequency: f32,
    presence: f32,
}

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let penalties = Penalties {
        repetition: settings.repetition_penalty,
        frequency: settings.frequency_penalty,
        presence: settings.presence_penalty,
    };
    let off =
        penalties.repetition == 1.0 && penalties.frequency == 0.0 && penalties.presence == 0.0;
    (!off).then(|| Step::Edit(Box::new(penalties)))
}

impl Edit for Penalties {
    fn edit(&self, history: &History, logits: &mut [f32]) {
        for (id, count) in history.counts() {
            let Some(logit) = logits.get_mut(id as usize) else { continue };
            if *logit <= 0.0 {
                *logit *= self.repetition;
            } else {
                *logit /= self.repetition;
            }
            if count.generated > 0 {
                *logit -= count.generated as f32 * self.frequency + self.presence;
            }
        }
    }
}
