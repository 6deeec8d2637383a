//! Which rows a step computes, and for whom.
//!
//! Continuous batching: every step takes in whoever fits, gives each running answer its next row, and
//! fills the rest with pieces of prompts. What decides about order and room decides about nothing
//! else: an answer's bytes follow from its request alone, so a sequence can be put back and computed
//! again, share pages with others, or have its guesses verified many at a time, and nobody can tell.
//!
//! - **Turns** ([`queue`]): strictly by priority; within one, the tenant next that runs least for its
//!   weight, then the one that has had the least service for its weight (virtual token counters: Sheng et
//!   al., "Fairness in Serving Large Language Models", 2024); within a tenant by arrival.
//! - **Room** ([`room`]): a request is admitted when pages for its prompt are there. Who needs a page and
//!   finds none puts the youngest back. A tenant that waits with less than its share makes a tenant with
//!   more than its share put one back.
//! - **Rows** ([`share`]): answers first, always; then prompts, each tenant its share, half of it to the
//!   prompt that came first and half to the one with the least left, so that neither long nor short ones
//!   stall.

mod choose;
mod pace;
mod queue;
mod room;
mod sequence;
mod share;

use std::{collections::HashSet, sync::Arc, time::Instant};

use kernels::PAGE_TOKENS;
use model::Rope;

use crate::{
    Batch, Error, Event, FinishReason, Metrics, ModelFile, Policy, RequestId, Speculation,
    intake::variants,
    pages::{Domain, Held, Pages},
    sampler::TokenSet,
    speculate::{Costs, Drafter, Wish, lookup},
};
use choose::Job;
use pace::Pace;
use queue::{Queue, Tenants};
pub(crate) use sequence::{Outcome, Sequence, Terms};
use share::Claim;

/// What generating a token counts in service, relative to computing one of a prompt.
const TOKEN_COST: u64 = 2;

/// See the module.
pub(crate) struct Scheduler {
    pub(crate) pages: Pages,
    /// In order of arrival.
    running: Vec<Sequence>,
    queue: Queue,
    tenants: Tenants,
    limits: Limits,
    policy: Policy,
    pace: Pace,
    costs: Costs,
    drafter: Option<Box<Drafter>>,
    /// One for each thread that chooses tokens.
    masks: Vec<TokenSet>,
    /// Logits from which several threads choose.
    pub(crate) parallel_from: usize,
    metrics: Metrics,
    file: Arc<ModelFile>,
}

/// What a step can hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rows.
    pub(crate) rows: usize,
    /// Rows of logits: as many answers run at most, so that each can go on in every step.
    pub(crate) wanted: usize,
    /// Threads that choose tokens.
    pub(crate) threads: usize,
}

/// A sequence's part of a step.
#[derive(Debug)]
pub(crate) struct Part {
    index: usize,
    /// Its rows, guesses included.
    rows: usize,
    /// Its rows of logits.
    wanted: usize,
}

impl Scheduler {
    pub(crate) fn new(file: Arc<ModelFile>, pages: usize, limits: Limits) -> Self {
        Scheduler {
            pages: Pages::new(pages),
            running: vec![],
            queue: Queue::default(),
            tenants: Tenants::default(),
            limits,
            policy: Policy::default(),
            pace: Pace::default(),
            costs: Costs::default(),
            drafter: None,
            masks: vec![TokenSet::none(file.model().vocab); limits.threads.max(1)],
            parallel_from: choose::PARALLEL_FROM,
            metrics: Metrics::default(),
            file,
        }
    }

    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Who guesses, with [`Speculation::Draft`].
    pub(crate) fn set_drafter(&mut self, drafter: Drafter) {
        self.drafter = Some(Box::new(drafter));
    }

    /// Takes a request in.
    pub(crate) fn enter(&mut self, sequence: Sequence) {
        self.tenants.enter(&sequence);
        self.queue.push(sequence);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty()
    }

