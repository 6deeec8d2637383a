//! Just enough HTTP/1.1: requests without bodies, answers with a length, one after the other.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::TcpStream,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use super::Content;

/// Bytes of a request's head, at most.
const HEAD_MAX: usize = 64 << 10;

pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

/// What happens to the connection after an answer.
pub(super) enum After {
    Keep,
    Close,
}

/// What `Content-Length` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    True,
    /// Something else.
    Stated(u64),
    /// Nothing: the end of the connection is the end of the body.
    Unstated,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Content,
    /// The part of the body that is sent.
    pub(super) part: Range<u64>,
    /// What `Content-Length` says.
    pub(super) length: Length,
    /// The connection is cut after so many bytes of the body.
    pub(super) cut: Option<u64>,
    /// Bytes per second, at most.
    pub(super) rate: Option<u64>,
    /// Counted as bytes of files.
    pub(super) counted: Option<()>,
}

impl Reply {
    pub(super) fn new(status: u16, body: Content) -> Reply {
        let part = 0..body.len();
        Reply {
            status,
            headers: Vec::new(),
            body,
            part,
            length: Length::True,
            cut: None,
            rate: None,
            counted: None,
        }
    }

    pub(super) fn text(status: u16, text: &str) -> Reply {
        Reply::new(status, Content::from(text.as_bytes().to_vec()))
            .with("Content-Type", "text/plain")
    }

    pub(super) fn json(value: &serde_json::Value) -> Reply {
        Reply::new(200, Content::from(value.to_string().into_bytes()))
            .with("Content-Type", "application/json")
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The path, decoded.
    pub(super) fn path(&self) -> String {
        decode(self.target.split('?').next().unwrap_or_default())
    }

    /// A field of the query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (decode(key) == name).then(|| decode(&value.replace('+', " ")))
        })
    }

    /// The bytes a `Range` asks for, if it is of the one form that is used.
    pub(super) fn range(&self, bytes: u64) -> Option<Range<u64>> {
        let (start, end) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let start = start.parse().ok()?;
        let end = if end.is_empty() { bytes } else { end.parse::<u64>().ok()?.checked_add(1)? };
        Some(start..end.min(bytes))
    }
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection { stream, buffer: Vec::new() }
    }

    /// The next request; `None` at the end.
    pub(super) fn read(&mut self) -> io::Result<Option<Request>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let mut piece = [0; 4096];
            let count = self.stream.read(&mut piece)?;
            if count == 0 || self.buffer.len() > HEAD_MAX {
                return Ok(None);
            }
            self.buffer.extend_from_slice(&piece[..count]);
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let method = first.next().unwrap_or_default().to_owned();
        let target = first.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Ok(Some(Request { method, target, headers }))
    }

    pub(super) fn write(
        &mut self,
        request: &Request,
        reply: &Reply,
        sent: &AtomicU64,
    ) -> io::Result<After> {
        let length = reply.part.end - reply.part.start;
        let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
        for (key, value) in &reply.headers {
            _ = write!(head, "{key}: {value}\r\n");
        }
        _ = match reply.length {
            Length::True => write!(head, "Content-Length: {length}\r\n\r\n"),
            Length::Stated(stated) => write!(head, "Content-Length: {stated}\r\n\r\n"),
            Length::Unstated => write!(head, "Connection: close\r\n\r\n"),
        };
        self.stream.write_all(head.as_bytes())?;
        if request.method == "HEAD" {
            return Ok(After::Keep);
        }
        let end =
            reply.cut.map_or(reply.part.end, |cut| reply.part.end.min(reply.part.start + cut));
        let mut at = reply.part.start;
        while at < end {
            let most = match reply.rate {
                Some(rate) => (rate / 50).max(1),
                None => 1 << 20,
            };
            let piece = reply.body.piece(at, most.min(end - at));
            self.stream.write_all(&piece)?;
            at += piece.len() as u64;
            if reply.counted.is_some() {
                sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
            if reply.rate.is_some() {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let whole = reply.cut.is_none_or(|cut| cut >= length);
        Ok(if whole && reply.length == Length::True { After::Keep } else { After::Close })
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        _ => "Status",
    }
}
