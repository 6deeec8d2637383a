//! `freehold diff`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold diff`.
#[derive(Args)]
pub(crate) struct Diff {}

impl Command for Diff {
    const NAME: &'static str = "diff";
    const ABOUT: &'static str = "diff";
    const EXAMPLES: &'static [&'static str] = &["freehold diff"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("diff is being written")
    }
}