    /// Ends a request's answers, or one of them.
    pub(crate) fn cancel(&mut self, id: RequestId, choice: Option<u32>) -> Result<(), Error> {
        let mut found = false;
        let of = |s: &&mut Sequence| s.id == id && choice.is_none_or(|choice| s.choice == choice);
        for sequence in self.running.iter_mut().chain(self.queue.iter_mut()).filter(of) {
            sequence.end(FinishReason::Cancelled);
            found = true;
        }
        if found { Ok(()) } else { Err(Error::NoSuchSequence(id.0)) }
    }

    /// Ends every request.
    pub(crate) fn cancel_all(&mut self) {
        for sequence in self.running.iter_mut().chain(self.queue.iter_mut()) {
            sequence.end(FinishReason::Cancelled);
        }
    }

    /// Before a step: whoever has ended goes, whoever fits comes.
    pub(crate) fn begin(&mut self, now: Instant, events: &mut Vec<Event>) {
        for sequence in self.running.iter_mut().chain(self.queue.iter_mut()) {
            if sequence.terms.deadline.is_some_and(|deadline| deadline <= now) {
                sequence.end(FinishReason::Deadline);
            }
        }
        self.retire(events);
        self.admit(now, events);
    }

    /// Fills the batch.
    pub(crate) fn form(&mut self, batch: &mut Batch) -> Vec<Part> {
        batch.clear();
        self.secure();
        self.guess();
        let mut parts = vec![];
        for index in 0..self.running.len() {
            if self.running[index].left() == 1 {
                self.put(index, 1, batch, &mut parts);
            }
        }
        let room = self.limits.rows - batch.rows();
        let budget = if parts.is_empty() { room } else { room.min(self.beside()) };
        let grants = self.grants(budget);
        let mut underway: HashSet<_> = self
            .running
            .iter()
            .filter(|s| !s.computed.is_multiple_of(PAGE_TOKENS))
            .filter_map(|s| s.held.next_name(&s.ids))
            .collect();
        for (index, rows) in grants {
            let sequence = &self.running[index];
            let whole = sequence.computed + PAGE_TOKENS <= sequence.shareable();
            // A page that somebody computes already is there to be shared after the step.
            if sequence.computed.is_multiple_of(PAGE_TOKENS)
                && whole
                && let Some(name) = sequence.held.next_name(&sequence.ids)
                && !underway.insert(name)
            {
                continue;
            }
            self.put(index, rows, batch, &mut parts);
        }
        parts
    }

    /// How the rows left are divided among unfinished prompts: `(index, rows)`.
    fn grants(&mut self, budget: usize) -> Vec<(usize, usize)> {
        let mut claims = vec![];
        for (index, sequence) in self.running.iter_mut().enumerate() {
            if sequence.left() <= 1 || sequence.outcome.is_some() {
                continue;
            }
            let gained = sequence.follow(&mut self.pages);
            self.metrics.cached_tokens += gained as u64;
            let terms = &sequence.terms;
            claims.push(Claim {
                index,
                tenant: terms.tenant,
                weight: terms.weight as usize,
                priority: terms.priority,
                left: sequence.left(),
            });
        }
        share::split(budget, &claims)
    }

    /// Prompt tokens to compute beside running answers.
    fn beside(&self) -> usize {
        let most = self.policy.prefill_beside;
        let paced = self.policy.step_target.and_then(|target| self.pace.rows_within(target));
        paced.map_or(most, |paced| paced.min(most)).max(Policy::PREFILL_MIN)
    }

    /// Puts a sequence's next rows into the batch, as far as there is room for their logits.
    fn put(&mut self, index: usize, rows: usize, batch: &mut Batch, parts: &mut Vec<Part>) {
        let sequence = &self.running[index];
        let mut rows = rows.min(sequence.left());
        let room = self.limits.wanted - batch.wanted.len();
        let wanted = if sequence.outcome.is_some() {
            return;
        } else if !sequence.draft.is_empty() {
            0..rows + sequence.draft.len()
        } else if sequence.is_telling() {
            rows = rows.min(room);
            0..rows
        } else if rows < sequence.left() || sequence.terms.max_tokens == Some(0) {
            0..0
        } else if room > 0 {
            rows - 1..rows
        } else {
            // No room for one more row of logits: leave the last token for the next step.
            rows -= 1;
            0..0
        };
        if rows == 0 {
            return;
        }
        let first = sequence.computed;
        let mut ids = sequence.ids[first..first + rows].to_vec();
        ids.extend(&sequence.draft);
        parts.push(Part { index, rows: ids.len(), wanted: wanted.len() });
        batch.push(&ids, first, sequence.held.pages(), sequence.rope_length, wanted);
    }

