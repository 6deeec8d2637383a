//! `freehold completions`: what a shell needs to complete a command line.

use clap::Args;
use clap_complete::Shell;

use super::Command;
use crate::program::{App, command_line};

/// Arguments of `freehold completions`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Command for Completions {
    const NAME: &'static str = "completions";
    const ABOUT: &'static str = "Print the completion script of a shell";
    const DETAILS: &'static str = "Put it where your shell looks for completions, or source it.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold completions bash > ~/.local/share/bash-completion/completions/freehold",
        "freehold completions zsh > ~/.zfunc/_freehold",
        "freehold completions fish > ~/.config/fish/completions/freehold.fish",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        // Into memory first: the generator panics when a pipe is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command_line(), "freehold", &mut script);
        app.output.bytes(&script)
    }
}
