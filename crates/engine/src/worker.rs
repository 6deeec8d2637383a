//! An engine on a thread of its own, for many callers.
//!
//! Callers hold a [`Handle`]. What is wrong with a request is said at once, on the caller's thread;
//! what comes of it is told event by event. The thread reads its commands before every step, so a
//! cancelled request costs at most the step under way. A caller who drops its [`Ticket`] or [`Stream`],
//! or whose sink says so, has cancelled.
//!
//! One request that fails takes nobody with it. When the engine itself fails (a panic, or steps that
//! fail one after another), every open answer is told so, and nothing more is taken in: the worker is
//! [`State::Poisoned`] and must be made anew.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    Engine, Error, Event, Memory, Metrics, ModelFile, Request, RequestId, intake::Intake,
    scheduler::Sequence,
};

/// Told the events of one request, on the engine's thread: it must not block. `Break` cancels.
pub type Sink = Box<dyn FnMut(Event) -> ControlFlow<()> + Send>;

/// Whether a worker takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Yes.
    Serving,
    /// No; those under way are finished.
    Draining,
    /// No; it has ended.
    Stopped,
    /// No; the engine has failed, as the text says.
    Poisoned(String),
}

impl State {
    fn check(&self) -> Result<(), Error> {
        Err(match self {
            State::Serving => return Ok(()),
            State::Draining => Error::Draining,
            State::Stopped => Error::Stopped,
            State::Poisoned(why) => Error::Poisoned(why.clone()),
        })
    }
}

/// Owns the thread. Dropping it cancels what is left and waits for the thread to end.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Brings requests to a worker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Sender<Command>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    intake: Arc<Intake>,
    memory: Memory,
    describe: String,
    now: Mutex<Now>,
    /// Something in `now` has changed.
    changed: Condvar,
}

#[derive(Debug)]
struct Now {
    state: State,
    metrics: Metrics,
    /// Requests taken in and not yet ended.
    open: usize,
}

