//! Ollama's API.

mod answer;
pub(super) mod chat;
pub(super) mod generate;
pub(super) mod models;
mod question;
