//! One answer under way.

use std::{sync::Arc, time::Instant};

use model::Rope;

use super::turned;
use crate::{
    Allowed, Constraint, Error, Event, FinishReason, Overflow, Priority, RequestId, Tenant, Usage,
    constraint::guarded,
    intake::{Place, shift},
    pages::{Held, Pages},
    sampler::{Choice, LogSoftmax, Sampler, TokenSet, top_logprobs},
    speculate::Luck,
};

/// What all answers to one request have in common.
#[derive(Debug)]
pub(crate) struct Terms {
    /// Tokens of the prompt.
    pub(crate) prompt: usize,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) min_tokens: usize,
    pub(crate) stop: Vec<u32>,
    pub(crate) overflow: Overflow,
    pub(crate) prompt_logprobs: Option<u32>,
    pub(crate) tenant: Tenant,
    pub(crate) weight: u32,
    pub(crate) priority: Priority,
    pub(crate) deadline: Option<Instant>,
    /// Tokens a sequence may have.
    pub(crate) context: usize,
}

/// How an answer ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Finished(FinishReason),
    Failed(Error),
}

/// See the module.
pub(crate) struct Sequence {
    pub(crate) id: RequestId,
    pub(crate) choice: u32,
    pub(crate) terms: Arc<Terms>,
    pub(crate) sampler: Sampler,
    pub(crate) constraint: Option<Box<dyn Constraint>>,
    /// Further answers that begin when the prompt is computed.
    pub(crate) siblings: u32,
    /// Prompt and answer.
    pub(crate) ids: Vec<u32>,
    /// Tokens at the start of `ids` whose keys and values are in the cache.
    pub(crate) computed: usize,
    pub(crate) held: Held,
    /// See [`crate::Span::rope_length`].
    pub(crate) rope_length: usize,
    pub(crate) usage: Usage,
    pub(crate) outcome: Option<Outcome>,
    /// Prompt tokens whose log-probabilities have been told.
    pub(crate) told: usize,
    /// Whether it has run before and lost its pages.
    pub(crate) put_back: bool,
    /// Its place in the queue until it first runs.
    pub(crate) place: Option<Place>,
    pub(crate) entered: Instant,
    /// Guesses at the next tokens, for this step.
    pub(crate) draft: Vec<u32>,
    pub(crate) luck: Luck,
}

impl Sequence {
    /// Ends it, if it hasn't ended.
    pub(crate) fn end(&mut self, reason: FinishReason) {
        self.outcome.get_or_insert(Outcome::Finished(reason));
    }

    /// Tokens not yet computed.
    pub(crate) fn left(&self) -> usize {
        self.ids.len() - self.computed
    }

    /// Tokens computed, tokens of the answer, tokens guessed.
    pub(crate) fn count(&self) -> (usize, usize, usize) {
        (self.computed, self.usage.completion_tokens, self.draft.len())
    }

    /// In order of arrival.
    pub(crate) fn order(&self) -> (u64, u32) {
        (self.id.0, self.choice)
    }

    /// Whether logits of its prompt are still asked for.
    pub(crate) fn is_telling(&self) -> bool {
        self.terms.prompt_logprobs.is_some() && self.told < self.terms.prompt
    }

    /// Tokens that need not be computed if they are found: all but the last, whose logits are needed.
    pub(crate) fn shareable(&self) -> usize {
        let last = self.ids.len() - 1;
        if self.is_telling() { last.min(self.told.saturating_sub(1)) } else { last }
    }

    /// Takes over pages that others have filled; gives how many tokens that saves.
    pub(crate) fn follow(&mut self, pages: &mut Pages) -> usize {
        let most = self.shareable();
        let computed = pages.follow(&mut self.held, &self.ids, self.computed, most);
        let gained = computed - self.computed;
        self.computed = computed;
        if self.put_back {
            return 0;
        }
        self.usage.cached_tokens += gained;
        gained
    }

