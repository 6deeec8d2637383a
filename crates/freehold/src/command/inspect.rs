//! `freehold inspect`: what a checkpoint is, from its headers; with `--deep`, from its numbers too.
//!
//! What can be known is told even of a model that cannot be run: its files were read and are sound, so
//! the exit code is 0, and `runnable` says no with the reason. Only files that are refused as
//! such (hostile, damaged, pickle) end with exit code 3.

mod about;
mod deep;
mod model;
mod show;
mod words;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine::ModelFile;
use serde::Serialize;
use weights::Checkpoint;

use super::Command;
use crate::{formats, load, named, program::App};

/// Arguments of `freehold inspect`.
#[derive(Args)]
pub(crate) struct Inspect {
    /// A GGUF file, a safetensors file or a folder
    model: PathBuf,
    /// List every tensor: name, shape, format, bytes
    #[arg(long)]
    tensors: bool,
    /// Read every number: range, mean, deviation, zeros, values that are not finite
    #[arg(long)]
    deep: bool,
    /// Print the architecture as a drawing instead
    #[arg(long, value_name = "NOTATION", value_enum, conflicts_with_all = ["tensors", "deep", "json"])]
    graph: Option<Notation>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a graph is written down.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Notation {
    /// For Markdown and mermaid.live
    Mermaid,
    /// For Graphviz
    Dot,
}

/// Everything known: what `--json` prints.
#[derive(Serialize)]
struct Report {
    path: String,
    container: String,
    files: Vec<File>,
    size_bytes: u64,
    tensor_bytes: u64,
    tensor_count: usize,
    bits_per_weight: f64,
    formats: Vec<formats::Part>,
    architecture: Option<String>,
    runnable: bool,
    /// Why it cannot be run.
    why_not: Option<String>,
    model: Option<model::Facts>,
    tokenizer: words::Tokenizer,
    templates: Vec<words::Template>,
    about: about::About,
    /// Tensors that inference does not use.
    unused: Vec<String>,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensors: Option<Vec<Tensor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deep: Option<deep::Scan>,
}

#[derive(Serialize)]
struct File {
    path: String,
    bytes: u64,
    tensors: usize,
}

/// Something noteworthy.
#[derive(Serialize)]
struct Finding {
    /// `files`, `tokenizer` or `template`.
    about: &'static str,
    what: String,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    format: &'static str,
    bytes: u64,
}

impl Command for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str =
        "Show what a model is: architecture, formats, tokenizer, template, licence, findings";
    const DETAILS: &'static str = "Licence and base model are given as the files state them. A model that cannot be run (an unknown \
        architecture, a tensor missing) is shown as far as it is known, with the reason, and exit code 0; files that are unsound \
        are refused with exit code 3. --deep says plainly when numbers are not finite, and exits with 0 too.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold inspect model.gguf",
        "freehold inspect model.gguf --tensors --deep",
        "freehold inspect model.gguf --graph mermaid > model.mmd",
        "freehold inspect ./Qwen3-0.6B --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        if let Some(notation) = self.graph {
            let file = load::file(&named::locate(app, &self.model)?.path)?;
            let graph = &file.model().graph;
            return app.output.text(match notation {
                Notation::Mermaid => ::model::draw::mermaid(graph),
                Notation::Dot => ::model::draw::dot(graph),
            });
        }
        let located = if self.deep {
            named::locate(app, &self.model)?
        } else {
            named::locate_or_headers(app, &self.model)?
        };
        let opened = open(&located.path)?;
        let mut report = report(&opened);
        let checkpoint = opened.checkpoint();
        if self.tensors {
            report.tensors = Some(tensors(checkpoint));
        }
        if self.deep {
            report.deep = Some(deep::scan(checkpoint, app)?);
        }
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(show::page(&report, app.output.styles()))
        }
    }
}

/// A checkpoint, understood as a model or not.
enum Opened {
    Model(Box<ModelFile>),
    Files { checkpoint: Box<Checkpoint>, why_not: String },
}

impl Opened {
    fn checkpoint(&self) -> &Checkpoint {
        match self {
            Opened::Model(file) => file.checkpoint(),
            Opened::Files { checkpoint, .. } => checkpoint,
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Opened> {
    let why = match ModelFile::new(load::checkpoint(path)?) {
        Ok(file) => return Ok(Opened::Model(Box::new(file))),
        Err(error @ engine::Error::Weights(_)) => return Err(error.into()),
        Err(error) => error,
    };
    // Understanding takes the checkpoint; its headers are quickly read again.
    let checkpoint = Box::new(load::checkpoint(path)?);
    Ok(Opened::Files { checkpoint, why_not: why.to_string() })
}

fn report(opened: &Opened) -> Report {
    let checkpoint = opened.checkpoint();
    let (model, why_not, unused) = match opened {
        Opened::Model(file) => (Some(model::Facts::of(file)), None, file.unused().to_vec()),
        Opened::Files { why_not, .. } => (None, Some(why_not.clone()), vec![]),
    };
    let formats = formats::shares(checkpoint);
    let elements: u64 = formats.iter().map(|share| share.elements).sum();
    let mut findings: Vec<Finding> = checkpoint
        .findings()
        .iter()
        .map(|finding| Finding { about: "files", what: finding.to_string() })
        .collect();
    let tokenizer = words::tokenizer(checkpoint, model.as_ref(), &mut findings);
    let templates = words::templates(checkpoint, &mut findings);
    Report {
        path: checkpoint.path().to_string_lossy().into_owned(),
        container: checkpoint.container().to_string(),
        files: checkpoint
            .files()
            .iter()
            .map(|f| File {
                path: f.path.to_string_lossy().into_owned(),
                bytes: f.bytes,
                tensors: f.tensors,
            })
            .collect(),
        size_bytes: checkpoint.total_bytes(),
        tensor_bytes: checkpoint.tensor_bytes(),
        tensor_count: checkpoint.tensors().len(),
        bits_per_weight: 8.0 * checkpoint.tensor_bytes() as f64 / elements.max(1) as f64,
        formats,
        architecture: about::architecture(checkpoint),
        runnable: model.is_some(),
        why_not,
        model,
        tokenizer,
        templates,
        about: about::of(checkpoint),
        unused,
        findings,
        tensors: None,
        deep: None,
    }
}

fn tensors(checkpoint: &Checkpoint) -> Vec<Tensor> {
    let tensor = |logical: &weights::Logical| Tensor {
        name: logical.name.to_string(),
        shape: logical.shape.clone(),
        format: formats::name(logical),
        bytes: formats::bytes(checkpoint, logical),
    };
    checkpoint.logical_tensors().values().map(tensor).collect()
}
