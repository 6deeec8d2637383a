//! `cargo xtask peers`: Freehold beside other engines on the same files, the same threads, the same machine.
//!
//! Engines take turns, so that what else the machine does meets them alike; every figure is the median of
//! the rounds, with the least and the greatest of all runs. Each of llama.cpp's ways to run (as it comes,
//! without its repacked weights, without flash attention) is a peer of its own, and a row's ratio is against
//! the best of them. Rows: prompts, generation with an empty and a filled cache, generation of several
//! sequences at once, a cold program's first token, memory at its peak, and how far the logits agree.

mod freehold;
mod llama;
mod logits;
mod other;
mod process;
mod table;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use freehold::Freehold;
use llama::Llama;
use other::Other;
use table::Table;

/// Arguments of `cargo xtask peers`.
#[derive(Args)]
pub(crate) struct Peers {
    /// GGUF files
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// The folder of llama-bench, llama-batched-bench and llama-server
    #[arg(long, value_name = "DIR")]
    llama: Option<PathBuf>,
    /// Another engine: a name and a shell command that prints tokens a second as its last number; {model},
    /// {prompt}, {generate}, {depth} and {threads} stand for the test's. May be given several times
    #[arg(long, value_name = "NAME=COMMAND")]
    other: Vec<Other>,
    /// Our program [default: built now, for release]
    #[arg(long, value_name = "FILE")]
    freehold: Option<PathBuf>,
    /// Threads for all
    #[arg(short = 't', long, default_value_t = 2)]
    threads: u32,
    /// Times the engines take turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Times each turn repeats a test
    #[arg(short = 'r', long, default_value_t = 3)]
    repetitions: u32,
    #[command(flatten)]
    sizes: Sizes,
    /// Leave out rows: any of speed, batch, start, logits
    #[arg(long, value_enum, value_delimiter = ',')]
    skip: Vec<Part>,
    /// Print JSON, one object a model
    #[arg(long)]
    json: bool,
}

/// What is measured, in tokens.
#[derive(Args, Clone, Debug, Serialize)]
struct Sizes {
    /// Prompts
    #[arg(short = 'p', long, value_delimiter = ',', default_value = "64,512,2048")]
    prompt: Vec<u32>,
    /// Tokens generated
    #[arg(short = 'n', long, default_value_t = 64)]
    generate: u32,
    /// Tokens in the cache when generation begins
    #[arg(short = 'd', long, value_delimiter = ',', default_value = "0,4096")]
    depth: Vec<u32>,
    /// Sequences generated at once
    #[arg(short = 'b', long, value_delimiter = ',', default_value = "1,2,4,8,16")]
    batch: Vec<u32>,
}

/// Tokens each of several sequences has, and generates.
const BATCH: (u32, u32) = (16, 32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Prompts and generation of one sequence.
    Speed,
    /// Several sequences at once.
    Batch,
    /// First token and memory.
    Start,
    /// Agreement of logits.
    Logits,
}

/// One thing that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Prompt(u32),
    Generate { tokens: u32, depth: u32 },
    Batch(u32),
    FirstToken,
    Memory,
}

impl Test {
    /// As llama-bench names it.
    fn name(&self) -> String {
        match self {
            Test::Prompt(tokens) => format!("pp{tokens}"),
            Test::Generate { tokens, depth: 0 } => format!("tg{tokens}"),
            Test::Generate { tokens, depth } => format!("tg{tokens}@d{depth}"),
            Test::Batch(sequences) => format!("tg{}@d{}@b{sequences}", BATCH.1, BATCH.0),
            Test::FirstToken => "load to first token".to_owned(),
            Test::Memory => "peak memory".to_owned(),
        }
    }

    fn unit(&self) -> &'static str {
        match self {
            Test::FirstToken => "s",
            Test::Memory => "MB",
            _ => "t/s",
        }
    }

    /// Whether more is worse.
    fn is_cost(&self) -> bool {
        matches!(self, Test::FirstToken | Test::Memory)
    }
}

/// What one turn found: the median of a test's runs, with the least and the greatest.
#[derive(Clone, Debug)]
struct Found {
    test: Test,
    median: f64,
    min: f64,
    max: f64,
    /// Of what the machine's limits allow.
    share: Option<f64>,
}

impl Found {
    /// Of runs, at least one.
    fn of(test: Test, runs: &[f64]) -> Self {
        let sorted = sorted(runs);
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        Found { test, median: median(runs), min, max, share: None }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The middle of values, at least one.
fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// What every engine is asked for.
#[derive(Clone, Debug)]
struct Ask {
    model: PathBuf,
    threads: u32,
    repetitions: u32,
    sizes: Sizes,
}

impl Peers {
    /// Measures and prints.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        ensure!(self.rounds > 0 && self.repetitions > 0, "at least one round of one repetition");
        let ours = Freehold::new(self.freehold.clone())?;
        let llama = self.llama.clone().map(Llama::new).transpose()?;
        for model in &self.models {
            let model = model.canonicalize().with_context(|| model.display().to_string())?;
            let ask = Ask {
                model: model.clone(),
                threads: self.threads,
                repetitions: self.repetitions,
                sizes: self.sizes.clone(),
            };
            let table = self.compare(&ours, llama.as_ref(), &ask)?;
            let agreement = match &llama {
                Some(llama) if self.wants(Part::Logits) => logits::compare(&ours, llama, &ask)?,
                _ => vec![],
            };
            if self.json {
                let rows = table.rows();
                let file = model.file_name().map(|name| name.to_string_lossy());
                println!(
                    "{}",
                    json!({"model": file, "threads": self.threads, "rounds": self.rounds,
                        "repetitions": self.repetitions, "rows": rows, "logits": agreement})
                );
            } else {
                println!("{}\n{}", model.display(), table.text());
                agreement.iter().for_each(|line| println!("{}", line.text()));
            }
        }
        Ok(())
    }

    fn wants(&self, part: Part) -> bool {
        !self.skip.contains(&part)
    }

    fn compare(&self, ours: &Freehold, llama: Option<&Llama>, ask: &Ask) -> anyhow::Result<Table> {
        let mut table = Table::default();
        for round in 1..=self.rounds {
            eprintln!("{}: round {round} of {}", ask.model.display(), self.rounds);
            if self.wants(Part::Speed) {
                table.add(freehold::NAME, ours.speed(ask)?);
                for way in llama::WAYS.iter().filter(|_| llama.is_some()) {
                    if let Some(llama) = llama {
                        table.add(way.name, llama.speed(ask, way)?);
                    }
                }
                for other in &self.other {
                    table.add(&other.name, other.speed(ask)?);
                }
            }
            if self.wants(Part::Batch) && !ask.sizes.batch.is_empty() {
                table.add(freehold::NAME, ours.batch(ask)?);
                for way in llama::WAYS {
                    if let Some(llama) = llama {
                        table.add(way.name, llama.batch(ask, way)?);
                    }
                }
            }
            if self.wants(Part::Start) {
                table.add(freehold::NAME, ours.start(ask)?);
                for way in llama::WAYS {
                    if let Some(llama) = llama {
                        table.add(way.name, llama.start(ask, way)?);
                    }
                }
            }
        }
        Ok(table)
    }
}
