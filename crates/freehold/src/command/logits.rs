//! `freehold logits`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold logits`.
#[derive(Args)]
pub(crate) struct Logits {}

impl Command for Logits {
    const NAME: &'static str = "logits";
    const ABOUT: &'static str = "logits";
    const EXAMPLES: &'static [&'static str] = &["freehold logits"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("logits is being written")
    }
}
