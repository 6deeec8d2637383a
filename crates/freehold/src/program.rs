//! From the command line to a command, and from its result to an exit code.

use std::{ffi::OsString, process::ExitCode};

use clap::{Arg, ArgAction, Command as Clap};

use crate::{command::COMMANDS, error, output::Output, settings::Settings};

/// What every command is given beside its own arguments.
pub(crate) struct App {
    /// What the environment says.
    pub(crate) settings: Settings,
    /// Where and how to print.
    pub(crate) output: Output,
}

/// The whole command line, from which help, man page and completions come.
pub(crate) fn command_line() -> Clap {
    let mut line = Clap::new("freehold")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Own your AI instead of renting it: run, inspect and measure open-weight models")
        .long_about(LONG)
        .after_help(AFTER)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .arg(
            Arg::new(OFFLINE)
                .long(OFFLINE)
                .global(true)
                .action(ArgAction::SetTrue)
                .help("Open no connection, whatever is asked"),
        );
    for command in COMMANDS {
        line = line.subcommand((command.define)());
    }
    line
}

/// The option every command has.
const OFFLINE: &str = "offline";

const LONG: &str = "Own your AI instead of renting it: one program for the whole life of an open-weight model.\n\n\
A MODEL is a GGUF file (or one shard of it), a safetensors file or index, a Hugging Face folder, a pulled model by its \
name (org/model[:quantization][@revision]) or alias, or \"house\" for the one built in.";

const AFTER: &str = "\
Environment:
  FREEHOLD_HOME     where Freehold keeps its own files (default: the platform's data folder)
  FREEHOLD_ISA      scalar, avx2, avx512 or neon instead of the best this machine has
  FREEHOLD_THREADS  threads instead of one a physical core
  FREEHOLD_OFFLINE  1: open no connection (as HF_HUB_OFFLINE)
  FREEHOLD_POLICY   the policy's file instead of freehold-policy.toml under FREEHOLD_HOME
  HF_HOME, HF_TOKEN, HF_ENDPOINT and the other variables of the hub, as huggingface_hub reads them
  NO_COLOR          no colours

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (policy, fit, hostile or unsound input)

Begin with: freehold run model.gguf \"Why is the sky blue?\"";

/// Parses the arguments, runs the command, reports what went wrong.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command_line().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(shown) => {
            // Help asked for is an answer, on stdout; everything else a mistake. A closed pipe is neither.
            drop(shown.print());
            return ExitCode::from(if shown.use_stderr() { error::USAGE } else { 0 });
        }
    };
    let output = Output::detect();
    let result = Settings::from_environment(&|name| std::env::var_os(name)).and_then(|settings| {
        let (name, below) = matches.subcommand().expect("clap requires a command");
        let mut settings = settings;
        if matches.get_flag(OFFLINE) || below.get_flag(OFFLINE) {
            settings.access = hub::Access::Offline;
        }
        let command = COMMANDS.iter().find(|command| command.name == name);
        let app = App { settings, output: output.clone() };
        (command.expect("clap knows only listed commands").run)(below, &app)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => error::report(&failure, &output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command_line().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_with_an_example() {
        for command in COMMANDS {
            let mut line = (command.define)();
            assert!(line.get_about().is_some(), "{}", command.name);
            let help = line.render_long_help().to_string();
            let example = format!("freehold {}", command.name);
            let (_, after) = help.split_once("Examples:").expect(command.name);
            assert!(after.contains(&example), "{}", command.name);
        }
    }
}