    /// Makes guesses, as many as pay.
    fn guess(&mut self) {
        let speculation = self.policy.speculation;
        let drafts =
            matches!(speculation, Speculation::Draft { .. } | Speculation::DraftAlways { .. });
        if speculation.most() == 0 || (drafts && self.drafter.is_none()) {
            return;
        }
        let ropes = &self.file.model().graph.ropes;
        let taken = self.running.len();
        let mut room =
            (self.limits.wanted.saturating_sub(taken)).min(self.limits.rows.saturating_sub(taken));
        for sequence in &mut self.running {
            sequence.draft.clear();
            let most = speculation.most().min(room).min(sequence.guessable(ropes));
            if most == 0 {
                continue;
            }
            if drafts {
                // Places for guesses that are made when it is known how many pay.
                sequence.draft.resize(most, 0);
            } else {
                sequence.draft.extend_from_slice(lookup(&sequence.ids, most));
            }
            let needed = sequence.ids.len() + sequence.draft.len();
            if self.pages.grow(&mut sequence.held, needed).is_err() {
                sequence.draft.clear();
            }
            room -= sequence.draft.len();
        }
        if matches!(speculation, Speculation::PromptLookup { .. } | Speculation::Draft { .. }) {
            let answers = self.running.iter_mut().filter(|s| s.left() == 1);
            self.costs.choose(answers.map(|s| (&mut s.draft, &mut s.luck)).collect());
        }
        if drafts {
            self.draft();
        }
    }

    /// Lets the smaller model fill the places for guesses. One that fails is not asked again: answers
    /// don't need it.
    fn draft(&mut self) {
        let Some(mut drafter) = self.drafter.take() else { return };
        let start = Instant::now();
        let ahead = self.running.iter().map(|s| s.draft.len()).max().unwrap_or(0);
        drafter.keep(|key| self.running.iter().any(|s| s.order() == key));
        let wishes = self.running.iter_mut().map(|s| Wish {
            key: s.order(),
            ids: &s.ids,
            domain: s.held.domain(),
            sampler: &mut s.sampler,
            draft: &mut s.draft,
        });
        match drafter.guess(wishes.collect()) {
            Ok(()) => self.drafter = Some(drafter),
            Err(_) => self.running.iter_mut().for_each(|s| s.draft.clear()),
        }
        self.costs.record_guess(ahead, start.elapsed().as_secs_f64());
    }

    /// After a step: every part's tokens, from its rows of `logits` `[wanted, vocab]`.
    pub(crate) fn take(
        &mut self,
        parts: &[Part],
        logits: &[f32],
        seconds: f64,
        events: &mut Vec<Event>,
    ) {
        let vocab = self.file.model().vocab;
        let rows = parts.iter().map(|part| part.rows).sum();
        let pure = parts.iter().all(|part| self.running[part.index].left() == 1);
        self.record(rows, seconds, pure);
        let before: Vec<_> = parts.iter().map(|part| self.running[part.index].count()).collect();
        let mut logits = logits;
        let mut sequences: Vec<_> = self.running.iter_mut().map(Some).collect();
        let job = |part: &Part| {
            let (own, rest) = logits.split_at((part.wanted * vocab).min(logits.len()));
            logits = rest;
            sequences[part.index].take().map(|sequence| Job::new(sequence, part.rows, own))
        };
        let mut jobs: Vec<Job<'_>> = parts.iter().filter_map(job).collect();
        choose::run(&mut jobs, &mut self.masks, self.parallel_from);
        let mut forks = vec![];
        for job in jobs {
            events.extend(job.events);
            forks.extend(job.forks);
        }
        for (part, (computed, tokens, drafted)) in parts.iter().zip(before) {
            let sequence = &mut self.running[part.index];
            if tokens == 0 {
                self.metrics.prompt_tokens += part.rows as u64;
            }
            let tokens = (sequence.usage.completion_tokens - tokens) as u64;
            self.metrics.generated_tokens += tokens;
            self.metrics.drafted += drafted as u64;
            let grown = sequence.computed - computed;
            self.metrics.accepted += (grown + drafted - part.rows) as u64;
            self.tenants.charge(&sequence.terms, part.rows as u64 + TOKEN_COST * tokens);
            self.pages.seal(&mut sequence.held, &sequence.ids, sequence.computed);
        }
        for mut fork in forks {
            if fork.has_outgrown(&self.file.model().graph.ropes) {
                fork.begin_anew(&self.file.model().graph.ropes);
            }
            self.metrics.forks += 1;
            self.metrics.generated_tokens += fork.usage.completion_tokens as u64;
            self.enter(fork);
        }
        self.outgrow();
        self.retire(events);
        debug_assert!(
            self.pages.are_sound(self.running.iter().map(|sequence| &sequence.held)),
            "a page is lost, or has two masters"
        );
    }

