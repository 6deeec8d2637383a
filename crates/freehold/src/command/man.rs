//! `freehold man`: the manual page.

use clap::Args;
use clap_mangen::Man as Page;

use super::Command;
use crate::program::{App, command_line};

/// Arguments of `freehold man`.
#[derive(Args)]
pub(crate) struct Man {
    /// The page of one command instead of the program's.
    command: Option<String>,
}

impl Command for Man {
    const NAME: &'static str = "man";
    const ABOUT: &'static str = "Print the manual page";
    const EXAMPLES: &'static [&'static str] =
        &["freehold man | man -l -", "freehold man run > freehold-run.1"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let mut line = command_line();
        line.build();
        if let Some(name) = &self.command {
            let known = line.get_subcommands().find(|command| command.get_name() == name);
            let Some(command) = known else {
                return Err(crate::error::usage(format!("there is no command {name:?}")));
            };
            line = command.clone();
        }
        let mut page = Vec::new();
        Page::new(line).render(&mut page)?;
        app.output.bytes(&page)
    }
}
