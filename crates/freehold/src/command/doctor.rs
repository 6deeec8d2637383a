//! `freehold doctor`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold doctor`.
#[derive(Args)]
pub(crate) struct Doctor {}

impl Command for Doctor {
    const NAME: &'static str = "doctor";
    const ABOUT: &'static str = "doctor";
    const EXAMPLES: &'static [&'static str] = &["freehold doctor"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("doctor is being written")
    }
}