    /// Takes a step's result: `rows` more rows are computed, guesses included, and `logits`
    /// `[wanted, vocab]` are theirs. Gives the other answers that begin.
    pub(crate) fn advance(
        &mut self,
        rows: usize,
        logits: &[f32],
        mask: &mut TokenSet,
        events: &mut Vec<Event>,
    ) -> Vec<Sequence> {
        let vocab = mask.vocab();
        let draft = std::mem::take(&mut self.draft);
        let first = self.computed;
        self.computed += rows - draft.len();
        if self.usage.completion_tokens == 0 {
            let (done, total) = (self.computed.min(self.terms.prompt), self.terms.prompt);
            events.push(Event::Prompt { request: self.id, done, total });
        }
        if self.is_telling() {
            self.tell(first, logits, vocab, events);
        }
        if self.computed < self.ids.len() {
            return vec![];
        }
        if self.terms.max_tokens == Some(0) {
            self.end(FinishReason::Length);
            return vec![];
        }
        let mut rows = logits.chunks_exact(vocab);
        let mut rows = rows.by_ref().skip(logits.len() / vocab - 1 - draft.len());
        let Some(row) = rows.next() else { return vec![] };
        let mut others: Vec<Sequence> = (1..=self.siblings).map(|n| self.fork(n)).collect();
        self.siblings = 0;
        self.choose(row, mask, events);
        for other in others.iter_mut().filter(|other| other.outcome.is_none()) {
            other.choose(row, mask, events);
        }
        let mut right = 0;
        for (guess, row) in draft.iter().zip(rows) {
            if self.outcome.is_some() || self.ids.last() != Some(guess) {
                break;
            }
            // The guess was right, so what was computed for it holds.
            self.computed += 1;
            right += 1;
            self.choose(row, mask, events);
        }
        self.luck.learn(draft.len(), right);
        others
    }

    /// Tells the log-probabilities of the prompt tokens after the rows from position `first` on.
    fn tell(&mut self, first: usize, logits: &[f32], vocab: usize, events: &mut Vec<Event>) {
        let top = self.terms.prompt_logprobs.unwrap_or(0) as usize;
        let request = self.id;
        let mut event = |position: usize, logprob, top| {
            events.push(Event::PromptToken {
                request,
                position,
                id: self.ids[position],
                logprob,
                top,
            });
        };
        if self.told == 0 {
            event(0, None, vec![]);
            self.told = 1;
        }
        for (position, row) in (first + 1..).zip(logits.chunks_exact(vocab)) {
            if position >= self.told && position < self.terms.prompt {
                let logit = row[self.ids[position] as usize];
                let logprob = LogSoftmax::of(row).logprob(logit);
                let top = if top > 0 { top_logprobs(row, top) } else { vec![] };
                event(position, Some(logprob), top);
                self.told = position + 1;
            }
        }
    }

    /// Another answer to the same prompt, at its first token.
    fn fork(&self, choice: u32) -> Sequence {
        let prompt = &self.ids[..self.terms.prompt.min(self.ids.len())];
        let sampler = self.sampler.sibling(prompt, choice);
        let fork = self.constraint.as_ref().map(|own| guarded(|| Ok(own.fork())));
        let (constraint, outcome) = match fork.transpose() {
            Ok(constraint) => (constraint, None),
            Err(error) => (None, Some(Outcome::Failed(error))),
        };
        Sequence {
            id: self.id,
            choice,
            terms: Arc::clone(&self.terms),
            sampler,
            constraint,
            siblings: 0,
            ids: self.ids.clone(),
            computed: 0,
            held: Held::new(Arc::clone(self.held.domain())),
            rope_length: self.rope_length,
            usage: Usage {
                prompt_tokens: self.usage.prompt_tokens,
                cached_tokens: self.usage.prompt_tokens,
                completion_tokens: 0,
            },
            outcome,
            told: usize::MAX,
            put_back: true,
            place: None,
            entered: self.entered,
            draft: vec![],
            luck: Luck::default(),
        }
    }

    /// Chooses the next token and tells of it, or fails.
    fn choose(&mut self, logits: &[f32], mask: &mut TokenSet, events: &mut Vec<Event>) {
        match self.next(logits, mask) {
            Ok(Choice { id, logprob, top }) => {
                let (request, choice) = (self.id, self.choice);
                events.push(Event::Token { request, choice, id, logprob, top });
            }
            Err(error) => self.outcome = Some(Outcome::Failed(error)),
        }
    }