enum Command {
    Enter(Box<Sequence>, Sink),
    Cancel(RequestId),
    Stop(RequestId, u32),
    End,
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Gives the engine its thread.
    pub fn start(engine: Engine) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            intake: Arc::clone(engine.intake()),
            memory: engine.memory(),
            describe: engine.describe(),
            now: Mutex::new(Now { state: State::Serving, metrics: engine.metrics(), open: 0 }),
            changed: Condvar::new(),
        });
        let (commands, inbox) = mpsc::channel();
        let own = Arc::clone(&shared);
        let run = move || Loop { engine, inbox, shared: own, open: HashMap::new() }.run();
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::Backend(format!("no thread: {error}")))?;
        Ok(Worker { handle: Handle { commands, shared }, thread: Some(thread) })
    }

    /// For those who bring requests.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Takes no more requests and waits until those under way have ended; false when they take longer.
    pub fn drain_within(&self, time: Duration) -> bool {
        self.handle.drain();
        self.handle.wait_idle(time)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A thread that is gone already needs no telling.
        drop(self.handle.commands.send(Command::End));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Handle {
    /// Everything `submit` would refuse a request for, but the state of queue and worker.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        self.shared.intake.check(request)
    }

    /// Takes a request in; `sink` is told what comes of it.
    pub fn submit(&self, request: Request, sink: Sink) -> Result<Ticket, Error> {
        self.shared.now().state.check()?;
        let sequence = self.shared.intake.take(request)?;
        let id = sequence.id;
        {
            // Again, together with the count, so that nothing slips in behind a drain.
            let mut now = self.shared.now();
            now.state.check()?;
            now.open += 1;
        }
        if self.commands.send(Command::Enter(Box::new(sequence), sink)).is_err() {
            let mut now = self.shared.now();
            now.open -= 1;
            return Err(now.state.check().err().unwrap_or(Error::Stopped));
        }
        Ok(Ticket { id, commands: self.commands.clone() })
    }

    /// Takes a request in; its events are to be read from the stream.
    pub fn stream(&self, request: Request) -> Result<Stream, Error> {
        let left = request.choices as usize;
        let (sender, events) = mpsc::channel();
        let sink = move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let ticket = self.submit(request, Box::new(sink))?;
        Ok(Stream { ticket, events, left })
    }

    /// As of the last step.
    pub fn metrics(&self) -> Metrics {
        Metrics { refused: self.shared.intake.refused(), ..self.shared.now().metrics }
    }

    /// Whether requests are taken.
    pub fn state(&self) -> State {
        self.shared.now().state.clone()
    }

    /// Takes no more requests; those under way are finished.
    pub fn drain(&self) {
        let mut now = self.shared.now();
        if now.state == State::Serving {
            now.state = State::Draining;
        }
    }

    /// Takes requests again after [`Handle::drain`].
    pub fn resume(&self) {
        let mut now = self.shared.now();
        if now.state == State::Draining {
            now.state = State::Serving;
        }
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.shared.now().open == 0
    }

    /// Waits until no request is under way; false when that takes longer.
    pub fn wait_idle(&self, time: Duration) -> bool {
        let busy = |now: &mut Now| now.open > 0;
        let waited = self.shared.changed.wait_timeout_while(self.shared.now(), time, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Tokens a sequence may have.
    pub fn context(&self) -> usize {
        self.shared.intake.context()
    }

    /// Tokens of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.file().model().vocab
    }

    /// The model's file.
    pub fn file(&self) -> &Arc<ModelFile> {
        self.shared.intake.file()
    }

    /// What was allocated.
    pub fn memory(&self) -> Memory {
        self.shared.memory
    }

    /// In a few words: the backend, its instruction set, its threads.
    pub fn describe(&self) -> String {
        self.shared.describe.clone()
    }
}

/// A request under way. Dropping it cancels; one that has ended is not bothered.
#[derive(Debug)]
pub struct Ticket {
    id: RequestId,
    commands: Sender<Command>,
}

impl Ticket {
    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Ends all its answers before the next step.
    pub fn cancel(&self) {
        // A worker that is gone has ended them already.
        drop(self.commands.send(Command::Cancel(self.id)));
    }

    /// Ends one of its answers before the next step.
    pub fn stop(&self, choice: u32) {
        drop(self.commands.send(Command::Stop(self.id, choice)));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The events of a request, in order; it ends when all answers have. Dropping it cancels.
#[derive(Debug)]
pub struct Stream {
    ticket: Ticket,
    events: Receiver<Event>,
    /// Answers that have not ended.
    left: usize,
}

impl Stream {
    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.ticket.id
    }

    /// Ends all its answers before the next step; their last events still come.
    pub fn cancel(&self) {
        self.ticket.cancel();
    }

    /// Ends one of its answers before the next step.
    pub fn stop(&self, choice: u32) {
        self.ticket.stop(choice);
    }

    /// The next event, if it comes in time; an error when it doesn't. `None` after the last.
    pub fn recv_timeout(&mut self, time: Duration) -> Result<Option<Event>, RecvTimeoutError> {
        if self.left == 0 {
            return Ok(None);
        }
        match self.events.recv_timeout(time) {
            Ok(event) => Ok(Some(self.count(event))),
            Err(RecvTimeoutError::Timeout) => Err(RecvTimeoutError::Timeout),
            Err(RecvTimeoutError::Disconnected) => Ok(Some(self.lost())),
        }
    }

    fn count(&mut self, event: Event) -> Event {
        self.left -= usize::from(event.ends().is_some());
        event
    }

    /// The worker is gone without a word.
    fn lost(&mut self) -> Event {
        self.left = 0;
        Event::Failed { request: self.ticket.id, choice: 0, error: Error::Stopped }
    }
}

impl Iterator for Stream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.left == 0 {
            return None;
        }
        Some(match self.events.recv() {
            Ok(event) => self.count(event),
            Err(_) => self.lost(),
        })
    }
}

