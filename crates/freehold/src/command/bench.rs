//! `freehold bench`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold bench`.
#[derive(Args)]
pub(crate) struct Bench {}

impl Command for Bench {
    const NAME: &'static str = "bench";
    const ABOUT: &'static str = "bench";
    const EXAMPLES: &'static [&'static str] = &["freehold bench"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("bench is being written")
    }
}
