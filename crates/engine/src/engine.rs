//! The engine: requests in, tokens out, one ragged batch a step.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use kernels::KvFormat;
use model::Model;

use crate::{
    Backend, Batch, Capacity, Error, Event, Executor, FinishReason, Memory, ModelFile, Overflow,
    Progress, Request, RequestId, SessionId, Usage, pages::Pages, sampler::Sampler,
};

/// Logits rows a step can give beside one for each sequence.
const WANTED_MIN: usize = 16;

/// How an engine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tokens a sequence may have; `None`: as many as the model was made for, at most
    /// [`Settings::CONTEXT_DEFAULT`].
    pub context: Option<usize>,
    /// Sequences that may be full at the same time.
    pub sequences: usize,
    /// How the cache keeps numbers.
    pub kv: KvFormat,
    /// Rows of a step: the piece of a prompt computed at once.
    pub chunk: usize,
}

impl Settings {
    /// The context when none is asked for: enough for a conversation, affordable everywhere.
    pub const CONTEXT_DEFAULT: usize = 8192;

    /// One sequence, F16 cache, pieces of 512 tokens.
    pub const SINGLE: Settings =
        Settings { context: None, sequences: 1, kv: KvFormat::F16, chunk: 512 };

    /// Tokens a sequence of this model may have.
    pub fn context_of(&self, model: &Model) -> usize {
        self.context.unwrap_or(model.context.min(Self::CONTEXT_DEFAULT))
    }

    /// What a backend must be able to hold for this model.
    pub fn capacity(&self, model: &Model) -> Result<Capacity, Error> {
        let check = |name, value: usize, most: usize| {
            let sound = (1..=most).contains(&value);
            let wrong = || Error::Setting {
                name,
                found: value.to_string(),
                expected: format!("1 to {most}"),
            };
            if sound { Ok(value) } else { Err(wrong()) }
        };
        let sequences = check("sequences", self.sequences, 4096)?;
        let context = check("context", self.context_of(model), 1 << 24)?;
        let rows = check("chunk", self.chunk, 1 << 16)?.min(context.max(sequences)).max(sequences);
        Ok(Capacity {
            rows,
            wanted: sequences.max(WANTED_MIN).min(rows),
            pages: Pages::needed(context) * sequences,
            kv: self.kv,
        })
    }
}

/// Told the logits `[vocab]` of one position after another.
pub type EachLogits<'e> = &'e mut dyn FnMut(usize, &[f32]) -> Result<(), Error>;

/// A loaded model that answers requests.
pub struct Engine {
    file: Arc<ModelFile>,
    executor: Box<dyn Executor>,
    capacity: Capacity,
    context: usize,
    pages: Pages,
    /// In order of arrival; each step serves them in this order.
    running: Vec<Sequence>,
    waiting: VecDeque<Sequence>,
    kept: HashMap<SessionId, Kept>,
    next: u64,
    batch: Batch,
}

/// A request under way.
struct Sequence {
    id: RequestId,
    request: Request,
    sampler: Sampler,
    /// Prompt and answer.
    ids: Vec<u32>,
    /// Tokens at the start of `ids` whose keys and values are in the cache.
    computed: usize,
    pages: Vec<u32>,
    /// See [`crate::Span::rope_length`].
    rope_length: usize,
    usage: Usage,
    finished: Option<FinishReason>,
}

/// What is left of a conversation's last request.
struct Kept {
    ids: Vec<u32>,
    pages: Vec<u32>,
    rope_length: usize,
}

impl Engine {
    /// What loading would allocate.
    pub fn plan(
        file: &ModelFile,
        backend: &dyn Backend,
        settings: &Settings,
    ) -> Result<Memory, Error> {
        backend.plan(file, &settings.capacity(file.model())?)
    }

