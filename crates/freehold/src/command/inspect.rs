//! `freehold inspect`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold inspect`.
#[derive(Args)]
pub(crate) struct Inspect {}

impl Command for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "inspect";
    const EXAMPLES: &'static [&'static str] = &["freehold inspect"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("inspect is being written")
    }
}