    fn record(&mut self, rows: usize, seconds: f64, pure: bool) {
        self.metrics.steps += 1;
        self.metrics.step_seconds += seconds;
        self.metrics.last_step_seconds = seconds;
        self.metrics.last_step_rows = rows;
        self.pace.record(rows, seconds);
        if pure {
            self.costs.record(rows, seconds);
        }
    }

    /// After a step that could not be computed: whoever was in it has failed.
    pub(crate) fn fail(&mut self, parts: &[Part], error: &Error, events: &mut Vec<Event>) {
        for part in parts {
            let sequence = &mut self.running[part.index];
            // Nothing says what the step has written.
            self.pages.release(&mut sequence.held, &sequence.ids, sequence.computed);
            sequence.computed = 0;
            sequence.outcome = Some(Outcome::Failed(Error::Backend(error.to_string())));
        }
        self.retire(events);
    }

    /// Handles lengths at which what is cached no longer serves: the context's end, and the point where
    /// a stretched rotation changes. Both compute the sequence anew.
    fn outgrow(&mut self) {
        let file = Arc::clone(&self.file);
        let ropes = &file.model().graph.ropes;
        let mut index = 0;
        while index < self.running.len() {
            if self.running[index].has_outgrown(ropes) {
                let mut sequence = self.running.remove(index);
                self.pages.release(&mut sequence.held, &sequence.ids, sequence.computed);
                sequence.begin_anew(ropes);
                self.queue.push(sequence);
            } else {
                index += 1;
            }
        }
    }

    /// Takes ended sequences out and tells of them.
    fn retire(&mut self, events: &mut Vec<Event>) {
        let mut ended = self.queue.take_ended();
        ended.extend(self.running.extract_if(.., |s| s.outcome.is_some()));
        for mut sequence in ended {
            self.pages.release(&mut sequence.held, &sequence.ids, sequence.computed);
            self.tenants.leave(sequence.terms.tenant);
            let count = u64::from(sequence.siblings) + 1;
            match &sequence.outcome {
                Some(Outcome::Finished(FinishReason::Stop)) => self.metrics.finished_stop += count,
                Some(Outcome::Finished(FinishReason::Length)) => {
                    self.metrics.finished_length += count;
                }
                Some(Outcome::Finished(FinishReason::Cancelled)) => self.metrics.cancelled += count,
                Some(Outcome::Finished(FinishReason::Deadline)) => self.metrics.deadlines += count,
                Some(Outcome::Failed(_)) | None => self.metrics.failed += count,
            }
            sequence.tell_end(events);
        }
    }

    /// The numbers of now.
    pub(crate) fn metrics(&self) -> Metrics {
        let (pages_free, pages_cached) = (self.pages.free(), self.pages.idle());
        Metrics {
            running: self.running.len(),
            waiting: self.queue.len(),
            pages: self.pages.count(),
            pages_held: self.pages.count() - pages_free - pages_cached,
            pages_cached,
            pages_free,
            ..self.metrics
        }
    }
}

/// The domain of a sequence whose rotations turn as `ropes` do at `length`.
fn turned(domain: &Domain, ropes: &[Rope], length: usize) -> Held {
    Held::new(Arc::new(Domain { variants: variants(ropes, length), ..domain.clone() }))
}
