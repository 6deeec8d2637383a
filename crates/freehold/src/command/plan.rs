//! `freehold plan`: what a model needs and how fast it can be here, before a weight is read.
//!
//! Memory is the engine's own plan, to the byte, and what the program itself takes beside it. Speeds are
//! foretold from this program's own loops as they were timed on this machine; the roofline of the
//! machine's measured limits, which no program can exceed, stands beside them in the JSON. The model
//! is planned as its file is and in every quantization one could choose.

mod forecast;
mod verdict;

use std::path::PathBuf;

use clap::Args;
use engine::ModelFile;
use kernels::Kernels;
use machine::{Bytes, Limits, Machine};
use quant::Format;
use serde::Serialize;

use super::Command;
use crate::{
    cost::{Weights, kv_name},
    formats,
    kv::Kv,
    load, named,
    output::Colours,
    program::App,
    table::{Align, Table, count, rate},
};
use forecast::{Forecast, Speeds};
use verdict::Verdict;

/// What one could choose, largest first.
const CHOICES: [&Format; 11] = [
    &quant::F32,
    &quant::BF16,
    &quant::F16,
    &quant::Q8_0,
    &quant::Q6_K,
    &quant::Q5_K,
    &quant::Q4_K,
    &quant::Q4_0,
    &quant::IQ4_XS,
    &quant::Q3_K,
    &quant::Q2_K,
];

/// Arguments of `freehold plan`.
#[derive(Args)]
pub(crate) struct Plan {
    /// A model here or on the hub; weights are not read
    model: PathBuf,
    /// Tokens each user's conversation may have [default: 8192, or what the model was made for]
    #[arg(long, value_name = "N")]
    ctx: Option<usize>,
    /// Conversations at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    users: u32,
    /// How the cache keeps numbers [default: as run has it, f16, or f32 where the weights are F32]
    #[arg(long, value_enum, value_name = "TYPE")]
    kv: Option<Kv>,
    /// Memory there is, such as 16GiB [default: what is free now]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
    /// Time this program's loops and the machine's limits anew
    #[arg(long)]
    measure: bool,
    #[command(flatten)]
    running: load::Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Report {
    family: &'static str,
    params: u64,
    active_params: u64,
    context_made_for: usize,
    context: usize,
    users: usize,
    kv: &'static str,
    kv_bytes_per_token: u64,
    isa: &'static str,
    threads: usize,
    available_bytes: Bytes,
    limits: Limits,
    verdict: Verdict,
    options: Vec<Choice>,
}

/// The model in one choice of formats.
#[derive(Serialize)]
struct Choice {
    format: String,
    /// Whether this is the file as it is.
    as_is: bool,
    bits_per_weight: f64,
    file_bytes: Bytes,
    memory: Memory,
    fits: bool,
    /// Most tokens each user could have; 0 when not even the weights fit.
    largest_context: usize,
    /// Of one user.
    prompt_tokens_per_s: Speeds,
    /// Of all users together.
    generation_tokens_per_s: Speeds,
}

#[derive(Clone, Copy, Serialize)]
struct Memory {
    weights: Bytes,
    kv_cache: Bytes,
    activations: Bytes,
    program: Bytes,
    total: Bytes,
}

impl Command for Plan {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str =
        "Foretell a model's memory and speed on this machine, in every quantization";
    const DETAILS: &'static str = "Memory is what loading allocates, to the byte, and what the program takes beside it; pages of the \
        file that the system may drop are not counted. Speeds are foretold from this program's own loops, timed at the \
        first use and kept under FREEHOLD_HOME; see `freehold bench` for what is reached. A quantization stands for every \
        matrix in that format, or in Q8_0 or F16 where rows are no whole number of its blocks. Of a model on the hub only the \
        headers are read.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold plan model.gguf",
        "freehold plan model.gguf --ctx 32768 --users 4 --kv q8_0",
        "freehold plan model.gguf --memory 8GiB --json",
        "freehold plan Qwen/Qwen3-8B-GGUF:Q4_K_M",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        if self.measure {
            crate::limits::forget(app)?;
        }
        let file = load::file(&named::locate_or_headers(app, &self.model)?.path)?;
        let users = self.users as usize;
        let settings = load::engine_settings(&file, self.ctx, Kv::or_of(self.kv, &file))?;
        let settings = engine::Settings { sequences: users, ..settings };
        let report = Report::of(app, &file, &settings, &self.running, self.memory)?;
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(shown(&report, app.output.styles()))
        }
    }
}

impl Report {
    /// Plans a model in every choice of formats.
    pub(super) fn of(
        app: &App,
        file: &ModelFile,
        settings: &engine::Settings,
        running: &load::Running,
        memory: Option<Bytes>,
    ) -> anyhow::Result<Self> {
        let model = file.model();
        let machine = Machine::detect();
        let threads = app.settings.threads(running.threads.map(|threads| threads as usize));
        let limits = crate::limits::of(app, &machine, threads)?;
        let footprint = load::Footprint::of(file, &running.backend(app), settings)?;
        let kernels = Kernels::new(app.settings.isa, 1)?;
        let own = Weights::of_file(file, &kernels)?;
        let mut formats = own.formats.clone();
        formats.extend(CHOICES.iter().filter(|format| !own.formats.contains(format)));
        let rates = crate::limits::rates(app, &machine, threads, &formats, settings.kv)?;
        let forecast = Forecast {
            model,
            limits: &limits,
            rates: &rates,
            context: settings.context_of(model),
            users: settings.sequences,
            kv: settings.kv,
            chunk: settings.chunk,
            free: memory.unwrap_or_else(|| machine.memory.free()),
            kv_cache: footprint.kv_cache,
            activations: footprint.activations,
            program: footprint.program,
        };
        let options = options(file, &own, &kernels, &forecast)?;
        let counts = model::plan::counts(&model.graph);
        Ok(Report {
            family: model.family,
            params: counts.params,
            active_params: counts.active_params,
            context_made_for: model.context,
            context: forecast.context,
            users: forecast.users,
            kv: kv_name(settings.kv),
            kv_bytes_per_token: forecast.kv_bytes_per_token(),
            isa: app.settings.isa.name(),
            threads,
            available_bytes: forecast.free,
            verdict: Verdict::of(&options, &forecast),
            options,
            limits: limits.clone(),
        })
    }

