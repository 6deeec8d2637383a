//! `freehold tokenize`: text to ids and back.

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use serde::Serialize;
use text::tokenizer::{Frame, Special, Specials, Tokenizer};

use super::Command;
use crate::{ids::Ids, load, named, output::Colours, program::App, tokenizer};

/// Arguments of `freehold tokenize`.
#[derive(Args)]
pub(crate) struct Tokenize {
    /// A GGUF file, a safetensors file or a folder; weights are not needed
    model: PathBuf,
    /// The text; without it (and without --decode), standard input
    text: Option<String>,
    /// Turn these ids back into text
    #[arg(long, value_name = "IDS", conflicts_with = "text")]
    decode: Option<Ids>,
    /// Leave out what the tokenizer puts around a text (begin and end tokens)
    #[arg(long)]
    bare: bool,
    /// Take special tokens written in the text as plain text
    #[arg(long)]
    as_text: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Encoded<'a> {
    ids: &'a [u32],
    tokens: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Command for Tokenize {
    const NAME: &'static str = "tokenize";
    const ABOUT: &'static str = "Show how a model reads a text: its tokens and their ids";
    const DETAILS: &'static str = "Tokens are shown as the vocabulary writes them (\"Ġ\" or \"▁\" for a space). The ids are \
        those the model's own tokenizer gives, its begin and end tokens included.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold tokenize model.gguf \"Once upon a time\"",
        "freehold tokenize model.gguf \"Once upon a time\" --json",
        "freehold tokenize model.gguf --decode 403,407,261",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let tokenizer = tokenizer::of(&load::checkpoint(&named::locate(app, &self.model)?.path)?)?;
        let (ids, text) = match self.decode {
            Some(Ids(ids)) => {
                crate::ids::check(&ids, tokenizer.vocab_size())?;
                let text = tokenizer.decode(&ids, Specials::Keep);
                (ids, Some(text))
            }
            None => {
                let text = match self.text {
                    Some(text) => text,
                    None => crate::input::stdin("the text")?,
                };
                let special = if self.as_text { Special::AsText } else { Special::Parse };
                let frame = if self.bare { Frame::Bare } else { Frame::Once };
                (tokenizer.encode_framed(&text, special, frame)?, None)
            }
        };
        if self.json {
            let tokens = ids.iter().map(|id| written(&tokenizer, *id).to_owned()).collect();
            return app.output.json(&Encoded { ids: &ids, tokens, text });
        }
        match text {
            Some(text) => app.output.line(text),
            None => table(app, &tokenizer, &ids),
        }
    }
}

fn written(tokenizer: &Tokenizer, id: u32) -> &str {
    tokenizer.token_text(id).unwrap_or_default()
}

/// One token a line: its id, as the vocabulary writes it, its kind where it is no ordinary text.
fn table(app: &App, tokenizer: &Tokenizer, ids: &[u32]) -> anyhow::Result<()> {
    let dim = |text: &str, colours: Colours| colours.dim(text);
    let mut lines = String::new();
    for id in ids {
        let kind = if tokenizer.is_special(*id) { "  special" } else { "" };
        let token = weights::shown(written(tokenizer, *id));
        writeln!(lines, "{id:>8}  {token}{}", dim(kind, app.output.styles()))?;
    }
    let count = format!("{} tokens", ids.len());
    lines += &dim(&format!("{count:>8}"), app.output.styles());
    app.output.line(lines)
}
