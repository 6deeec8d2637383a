//! What is told when a request cannot be served: a status, a kind, the field it concerns, in the
//! shape each family of clients expects.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value as Json, json};

/// Whose clients a route speaks to; it decides how errors look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OpenAI's: `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// Anthropic's: `{"type": "error", "error": {"type", "message"}}`.
    Anthropic,
    /// Ollama's: `{"error": "message"}`.
    Ollama,
}

/// A request that cannot be served, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: StatusCode,
    /// OpenAI's kind of error.
    pub kind: &'static str,
    /// A word for programs.
    pub code: Option<&'static str>,
    /// The field it concerns.
    pub param: Option<String>,
    /// What a person is told.
    pub message: String,
    /// When to try again, in seconds.
    pub retry_after: Option<u64>,
}

impl Fault {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Fault { status, kind, code: None, param: None, message: message.into(), retry_after: None }
    }

    /// The request makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// A field of the request makes no sense or is not honoured.
    pub fn field(name: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { param: Some(name.into()), ..Self::invalid(message) }
    }

    /// Who asks is unknown.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        let fault = Self::new(StatusCode::UNAUTHORIZED, "authentication_error", message);
        Fault { code: Some("invalid_api_key"), ..fault }
    }

    /// Who asks may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_error", message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found_error", message)
    }

    /// There is no such model.
    pub fn no_model(name: &str, known: &str) -> Self {
        let message = format!("there is no model {name:?} here; there is: {known}");
        Fault {
            code: Some("model_not_found"),
            param: Some("model".to_owned()),
            ..Self::not_found(message)
        }
    }

    /// Too many requests: try again after so many seconds.
    pub fn busy(message: impl Into<String>, seconds: u64) -> Self {
        let fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message);
        Fault { retry_after: Some(seconds.max(1)), ..fault }
    }

    /// Not now: loading, or shutting down.
    pub fn unavailable(message: impl Into<String>, seconds: u64) -> Self {
        let fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable_error", message);
        Fault { retry_after: Some(seconds.max(1)), ..fault }
    }

    /// It is our fault. `message` must hold nothing a client sent.
    pub fn ours(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    /// With another status.
    pub fn with_status(self, status: StatusCode) -> Self {
        Fault { status, ..self }
    }

    /// With a word for programs.
    pub fn with_code(self, code: &'static str) -> Self {
        Fault { code: Some(code), ..self }
    }

    /// As the family's clients read it.
    pub fn json(&self, family: Family) -> Json {
        match family {
            Family::OpenAi => json!({"error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }}),
            Family::Anthropic => {
                json!({"type": "error", "error": {"type": self.anthropic(), "message": self.message}})
            }
            Family::Ollama => json!({"error": self.message}),
        }
    }

    fn anthropic(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        }
    }

    /// The whole answer.
    pub fn response(&self, family: Family) -> Response<Body> {
        let mut response = json_response(self.status, &self.json(family));
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<engine::Error> for Fault {
    fn from(error: engine::Error) -> Self {
        use engine::{Error as E, sampler::Error as S};
        let message = error.to_string();
        match error {
            E::PromptTooLong { .. } => Fault {
                code: Some("context_length_exceeded"),
                param: Some("messages".to_owned()),
                ..Self::invalid(message)
            },
            E::EmptyPrompt | E::NoSuchToken { .. } => Self::field("prompt", message),
            E::Setting { name, .. } => Self::field(name, message),
            E::Sampler(S::Setting { field, .. }) => Self::field(field, message),
            E::QueueFull { .. } => Self::busy(message, 1).with_code("queue_full"),
            E::Draining => Self::unavailable("the server is shutting down", 5),
            E::Stopped | E::Poisoned(_) => {
                Self::unavailable("the model stopped; it is being watched", 10)
            }
            E::Constraint(_) => Self::ours("the constraint on the answer could not be kept")
                .with_code("constraint_failed"),
            _ => Self::ours("the engine failed on this request"),
        }
    }
}

/// An answer of JSON.
pub(crate) fn json_response(status: StatusCode, value: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_gets_its_shape() {
        let fault = Fault::field("n", "n is 0, expected 1 to 128");
        let openai = fault.json(Family::OpenAi);
        assert_eq!(openai["error"]["param"], "n");
        assert_eq!(openai["error"]["type"], "invalid_request_error");
        assert_eq!(openai["error"]["code"], Json::Null);
        let anthropic = fault.json(Family::Anthropic);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "invalid_request_error");
        assert_eq!(fault.json(Family::Ollama)["error"], "n is 0, expected 1 to 128");
        let busy = Fault::busy("full", 0).response(Family::OpenAi);
        assert_eq!(
            (busy.status().as_u16(), &busy.headers()["retry-after"]),
            (429, &"1".parse().unwrap())
        );
    }

    #[test]
    fn a_prompt_too_long_says_both_numbers() {
        let fault = Fault::from(engine::Error::PromptTooLong { prompt: 9000, context: 8192 });
        assert_eq!(fault.status, 400);
        assert_eq!(fault.code, Some("context_length_exceeded"));
        assert!(fault.message.contains("9000") && fault.message.contains("8192"));
    }
}
