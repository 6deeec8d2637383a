//! `freehold bench`: how fast a model runs here, and how near that is to what the machine can do.
//!
//! Prompts and answers are random token ids run through the engine's executor, as the engine would form
//! its batches; a depth is filled by a real prompt first. Every test runs once to warm up and then as
//! often as asked; the median counts. The same run measures the machine's limits, and the share of the
//! limit is the least time the roofline allows over the time it took.

mod report;
mod session;

use std::path::PathBuf;

use clap::Args;
use engine::Settings as EngineSettings;
use kernels::Kernels;
use machine::{Bytes, Machine};

use super::Command;
use crate::{
    cost::{self, Step, Weights},
    error::usage,
    kv::Kv,
    load, named,
    program::App,
};
use report::{Report, Subject};
use session::Session;

/// Tokens of a prompt or an answer more than this are a typing mistake.
const TOKENS_MAX: i64 = 1 << 24;

/// Arguments of `freehold bench`.
#[derive(Args)]
pub(crate) struct Bench {
    /// A GGUF file, a safetensors file or a folder
    model: PathBuf,
    /// Tokens of the prompt, a list like 128,512; 0: no such test
    #[arg(short = 'p', long = "prompt", value_name = "N", value_delimiter = ',', default_value = "512",
          value_parser = clap::value_parser!(u32).range(0..=TOKENS_MAX))]
    prompt: Vec<u32>,
    /// Tokens of the answer, a list; 0: no such test
    #[arg(short = 'n', long = "generate", value_name = "N", value_delimiter = ',', default_value = "128",
          value_parser = clap::value_parser!(u32).range(0..=TOKENS_MAX))]
    generate: Vec<u32>,
    /// Tokens that are in the cache before the test begins, a list
    #[arg(short = 'd', long, value_name = "N", value_delimiter = ',', default_value = "0",
          value_parser = clap::value_parser!(u32).range(0..=TOKENS_MAX))]
    depth: Vec<u32>,
    /// Sequences at the same time, a list
    #[arg(short = 'b', long, value_name = "N", value_delimiter = ',', default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: Vec<u32>,
    /// Threads, a list [default: one a physical core, or FREEHOLD_THREADS]
    #[arg(short = 't', long, value_name = "N", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Vec<u32>,
    /// Times each test runs
    #[arg(short = 'r', long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// How the cache keeps numbers
    #[arg(long, value_enum, default_value = "f16")]
    kv: Kv,
    /// Tokens of a prompt that are computed at once
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    chunk: u32,
    /// Print JSON, one object a test, each on a line of its own
    #[arg(long)]
    json: bool,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    kind: Kind,
    tokens: usize,
    depth: usize,
    batch: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prompt,
    Generate,
}

impl Test {
    /// As llama-bench names it, with `@b` for several sequences: `pp512`, `tg128@d4096`, `tg128@b4`.
    fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Prompt => "pp",
            Kind::Generate => "tg",
        };
        let depth = if self.depth > 0 { format!("@d{}", self.depth) } else { String::new() };
        let batch = if self.batch > 1 { format!("@b{}", self.batch) } else { String::new() };
        format!("{kind}{}{depth}{batch}", self.tokens)
    }

    /// The steps it runs, in order; see [`Session`].
    fn steps(&self, chunk: usize, kv: kernels::KvFormat) -> Vec<Step> {
        let Test { tokens, depth, batch, .. } = *self;
        match self.kind {
            Kind::Generate => (0..tokens)
                .map(|at| Step { sequences: batch, rows: 1, depth: depth + at, wanted: batch, kv })
                .collect(),
            Kind::Prompt => (0..batch)
                .flat_map(|_| (0..tokens).step_by(chunk))
                .map(|at| {
                    let rows = chunk.min(tokens - at);
                    let wanted = usize::from(at + rows == tokens);
                    Step { sequences: 1, rows, depth: depth + at, wanted, kv }
                })
                .collect(),
        }
    }
}

