//! The routes, as one table: the router, the check of every request, the OpenAPI document and
//! `GET /v1/compat` are all made from it. A route is one file and one line in [`ROUTES`].

#![allow(
    clippy::needless_pass_by_value,
    reason = "handlers take their call whole, and pieces of JSON move into what holds them"
)]

mod anthropic;
mod dispatch;
mod ollama;
pub(crate) mod openai;
mod page;
mod server;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Method, Response, request},
};
use futures_util::future::BoxFuture;

use crate::{
    fault::{Family, Fault},
    field::{Fields, Lists},
    gate::{Access, Caller},
    state::State,
};
pub(crate) use dispatch::router;

/// Every route there is.
pub(crate) const ROUTES: &[Route] = &[
    openai::chat::ROUTE,
    openai::completions::ROUTE,
    openai::responses::ROUTE,
    openai::models::LIST,
    openai::models::ONE,
    anthropic::messages::ROUTE,
    anthropic::count::ROUTE,
    ollama::chat::ROUTE,
    ollama::generate::ROUTE,
    ollama::models::TAGS,
    ollama::models::SHOW,
    ollama::models::PS,
    ollama::models::VERSION,
    server::infill::ROUTE,
    page::files::INDEX,
    page::files::FILE,
    page::conversations::LIST,
    page::conversations::ONE,
    page::conversations::SAVE,
    page::conversations::DELETE,
    page::conversations::MESSAGE,
    page::transfer::EXPORT,
    page::transfer::IMPORT,
    server::tokens::TOKENIZE,
    server::tokens::DETOKENIZE,
    server::tokens::APPLY_TEMPLATE,
    server::props::ROUTE,
    server::compat::ROUTE,
    server::openapi::ROUTE,
    server::health::HEALTH,
    server::health::V1_HEALTH,
    server::health::LIVE,
    server::health::READY,
    server::health::VERSION,
    server::health::METRICS,
    server::discovery::SERVER_INFO,
    server::discovery::GET_SERVER_INFO,
    server::discovery::MODEL_INFO,
    server::discovery::GET_MODEL_INFO,
];

/// A route.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    /// How it is called.
    pub(crate) method: Verb,
    /// Its path; `{name}` stands for a part.
    pub(crate) path: &'static str,
    /// What it asks of who calls it.
    pub(crate) access: Access,
    /// How its errors look.
    pub(crate) family: Family,
    /// One line for people.
    pub(crate) summary: &'static str,
    /// The fields of its body.
    pub(crate) fields: Lists,
    /// What it answers.
    pub(crate) answer: Answer,
    /// Answers.
    pub(crate) handle: Handle,
}

/// What a route is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    pub(crate) fn http(self) -> Method {
        match self {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        }
    }
}

/// What a route answers, for its description.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// JSON of a named schema in `openapi/schemas.json`.
    Json(&'static str),
    /// The same, or events of another schema when `stream` is true.
    JsonOrEvents(&'static str, &'static str),
    /// Plain text.
    Text,
}

/// Answers a request.
pub(crate) type Handle = fn(Call) -> Handling;
/// What a handler gives.
pub(crate) type Handling = BoxFuture<'static, Result<Response<Body>, Fault>>;

/// A request that passed the check.
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) caller: Caller,
    pub(crate) head: request::Parts,
    /// The body's fields, each one honoured.
    pub(crate) fields: Fields,
    /// What `{name}` in the path stands for.
    pub(crate) part: Option<String>,
}
