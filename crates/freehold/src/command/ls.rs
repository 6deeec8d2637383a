//! `freehold ls`: what the store holds.

use clap::Args;
use hub::{Aliases, HeldModel, HeldRevision, quant_of};
use machine::Bytes;
use policy::Format;
use serde::Serialize;

use super::Command;
use crate::{
    clock, named,
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold ls`.
#[derive(Args)]
pub(crate) struct Ls {
    /// Words all of which a name has
    words: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    store: String,
    models: Vec<Model>,
    aliases: Vec<Alias>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    bytes: u64,
    incomplete_bytes: u64,
    revisions: Vec<Revision>,
}

#[derive(Serialize)]
struct Revision {
    commit: String,
    references: Vec<String>,
    /// Quantizations of its GGUF files, or `safetensors`.
    weights: Vec<String>,
    bytes: u64,
    files: usize,
    since: Option<String>,
}

#[derive(Serialize)]
struct Alias {
    alias: String,
    name: String,
}

impl Command for Ls {
    const NAME: &'static str = "ls";
    const ABOUT: &'static str = "List the models that are here";
    const DETAILS: &'static str = "The store is a Hugging Face cache: what transformers, llama.cpp or vLLM downloaded into it is \
        listed too.";
    const EXAMPLES: &'static [&'static str] = &["freehold ls", "freehold ls qwen --json"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let wanted = |model: &HeldModel| {
            let name = model.name.to_lowercase();
            self.words.iter().all(|word| name.contains(&word.to_lowercase()))
        };
        let models = hub.store().list()?.into_iter().filter(wanted).map(|model| Model {
            name: model.name.clone(),
            bytes: model.bytes,
            incomplete_bytes: model.incomplete_bytes,
            revisions: model.revisions.iter().map(revision).collect(),
        });
        let report = Report {
            store: hub.store().path().display().to_string(),
            models: models.collect(),
            aliases: Aliases::load(&hub.settings().home)?
                .iter()
                .map(|(alias, name)| Alias { alias: alias.to_owned(), name: name.to_owned() })
                .collect(),
        };
        if self.json { app.output.json(&report) } else { shown(app, &report) }
    }
}

fn revision(revision: &HeldRevision) -> Revision {
    let mut weights: Vec<String> = revision
        .files
        .iter()
        .filter_map(|file| match Format::of_path(&file.path)? {
            Format::Safetensors => Some("safetensors".to_owned()),
            Format::Gguf => Some(quant_of(&file.path).unwrap_or_else(|| "gguf".to_owned())),
            _ => None,
        })
        .collect();
    weights.sort();
    weights.dedup();
    Revision {
        commit: revision.commit.clone(),
        references: revision.references.clone(),
        weights,
        bytes: revision.bytes(),
        files: revision.files.len(),
        since: revision.since.map(clock::stamp),
    }
}

fn shown(app: &App, report: &Report) -> anyhow::Result<()> {
    if report.models.is_empty() {
        app.output.note(format!("nothing is here yet ({}); freehold pull NAME", report.store));
        return Ok(());
    }
    let mut table = Table::new([
        ("model", Align::Left),
        ("weights", Align::Left),
        ("size", Align::Right),
        ("commit", Align::Left),
        ("branch", Align::Left),
        ("since", Align::Left),
    ]);
    for model in &report.models {
        for revision in &model.revisions {
            let since = revision.since.as_deref().unwrap_or_default();
            table.row([
                model.name.clone(),
                revision.weights.join(" "),
                Bytes(revision.bytes).to_string(),
                revision.commit.chars().take(10).collect(),
                revision.references.join(" "),
                since.chars().take(10).collect(),
            ]);
        }
        if model.incomplete_bytes > 0 {
            let left = Bytes(model.incomplete_bytes).to_string();
            table.row([model.name.as_str(), "interrupted", &left]);
        }
    }
    for alias in &report.aliases {
        table.row([alias.alias.as_str(), "alias", "", "", &alias.name]);
    }
    app.output.line(table.render(app.output.styles()))
}
