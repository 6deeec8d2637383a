//! `freehold serve` as its users meet it: the real program, the built-in model, real clients.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    clippy::format_push_string,
    reason = "tests may"
)]

#[path = "../../serve/tests/wire/client.rs"]
#[allow(dead_code, reason = "shared with the tests of the crate serve")]
mod client;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/keys.rs"]
mod keys;
#[path = "serve/load.rs"]
mod load;
#[path = "serve/program.rs"]
mod program;
