//! The engine: requests in, tokens out, one ragged batch a step.

use std::{ops::Range, sync::Arc, time::Instant};

use kernels::KvFormat;
use model::Model;

use crate::{
    Backend, Batch, Capacity, Error, Event, Executor, Memory, Metrics, ModelFile, Policy, Progress,
    Request, RequestId, Tenant,
    intake::Intake,
    pages::{Domain, Held, Pages},
    scheduler::{Limits, Scheduler, Sequence},
    speculate::Drafter,
};

/// Steps in a row that may fail before the backend counts as out of order.
const FAULTS_MAX: u32 = 3;

/// How an engine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tokens a sequence may have; `None`: as many as the model was made for, at most
    /// [`Settings::CONTEXT_DEFAULT`].
    pub context: Option<usize>,
    /// Sequences that may be full at the same time.
    pub sequences: usize,
    /// Answers that are generated at the same time, at most; each takes a row of logits. Never fewer
    /// than `sequences`.
    pub running: usize,
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
        Settings { context: None, sequences: 1, running: 16, kv: KvFormat::F16, chunk: 512 };

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
        let running = check("running", self.running, 4096)?.max(sequences);
        let rows = check("chunk", self.chunk, 1 << 16)?.min(context.max(sequences)).max(sequences);
        Ok(Capacity {
            rows,
            wanted: running.min(rows),
            pages: Pages::needed(context) * sequences,
            kv: self.kv,
        })
    }
}

/// Told the logits `[vocab]` of one position after another.
pub type EachLogits<'e> = &'e mut dyn FnMut(usize, &[f32]) -> Result<(), Error>;

