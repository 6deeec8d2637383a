//! `cargo xtask arm`: the loops for 64-bit Arm, compiled and tested on another processor.
//!
//! Needs the target (`rustup target add aarch64-unknown-linux-gnu`), a linker for it and an emulator; on
//! Debian `apt-get install qemu-user-static gcc-aarch64-linux-gnu`.

use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Arguments of `cargo xtask arm`.
#[derive(Args)]
pub(crate) struct Arm {
    /// Only compile, test nothing
    #[arg(long)]
    check: bool,
    /// The linker for that target
    #[arg(long, default_value = "aarch64-linux-gnu-gcc")]
    linker: String,
    /// What runs programs of that target here
    #[arg(long, default_value = "qemu-aarch64-static -L /usr/aarch64-linux-gnu -cpu max")]
    runner: String,
}

impl Arm {
    /// Compiles and tests `kernels`.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        if self.check {
            cargo.args(["check", "--package", "kernels", "--target", TARGET]);
        } else {
            cargo.args(["test", "--package", "kernels", "--lib", "--target", TARGET, "--"]);
            // What times the machine times the emulator there, and its threads are few.
            cargo.args(["--test-threads", "1", "--skip", "measure::", "--skip", "pool::"]);
            cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", &self.linker);
            cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &self.runner);
        }
        let status = cargo.status().context("cargo does not run")?;
        ensure!(status.success(), "cargo ended with {status}");
        Ok(())
    }
}
