//! Connections: taken as far as there is room, each with limits of time and size, let go one
//! request at a time when the server drains.
//!
//! HTTP/1.1 only: what HTTP/2 would give (one connection for many streams) a proxy in front gives
//! as well, and its floods and resets do not reach us (R6).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::guard::Guard;
use crate::state::State;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Lines of a request's head.
const HEAD_LINES: usize = 100;
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// What is listened with.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Connections at a time.
    pub(crate) connections: usize,
}

/// Serves until `stop` says so, then lets connections finish their request; returns when all are
/// closed.
pub(crate) async fn run(
    listening: Listening,
    router: Router,
    state: Arc<State>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(listening.connections));
    let mut open = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = asked(&mut stop) => break,
        };
        let Ok(place) = place else { break };
        let stream = tokio::select! {
            accepted = listening.listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of file descriptors, or a connection that is gone already.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = asked(&mut stop) => break,
        };
        while open.try_join_next().is_some() {}
        let connection = Connection {
            router: router.clone(),
            state: Arc::clone(&state),
            stop: stop.clone(),
            _place: place,
        };
        open.spawn(connection.serve(stream, listening.tls.clone()));
    }
    drop(listening.listener);
    while open.join_next().await.is_some() {}
}

struct Connection {
    router: Router,
    state: Arc<State>,
    stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let _counted = Counted::new(Arc::clone(&self.state));
        // Tokens are small and each one matters at once.
        drop(stream.set_nodelay(true));
        match tls {
            None => self.http(stream).await,
            Some(tls) => {
                if let Ok(Ok(stream)) =
                    tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await
                {
                    self.http(stream).await;
                }
            }
        }
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(mut self, stream: S) {
        let router = self.router.clone();
        let service =
            hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                router.clone().call(request.map(axum::body::Body::new))
            });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Also how long a connection may be idle between requests.
            .header_read_timeout(self.state.patience)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_LINES)
            .serve_connection(TokioIo::new(Guard::new(stream)), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // What goes wrong on a connection is the client's matter, and it is gone.
            done = connection.as_mut() => return drop(done),
            () = asked(&mut self.stop) => connection.as_mut().graceful_shutdown(),
        }
        drop(connection.await);
    }
}

/// Resolves when the server is to stop.
async fn asked(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Counts a connection for as long as it is open.
struct Counted(Arc<State>);

impl Counted {
    fn new(state: Arc<State>) -> Self {
        state.connections.fetch_add(1, Ordering::Relaxed);
        Counted(state)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
