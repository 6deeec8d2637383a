//! `freehold diff`: what differs between two checkpoints.
//!
//! Configurations key by key, tokenizers token by token, templates line by line, tensors number by
//! number: ‖A − B‖ / ‖A‖, the largest difference and the cosine, decoded and compared piece by piece, so
//! that memory stays small whatever the size. Checkpoints in the same container are compared as
//! stored; a GGUF and a folder are both read as models and compared by parameter.

mod config;
mod numbers;
mod show;
mod words;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::{load, named, program::App};
use numbers::Numbers;

/// Arguments of `freehold diff`.
#[derive(Args)]
pub(crate) struct Diff {
    /// The checkpoint changes are counted from
    a: PathBuf,
    /// The checkpoint it is compared with
    b: PathBuf,
    /// Compare headers, configuration and words only; read no numbers
    #[arg(long)]
    headers: bool,
    /// List every change, not only the largest
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What differs: what `--json` prints.
#[derive(Serialize)]
struct Report {
    a: String,
    b: String,
    /// Whether nothing differs, as far as it was compared.
    identical: bool,
    config: Vec<config::Change>,
    tokenizer: words::Tokenizers,
    templates: Vec<words::TemplateChange>,
    tensors: Numbers,
    /// What could not be compared, and why.
    notes: Vec<String>,
}

impl Command for Diff {
    const NAME: &'static str = "diff";
    const ABOUT: &'static str =
        "Show what differs between two checkpoints: settings, tokens, template, every tensor";
    const DETAILS: &'static str = "Tensors: rel is |A - B| / |A|, max the largest single difference, cos the cosine of the angle between \
        both. The exit code is 0 whether or not anything differs; see `identical` in --json.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold diff base.gguf tuned.gguf",
        "freehold diff ./base ./tuned --headers",
        "freehold diff model-F16.gguf model-Q4_K.gguf --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let open = |model| load::checkpoint(&named::locate(app, model)?.path);
        let (a, b) = (open(&self.a)?, open(&self.b)?);
        let mut notes = vec![];
        let config = config::changes(&a, &b, &mut notes);
        let tokenizer = words::tokenizers(&a, &b, &mut notes);
        let templates = words::templates(&a, &b, &mut notes);
        let [path_a, path_b] = [&a, &b].map(|side| side.path().to_string_lossy().into_owned());
        let tensors = numbers::compare(app, a, b, depth(self.headers), &mut notes)?;
        let identical = config.is_empty()
            && tokenizer.same()
            && templates.is_empty()
            && tensors.same()
            && notes.is_empty();
        let report = Report {
            a: path_a,
            b: path_b,
            identical,
            config,
            tokenizer,
            templates,
            tensors,
            notes,
        };
        if self.json {
            return app.output.json(&report);
        }
        app.output.line(show::page(&report, self.all, app.output.styles()))
    }
}

fn depth(headers: bool) -> numbers::Depth {
    if headers { numbers::Depth::Headers } else { numbers::Depth::Values }
}
