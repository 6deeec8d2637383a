//! Hostile and broken files: each case a typed error, within two seconds and 64 MiB of memory.
//!
//! The cases are numbered as in the threat model (G: GGUF, S: safetensors, JSON, YAML, pickle). Files
//! are made here byte by byte; every one is opened mapped and unmapped, and both must agree.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cage;
mod configs;
mod gguf;
mod gguf_files;
mod laws;
mod malformed;
mod pickle;
mod safetensors;