/// What the thread holds.
struct Loop {
    engine: Engine,
    inbox: Receiver<Command>,
    shared: Arc<Shared>,
    open: HashMap<RequestId, Open>,
}

/// A request whose events somebody waits for.
struct Open {
    sink: Sink,
    /// Answers that have not ended.
    left: Vec<u32>,
    listens: bool,
}

impl Loop {
    fn run(mut self) {
        let why = loop {
            if self.obey().is_break() {
                self.engine.cancel_all();
                // Ends everything and computes nothing.
                let last = catch_unwind(AssertUnwindSafe(|| self.engine.step()));
                if let Ok(Ok(events)) = last {
                    self.tell(events);
                }
                break State::Stopped;
            }
            match catch_unwind(AssertUnwindSafe(|| self.engine.step())) {
                Ok(Ok(events)) => {
                    // First, so that who hears of an end finds it counted.
                    self.shared.now().metrics = self.engine.metrics();
                    self.tell(events);
                }
                Ok(Err(error)) => break State::Poisoned(error.to_string()),
                Err(panic) => break State::Poisoned(said(panic.as_ref())),
            }
        };
        self.end(&why);
    }

    /// Takes in what has come; waits for it when there is nothing to do. Breaks at the end.
    fn obey(&mut self) -> ControlFlow<()> {
        if self.engine.is_idle() {
            match self.inbox.recv() {
                Ok(command) => self.take(command)?,
                Err(_) => return ControlFlow::Break(()),
            }
        }
        while let Ok(command) = self.inbox.try_recv() {
            self.take(command)?;
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Enter(sequence, sink) => {
                let left = (0..=sequence.siblings).collect();
                self.open.insert(sequence.id, Open { sink, left, listens: true });
                self.engine.enter(*sequence);
            }
            // What has ended already can't be cancelled, and needn't.
            Command::Cancel(id) => drop(self.engine.cancel(id)),
            Command::Stop(id, choice) => drop(self.engine.cancel_choice(id, choice)),
            Command::End => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Tells everybody theirs; who doesn't listen any more is cancelled.
    fn tell(&mut self, events: Vec<Event>) {
        let mut ended = 0;
        for event in events {
            let id = event.request();
            let Some(open) = self.open.get_mut(&id) else { continue };
            if let Some(choice) = event.ends() {
                open.left.retain(|left| *left != choice);
            }
            if !open.tell(event) {
                drop(self.engine.cancel(id));
            }
            if open.left.is_empty() {
                self.open.remove(&id);
                ended += 1;
            }
        }
        if ended > 0 {
            self.shared.now().open -= ended;
            self.shared.changed.notify_all();
        }
    }

    /// Says why it ends to all who wait, also to those whose requests were still on their way.
    fn end(mut self, why: &State) {
        let error = || why.check().err().unwrap_or(Error::Stopped);
        self.shared.now().state = why.clone();
        for (request, open) in &mut self.open {
            for choice in std::mem::take(&mut open.left) {
                open.tell(Event::Failed { request: *request, choice, error: error() });
            }
        }
        while let Ok(command) = self.inbox.try_recv() {
            if let Command::Enter(sequence, mut sink) = command {
                for choice in 0..=sequence.siblings {
                    let failed = Event::Failed { request: sequence.id, choice, error: error() };
                    drop(catch_unwind(AssertUnwindSafe(|| sink(failed))));
                }
            }
        }
        let mut now = self.shared.now();
        now.open = 0;
        now.metrics = self.engine.metrics();
        drop(now);
        self.shared.changed.notify_all();
    }
}

impl Open {
    /// Whether somebody still listens. A sink that panics doesn't.
    fn tell(&mut self, event: Event) -> bool {
        let sink = &mut self.sink;
        self.listens = self.listens
            && matches!(
                catch_unwind(AssertUnwindSafe(|| sink(event))),
                Ok(ControlFlow::Continue(()))
            );
        self.listens
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_else(|| "for no stated reason".to_owned()))
}
