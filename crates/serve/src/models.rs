//! The models a server offers: loaded when they are first asked for, let go when they are idle or
//! another needs the room, never beyond the memory they may take together.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Error,
    fault::Fault,
    key,
    model::{About, Model, Parts},
};

/// Loads a model. Runs on a thread of its own; the text is for the log and for who asked.
pub type Open = Box<dyn Fn() -> Result<Parts, String> + Send + Sync>;

/// A model that can be loaded.
pub struct Source {
    /// What requests call it.
    pub name: String,
    /// Bytes it takes when loaded.
    pub bytes: u64,
    /// What is known of it without loading it.
    pub about: About,
    /// Loads it.
    pub open: Open,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.bytes)
    }
}

/// How many models may be loaded, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    /// Bytes they may take together; none: all that is asked for.
    pub budget: Option<u64>,
    /// How long a model may be idle.
    pub idle: Option<Duration>,
}

struct Slot {
    source: Source,
    created: u64,
    now: Mutex<Now>,
    /// Requests under way.
    busy: Arc<AtomicUsize>,
    /// One loads, the others wait.
    loading: tokio::sync::Mutex<()>,
}

struct Now {
    loaded: Option<Arc<Model>>,
    used: Instant,
}

/// See the module.
pub(crate) struct Models {
    slots: Vec<Slot>,
    keeping: Keeping,
    /// Who makes room, one at a time.
    room: tokio::sync::Mutex<()>,
}

impl Slot {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the model go if nobody uses it; true when it did.
    fn let_go(&self, idle: Duration) -> bool {
        let gone = {
            let mut now = self.now();
            let free = self.busy.load(Ordering::SeqCst) == 0 && now.used.elapsed() >= idle;
            if free { now.loaded.take() } else { None }
        };
        gone.is_some()
    }
}

impl Models {
    pub(crate) fn new(sources: Vec<Source>, keeping: Keeping) -> Result<Self, Error> {
        if sources.is_empty() {
            return Err(Error::Models("there is no model to serve".to_owned()));
        }
        let mut names: Vec<&str> = sources.iter().map(|source| &source.name[..]).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Models(format!("two models are called {twice:?}")));
        }
        if let (Some(budget), Some(source)) = (
            keeping.budget,
            sources.iter().find(|source| keeping.budget.is_some_and(|most| source.bytes > most)),
        ) {
            return Err(Error::Models(format!(
                "{} takes {} bytes, the budget for models is {budget}",
                source.name, source.bytes
            )));
        }
        let slot = |source| Slot {
            source,
            created: key::now(),
            now: Mutex::new(Now { loaded: None, used: Instant::now() }),
            busy: Arc::default(),
            loading: tokio::sync::Mutex::default(),
        };
        let slots = sources.into_iter().map(slot).collect();
        Ok(Models { slots, keeping, room: tokio::sync::Mutex::default() })
    }

    /// Every model, in the order given: its name, what is known, when it was offered, whether it is
    /// loaded.
    pub(crate) fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        self.slots.iter().map(|slot| Listed {
            name: &slot.source.name,
            about: &slot.source.about,
            created: slot.created,
            bytes: slot.source.bytes,
            loaded: slot.now().loaded.clone(),
        })
    }

    /// Those that are loaded.
    pub(crate) fn loaded(&self) -> Vec<Arc<Model>> {
        self.slots.iter().filter_map(|slot| slot.now().loaded.clone()).collect()
    }

    /// The name a request means that names none.
    pub(crate) fn default_name(&self) -> &str {
        &self.slots[0].source.name
    }

    /// The model of that name, loaded if need be.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<Model>, Fault> {
        let slot = self.slots.iter().find(|slot| slot.source.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.slots.iter().map(|slot| &slot.source.name[..]).collect();
            Fault::no_model(name, &known.join(", "))
        })?;
        if let Some(model) = Self::ready(slot) {
            return Ok(model);
        }
        let _one = slot.loading.lock().await;
        if let Some(model) = Self::ready(slot) {
            return Ok(model);
        }
        let _room = self.room.lock().await;
        self.make_room(slot).await?;
        // The thread reads files and packs weights; others are answered meanwhile.
        let opened = tokio::task::block_in_place(|| (slot.source.open)());
        let parts = opened.map_err(|reason| {
            Fault::unavailable(format!("the model {name:?} cannot be loaded: {reason}"), 30)
        })?;
        let model = Arc::new(Model::new(name, slot.created, parts));
        let mut now = slot.now();
        now.loaded = Some(Arc::clone(&model));
        now.used = Instant::now();
        Ok(model)
    }

    /// Counts a request of this model for as long as the count lives.
    pub(crate) fn busy(&self, model: &Model) -> Option<Busy> {
        let slot = self.slots.iter().find(|slot| slot.source.name == model.name())?;
        slot.busy.fetch_add(1, Ordering::SeqCst);
        slot.now().used = Instant::now();
        Some(Busy(Arc::clone(&slot.busy)))
    }

    /// Lets models go that have been idle for long.
    pub(crate) fn sweep(&self) -> Vec<String> {
        let Some(idle) = self.keeping.idle else { return vec![] };
        let gone = self.slots.iter().filter(|slot| slot.let_go(idle));
        gone.map(|slot| slot.source.name.clone()).collect()
    }

    fn ready(slot: &Slot) -> Option<Arc<Model>> {
        let mut now = slot.now();
        let model = now.loaded.clone()?;
        if model.runner().trouble().is_some() {
            // Its thread is gone: the next request loads it anew.
            now.loaded = None;
            return None;
        }
        now.used = Instant::now();
        Some(model)
    }

    /// Lets the models used longest ago go until this one fits.
    async fn make_room(&self, wanted: &Slot) -> Result<(), Fault> {
        let Some(budget) = self.keeping.budget else { return Ok(()) };
        for _ in 0..100 {
            let held: u64 = self
                .slots
                .iter()
                .filter(|slot| slot.now().loaded.is_some())
                .map(|slot| slot.source.bytes)
                .sum();
            if held + wanted.source.bytes <= budget {
                return Ok(());
            }
            let mut others: Vec<&Slot> =
                self.slots.iter().filter(|slot| slot.now().loaded.is_some()).collect();
            others.sort_by_key(|slot| slot.now().used);
            if !others.into_iter().any(|slot| slot.let_go(Duration::ZERO)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Err(Fault::unavailable("the other models are busy and there is no room for this one", 5))
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.slots.iter().map(|slot| &slot.source)).finish()
    }
}

/// A model as it is listed.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) about: &'a About,
    pub(crate) created: u64,
    pub(crate) bytes: u64,
    pub(crate) loaded: Option<Arc<Model>>,
}

/// A request of a model, counted.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
