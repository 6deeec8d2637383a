//! A server: made from its settings, run until it is told to stop, drained before it goes.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};

use crate::{
    Error,
    conversation::Store,
    field::Compat,
    gate::{Gate, Need},
    http::{accept, tls},
    key::Keys,
    log::{Lines, Log},
    models::{Keeping, Models, Source},
    quota::Quotas,
    route,
    state::{Shared, State},
    usage::Ledger,
};

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of keys and usage records.
    pub keys: Option<PathBuf>,
    /// The file of conversations had on the page; none: `conversations.sqlite` beside the keys, or
    /// where there are no keys either, in memory only.
    pub conversations: Option<PathBuf>,
    /// Whether a key is needed on this machine too.
    pub local_keys: LocalKeys,
    /// Certificate chain and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Names it goes by.
    pub hosts: Vec<String>,
    /// Origins of pages that may use it.
    pub origins: Vec<String>,
    /// What happens to fields that are not honoured.
    pub compat: Compat,
    /// Connections at a time.
    pub connections: usize,
    /// Answers at a time, waiting ones included.
    pub answers: usize,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub patience: Duration,
    /// Between not being ready any more and not listening any more.
    pub drain_delay: Duration,
    /// How long answers under way may take to finish.
    pub drain_time: Duration,
    /// Memory and idle time of models.
    pub keeping: Keeping,
    /// The program's version.
    pub version: &'static str,
}

/// Whether requests from this machine need a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalKeys {
    /// They don't.
    #[default]
    NotNeeded,
    /// They do, like all others.
    Needed,
}

impl Settings {
    /// On this address, with everything else as is customary.
    pub fn new(listen: SocketAddr) -> Self {
        Settings {
            listen,
            keys: None,
            conversations: None,
            local_keys: LocalKeys::NotNeeded,
            tls: None,
            hosts: vec![],
            origins: vec![],
            compat: Compat::Strict,
            connections: 1024,
            answers: 1024,
            body_bytes: 32 << 20,
            patience: Duration::from_secs(30),
            drain_delay: Duration::from_secs(1),
            drain_time: Duration::from_secs(45),
            keeping: Keeping::default(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A server that listens.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    state: Arc<State>,
    listening: accept::Listening,
    settings: Settings,
    address: SocketAddr,
}

/// What ends a server, told from outside.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<u8>);

impl Stop {
    /// None yet.
    pub fn new() -> Self {
        Stop(watch::channel(0).0)
    }

    /// Once: finish what is under way and go. Twice: go.
    pub fn ask(&self) {
        self.0.send_modify(|asked| *asked = asked.saturating_add(1));
    }

    async fn asked(&self, times: u8) {
        let mut asked = self.0.subscribe();
        drop(asked.wait_for(|asked| *asked >= times).await);
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything under way was finished.
    Drained,
    /// This many answers were cut off.
    Cut(usize),
}

impl Server {
    /// Checks the settings, opens keys and port. No model is loaded yet.
    pub fn bind(settings: Settings, sources: Vec<Source>, lines: Lines) -> Result<Self, Error> {
        let outside = !settings.listen.ip().is_loopback();
        let keys = settings.keys.as_deref().map(Keys::open).transpose()?;
        let guarded = keys.as_ref().map(Keys::any).transpose()?.unwrap_or(false);
        if outside && !guarded {
            return Err(Error::Unguarded { address: settings.listen });
        }
        let need = if outside || settings.local_keys == LocalKeys::Needed {
            Need::Key
        } else {
            Need::Nothing
        };
        let beside =
            || settings.keys.as_ref().map(|keys| keys.with_file_name("conversations.sqlite"));
        let conversations = match settings.conversations.clone().or_else(beside) {
            Some(path) => Store::open(&path)?,
            None => Store::in_memory()?,
        };
        let ledger = settings.keys.as_deref().map(Ledger::open).transpose()?;
        let tls = settings
            .tls
            .as_ref()
            .map(|(certificate, key)| tls::acceptor(certificate, key))
            .transpose()?;
        let models = Models::new(sources, settings.keeping)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(16)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let failed = |source| Error::Listen { address: settings.listen, source };
        let listener = runtime.block_on(TcpListener::bind(settings.listen)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let state = Arc::new(State::new(Shared {
            gate: Gate {
                keys,
                need,
                hosts: settings.hosts.clone(),
                origins: settings.origins.clone(),
                quotas: Quotas::default(),
            },
            models,
            conversations,
            compat: settings.compat,
            version: settings.version,
            log: Log::new(lines),
            ledger,
            answers_max: settings.answers,
            patience: settings.patience,
            body_bytes_max: settings.body_bytes,
        }));
        let listening = accept::Listening { listener, tls, connections: settings.connections };
        Ok(Server { runtime, state, listening, settings, address })
    }

    /// Where it listens: the port the system chose, where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loads the model that requests without a name mean.
    pub fn load_first(&self) -> Result<(), Error> {
        let name = self.state.models.default_name().to_owned();
        let loaded = self.runtime.block_on(async {
            let state = Arc::clone(&self.state);
            tokio::spawn(async move { state.models.get(&name).await.map(drop) }).await
        });
        let name = self.state.models.default_name().to_owned();
        match loaded {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => Err(Error::Model { name, reason: fault.message }),
            Err(_) => Err(Error::Model { name, reason: "loading it failed".to_owned() }),
        }
    }

    /// Serves until a signal asks it to stop (SIGINT, SIGTERM); a second one ends it at once.
    pub fn run_until_signalled(self) -> Ended {
        let stop = Stop::new();
        let asked = stop.clone();
        self.runtime.spawn(signals(asked));
        self.run(&stop)
    }

    /// Serves until asked to stop. First it says that it is not ready, so that nobody sends more;
    /// then it listens no longer; what is under way is finished, as far as there is time.
    pub fn run(self, stop: &Stop) -> Ended {
        let Server { runtime, state, listening, settings, .. } = self;
        let (close, closing) = watch::channel(false);
        let router = route::router(Arc::clone(&state));
        let ended = runtime.block_on(async {
            let connections =
                tokio::spawn(accept::run(listening, router, Arc::clone(&state), closing));
            let sweeping = tokio::spawn(sweep(Arc::clone(&state)));
            stop.asked(1).await;
            state.drain();
            state.log().server("draining", "");
            let drained = async {
                tokio::time::sleep(settings.drain_delay).await;
                let _ = close.send(true);
                drop(tokio::time::timeout(settings.drain_time, connections).await);
            };
            tokio::select! {
                () = drained => {}
                () = stop.asked(2) => {}
            }
            sweeping.abort();
            match state.answers() {
                0 => Ended::Drained,
                cut => Ended::Cut(cut),
            }
        });
        state.log().server("stopped", "");
        runtime.shutdown_timeout(Duration::from_secs(2));
        ended
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

/// Passes on each time the system asks the program to end.
#[cfg(unix)]
async fn signals(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.ask();
    }
}

/// Passes on each time the system asks the program to end.
#[cfg(not(unix))]
async fn signals(stop: Stop) {
    while tokio::signal::ctrl_c().await.is_ok() {
        stop.ask();
    }
}

/// Lets idle models go.
async fn sweep(state: Arc<State>) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        for name in state.models.sweep() {
            state.log().server("unloaded", &name);
        }
    }
}
