//! Automation that is too long for a shell script: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod arm;
mod peers;

use clap::{Parser, Subcommand};

/// Work on Freehold itself.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare speed, memory and logits with other engines on the same files
    Peers(peers::Peers),
    /// Compile the loops for 64-bit Arm and test them under emulation
    Arm(arm::Arm),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().task {
        Task::Peers(peers) => peers.run(),
        Task::Arm(arm) => arm.run(),
    }
}
