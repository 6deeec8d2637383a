//! `freehold run`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold run`.
#[derive(Args)]
pub(crate) struct Run {}

impl Command for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "run";
    const EXAMPLES: &'static [&'static str] = &["freehold run"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("run is being written")
    }
}
