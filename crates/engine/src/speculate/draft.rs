//! Guesses of a smaller model with the same vocabulary.
//!
//! It reads what the answer's model reads, in a cache of its own, and goes ahead of it ("speculative
//! decoding", Leviathan, Kalman, Matias, 2023). Where the answer is sampled it draws with the random
//! numbers that the answer will draw with: two models that think alike then choose alike, so sampled
//! answers are guessed nearly as well as greedy ones.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Batch, Capacity, Error, Executor,
    intake::{Intake, variants},
    pages::{Domain, Held, Pages},
    sampler::Sampler,
};

/// An answer that wants guesses.
pub(crate) struct Wish<'s> {
    /// Which answer.
    pub(crate) key: (u64, u32),
    /// Prompt and answer so far.
    pub(crate) ids: &'s [u32],
    pub(crate) domain: &'s Domain,
    pub(crate) sampler: &'s mut Sampler,
    /// So many guesses are wanted; those given replace what it holds.
    pub(crate) draft: &'s mut Vec<u32>,
}

/// See the module.
pub(crate) struct Drafter {
    executor: Box<dyn Executor>,
    capacity: Capacity,
    intake: Arc<Intake>,
    pages: Pages,
    known: BTreeMap<(u64, u32), Known>,
    batch: Batch,
}

/// What the drafter has read of an answer.
struct Known {
    ids: Vec<u32>,
    held: Held,
    rope_length: usize,
}

impl Drafter {
    pub(crate) fn new(
        executor: Box<dyn Executor>,
        capacity: Capacity,
        intake: Arc<Intake>,
    ) -> Self {
        let pages = Pages::new(capacity.pages);
        Drafter {
            executor,
            capacity,
            intake,
            pages,
            known: BTreeMap::new(),
            batch: Batch::default(),
        }
    }

    /// Forgets answers that `runs` no more.
    pub(crate) fn keep(&mut self, runs: impl Fn((u64, u32)) -> bool) {
        for (key, mut known) in std::mem::take(&mut self.known) {
            if runs(key) {
                self.known.insert(key, known);
            } else {
                let Known { ids, held, .. } = &mut known;
                self.pages.release(held, ids, ids.len());
            }
        }
    }

    /// Fills every draft with guesses, as many as it has entries, or empties it: where the smaller model
    /// has no room, or has yet to read what came before. One call reads one step's rows at most.
    pub(crate) fn guess(&mut self, mut wishes: Vec<Wish<'_>>) -> Result<(), Error> {
        wishes.retain_mut(|wish| !wish.draft.is_empty());
        let wanted: Vec<usize> = wishes.iter().map(|wish| wish.draft.len()).collect();
        wishes.iter_mut().for_each(|wish| wish.draft.clear());
        let mut ready = self.read(&mut wishes, &wanted)?;
        let vocab = self.intake.file().model().vocab;
        for ahead in 1.. {
            ready.retain(|at| wishes[*at].draft.len() < wanted[*at]);
            if ready.is_empty() {
                return Ok(());
            }
            self.batch.clear();
            for at in &ready {
                let wish = &wishes[*at];
                let (Some(known), Some(last)) = (self.known.get_mut(&wish.key), wish.draft.last())
                else {
                    continue;
                };
                let position = known.ids.len();
                known.ids.push(*last);
                let (pages, rope) = (known.held.pages(), known.rope_length);
                self.batch.push(&[*last], position, pages, rope, 0..1);
            }
            let logits = self.executor.run(&self.batch)?;
            for (at, row) in ready.iter().zip(logits.chunks_exact(vocab)) {
                let wish = &mut wishes[*at];
                wish.draft.push(wish.sampler.foresee(row, ahead)?);
            }
        }
        Ok(())
    }

    /// Reads what is new of every answer, and guesses one token for those read whole: their places.
    fn read(&mut self, wishes: &mut [Wish<'_>], wanted: &[usize]) -> Result<Vec<usize>, Error> {
        let vocab = self.intake.file().model().vocab;
        self.batch.clear();
        let mut ready = vec![];
        for (at, wish) in wishes.iter().enumerate() {
            let room = self.capacity.rows - self.batch.rows();
            let length = wish.ids.len();
            let fits = length + wanted[at] <= self.intake.context();
            if room == 0 || self.batch.wanted.len() >= self.capacity.wanted || !fits {
                continue;
            }
            let known = self.known.remove(&wish.key).unwrap_or_else(|| self.begin(wish));
            let mut known = self.reconcile(known, wish);
            let first = known.ids.len();
            let end = length.min(first + room);
            if self.pages.grow(&mut known.held, end + wanted[at]).is_ok() {
                let whole = end == length;
                let rows = if whole { end - first - 1..end - first } else { 0..0 };
                let (pages, rope) = (known.held.pages(), known.rope_length);
                self.batch.push(&wish.ids[first..end], first, pages, rope, rows);
                known.ids.extend_from_slice(&wish.ids[first..end]);
                if whole {
                    ready.push(at);
                }
            }
            self.known.insert(wish.key, known);
        }
        if self.batch.rows() == 0 {
            return Ok(ready);
        }
        let logits = self.executor.run(&self.batch)?;
        for (at, row) in ready.iter().zip(logits.chunks_exact(vocab)) {
            let wish = &mut wishes[*at];
            wish.draft.push(wish.sampler.foresee(row, 0)?);
        }
        Ok(ready)
    }

    fn begin(&self, wish: &Wish<'_>) -> Known {
        let ropes = &self.intake.file().model().graph.ropes;
        let rope_length = wish.ids.len();
        let variants = variants(ropes, rope_length);
        let domain = Domain { variants, ..wish.domain.clone() };
        Known { ids: vec![], held: Held::new(Arc::new(domain)), rope_length }
    }

    /// Keeps of what was read what agrees with the answer, all but its last token.
    fn reconcile(&mut self, mut known: Known, wish: &Wish<'_>) -> Known {
        let last = wish.ids.len() - 1;
        let common = known.ids.iter().zip(wish.ids).take_while(|(a, b)| a == b).count().min(last);
        known.ids.truncate(common);
        if common < known.held.sealed_tokens() {
            // Old text has been dropped; nothing is where it was.
            self.pages.release(&mut known.held, &[], 0);
            known = self.begin(wish);
        }
        // What is agreed stays so: answers only grow.
        self.pages.seal(&mut known.held, &known.ids, known.ids.len());
        let computed = self.pages.follow(&mut known.held, wish.ids, known.ids.len(), last);
        known.ids.extend_from_slice(&wish.ids[known.ids.len()..computed]);
        known
    }
}
