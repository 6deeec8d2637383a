//! Reading lines: editing, history kept under `FREEHOLD_HOME`, text of several lines.

use std::{fs, path::PathBuf};

use rustyline::{
    Config, Context, Editor as Rusty, Helper, Result as Rustyline,
    completion::Completer,
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::slash::SLASHES;
use crate::program::App;

/// Begins and ends a text of several lines.
const QUOTES: &str = "\"\"\"";
/// Lines of history kept.
const HISTORY_MAX: usize = 1000;

/// What the user did.
pub(super) enum Input {
    /// Typed something, its quotes and continuation marks taken off.
    Line(String),
    /// Typed nothing, or took a line back with Ctrl-C.
    Nothing,
    /// Left.
    End,
}

/// A line editor.
pub(super) struct Editor {
    rusty: Rusty<Words, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// With the history of earlier conversations, where there is a place for it.
    pub(super) fn new(app: &App) -> anyhow::Result<Self> {
        let config =
            Config::builder().max_history_size(HISTORY_MAX)?.auto_add_history(true).build();
        let mut rusty = Rusty::with_config(config)?;
        rusty.set_helper(Some(Words));
        let history = app.settings.home().ok().map(|home| home.join("history"));
        if let Some(path) = &history {
            // The first conversation has none yet.
            drop(rusty.load_history(path));
        }
        Ok(Editor { rusty, history })
    }

    /// The next input.
    pub(super) fn read(&mut self) -> anyhow::Result<Input> {
        match self.rusty.readline(">>> ") {
            Ok(line) => {
                self.keep();
                let text = meant(&line);
                Ok(if text.trim().is_empty() { Input::Nothing } else { Input::Line(text) })
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Nothing),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the history; a place that cannot be written is no reason to stop talking.
    fn keep(&mut self) {
        if let Some(path) = &self.history {
            if let Some(home) = path.parent() {
                drop(fs::create_dir_all(home));
            }
            drop(self.rusty.save_history(path));
        }
    }
}

/// Whether more lines must come.
fn is_unfinished(input: &str) -> bool {
    match input.trim_start().strip_prefix(QUOTES) {
        Some(rest) => !rest.contains(QUOTES),
        None => input.ends_with('\\'),
    }
}

/// The text without the marks that let it span lines.
fn meant(input: &str) -> String {
    if let Some(rest) = input.trim_start().strip_prefix(QUOTES) {
        let text = rest.split_once(QUOTES).map_or(rest, |(text, _)| text);
        let text = text.strip_prefix('\n').unwrap_or(text);
        return text.strip_suffix('\n').unwrap_or(text).to_owned();
    }
    input.replace("\\\n", "\n")
}

/// What the editor knows of our language: unfinished texts, and the names of commands.
struct Words;

impl Helper for Words {}
impl Highlighter for Words {}

impl Hinter for Words {
    type Hint = String;
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Rustyline<ValidationResult> {
        Ok(if is_unfinished(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Rustyline<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or(line);
        let names = SLASHES.iter().map(|slash| format!("/{}", slash.name));
        Ok((0, names.filter(|name| typed.starts_with('/') && name.starts_with(typed)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_let_a_text_go_on() {
        for open in ["\"\"\"", "\"\"\"a\nb", "a\\", "a\\\nb\\"] {
            assert!(is_unfinished(open), "{open:?}");
        }
        for (typed, text) in [
            ("\"\"\"\na\nb\n\"\"\"", "a\nb"),
            ("\"\"\"a\nb\"\"\"", "a\nb"),
            ("a\\\nb", "a\nb"),
            ("plain", "plain"),
        ] {
            assert!(!is_unfinished(typed), "{typed:?}");
            assert_eq!(meant(typed), text);
        }
    }
}