/// A loaded model that answers requests.
pub struct Engine {
    executor: Box<dyn Executor>,
    capacity: Capacity,
    intake: Arc<Intake>,
    scheduler: Scheduler,
    batch: Batch,
    /// Steps that failed, one after another.
    faults: u32,
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
        let context = settings.context_of(file.model());
        let Capacity { rows, wanted, pages, .. } = capacity;
        let executor = backend.load(Arc::clone(&file), &capacity, progress)?;
        let limits = Limits { rows, wanted, threads: executor.threads() };
        Ok(Engine {
            executor,
            scheduler: Scheduler::new(Arc::clone(&file), pages, limits),
            intake: Arc::new(Intake::new(file, context, Policy::default())),
            batch: Batch::default(),
            faults: 0,
            capacity,
        })
    }

    /// The same under other limits and shares. Call it before the first request.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        let (file, context) = (Arc::clone(self.file()), self.context());
        self.intake = Arc::new(Intake::new(file, context, policy));
        self.scheduler.set_policy(policy);
        self
    }

    /// The same with a smaller model that guesses for [`crate::Speculation::Draft`]. Its vocabulary must
    /// be the same; its engine needs room for as many sequences. Call it before the first request.
    pub fn with_draft(mut self, draft: Engine) -> Result<Self, Error> {
        let (own, other) = (self.model().vocab, draft.model().vocab);
        if own != other {
            return Err(Error::Setting {
                name: "vocabulary of the draft model",
                found: format!("{other} tokens"),
                expected: format!("{own}, as the model has"),
            });
        }
        let Engine { executor, capacity, intake, .. } = draft;
        self.scheduler.set_drafter(Drafter::new(executor, capacity, intake));
        Ok(self)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.file().model()
    }

    /// The model's file.
    pub fn file(&self) -> &Arc<ModelFile> {
        self.intake.file()
    }

    /// Tokens a sequence may have.
    pub fn context(&self) -> usize {
        self.intake.context()
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
        self.scheduler.is_idle()
    }

    /// What it has done and is doing.
    pub fn metrics(&self) -> Metrics {
        Metrics { refused: self.intake.refused(), ..self.scheduler.metrics() }
    }

    /// Takes a request in; [`Engine::step`] serves it. A prompt that doesn't fit, an unknown token or an
    /// absurd setting is refused here, before anything is computed.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, Error> {
        let sequence = self.intake.take(request)?;
        let id = sequence.id;
        self.scheduler.enter(sequence);
        Ok(id)
    }

    /// The door through which other threads bring requests.
    pub(crate) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Takes in what came through the door.
    pub(crate) fn enter(&mut self, sequence: Sequence) {
        self.scheduler.enter(sequence);
    }

    /// Ends a request; its `Finished` events come with the next step, before anything else is computed.
    pub fn cancel(&mut self, id: RequestId) -> Result<(), Error> {
        self.scheduler.cancel(id, None)
    }

    /// Ends one of a request's answers.
    pub fn cancel_choice(&mut self, id: RequestId, choice: u32) -> Result<(), Error> {
        self.scheduler.cancel(id, Some(choice))
    }

    /// Ends every request.
    pub fn cancel_all(&mut self) {
        self.scheduler.cancel_all();
    }

    /// Computes one batch: a row for each running answer, and pieces of waiting prompts as far as the
    /// step holds. Gives what it brought; nothing when idle. When the backend fails, the requests of that
    /// step fail and the others go on; after three such steps it is an error of the engine.
    pub fn step(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = vec![];
        let start = Instant::now();
        self.scheduler.begin(start, &mut events);
        let parts = self.scheduler.form(&mut self.batch);
        if parts.is_empty() {
            return Ok(events);
        }
        match self.executor.run(&self.batch) {
            Ok(logits) => {
                self.faults = 0;
                let seconds = start.elapsed().as_secs_f64();
                self.scheduler.take(&parts, logits, seconds, &mut events);
                Ok(events)
            }
            Err(error) if self.faults + 1 < FAULTS_MAX => {
                self.faults += 1;
                self.scheduler.fail(&parts, &error, &mut events);
                Ok(events)
            }
            Err(error) => Err(error),
        }
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
        let vocab = self.intake.check_ids(ids)?;
        if ids.len() > self.context() {
            return Err(Error::PromptTooLong { prompt: ids.len(), context: self.context() });
        }
        let domain =
            Domain { tenant: Tenant(0), salt: vec![], variants: vec![], alone: Some(u64::MAX) };
        let mut held = Held::new(Arc::new(domain));
        self.scheduler.pages.grow(&mut held, ids.len())?;
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
            self.batch.push(&ids[first..end], first, held.pages(), ids.len(), rows.clone());
            result = self.executor.run(&self.batch).and_then(|logits| {
                let mut rows = rows.zip(logits.chunks_exact(vocab));
                rows.try_for_each(|(row, logits)| each(first + row, logits))
            });
            first = end;
        }
        self.scheduler.pages.release(&mut held, &[], 0);
        result
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metrics = self.metrics();
        let (running, waiting) = (metrics.running, metrics.waiting);
        write!(f, "Engine({}, {running} running, {waiting} waiting)", self.describe())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Cpu, sampler::SamplerSettings};

    #[test]
    fn threads_that_choose_change_nothing() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_goldens/llama_biases");
        let file = Arc::new(ModelFile::open(folder).unwrap());
        let events = |parallel_from| {
            let settings = Settings { context: Some(96), sequences: 8, ..Settings::SINGLE };
            let cpu = Cpu::new(kernels::Isa::best(), 3);
            let engine = Engine::load(Arc::clone(&file), &cpu, &settings, &mut |_, _| {});
            let mut engine = engine.unwrap();
            engine.scheduler.parallel_from = parallel_from;
            for seed in 0..10 {
                let sampler =
                    SamplerSettings { seed, logprobs: Some(2), ..SamplerSettings::chat() };
                let prompt = (0..10 + 3 * seed as u32).collect();
                let (max_tokens, choices) = (Some(8), 1 + seed as u32 % 3);
                let request = Request { max_tokens, sampler, choices, ..Request::new(prompt) };
                engine.submit(request).unwrap();
            }
            let all = engine.run_to_end().unwrap();
            // How long each waited is another matter.
            let told = all.iter().filter(|event| !matches!(event, Event::Started { .. }));
            told.map(|event| format!("{event:?}")).collect::<Vec<_>>()
        };
        let alone = events(usize::MAX);
        assert!(alone.len() > 80 && alone == events(0));
    }
}