    /// Loads a model. Call [`Engine::plan`] first where memory is short: this just allocates.
    pub fn load(
        file: Arc<ModelFile>,
        backend: &dyn Backend,
        settings: &Settings,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        let capacity = settings.capacity(file.model())?;
        Ok(Engine {
            executor: backend.load(Arc::clone(&file), &capacity, progress)?,
            context: settings.context_of(file.model()),
            pages: Pages::new(capacity.pages),
            running: vec![],
            waiting: VecDeque::new(),
            kept: HashMap::new(),
            next: 0,
            batch: Batch::default(),
            capacity,
            file,
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.file.model()
    }

    /// The model's file.
    pub fn file(&self) -> &Arc<ModelFile> {
        &self.file
    }

    /// Tokens a sequence may have.
    pub fn context(&self) -> usize {
        self.context
    }

    /// What was allocated.
    pub fn memory(&self) -> Memory {
        self.executor.memory()
    }

    /// In a few words: the backend, its instruction set, its threads.
    pub fn describe(&self) -> String {
        self.executor.describe()
    }

    /// Whether any request is under way.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Takes a request in; [`Engine::step`] serves it. A prompt that doesn't fit, an unknown token or an
    /// absurd setting is refused here, before anything is computed.
    pub fn submit(&mut self, mut request: Request) -> Result<RequestId, Error> {
        let vocab = self.check(&request.prompt)?;
        if request.max_tokens == Some(0) {
            let expected = "at least 1".to_owned();
            return Err(Error::Setting { name: "max_tokens", found: "0".to_owned(), expected });
        }
        if request.prompt.len() >= self.context {
            match request.overflow {
                Overflow::Refuse => {
                    let prompt = request.prompt.len();
                    return Err(Error::PromptTooLong { prompt, context: self.context });
                }
                Overflow::Shift { keep } => shift(&mut request.prompt, keep, self.context),
            }
        }
        let mut sampler = Sampler::new(request.sampler.clone(), vocab)?;
        // Penalties look back over the prompt too.
        sampler.prompt(&request.prompt);
        let id = RequestId(self.next);
        self.next += 1;
        let prompt_tokens = request.prompt.len();
        self.waiting.push_back(Sequence {
            id,
            sampler,
            ids: request.prompt.clone(),
            computed: 0,
            pages: vec![],
            rope_length: prompt_tokens,
            usage: Usage { prompt_tokens, ..Usage::default() },
            finished: None,
            request,
        });
        Ok(id)
    }

    /// Ends a request; its `Finished` event comes with the next step.
    pub fn cancel(&mut self, id: RequestId) -> Result<(), Error> {
        let mut all = self.running.iter_mut().chain(&mut self.waiting);
        let sequence = all.find(|s| s.id == id).ok_or(Error::NoSuchSequence(id.0))?;
        sequence.finished = Some(FinishReason::Cancelled);
        Ok(())
    }

    /// Forgets what is kept of a conversation.
    pub fn forget(&mut self, session: SessionId) {
        if let Some(mut kept) = self.kept.remove(&session) {
            self.pages.shrink(&mut kept.pages, 0);
        }
    }

    /// Computes one batch: a token for each running answer, and pieces of waiting prompts as far as the
    /// step holds. Gives what it brought; nothing when idle.
    pub fn step(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = self.retire();
        self.admit();
        let parts = self.form();
        if parts.is_empty() {
            return Ok(events);
        }
        let logits = self.executor.run(&self.batch)?;
        let vocab = self.file.model().vocab;
        let mut rows = logits.chunks_exact(vocab);
        for (index, new) in parts {
            let sequence = &mut self.running[index];
            sequence.computed += new;
            let total = sequence.usage.prompt_tokens;
            if sequence.usage.completion_tokens == 0 {
                let done = sequence.computed.min(total);
                events.push(Event::Prompt { request: sequence.id, done, total });
            }
            if sequence.computed == sequence.ids.len()
                && let Some(logits) = rows.next()
            {
                events.push(sequence.choose(logits, self.context));
            }
        }
        for sequence in &mut self.running {
            sequence.outgrow(&self.file.model().graph.ropes, self.context);
        }
        events.extend(self.retire());
        Ok(events)
    }

    /// Runs every request to its end.
    pub fn run_to_end(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = vec![];
        while !self.is_idle() {
            events.extend(self.step()?);
        }
        Ok(events)
    }

    /// Logits of a prompt's positions, none chosen: `each(position, logits [vocab])` for those in
    /// `wanted`, in order. Needs an idle engine's pages.
    pub fn logits(
        &mut self,
        ids: &[u32],
        wanted: Range<usize>,
        each: EachLogits<'_>,
    ) -> Result<(), Error> {
        let vocab = self.check(ids)?;
        if ids.len() > self.context {
            return Err(Error::PromptTooLong { prompt: ids.len(), context: self.context });
        }
        let mut pages = vec![];
        self.pages.grow(&mut pages, ids.len())?;
        let mut first = 0;
        let mut result = Ok(());
        while first < ids.len() && result.is_ok() {
            let wanted_from = wanted.start.max(first);
            // Up to the first wanted row, whole chunks; from there on, as many as a step gives logits for.
            let room = if wanted_from >= first + self.capacity.rows {
                self.capacity.rows
            } else {
                self.capacity.rows.min(wanted_from - first + self.capacity.wanted)
            };
            let end = ids.len().min(first + room);
            let rows =
                wanted_from.min(end) - first..wanted.end.clamp(wanted_from.min(end), end) - first;
            self.batch.clear();
            self.batch.push(&ids[first..end], first, &pages, ids.len(), rows.clone());
            result = self.executor.run(&self.batch).and_then(|logits| {
                let mut rows = rows.zip(logits.chunks_exact(vocab));
                rows.try_for_each(|(row, logits)| each(first + row, logits))
            });
            first = end;
        }
        self.pages.shrink(&mut pages, 0);
        result
    }

    /// That there are tokens and the vocabulary knows them all; its size.
    fn check(&self, ids: &[u32]) -> Result<usize, Error> {
        let vocab = self.model().vocab;
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(Error::NoSuchToken { id: *id, vocab }),
            None => Ok(vocab),
        }
    }

    /// Moves waiting requests to the running ones while the cache has room for their prompts.
    fn admit(&mut self) {
        while let Some(sequence) = self.waiting.front() {
            let prompt = sequence.ids.len() + 1;
            let reusable = sequence.request.session.is_some_and(|s| self.kept.contains_key(&s));
            if self.running.len() >= self.capacity.rows {
                return;
            }
            if !reusable && Pages::needed(prompt) > self.pages.free() && !self.drop_one_kept() {
                return;
            }
            let Some(mut sequence) = self.waiting.pop_front() else { return };
            if let Some(kept) = sequence.request.session.and_then(|s| self.kept.remove(&s)) {
                sequence.take_over(kept, &self.file.model().graph.ropes, &mut self.pages);
            }
            self.running.push(sequence);
        }
    }

    /// Gives up one conversation's prefix for room; false when there is none.
    fn drop_one_kept(&mut self) -> bool {
        let Some(session) = self.kept.keys().min_by_key(|session| session.0).copied() else {
            return false;
        };
        self.forget(session);
        true
    }

    /// Fills the batch: `(index of the sequence, its new rows)`.
    fn form(&mut self) -> Vec<(usize, usize)> {
        self.batch.clear();
        let mut parts = vec![];
        // Answers first, so that no prompt stalls them; then prompts in order of arrival.
        let (answers, prompts): (Vec<usize>, Vec<usize>) =
            (0..self.running.len()).partition(|index| self.running[*index].left() == 1);
        for index in answers.into_iter().chain(prompts) {
            let room = self.capacity.rows - self.batch.rows();
            let sequence = &mut self.running[index];
            let mut new = sequence.left().min(room);
            if new == 0 || sequence.finished.is_some() {
                continue;
            }
            if new == sequence.left() && self.batch.wanted.len() == self.capacity.wanted {
                // No room for one more row of logits: leave the last token for the next step.
                new -= 1;
            }
            let end = sequence.computed + new;
            if new == 0 || self.pages.grow(&mut sequence.pages, end).is_err() {
                continue;
            }
            let wanted = if end == sequence.ids.len() { new - 1..new } else { 0..0 };
            let ids = &sequence.ids[sequence.computed..end];
            self.batch.push(ids, sequence.computed, &sequence.pages, sequence.rope_length, wanted);
            parts.push((index, new));
        }
        if parts.is_empty() && !self.running.is_empty() {
            self.preempt();
        }
        parts
    }

    /// Nobody can go on for want of pages: the youngest gives up its pages and is computed again later.
    fn preempt(&mut self) {
        if self.drop_one_kept() {
            return;
        }
        if self.running.len() > 1
            && let Some(mut youngest) = self.running.pop()
        {
            self.pages.shrink(&mut youngest.pages, 0);
            youngest.computed = 0;
            self.waiting.push_front(youngest);
        }
    }

    /// Takes finished sequences out and tells of them.
    fn retire(&mut self) -> Vec<Event> {
        let mut events = vec![];
        let waiting = std::mem::take(&mut self.waiting);
        let (done, waiting): (VecDeque<_>, _) =
            waiting.into_iter().partition(|s| s.finished.is_some());
        self.waiting = waiting;
        let running = std::mem::take(&mut self.running);
        for mut sequence in done.into_iter().chain(running) {
            let Some(reason) = sequence.finished else {
                self.running.push(sequence);
                continue;
            };
            let (request, usage) = (sequence.id, sequence.usage);
            events.push(Event::Finished { request, reason, usage });
            match sequence.request.session {
                Some(session) => {
                    self.forget(session);
                    sequence.ids.truncate(sequence.computed);
                    self.pages.shrink(&mut sequence.pages, sequence.computed);
                    let Sequence { ids, pages, rope_length, .. } = sequence;
                    self.kept.insert(session, Kept { ids, pages, rope_length });
                }
                None => self.pages.shrink(&mut sequence.pages, 0),
            }
        }
        events
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({}, {} running)", self.describe(), self.running.len())
    }
}

impl Sequence {
    /// Tokens not yet computed.
    fn left(&self) -> usize {
        self.ids.len() - self.computed
    }