impl Command for Bench {
    const NAME: &'static str = "bench";
    const ABOUT: &'static str =
        "Measure how fast a model runs, and its share of what this machine can do";
    const DETAILS: &'static str = "Columns are those of llama-bench: ppN reads a prompt of N tokens, tgN generates N, @dN with N tokens in \
        the cache already, @bN for N sequences at once (their tokens together a second). GB/s is weights and cache read, GOP/s multiplications and additions, each the rate \
        that was reached; limit is the share of the least time this machine's measured limits allow. t/s is the median ± the \
        standard deviation.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold bench model.gguf",
        "freehold bench model.gguf -p 128,512 -n 32 -d 0,4096 -r 3",
        "freehold bench model.gguf -n 64 -p 0 -b 1,4,16 -t 1,2 --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let tests = self.tests();
        if tests.is_empty() {
            return Err(usage("nothing to measure: -p and -n are both 0"));
        }
        let file = load::file(&named::locate(app, &self.model)?.path)?;
        let most = file.model().context;
        let longest = tests.iter().map(|test| test.depth + test.tokens).max().unwrap_or(1);
        if longest > most {
            return Err(usage(format!(
                "a test needs {longest} tokens (depth and test), expected at most {most}, the context of this model"
            )));
        }
        let machine = Machine::detect();
        let settings = EngineSettings {
            context: Some(longest),
            sequences: tests.iter().map(|test| test.batch).max().unwrap_or(1),
            kv: self.kv.format(),
            chunk: self.chunk as usize,
            ..EngineSettings::SINGLE
        };
        let weights = Weights::of_file(&file, &Kernels::new(app.settings.isa, 1)?)?;
        let subject = Subject::of(&file, app.settings.isa);
        let mut report = Report::new();
        for threads in self.threads(app) {
            let limits = crate::limits::measured(app, &machine, threads)?;
            let backend = engine::Cpu::new(app.settings.isa, threads);
            load::admit(&file, &backend, &settings, machine.memory.free())?;
            let mut session = Session::load(app, &file, &backend, &settings)?;
            for test in &tests {
                app.output.note(format!("{} with {threads} threads ...", test.name()));
                let seconds = session.measure(test, self.repetitions as usize)?;
                let cost = test
                    .steps(self.chunk as usize, settings.kv)
                    .iter()
                    .map(|step| weights.step(file.model(), step))
                    .fold(machine::Cost::default(), cost::sum);
                let row = subject.row(test, threads, &seconds, &cost, &limits);
                if self.json {
                    app.output.json(&row)?;
                } else {
                    report.add(&row);
                }
            }
            if !self.json {
                report.limits(&limits, Bytes(session.memory() as u64));
            }
        }
        if self.json {
            Ok(())
        } else {
            app.output.line(report.render(&subject, app.output.styles()))
        }
    }
}

impl Bench {
    fn tests(&self) -> Vec<Test> {
        let mut tests: Vec<Test> = vec![];
        let kinds = [(Kind::Prompt, &self.prompt), (Kind::Generate, &self.generate)];
        for depth in &self.depth {
            for batch in &self.batch {
                for (kind, lengths) in kinds {
                    for tokens in lengths.iter().filter(|tokens| **tokens > 0) {
                        let [tokens, depth, batch] = [*tokens, *depth, *batch].map(|n| n as usize);
                        let test = Test { kind, tokens, depth, batch };
                        if !tests.contains(&test) {
                            tests.push(test);
                        }
                    }
                }
            }
        }
        tests
    }

    fn threads(&self, app: &App) -> Vec<usize> {
        if self.threads.is_empty() {
            return vec![app.settings.threads(None)];
        }
        self.threads.iter().map(|threads| *threads as usize).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_named_as_users_know_them() {
        let test = |kind, tokens, depth, batch| Test { kind, tokens, depth, batch }.name();
        assert_eq!(test(Kind::Prompt, 512, 0, 1), "pp512");
        assert_eq!(test(Kind::Generate, 128, 4096, 1), "tg128@d4096");
        assert_eq!(test(Kind::Generate, 128, 0, 4), "tg128@b4");
    }

    #[test]
    fn a_prompt_is_read_in_pieces_and_wants_logits_once_a_sequence() {
        let test = Test { kind: Kind::Prompt, tokens: 10, depth: 3, batch: 2 };
        let steps = test.steps(4, kernels::KvFormat::F16);
        let rows: Vec<_> = steps.iter().map(|s| (s.depth, s.rows, s.wanted)).collect();
        assert_eq!(rows, [(3, 4, 0), (7, 4, 0), (11, 2, 1), (3, 4, 0), (7, 4, 0), (11, 2, 1)]);
        let test = Test { kind: Kind::Generate, tokens: 2, depth: 3, batch: 2 };
        let steps = test.steps(4, kernels::KvFormat::F16);
        let rows: Vec<_> = steps.iter().map(|s| (s.depth, s.rows, s.wanted, s.sequences)).collect();
        assert_eq!(rows, [(3, 1, 2, 2), (4, 1, 2, 2)]);
    }
}
