//! OpenAI's API.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod models;
pub(crate) mod question;
pub(super) mod responses;
mod wire;