    /// Starts from what is kept of its conversation, as far as it agrees.
    fn take_over(&mut self, kept: Kept, ropes: &[model::Rope], pages: &mut Pages) {
        let same_turn = ropes
            .iter()
            .all(|rope| rope.variant(kept.rope_length) == rope.variant(self.rope_length));
        let common = kept.ids.iter().zip(&self.ids).take_while(|(a, b)| a == b).count();
        // The last token is computed again, for its logits.
        self.computed = if same_turn { common.min(self.ids.len() - 1) } else { 0 };
        self.usage.cached_tokens = self.computed;
        self.pages = kept.pages;
        pages.shrink(&mut self.pages, self.computed);
    }

    /// Chooses the next token.
    fn choose(&mut self, logits: &[f32], context: usize) -> Event {
        let request = self.id;
        let choice = match self.sampler.sample(logits) {
            Ok(choice) => choice,
            Err(error) => {
                self.finished = Some(FinishReason::Cancelled);
                return Event::Failed { request, error: error.into() };
            }
        };
        self.sampler.accept(choice.id);
        self.ids.push(choice.id);
        self.usage.completion_tokens += 1;
        let full = self.ids.len() >= context && self.request.overflow == Overflow::Refuse;
        let enough = self.request.max_tokens.is_some_and(|max| self.usage.completion_tokens >= max);
        if self.request.stop.contains(&choice.id) {
            self.finished = Some(FinishReason::Stop);
        } else if enough || full {
            self.finished = Some(FinishReason::Length);
        }
        Event::Token { request, id: choice.id, logprob: choice.logprob, top: choice.top }
    }

    /// Handles lengths at which what is cached no longer serves: the context's end, and the point where
    /// a stretched rotation changes. Both compute the sequence anew.
    fn outgrow(&mut self, ropes: &[model::Rope], context: usize) {
        if let Overflow::Shift { keep } = self.request.overflow
            && self.ids.len() >= context
        {
            shift(&mut self.ids, keep, context);
            self.computed = 0;
        }
        let length = self.ids.len();
        let crossed = ropes
            .iter()
            .filter_map(model::Rope::crossing)
            .any(|at| self.rope_length <= at && length > at);
        if crossed {
            self.rope_length = length;
            self.computed = 0;
        }
    }
}

/// Drops tokens after the first `keep` until there is room for half a context more.
fn shift(ids: &mut Vec<u32>, keep: usize, context: usize) {
    let keep = keep.min(context / 4);
    let stay = keep + (context - keep) / 2;
    let surplus = ids.len().saturating_sub(stay.max(1));
    ids.drain(keep..keep + surplus);
}
