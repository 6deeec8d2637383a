//! OpenAI's API.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod models;
pub(super) mod question;
mod wire;
