//! No repeated n-grams: a token that would complete a run of n tokens already in the text is
//! forbidden (Paulus et al., "A deep reinforced model for abstractive summarization", 2017).

use super::{Edit, History, SamplerSettings, Step};

struct NoRepeat {
    size: usize,
}

pub(super) fn step(settings: &SamplerSettings) -> Option<Step> {
    let size = settings.no_repeat_ngram_size as usize;
    (size > 0).then(|| Step::Edit(Box::new(NoRepeat { size })))
}

impl Edit for NoRepeat {
    fn edit(&self, history: &History, logits: &mut [f32]) {
        let ids = history.ids();
        if ids.len() < self.size {
            return;
        }
        let end = &ids[ids.len() + 1 - self.size..];
        for run in ids.windows(self.size) {
            let (&last, start) = run.split_last().expect("a run has at least one token");
            if start == end
                && let Some(logit) = logits.get_mut(last as usize)
            {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}
