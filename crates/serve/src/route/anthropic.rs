//! Anthropic's API.

pub(super) mod count;
mod events;
pub(super) mod messages;
mod question;
