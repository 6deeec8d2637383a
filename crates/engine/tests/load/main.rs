//! The engine under load: the same bytes in any company, fair turns, nothing leaked, nothing lost.
//!
//! The models are our own tiny ones (`../own_goldens`): windows, routed experts, latent attention,
//! rotations that change with length. Loads are random but seeded, so a failure comes again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod bytes;
mod guesses;
mod traffic;
mod turns;
mod worker;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use engine::{
    Backend, Batch, Capacity, Cpu, Engine, Error, Event, Executor, Memory, ModelFile, Policy,
    Progress, Settings,
};
use kernels::{Isa, KvFormat};

/// Tokens of the models' vocabularies, and of the context they run with.
const VOCAB: u32 = 80;
const CONTEXT: usize = 128;

fn file(name: &str) -> Arc<ModelFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_goldens").join(name);
    Arc::new(ModelFile::open(folder).unwrap())
}

/// Room for `sequences` full contexts, `running` answers at a time, steps of `chunk` rows.
fn settings(sequences: usize, running: usize, chunk: usize) -> Settings {
    Settings { context: Some(CONTEXT), sequences, running, kv: KvFormat::F16, chunk }
}

/// One thread: the laws in `../laws.rs` say that more compute the same.
fn load(file: &Arc<ModelFile>, settings: &Settings, policy: Policy) -> Engine {
    let cpu = Cpu::new(Isa::best(), 1);
    let engine = Engine::load(Arc::clone(file), &cpu, settings, &mut |_, _| {}).unwrap();
    engine.with_policy(policy)
}

/// The pages nobody holds are all pages.
fn assert_nothing_held(engine: &Engine) {
    let metrics = engine.metrics();
    assert_eq!((metrics.running, metrics.waiting, metrics.pages_held), (0, 0, 0), "{metrics:?}");
    assert_eq!(metrics.pages_free + metrics.pages_cached, metrics.pages, "{metrics:?}");
}

/// Tokens of one answer among events.
fn tokens(events: &[Event], choice: u32) -> Vec<u32> {
    let id = |event: &Event| match event {
        Event::Token { choice: c, id, .. } if *c == choice => Some(*id),
        _ => None,
    };
    events.iter().filter_map(id).collect()
}

fn prompt(count: usize, seed: u32) -> Vec<u32> {
    (0..count as u32).map(|i| (i * i + 31 * i + seed * 17 + 3) % VOCAB).collect()
}

/// What goes wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error,
    Panic,
    /// It takes a while.
    Slow,
    /// Every row takes a while.
    SlowRows,
}

/// A CPU whose steps fail from the `from`-th on, `times` times.
#[derive(Debug)]
struct Faulty {
    fault: Fault,
    from: usize,
    times: usize,
    steps: Arc<AtomicUsize>,
}

struct FaultyRun {
    inner: Box<dyn Executor>,
    plan: Faulty,
}

impl Faulty {
    fn new(fault: Fault, from: usize, times: usize) -> Self {
        Faulty { fault, from, times, steps: Arc::default() }
    }
}

impl Backend for Faulty {
    fn plan(&self, file: &ModelFile, capacity: &Capacity) -> Result<Memory, Error> {
        Cpu::new(Isa::best(), 1).plan(file, capacity)
    }

    fn load(
        &self,
        file: Arc<ModelFile>,
        capacity: &Capacity,
        progress: Progress<'_>,
    ) -> Result<Box<dyn Executor>, Error> {
        let inner = Cpu::new(Isa::best(), 1).load(file, capacity, progress)?;
        let steps = Arc::clone(&self.steps);
        Ok(Box::new(FaultyRun { inner, plan: Faulty { steps, ..*self } }))
    }
}

impl Executor for FaultyRun {
    fn run(&mut self, batch: &Batch) -> Result<&[f32], Error> {
        let step = self.plan.steps.fetch_add(1, Ordering::Relaxed);
        if (self.plan.from..self.plan.from + self.plan.times).contains(&step) {
            match self.plan.fault {
                Fault::Error => return Err(Error::Backend("on purpose".to_owned())),
                Fault::Panic => panic!("on purpose"),
                Fault::Slow => std::thread::sleep(std::time::Duration::from_millis(2)),
                Fault::SlowRows => {
                    let rows = batch.rows() as u64;
                    std::thread::sleep(std::time::Duration::from_micros(700 * rows));
                }
            }
        }
        self.inner.run(batch)
    }

    fn memory(&self) -> Memory {
        self.inner.memory()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
