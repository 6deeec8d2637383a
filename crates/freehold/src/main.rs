//! Own your AI instead of renting it: one program for the whole life of an open-weight model.
//!
//! The program is thin: it reads what the user asked for ([`command`]), the few things the
//! environment says ([`settings`]), calls the crates below, and prints ([`output`]). Every command
//! is one file under `command/` and one line in [`command::COMMANDS`]; help, man page and
//! completions come from that list.

mod audit;
mod chat;
mod clock;
mod command;
mod cost;
mod error;
mod formats;
mod gate;
mod house;
mod ids;
mod input;
mod interrupt;
mod known;
mod kv;
mod limits;
mod load;
mod named;
mod output;
mod program;
mod room;
mod settings;
mod table;
mod tokenizer;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run(std::env::args_os())
}
