//! `freehold plan`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold plan`.
#[derive(Args)]
pub(crate) struct Plan {}

impl Command for Plan {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str = "plan";
    const EXAMPLES: &'static [&'static str] = &["freehold plan"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("plan is being written")
    }
}
