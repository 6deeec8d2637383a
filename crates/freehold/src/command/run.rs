//! `freehold run`: talk with a model, or get one answer from it.

mod answer;
mod conversation;
mod model;
mod report;
pub(crate) mod sampling;
mod screen;

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use engine::Overflow;
use text::tokenizer::{Frame, Special};

use super::Command;
use crate::{
    chat::Think,
    error::{failed, usage, usage_hint},
    ids::Ids,
    kv::Kv,
    load::{HowExact, Running},
    program::App,
};
use answer::{Limits, Prompt};
use model::Talker;
use sampling::Sampling;
use screen::Screen;

/// More than any context holds.
const MAX_TOKENS_MAX: u64 = 1 << 24;
/// Stop strings that may be watched for.
const STOPS_MAX: usize = 64;

/// Arguments of `freehold run`.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Run {
    /// A GGUF file, a safetensors file or a folder; the built-in house model without one (or with "house")
    model: Option<PathBuf>,
    /// What to say; without it standard input, or a conversation at a terminal
    prompt: Option<String>,
    /// Continue the text as it is, without the model's chat template
    #[arg(long)]
    raw: bool,
    /// Token ids in place of a prompt, as they are
    #[arg(long, value_name = "IDS", allow_hyphen_values = true, conflicts_with_all = ["prompt", "system"])]
    ids: Option<Ids>,
    /// Instructions for the whole conversation
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Tokens of an answer, at most
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=MAX_TOKENS_MAX))]
    max_tokens: Option<u64>,
    /// End the answer before this text (repeatable)
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on past the tokens with which the model ends an answer
    #[arg(long)]
    ignore_eos: bool,
    /// Whether the model is to think first, where its template has a switch for that
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    think: Think,
    /// Tokens the context holds [default: as many as the model was made for, at most 8192]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=MAX_TOKENS_MAX))]
    ctx: Option<u64>,
    /// What happens when prompt and answer outgrow the context
    #[arg(long, value_name = "POLICY", default_value = "refuse")]
    overflow: OnOverflow,
    /// With --overflow shift: tokens at the start that stay [default: those the tokenizer puts there]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(0..=MAX_TOKENS_MAX))]
    keep: Option<u64>,
    /// How the cache keeps keys and values [default: f16; f32 where the weights are F32]
    #[arg(long, value_name = "TYPE")]
    kv: Option<Kv>,
    /// How products with quantized weights are computed
    #[arg(long, value_name = "HOW", default_value = "fast")]
    precision: HowExact,
    #[command(flatten)]
    running: Running,
    /// Print tokens, speed and memory after the answer
    #[arg(long)]
    stats: bool,
    /// Print one JSON object instead of the text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sampling: Sampling,
}

/// `--overflow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnOverflow {
    /// Refuse a longer prompt, end the answer where the context ends
    Refuse,
    /// Drop the oldest text and go on
    Shift,
}

impl Command for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Talk with a model, or get one answer from it";
    const DETAILS: &'static str = "At a terminal without PROMPT this is a conversation: type /help there. With PROMPT, or with \
        text on standard input, it is one answer on standard output.\n\n\
        Sampling follows the model's own recommendation where its files state one; options override it. \
        JSON: {\"text\", \"reasoning\", \"ids\", \"finish_reason\", \"usage\": {\"prompt_tokens\", \
        \"completion_tokens\", \"cached_tokens\"}, \"timings\", \"seed\"}.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold run model.gguf",
        "freehold run model.gguf \"Why is the sky blue?\"",
        "freehold run model.gguf --raw \"Once upon a time\" --temperature 0 --max-tokens 100",
        "git diff | freehold run model.gguf --system \"Write a commit message for this change.\"",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        self.check()?;
        if let Some(Ids(ids)) = &self.ids {
            return self.once(app, &|_| Ok(Prompt::plain(ids.clone())));
        }
        let piped = !io::stdin().is_terminal();
        let text = match &self.prompt {
            Some(prompt) => prompt.clone(),
            None if piped => without_last_newline(crate::input::stdin("the prompt")?),
            None if self.json => {
                let hint = "give PROMPT as an argument, or through a pipe";
                return Err(usage_hint(
                    "--json gives one answer, and there is nothing to answer",
                    hint,
                ));
            }
            None => return conversation::hold(&self, app),
        };
        self.once(app, &|talker| self.prompt(talker, &text))
    }
}

