//! The server's own page: its files, and the conversations it keeps.
#![allow(
    clippy::needless_pass_by_value,
    reason = "a handler takes its call by value, as the table has it"
)]

pub(super) mod conversations;
pub(super) mod files;
pub(super) mod transfer;

use axum::http::StatusCode;
use serde_json::Value as Json;

use super::{Answer, Call, Handling, Route, Verb};
use crate::{
    conversation::{Error, Owner, Store},
    fault::{Family, Fault, json_response},
    field::Lists,
    gate::Access,
    key::Scope,
};

/// A route about conversations.
const fn route(
    method: Verb,
    path: &'static str,
    summary: &'static str,
    fields: Lists,
    answer: Answer,
    handle: super::Handle,
) -> Route {
    let access = Access::With(Scope::Infer);
    Route { method, path, access, family: Family::OpenAi, summary, fields, answer, handle }
}

/// Does `work` on the caller's conversations, away from the threads that serve, and answers JSON.
fn with_store(
    call: &Call,
    work: impl FnOnce(&Store, &Owner) -> Result<Json, Error> + Send + 'static,
) -> Handling {
    let store = call.state.conversations.clone();
    let owner = Owner::new(call.caller.key.as_deref());
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(move || work(&store, &owner)).await;
        let done = done.map_err(|_| Fault::ours("the conversations cannot be read"))?;
        Ok(json_response(StatusCode::OK, &done?))
    })
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Missing(_) => Fault::not_found(message),
            Error::Name(_) | Error::Format(_) => Fault::invalid(message),
            Error::TooLong { .. } => {
                Fault::invalid(message).with_status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            Error::Full { .. } => Fault::invalid(message)
                .with_status(StatusCode::INSUFFICIENT_STORAGE)
                .with_code("conversations_full"),
            Error::Changed(_) => Fault::invalid(message).with_status(StatusCode::CONFLICT),
            // What SQLite says may name files of the server.
            Error::Database(_) => Fault::ours("the conversations cannot be read or written"),
        }
    }
}

/// The value of `name` in the address, percent signs and pluses undone; empty where there is none.
fn asked(call: &Call, name: &str) -> String {
    let query = call.head.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    super::dispatch::decoded(&found.replace('+', " "))
}
