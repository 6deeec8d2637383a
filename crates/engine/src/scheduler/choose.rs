//! Choosing the tokens of a step, on several threads where there are many.
//!
//! A draw from a vocabulary of 150,000 costs a millisecond; for thirty answers that is a good part of a
//! step. Answers know nothing of each other, so which thread chooses for whom changes nothing.

use super::Sequence;
use crate::{Event, sampler::TokenSet};

/// Logits from which a second thread is worth its start.
pub(super) const PARALLEL_FROM: usize = 1 << 20;

/// One sequence's part of a step's result.
pub(super) struct Job<'s> {
    pub(super) sequence: &'s mut Sequence,
    /// Its rows, guesses included.
    pub(super) rows: usize,
    /// `[wanted, vocab]`
    pub(super) logits: &'s [f32],
    /// What came of it.
    pub(super) events: Vec<Event>,
    /// Answers that begin.
    pub(super) forks: Vec<Sequence>,
    done: bool,
}

impl<'s> Job<'s> {
    pub(super) fn new(sequence: &'s mut Sequence, rows: usize, logits: &'s [f32]) -> Self {
        Job { sequence, rows, logits, events: vec![], forks: vec![], done: false }
    }

    fn run(&mut self, mask: &mut TokenSet) {
        if !self.done {
            self.forks = self.sequence.advance(self.rows, self.logits, mask, &mut self.events);
            self.done = true;
        }
    }
}

/// Runs all jobs, on as many threads as there are masks when they have `parallel_from` logits or more.
pub(super) fn run(jobs: &mut [Job<'_>], masks: &mut [TokenSet], parallel_from: usize) {
    let logits: usize = jobs.iter().map(|job| job.logits.len()).sum();
    let threads = masks.len().min(jobs.len());
    if threads > 1 && logits >= parallel_from {
        let each = jobs.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let mut parts = jobs.chunks_mut(each).zip(&mut *masks);
            let own = parts.next();
            for (jobs, mask) in parts {
                let choose = move || jobs.iter_mut().for_each(|job| job.run(mask));
                let thread = std::thread::Builder::new().name("choose".to_owned());
                // Where the system refuses a thread, its jobs are done below.
                drop(thread.spawn_scoped(scope, choose));
            }
            if let Some((jobs, mask)) = own {
                jobs.iter_mut().for_each(|job| job.run(mask));
            }
        });
    }
    if let Some(mask) = masks.first_mut() {
        jobs.iter_mut().for_each(|job| job.run(mask));
    }
}
