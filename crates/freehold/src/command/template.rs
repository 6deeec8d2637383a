//! `freehold template`.

use clap::Args;

use super::Command;
use crate::program::App;

/// Arguments of `freehold template`.
#[derive(Args)]
pub(crate) struct Template {}

impl Command for Template {
    const NAME: &'static str = "template";
    const ABOUT: &'static str = "template";
    const EXAMPLES: &'static [&'static str] = &["freehold template"];

    fn run(self, _app: &App) -> anyhow::Result<()> {
        anyhow::bail!("template is being written")
    }
}