    /// As people read it.
    pub(super) fn words(&self, colours: Colours) -> String {
        shown(self, colours)
    }

    /// What the model is called: its family, format and size.
    pub(super) fn name(&self) -> String {
        let format = self.options.first().map_or("", |own| own.format.as_str());
        format!("{} {format}, {} parameters", self.family, count(self.params))
    }

    /// Tokens a second of the file as it is, on average over the context: of prompts, of answers.
    pub(super) fn speeds(&self) -> (f64, f64) {
        let mean = |speeds: &Speeds| 2.0 / (1.0 / speeds.at_start + 1.0 / speeds.at_context);
        let own = self.options.first();
        own.map_or((0.0, 0.0), |own| {
            (mean(&own.prompt_tokens_per_s), mean(&own.generation_tokens_per_s))
        })
    }
}

fn options(
    file: &ModelFile,
    own: &Weights,
    kernels: &Kernels,
    forecast: &Forecast<'_>,
) -> anyhow::Result<Vec<Choice>> {
    let name = formats::main(file.checkpoint());
    let mut options = vec![forecast.option(name, true, own)];
    for format in CHOICES {
        let weights = Weights::in_format(file.model(), kernels, format)?;
        options.push(forecast.option(format.name.to_owned(), false, &weights));
    }
    Ok(options)
}

fn shown(report: &Report, colours: Colours) -> String {
    let words = report.verdict.words();
    let verdict = if report.verdict.fits() { colours.green(words) } else { colours.red(words) };
    let mut text = format!("{}\n{verdict}", heading(report, colours));
    if let Some(own) = report.options.first() {
        text = format!("{text}\n\n{}", memory_table(report, own, colours));
    }
    text = format!("{text}\n\n{}", option_table(report, colours));
    let limits = &report.limits;
    let giga = |value: f64| rate(value / 1e9);
    let note = format!(
        "pp reads a prompt, tg generates; t/s as foretold for {} threads, {}\n(limits: reading {} GB/s, int8 {} GOP/s, f32 {})",
        report.threads,
        report.isa,
        giga(limits.read_bytes_per_s),
        giga(limits.int8_ops_per_s),
        giga(limits.f32_ops_per_s),
    );
    let together = if report.users > 1 { ";\ntg is of all users together" } else { "" };
    format!("{text}\n\n{}", colours.dim(&format!("{note}{together}")))
}

fn heading(report: &Report, colours: Colours) -> String {
    let active = if report.active_params < report.params * 9 / 10 {
        format!(" ({} active)", count(report.active_params))
    } else {
        String::new()
    };
    let model = format!("{}, {} parameters{active}", report.family, count(report.params));
    let users =
        if report.users == 1 { "1 user".to_owned() } else { format!("{} users", report.users) };
    format!(
        "{}\n{users} with {} tokens (the model was made for {}), cache {}",
        colours.bold(&model),
        report.context,
        report.context_made_for,
        report.kv,
    )
}

fn memory_table(report: &Report, own: &Choice, colours: Colours) -> String {
    let mut table = Table::new([("memory", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let memory = own.memory;
    let row = |table: &mut Table, what: &str, bytes: Bytes, remark: String| {
        table.row([what.to_owned(), bytes.to_string(), remark]);
    };
    row(&mut table, "weights", memory.weights, format!("{} as the file is, packed", own.format));
    let each = Bytes(report.kv_bytes_per_token);
    row(
        &mut table,
        "KV cache",
        memory.kv_cache,
        format!("{each} a token, in pages of {}", kernels::PAGE_TOKENS),
    );
    row(&mut table, "activations", memory.activations, String::new());
    row(&mut table, "program", memory.program, "itself, its tokenizer".to_owned());
    row(&mut table, "total", memory.total, String::new());
    row(&mut table, "available", report.available_bytes, String::new());
    table.render(colours)
}

fn option_table(report: &Report, colours: Colours) -> String {
    let deep = format!("@{}", short(report.context));
    let right = ["weights", "total", "fits", "max ctx", "pp t/s", &deep, "tg t/s", &deep];
    let columns = right.map(|name| (name.to_owned(), Align::Right)).into_iter();
    let mut table = Table::new([("format".to_owned(), Align::Left)].into_iter().chain(columns));
    for option in &report.options {
        let format =
            if option.as_is { format!("{} (file)", option.format) } else { option.format.clone() };
        table.row([
            format,
            option.memory.weights.to_string(),
            option.memory.total.to_string(),
            if option.fits { "yes" } else { "no" }.to_owned(),
            option.largest_context.to_string(),
            rate(option.prompt_tokens_per_s.at_start),
            rate(option.prompt_tokens_per_s.at_context),
            rate(option.generation_tokens_per_s.at_start),
            rate(option.generation_tokens_per_s.at_context),
        ]);
    }
    table.render(colours)
}

/// A context as people say it: `8k`.
fn short(tokens: usize) -> String {
    if tokens >= 1024 { format!("{}k", tokens / 1024) } else { tokens.to_string() }
}
