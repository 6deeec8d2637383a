//! Bodies that come piece by piece, from a task to a client, with a bound on what waits between.
//!
//! When the client leaves, the body is dropped, the task with it, and what the task held: so the
//! engine stops within a step.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, header},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Frame;
use serde_json::Value as Json;
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep},
};

use crate::fault::{Family, Fault};

/// Pieces that may wait for a slow client.
const WAITING: usize = 16;
/// How long a stream may be silent before it says that it lives.
const SILENCE: Duration = Duration::from_secs(15);

/// How pieces are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Server-sent events.
    Events,
    /// One JSON value a line.
    Lines,
}

/// The client left.
#[derive(Debug)]
pub(crate) struct Gone;

/// Where a task puts its pieces.
pub(crate) struct Feed {
    pieces: mpsc::Sender<Bytes>,
    kind: Kind,
}

impl Feed {
    async fn send(&self, text: String) -> Result<(), Gone> {
        self.pieces.send(Bytes::from(text)).await.map_err(|_| Gone)
    }

    /// A piece without a name.
    pub(crate) async fn data(&self, value: &Json) -> Result<(), Gone> {
        self.send(match self.kind {
            Kind::Events => format!("data: {value}\n\n"),
            Kind::Lines => format!("{value}\n"),
        })
        .await
    }

    /// A named event.
    pub(crate) async fn event(&self, name: &str, value: &Json) -> Result<(), Gone> {
        self.send(format!("event: {name}\ndata: {value}\n\n")).await
    }

    /// OpenAI's mark that nothing more comes.
    pub(crate) async fn done(&self) -> Result<(), Gone> {
        self.send("data: [DONE]\n\n".to_owned()).await
    }

    /// What went wrong, in the family's shape.
    pub(crate) async fn fault(&self, fault: &Fault, family: Family) -> Result<(), Gone> {
        match family {
            Family::Anthropic => self.event("error", &fault.json(family)).await,
            _ => self.data(&fault.json(family)).await,
        }
    }
}

/// An answer whose body `work` writes.
pub(crate) fn respond<W, F>(kind: Kind, family: Family, work: W) -> Response<Body>
where
    W: FnOnce(std::sync::Arc<Feed>) -> F + Send + 'static,
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (pieces, waiting) = mpsc::channel(WAITING);
    let closing = pieces.clone();
    let feed = std::sync::Arc::new(Feed { pieces, kind });
    tokio::spawn(async move {
        let written = AssertUnwindSafe(work(std::sync::Arc::clone(&feed))).catch_unwind();
        tokio::select! {
            done = written => if done.is_err() {
                let fault = Fault::ours("this request met a fault of the server; others are not affected");
                drop(feed.fault(&fault, family).await);
            },
            () = closing.closed() => {}
        }
    });
    let ping: &'static [u8] = match kind {
        Kind::Events => b": keep-alive\n\n",
        Kind::Lines => b"\n",
    };
    let body = Pieces { waiting, silence: Box::pin(sleep(SILENCE)), ping };
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    let content = match kind {
        Kind::Events => "text/event-stream; charset=utf-8",
        Kind::Lines => "application/x-ndjson",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

struct Pieces {
    waiting: mpsc::Receiver<Bytes>,
    silence: Pin<Box<Sleep>>,
    ping: &'static [u8],
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = match self.waiting.poll_recv(context) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(piece)) => piece,
            Poll::Pending => {
                if self.silence.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                Bytes::from_static(self.ping)
            }
        };
        self.silence.as_mut().reset(Instant::now() + SILENCE);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}
