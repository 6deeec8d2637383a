//! What all requests share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::{Semaphore, oneshot};

use crate::{
    constrain::Compiler,
    conversation::Store,
    fault::Fault,
    field::Compat,
    gate::{Caller, Gate},
    log::Log,
    metrics::Metrics,
    model::Model,
    models::{Busy, Models},
    quota::Charge,
    usage::{Ledger, Record},
};

/// Prompts rendered and tokenized at the same time.
const PREPARERS: usize = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) gate: Gate,
    pub(crate) models: Models,
    /// What was said on our own page.
    pub(crate) conversations: Store,
    pub(crate) compat: Compat,
    pub(crate) version: &'static str,
    pub(crate) started: Instant,
    /// Answers at the same time, waiting ones included.
    pub(crate) answers_max: usize,
    pub(crate) body_bytes_max: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub(crate) patience: std::time::Duration,
    log: Log,
    metrics: Metrics,
    ledger: Option<Ledger>,
    compiler: Compiler,
    preparers: Semaphore,
    answers: Arc<AtomicUsize>,
    pub(crate) connections: AtomicUsize,
    draining: AtomicBool,
}

/// What a [`State`] is made of.
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) models: Models,
    pub(crate) conversations: Store,
    pub(crate) compat: Compat,
    pub(crate) version: &'static str,
    pub(crate) log: Log,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) answers_max: usize,
    pub(crate) body_bytes_max: usize,
    pub(crate) patience: std::time::Duration,
}

impl State {
    pub(crate) fn new(shared: Shared) -> Self {
        State {
            gate: shared.gate,
            models: shared.models,
            conversations: shared.conversations,
            compat: shared.compat,
            version: shared.version,
            started: Instant::now(),
            answers_max: shared.answers_max,
            body_bytes_max: shared.body_bytes_max,
            patience: shared.patience,
            log: shared.log,
            metrics: Metrics::default(),
            ledger: shared.ledger,
            compiler: Compiler::default(),
            preparers: Semaphore::new(PREPARERS),
            answers: Arc::default(),
            connections: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    pub(crate) fn preparers(&self) -> &Semaphore {
        &self.preparers
    }

    /// From now on we say that we are not ready.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Answers under way.
    pub(crate) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// The model a request names, if its caller may use it.
    pub(crate) async fn model(
        &self,
        caller: &Caller,
        name: Option<&str>,
    ) -> Result<Arc<Model>, Fault> {
        let name = name.unwrap_or_else(|| self.models.default_name());
        if !caller.may_use(name) {
            let known: Vec<&str> = self
                .models
                .list()
                .map(|listed| listed.name)
                .filter(|n| caller.may_use(n))
                .collect();
            return Err(Fault::no_model(name, &known.join(", ")));
        }
        self.models.get(name).await
    }

    /// Counts an answer in, unless there are too many.
    pub(crate) fn enter(&self, model: &Model) -> Result<Gauge, Fault> {
        let count = self.answers.fetch_add(1, Ordering::SeqCst);
        let gauge = Gauge { answers: Arc::clone(&self.answers), _busy: self.models.busy(model) };
        if count >= self.answers_max {
            let message =
                format!("{count} answers are under way or waiting, which is as many as fit");
            return Err(Fault::busy(message, 1).with_code("queue_full"));
        }
        Ok(gauge)
    }

    /// Takes what an answer may cost from the caller's quotas.
    pub(crate) fn charge(&self, caller: &Caller, tokens: usize) -> Result<Charge, Fault> {
        match (&caller.grant, &self.gate.keys) {
            (Some(key), Some(keys)) => self
                .gate
                .quotas
                .charge(key, tokens, |since| keys.used(&key.id, since).unwrap_or(u64::MAX)),
            _ => Ok(Charge::none()),
        }
    }

    pub(crate) fn settle(&self, charge: Charge, used: usize) {
        self.gate.quotas.settle(charge, used);
    }

    /// Keeps a record, where records are kept; told when it is on disk.
    pub(crate) fn keep(&self, record: &Record) -> Option<oneshot::Receiver<()>> {
        self.ledger.as_ref().map(|ledger| ledger.write(record.clone()))
    }
}

/// An answer under way, counted.
#[derive(Debug)]
pub(crate) struct Gauge {
    answers: Arc<AtomicUsize>,
    _busy: Option<Busy>,
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.answers.fetch_sub(1, Ordering::SeqCst);
    }
}
