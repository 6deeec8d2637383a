//! `freehold plan`: what a model needs and how fast it can be here, before a weight is read.
//!
//! Memory is the engine's own plan, to the byte. Speeds are the roofline of this machine's measured
//! limits: what no program can exceed, which good kernels come near. The model is planned as its file
//! is and in every quantization one could choose.

mod forecast;

use std::path::PathBuf;

use clap::Args;
use engine::ModelFile;
use kernels::{Kernels, KvFormat};
use machine::{Bytes, Limits, Machine};
use quant::Format;
use serde::Serialize;

use super::Command;
use crate::{
    cost::Weights,
    formats,
    kv::Kv,
    load,
    output::Colours,
    program::App,
    table::{Align, Table, count, rate},
};
use forecast::{Forecast, Speeds};

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
    /// A GGUF file, a safetensors file or a folder; weights are not read
    model: PathBuf,
    /// Tokens each user's conversation may have [default: 8192, or what the model was made for]
    #[arg(long, value_name = "N")]
    ctx: Option<usize>,
    /// Conversations at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    users: u32,
    /// How the cache keeps numbers
    #[arg(long, value_enum, default_value = "f16")]
    kv: Kv,
    #[command(flatten)]
    running: load::Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
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
    /// At most, by the machine's limits.
    prompt_tokens_per_s: Speeds,
    /// At most, of all users together.
    generation_tokens_per_s: Speeds,
}

#[derive(Clone, Copy, Serialize)]
struct Memory {
    weights: Bytes,
    kv_cache: Bytes,
    activations: Bytes,
    total: Bytes,
}

impl Command for Plan {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str =
        "Foretell a model's memory and speed on this machine, in every quantization";
    const DETAILS: &'static str = "Memory is exact: what loading would allocate. Speeds are the most this machine's measured \
        limits allow (they are measured at the first use and kept under FREEHOLD_HOME); see `freehold bench` for what is \
        reached. A quantization stands for every matrix in that format, or in Q8_0 or F16 where rows are no whole \
        number of its blocks.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold plan model.gguf",
        "freehold plan model.gguf --ctx 32768 --users 4 --kv q8_0",
        "freehold plan model.gguf --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let file = load::file(&self.model)?;
        let users = self.users as usize;
        let settings = load::engine_settings(&file, self.ctx, self.kv)?;
        let settings = engine::Settings { sequences: users, ..settings };
        let machine = Machine::detect();
        let threads = app.settings.threads(self.running.threads.map(|threads| threads as usize));
        let limits = crate::limits::of(app, &machine, threads)?;
        let backend = self.running.backend(app);
        let memory = engine::Engine::plan(&file, &backend, &settings)?;
        let forecast = Forecast {
            model: file.model(),
            limits: &limits,
            context: settings.context_of(file.model()),
            users,
            kv: settings.kv,
            chunk: settings.chunk,
            free: machine.memory.free(),
            kv_cache: Bytes(memory.kv_cache as u64),
            activations: Bytes(memory.activations as u64),
        };
        let kernels = Kernels::new(app.settings.isa, 1)?;
        let counts = model::plan::counts(&file.model().graph);
        let report = Report {
            family: file.model().family,
            params: counts.params,
            active_params: counts.active_params,
            context_made_for: file.model().context,
            context: forecast.context,
            users,
            kv: name(settings.kv),
            kv_bytes_per_token: forecast.kv_bytes_per_token(),
            isa: app.settings.isa.name(),
            threads,
            available_bytes: forecast.free,
            options: options(&file, &kernels, &forecast)?,
            limits: limits.clone(),
        };
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(shown(&report, app.output.styles()))
        }
    }
}

fn name(kv: KvFormat) -> &'static str {
    match kv {
        KvFormat::F32 => "f32",
        KvFormat::F16 => "f16",
        KvFormat::Q8_0 => "q8_0",
    }
}

fn options(
    file: &ModelFile,
    kernels: &Kernels,
    forecast: &Forecast<'_>,
) -> anyhow::Result<Vec<Choice>> {
    let own = formats::main(file.checkpoint());
    let mut options = vec![forecast.option(own, true, &Weights::of_file(file, kernels)?)];
    for format in CHOICES {
        let weights = Weights::in_format(file.model(), kernels, format)?;
        options.push(forecast.option(format.name.to_owned(), false, &weights));
    }
    Ok(options)
}

fn shown(report: &Report, colours: Colours) -> String {
    let mut text = heading(report, colours);
    if let Some(own) = report.options.first() {
        text = format!("{text}\n\n{}", memory_table(report, own, colours));
    }
    text = format!("{text}\n\n{}", option_table(report, colours));
    let limits = &report.limits;
    let giga = |value: f64| rate(value / 1e9);
    let note = format!(
        "pp reads a prompt, tg generates; t/s are the most this machine allows with {}\nthreads ({}: reading {} GB/s, int8 {} GOP/s, f32 {})",
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
    let verdict = if own.fits { colours.green("fits") } else { colours.red("does not fit") };
    row(&mut table, "total", memory.total, verdict);
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
