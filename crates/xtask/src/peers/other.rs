//! Engines we know nothing of but a command that measures them: mistral.rs and whatever comes.

use std::process::Command;
use std::str::FromStr;

use anyhow::Context;

use super::{Ask, Found, Test, process};

/// A name and a shell command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// What its columns are called.
    pub(super) name: String,
    command: String,
}

impl FromStr for Other {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => {
                Ok(Other { name: name.to_owned(), command: command.to_owned() })
            }
            _ => Err("expected NAME=COMMAND".to_owned()),
        }
    }
}

impl Other {
    /// Prompts and generation of one sequence.
    pub(super) fn speed(&self, ask: &Ask) -> anyhow::Result<Vec<Found>> {
        let sizes = &ask.sizes;
        let prompts = sizes.prompt.iter().map(|prompt| Test::Prompt(*prompt));
        let generate = sizes
            .depth
            .iter()
            .map(|depth| Test::Generate { tokens: sizes.generate, depth: *depth });
        prompts.chain(generate).map(|test| self.one(ask, test)).collect()
    }

    fn one(&self, ask: &Ask, test: Test) -> anyhow::Result<Found> {
        let line = self.line(ask, &test);
        let mut runs = vec![];
        for _ in 0..ask.repetitions {
            let done = process::run(Command::new("sh").args(["-c", &line]))?;
            let speed = last_number(&done.printed);
            runs.push(speed.with_context(|| format!("{}: no number in its words", self.name))?);
        }
        Ok(Found::of(test, &runs))
    }

    fn line(&self, ask: &Ask, test: &Test) -> String {
        let (prompt, generate, depth) = match test {
            Test::Prompt(tokens) => (*tokens, 0, 0),
            Test::Generate { tokens, depth } => (0, *tokens, *depth),
            _ => (0, 0, 0),
        };
        let model = ask.model.display().to_string().replace('\'', r"'\''");
        self.command
            .replace("{model}", &format!("'{model}'"))
            .replace("{prompt}", &prompt.to_string())
            .replace("{generate}", &generate.to_string())
            .replace("{depth}", &depth.to_string())
            .replace("{threads}", &ask.threads.to_string())
    }
}

fn last_number(text: &str) -> Option<f64> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter_map(|word| word.parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Sizes;

    #[test]
    fn a_command_is_filled_in_and_its_last_number_read() {
        let other: Other = "x=bench -m {model} -p {prompt} -n {generate} -d {depth} -t {threads}"
            .parse()
            .expect("a name and a command");
        let sizes = Sizes { prompt: vec![], generate: 1, depth: vec![], batch: vec![] };
        let ask = Ask { model: "it's".into(), threads: 3, repetitions: 1, sizes };
        let line = other.line(&ask, &Test::Generate { tokens: 5, depth: 7 });
        assert_eq!(line, r"bench -m 'it'\''s' -p 0 -n 5 -d 7 -t 3");
        assert_eq!(last_number("pp512: 12.5 ± 0.1 at 99.25 t/s\n"), Some(99.25));
        assert_eq!(last_number("none"), None);
        assert!("=x".parse::<Other>().is_err() && "x".parse::<Other>().is_err());
    }
}