    fn next(&mut self, logits: &[f32], mask: &mut TokenSet) -> Result<Choice, Error> {
        let choice = match self.allowed(mask)? {
            Allowed::All => self.sampler.sample(logits)?,
            Allowed::These => self.sampler.sample_among(logits, mask)?,
        };
        let ends = self.terms.stop.contains(&choice.id);
        let mut complete = ends;
        if let Some(constraint) = self.constraint.as_mut().filter(|_| !ends) {
            complete = guarded(|| {
                constraint.accept(choice.id)?;
                Ok(constraint.is_finished())
            })?;
        }
        self.sampler.accept(choice.id);
        self.ids.push(choice.id);
        self.usage.completion_tokens += 1;
        let full = self.ids.len() >= self.terms.context && self.terms.overflow == Overflow::Refuse;
        let enough = self.terms.max_tokens.is_some_and(|max| self.usage.completion_tokens >= max);
        if complete {
            self.end(FinishReason::Stop);
        } else if enough || full {
            self.end(FinishReason::Length);
        }
        Ok(choice)
    }

    /// Which tokens may come, in `mask` unless all.
    fn allowed(&mut self, mask: &mut TokenSet) -> Result<Allowed, Error> {
        let mut allowed = Allowed::All;
        if let Some(constraint) = &mut self.constraint {
            mask.clear();
            allowed = guarded(|| constraint.mask(mask))?;
        }
        if self.usage.completion_tokens < self.terms.min_tokens && !self.terms.stop.is_empty() {
            if allowed == Allowed::All {
                mask.fill();
                allowed = Allowed::These;
            }
            self.terms.stop.iter().for_each(|id| mask.remove(*id));
        }
        Ok(allowed)
    }

    /// How many next tokens may be guessed: no further than the same rotation, the context and the
    /// answer reach.
    pub(crate) fn guessable(&self, ropes: &[Rope]) -> usize {
        if self.left() != 1 || self.usage.completion_tokens == 0 || self.outcome.is_some() {
            return 0;
        }
        let ends = ropes.iter().filter_map(Rope::crossing).filter(|at| self.rope_length <= *at);
        let last = ends.min().unwrap_or(usize::MAX).min(self.terms.context - 1);
        let most = self.terms.max_tokens.unwrap_or(usize::MAX);
        let tokens = most.saturating_sub(self.usage.completion_tokens + 1);
        last.saturating_sub(self.ids.len()).min(tokens)
    }

    /// Whether what is cached of it no longer serves.
    pub(crate) fn has_outgrown(&self, ropes: &[Rope]) -> bool {
        self.outcome.is_none() && (self.has_crossed(ropes) || self.must_shift())
    }

    /// Whether it has outgrown the rotation it was computed with.
    fn has_crossed(&self, ropes: &[Rope]) -> bool {
        let mut ends = ropes.iter().filter_map(Rope::crossing);
        ends.any(|at| self.rope_length <= at && self.ids.len() > at)
    }

    /// Whether the context is full and old text may go.
    fn must_shift(&self) -> bool {
        let shifts = matches!(self.terms.overflow, Overflow::Shift { .. });
        shifts && self.ids.len() >= self.terms.context
    }

    /// Drops old text and takes on another rotation where it must. It must hold no pages.
    pub(crate) fn begin_anew(&mut self, ropes: &[Rope]) {
        if let (true, Overflow::Shift { keep }) = (self.must_shift(), self.terms.overflow) {
            shift(&mut self.ids, keep, self.terms.context);
        }
        if self.has_crossed(ropes) {
            self.rope_length = self.ids.len();
            self.held = turned(self.held.domain(), ropes, self.rope_length);
        }
        self.computed = 0;
        self.put_back = true;
    }

    /// Tells how it ended, and the answers that never began.
    pub(crate) fn tell_end(self, events: &mut Vec<Event>) {
        let (request, usage) = (self.id, self.usage);
        let choices = self.choice..=self.choice + self.siblings;
        match self.outcome {
            Some(Outcome::Finished(reason)) => {
                let event = |choice| Event::Finished { request, choice, reason, usage };
                events.extend(choices.map(event));
            }
            Some(Outcome::Failed(error)) => {
                let text = error.to_string();
                events.push(Event::Failed { request, choice: self.choice, error });
                let error = || Error::Backend(text.clone());
                let event = |choice| Event::Failed { request, choice, error: error() };
                events.extend(choices.skip(1).map(event));
            }
            None => {}
        }
    }
}

impl std::fmt::Debug for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No tokens: prompts never reach a log.
        write!(f, "Sequence({:?}.{}, {} tokens)", self.id, self.choice, self.ids.len())
    }
}
