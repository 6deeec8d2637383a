//! Structured logs: one JSON object a line, with the request's id. Prompts, answers and keys are
//! never among the fields, and whatever a client can choose is escaped by the JSON writer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};

use crate::usage::Record;

/// Where lines go.
pub type Lines = Box<dyn Fn(&str) + Send + Sync>;

/// Writes lines.
pub(crate) struct Log(Lines);

impl Log {
    /// To this place.
    pub(crate) fn new(lines: Lines) -> Self {
        Log(lines)
    }

    fn line(&self, event: &str, fields: Json) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = Map::from_iter([
            ("at".to_owned(), json!(at.as_millis() as u64)),
            ("event".to_owned(), json!(event)),
        ]);
        if let Json::Object(fields) = fields {
            line.extend(fields);
        }
        (self.0)(&Json::Object(line).to_string());
    }

    /// The server did something.
    pub(crate) fn server(&self, what: &str, detail: &str) {
        self.line("server", json!({"what": what, "detail": detail}));
    }

    /// A request has its answer, or the beginning of it.
    pub(crate) fn request(&self, request: &Request<'_>) {
        self.line(
            "request",
            json!({
                "request": request.id,
                "method": request.method,
                "route": request.route,
                "status": request.status,
                "code": request.code,
                "key": request.key,
                "ms": millis(request.took),
            }),
        );
    }

    /// A model has answered.
    pub(crate) fn answered(&self, record: &Record, first: Option<Duration>) {
        self.line(
            "answer",
            json!({
                "request": record.request,
                "route": record.route,
                "key": record.key,
                "model": record.model,
                "prompt_tokens": record.prompt_tokens,
                "cached_tokens": record.cached_tokens,
                "completion_tokens": record.completion_tokens,
                "outcome": record.outcome,
                "first_ms": first.map(millis),
                "ms": millis(record.duration),
            }),
        );
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

/// What is said of a request. The route is the table's path, never what was typed.
pub(crate) struct Request<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) code: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) took: Duration,
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}