impl Run {
    /// What can be seen to be wrong before a file is opened.
    fn check(&self) -> anyhow::Result<()> {
        self.sampling.check()?;
        check_stops(&self.stop)?;
        let words = self.model.as_deref().and_then(Path::to_str).filter(|_| self.prompt.is_none());
        match words
            .filter(|words| words.contains(char::is_whitespace) && !Path::new(words).exists())
        {
            Some(words) => Err(usage_hint(
                format!("there is no model {words:?}"),
                format!("to ask the built-in model: freehold run house {words:?}"),
            )),
            None => Ok(()),
        }
    }

    fn overflow(&self, talker: &Talker) -> Overflow {
        match self.overflow {
            OnOverflow::Refuse => Overflow::Refuse,
            OnOverflow::Shift => {
                let keep = self.keep.map(|keep| keep as usize);
                Overflow::Shift { keep: keep.unwrap_or(talker.tokenizer.frame().0.len()) }
            }
        }
    }

    fn limits(&self, talker: &Talker) -> Limits {
        Limits {
            max_tokens: self.max_tokens.map(|max| max as usize),
            stop: self.stop.clone(),
            ends: if self.ignore_eos { vec![] } else { talker.tokenizer.specials().ends.clone() },
            overflow: self.overflow(talker),
        }
    }

    fn prompt(&self, talker: &Talker, text: &str) -> anyhow::Result<Prompt> {
        if self.raw {
            let ids = talker.tokenizer.encode_framed(text, Special::Parse, Frame::Once)?;
            return Ok(Prompt::plain(ids));
        }
        talker.chat_prompt(&model::opening(self.system.as_deref(), text), self.think)
    }

    /// One answer.
    fn once(
        &self,
        app: &App,
        prompt: &dyn Fn(&Talker) -> anyhow::Result<Prompt>,
    ) -> anyhow::Result<()> {
        let talker = Talker::open(self, app)?;
        let prompt = prompt(&talker)?;
        let limits = self.limits(&talker);
        talker.fits(&prompt, &limits)?;
        let settings = talker.sampling(&self.sampling)?;
        let mut session = talker.load(app)?;
        let mut screen = if self.json { Screen::silent() } else { Screen::new(app) };
        let answer = session.answer(app, prompt, &limits, &settings, &mut screen)?;
        if self.json {
            app.output.json(&report::of(&answer, &session, settings.seed))?;
        } else {
            screen.end()?;
            if self.stats {
                report::print(app, &answer, &session, &settings);
            }
        }
        if session.was_interrupted() {
            return Err(failed(
                "stopped by Ctrl-C",
                "what is above is the beginning of the answer",
            ));
        }
        Ok(())
    }
}

/// Refuses stop strings that make no sense.
fn check_stops(stops: &[String]) -> anyhow::Result<()> {
    if stops.len() > STOPS_MAX {
        return Err(usage(format!(
            "--stop is given {} times, at most {STOPS_MAX} are accepted",
            stops.len()
        )));
    }
    if stops.iter().any(String::is_empty) {
        return Err(usage("--stop is empty, expected a text that ends the answer"));
    }
    Ok(())
}

/// Shells and editors end a text with a newline that nobody meant.
fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_newline_goes() {
        assert_eq!(without_last_newline("a\n\n".to_owned()), "a\n");
        assert_eq!(without_last_newline("a\r\n".to_owned()), "a");
        assert_eq!(without_last_newline("a".to_owned()), "a");
    }
}
