//! The tokens a sampler has seen, with their counts kept up to date as they come.

use std::collections::HashMap;

/// How often an id lies within the penalty window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// In the prompt or the answer.
    pub(crate) seen: u32,
    /// In the answer alone.
    pub(crate) generated: u32,
}

/// Prompt and answer so far.
#[derive(Debug, Clone)]
pub(crate) struct History {
    ids: Vec<u32>,
    prompt: usize,
    window: usize,
    /// Visited in any order: what penalties do to one id does not depend on another.
    counts: HashMap<u32, Count>,
}

impl History {
    /// `window`: how many of the last ids count; 0 for all.
    pub(crate) fn new(window: u32) -> Self {
        let window = if window == 0 { usize::MAX } else { window as usize };
        Self { ids: Vec::new(), prompt: 0, window, counts: HashMap::new() }
    }

    pub(crate) fn push_prompt(&mut self, id: u32) {
        debug_assert_eq!(self.prompt, self.ids.len(), "the prompt comes before the answer");
        self.prompt += 1;
        self.push(id);
    }

    pub(crate) fn push(&mut self, id: u32) {
        let position = self.ids.len();
        self.ids.push(id);
        let count = self.counts.entry(id).or_default();
        count.seen += 1;
        count.generated += u32::from(position >= self.prompt);
        if let Some(leaving) = position.checked_sub(self.window) {
            self.forget(leaving);
        }
    }

    fn forget(&mut self, position: usize) {
        let id = self.ids[position];
        if let Some(count) = self.counts.get_mut(&id) {
            count.seen -= 1;
            count.generated -= u32::from(position >= self.prompt);
            if count.seen == 0 {
                self.counts.remove(&id);
            }
        }
    }

    /// Prompt and answer, oldest first.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many ids of the answer there are.
    pub(crate) fn generated(&self) -> usize {
        self.ids.len() - self.prompt
    }

    /// The ids within the penalty window, each once.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u32, Count)> {
        self.counts.iter().map(|(&id, &count)| (id, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_window() {
        for window in [0_u32, 1, 2, 3, 7] {
            let mut history = History::new(window);
            for step in 0..60_u32 {
                let id = step * step % 7;
                if step < 20 {
                    history.push_prompt(id);
                } else {
                    history.push(id);
                }
                let ids = history.ids();
                let start = if window == 0 { 0 } else { ids.len().saturating_sub(window as usize) };
                for id in 0..7 {
                    let direct = Count {
                        seen: ids[start..].iter().filter(|&&x| x == id).count() as u32,
                        generated: (start.max(20)..ids.len()).filter(|&i| ids[i] == id).count()
                            as u32,
                    };
                    let kept = history.counts().find(|&(own, _)| own == id).map(|(_, count)| count);
                    assert_eq!(kept.unwrap_or_default(), direct, "window {window} step {step}");
                }
            }
            assert_eq!(history.generated(), 40);
        }
    }
}
