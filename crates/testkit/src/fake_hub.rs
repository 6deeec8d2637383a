//! A model hub on this computer that speaks the real protocol, and lies when told to.
//!
//! It serves models by commit with listings, small files, large files by redirect to a second server
//! (the "CDN", another port), ranges, entity tags, gates and pages; plain files; and a small OCI registry
//! with token authentication. [`Quirk`]s make it hostile or clumsy. It writes down every request, so that
//! a test can say what was asked and whether a token was sent along.
//!
//! Plain blocking HTTP/1.1, a thread a connection: it has to be obvious more than fast, but a large body
//! goes out as fast as the kernel takes it.

mod http;
mod registry;
mod routes;
mod world;

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

pub use registry::Artifact;
pub use world::{Content, Gate, Quirk, Repo, World};

/// See the module. Stops when dropped.
#[derive(Debug)]
pub struct FakeHub {
    shared: Arc<Shared>,
}

/// One request as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `hub` or `cdn`.
    pub server: &'static str,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `If-Range` header.
    pub if_range: Option<String>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    log: Mutex<Vec<Seen>>,
    sent: AtomicU64,
    connections: AtomicU64,
    stopped: AtomicBool,
    hub: SocketAddr,
    cdn: SocketAddr,
}

impl FakeHub {
    /// Starts it, empty, on two free ports of `127.0.0.1`.
    pub fn start() -> FakeHub {
        let bind = || TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let (hub, cdn) = (bind(), bind());
        let address =
            |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            world: Mutex::default(),
            log: Mutex::default(),
            sent: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            hub: address(&hub),
            cdn: address(&cdn),
        });
        for (listener, server) in [(hub, "hub"), (cdn, "cdn")] {
            let shared = shared.clone();
            thread::spawn(move || accept(&listener, server, &shared));
        }
        FakeHub { shared }
    }

    /// A hub with one model.
    pub fn with(repo: Repo) -> FakeHub {
        let hub = FakeHub::start();
        hub.world().add(repo);
        hub
    }

    /// Its address, as `HF_ENDPOINT` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.shared.hub)
    }

    /// Where it redirects to for large files.
    pub fn cdn(&self) -> String {
        format!("http://{}", self.shared.cdn)
    }

    /// Host and port, as a registry's name.
    pub fn host(&self) -> String {
        self.shared.hub.to_string()
    }

    /// What it serves, to be changed while it runs.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it misbehave.
    pub fn quirk(&self, quirk: Quirk) -> &FakeHub {
        self.world().quirks.push(quirk);
        self
    }

    /// Makes it behave.
    pub fn behave(&self) -> &FakeHub {
        self.world().quirks.clear();
        self
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests, the bytes and the connections so far.
    pub fn forget(&self) {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.shared.sent.store(0, Ordering::SeqCst);
        self.shared.connections.store(0, Ordering::SeqCst);
    }

    /// Bytes of file bodies that were sent.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for address in [self.shared.hub, self.shared.cdn] {
            // Wakes the thread that waits for connections.
            _ = TcpStream::connect(address);
        }
    }
}

fn accept(listener: &TcpListener, server: &'static str, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = shared.clone();
        thread::spawn(move || serve(stream, server, &shared));
    }
}

/// Answers the requests of one connection until either side ends it.
fn serve(stream: TcpStream, server: &'static str, shared: &Shared) {
    _ = stream.set_nodelay(true);
    let mut connection = http::Connection::new(stream);
    while let Ok(Some(request)) = connection.read() {
        shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
            server,
            method: request.method.clone(),
            target: request.target.clone(),
            range: request.header("range").map(str::to_owned),
            authorization: request.header("authorization").map(str::to_owned),
            if_range: request.header("if-range").map(str::to_owned),
        });
        let reply = routes::answer(server, &request, shared);
        match connection.write(&request, &reply, &shared.sent) {
            Ok(http::After::Keep) if !shared.stopped.load(Ordering::SeqCst) => {}
            _ => return,
        }
    }
}
