//! The hub held against a fake one that speaks the real protocol: pulls, resumes, lies, kills.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod hostile;
mod kills;
mod lock;
mod offline;
mod pull;
mod python;
mod rate;
mod resume;
mod sources;
mod store;
