//! `freehold cost`: what it costs to answer on machines of one's own, beside prices a token elsewhere.
//!
//! The arithmetic is `machine::economy`; the speed is that of `freehold plan`, or one that was measured.
//! Nothing is hidden in it: every number that goes in is printed, and what each of them moves is shown.

mod chart;
mod prices;
mod show;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use machine::economy::{Load, MONTH_DAYS, Owned, Owning, Rented};
use serde::Serialize;

use super::Command;
use crate::{
    error::{failed, usage},
    kv::Kv,
    load, named,
    program::App,
};
use chart::{Chart, Line};
use prices::{Price, Prices};

/// Arguments of `freehold cost`.
#[derive(Args)]
pub(crate) struct Cost {
    /// The model, for its speed here as foretold; not needed when both speeds are given
    model: Option<PathBuf>,
    /// Requests a day
    #[arg(long, value_name = "N", default_value_t = 1000.0)]
    requests: f64,
    /// Tokens of a request's prompt
    #[arg(long, value_name = "N", default_value_t = 800)]
    tokens_in: u32,
    /// Tokens of its answer
    #[arg(long, value_name = "N", default_value_t = 250)]
    tokens_out: u32,
    /// Requests answered at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    users: u32,
    /// What the machine costs
    #[arg(long, value_name = "MONEY", default_value_t = 1500.0)]
    price: f64,
    /// Years it will be used
    #[arg(long, value_name = "YEARS", default_value_t = 4.0)]
    life: f64,
    /// Watts it draws at work
    #[arg(long, value_name = "W", default_value_t = 120.0)]
    watts: f64,
    /// Watts it draws otherwise
    #[arg(long, value_name = "W", default_value_t = 40.0)]
    watts_idle: f64,
    /// Price of a kilowatt-hour
    #[arg(long, value_name = "MONEY", default_value_t = 0.30)]
    kwh: f64,
    /// What else it costs a month: its place, somebody's time
    #[arg(long, value_name = "MONEY", default_value_t = 0.0)]
    upkeep: f64,
    /// Share of the day it may be busy; more work takes another machine
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    utilisation: f64,
    /// Tokens of prompts it reads a second, as measured [default: as foretold for MODEL here]
    #[arg(long, value_name = "T/S")]
    prompt_speed: Option<f64>,
    /// Tokens it writes a second, all users together, as measured [default: as foretold]
    #[arg(long, value_name = "T/S")]
    generation_speed: Option<f64>,
    /// Prices to compare with, by name, a list [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    against: Vec<String>,
    /// Show or edit the list of prices instead
    #[arg(long, value_name = "WHAT", value_enum)]
    prices: Option<Asked>,
    /// Draw cost against volume into this SVG file
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    running: load::Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `--prices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// Print the list
    Show,
    /// Put it under FREEHOLD_HOME and open it with $VISUAL or $EDITOR
    Edit,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: Option<String>,
    currency: String,
    prices_as_of: String,
    /// Where the speeds come from: `foretold` or `given`.
    speeds: &'static str,
    load: Load,
    tokens_month: f64,
    owned: Owned,
    /// Requests a day that one machine takes.
    capacity_per_day: f64,
    owning: Owning,
    renting: Vec<Renting>,
    /// The price that `sensitivity` is held against.
    against: Option<String>,
    sensitivity: Vec<Changed>,
}

/// One price beside owning.
#[derive(Serialize)]
struct Renting {
    #[serde(flatten)]
    price: Price,
    month: f64,
    per_million_tokens: f64,
    /// Requests a day from which on owning is no dearer; none: never.
    break_even_requests_per_day: Option<f64>,
    break_even_tokens_month: Option<f64>,
}

/// What comes out when one number is another.
#[derive(Serialize)]
struct Changed {
    what: String,
    per_million_tokens: f64,
    machines: u64,
    break_even_requests_per_day: Option<f64>,
}

impl Command for Cost {
    const NAME: &'static str = "cost";
    const ABOUT: &'static str =
        "Compare the cost of your own machine with prices per token elsewhere";
    const DETAILS: &'static str = "A machine costs its price over its life, power by how busy it is, and upkeep; renting costs by the \
        token. The defaults are assumptions: give your own numbers. The price list built in is dated and \
        names its sources; put it right with --prices edit before you decide anything. A small model of your own and a large one \
        elsewhere are not the same thing: this compares money only.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold cost model.gguf --requests 5000 --tokens-in 800 --tokens-out 250",
        "freehold cost model.gguf --price 4000 --watts 350 --kwh 0.25 --users 8 --chart cost.svg",
        "freehold cost --prompt-speed 2000 --generation-speed 180 --against openai/gpt-5-nano --json",
        "freehold cost --prices edit",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        if let Some(asked) = self.prices {
            return prices(app, asked, self.json);
        }
        self.check()?;
        let list = Prices::of(app)?;
        let chosen = list.named(&self.against)?;
        let (model, owned) = self.owned(app)?;
        let report = self.report(&list, &chosen, model, owned);
        if let Some(path) = &self.chart {
            std::fs::write(path, drawn(&report)).map_err(|error| {
                failed(
                    format!("cannot write {}: {error}", path.display()),
                    "give --chart a path that can be written",
                )
            })?;
            app.output.note(format!("drawn: {}", path.display()));
        }
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(show::page(&report, app.output.styles()))
        }
    }
}

impl Cost {
    fn check(&self) -> anyhow::Result<()> {
        let positive = |name: &str, value: f64| within(name, value, f64::MIN_POSITIVE, 1e12);
        positive("--requests", self.requests)?;
        positive("--life", self.life)?;
        within("--utilisation", self.utilisation, 0.001, 1.0)?;
        for (name, value) in [
            ("--price", self.price),
            ("--watts", self.watts),
            ("--watts-idle", self.watts_idle),
            ("--kwh", self.kwh),
            ("--upkeep", self.upkeep),
        ] {
            within(name, value, 0.0, 1e12)?;
        }
        for (name, value) in
            [("--prompt-speed", self.prompt_speed), ("--generation-speed", self.generation_speed)]
        {
            value.map_or(Ok(()), |value| positive(name, value))?;
        }
        if self.tokens_in == 0 || self.tokens_out == 0 {
            return Err(usage("--tokens-in and --tokens-out must be at least 1"));
        }
        Ok(())
    }

    /// The machine, with its speed: given, or foretold for the model here.
    fn owned(&self, app: &App) -> anyhow::Result<(Option<String>, Owned)> {
        let foretold = || -> anyhow::Result<(Option<String>, f64, f64)> {
            let Some(model) = &self.model else {
                return Err(usage(
                    "a MODEL is needed, or both --prompt-speed and --generation-speed",
                ));
            };
            let file = load::file(&named::locate_or_headers(app, model)?.path)?;
            let needed = (self.tokens_in + self.tokens_out) as usize;
            let settings = load::engine_settings(&file, Some(needed), Kv::or_of(None, &file))?;
            let settings = engine::Settings { sequences: self.users as usize, ..settings };
            let plan = super::plan::Report::of(app, &file, &settings, &self.running, None)?;
            let (prompt, generation) = plan.speeds();
            Ok((Some(plan.name()), prompt, generation))
        };
        let (model, prompt, generation) = match (self.prompt_speed, self.generation_speed) {
            (Some(prompt), Some(generation)) => (None, prompt, generation),
            (prompt, generation) => {
                let (model, p, g) = foretold()?;
                (model, prompt.unwrap_or(p), generation.unwrap_or(g))
            }
        };
        let owned = Owned {
            price: self.price,
            life_years: self.life,
            watts_busy: self.watts,
            watts_idle: self.watts_idle,
            kwh_price: self.kwh,
            upkeep_month: self.upkeep,
            utilisation: self.utilisation,
            prompt_tokens_per_s: prompt,
            generation_tokens_per_s: generation,
        };
        Ok((model, owned))
    }

    fn report(
        &self,
        list: &Prices,
        chosen: &[Price],
        model: Option<String>,
        owned: Owned,
    ) -> Report {
        let load = Load {
            requests_per_day: self.requests,
            tokens_in: f64::from(self.tokens_in),
            tokens_out: f64::from(self.tokens_out),
        };
        let owning = owned.cost(&load);
        let renting = chosen.iter().map(|price| {
            let even = owned.break_even(&price.rented(), &load);
            Renting {
                month: price.rented().month(&load),
                per_million_tokens: price.rented().per_million_tokens(&load),
                break_even_requests_per_day: even,
                break_even_tokens_month: even.map(|even| load.with(even).tokens_month()),
                price: price.clone(),
            }
        });
        let mut renting: Vec<Renting> = renting.collect();
        renting.sort_by(|a, b| a.month.total_cmp(&b.month));
        // The first that was named, else the one whose cost is nearest.
        let distance = |month: f64| (month.max(1e-9) / owning.total_month.max(1e-9)).ln().abs();
        let nearest = renting.iter().min_by(|a, b| distance(a.month).total_cmp(&distance(b.month)));
        let first = self.against.first().and_then(|name| chosen.iter().find(|p| p.name == *name));
        let against = first.or(nearest.map(|renting| &renting.price)).cloned();
        let sensitivity = match &against {
            Some(price) => sensitivity(&owned, &price.rented(), &load),
            None => vec![],
        };
        let given = self.prompt_speed.is_some() && self.generation_speed.is_some();
        Report {
            model,
            currency: list.currency.clone(),
            prices_as_of: list.as_of.clone(),
            speeds: if given { "given" } else { "foretold" },
            load,
            tokens_month: load.tokens_month(),
            capacity_per_day: owned.capacity_per_day(&load),
            owned,
            owning,
            renting,
            against: against.map(|price| price.name),
            sensitivity,
        }
    }
}

/// Each number that matters most, a half and twice or so.
fn sensitivity(owned: &Owned, rented: &Rented, load: &Load) -> Vec<Changed> {
    let row = |what: &str, owned: Owned, rented: Rented, load: Load| {
        let owning = owned.cost(&load);
        Changed {
            what: what.to_owned(),
            per_million_tokens: owning.per_million_tokens,
            machines: owning.machines,
            break_even_requests_per_day: owned.break_even(&rented, &load),
        }
    };
    let speed = |by: f64| Owned {
        prompt_tokens_per_s: owned.prompt_tokens_per_s * by,
        generation_tokens_per_s: owned.generation_tokens_per_s * by,
        ..*owned
    };
    let price = |by: f64| Owned { price: owned.price * by, ..*owned };
    let power = |by: f64| Owned { kwh_price: owned.kwh_price * by, ..*owned };
    let busy = |to: f64| Owned { utilisation: to, ..*owned };
    let dearer = |by: f64| Rented { input: rented.input * by, output: rented.output * by };
    let volume = |by: f64| load.with(load.requests_per_day * by);
    let half = (owned.utilisation / 2.0).max(0.001);
    let twice = (owned.utilisation * 2.0).min(1.0);
    vec![
        row("as stated", *owned, *rented, *load),
        row("machine a quarter cheaper", price(0.75), *rented, *load),
        row("machine a quarter dearer", price(1.25), *rented, *load),
        row("power half the price", power(0.5), *rented, *load),
        row("power twice the price", power(2.0), *rented, *load),
        row("speed a fifth lower", speed(0.8), *rented, *load),
        row("speed a fifth higher", speed(1.2), *rented, *load),
        row(&format!("at most {:.0} % busy", 100.0 * half), busy(half), *rented, *load),
        row(&format!("at most {:.0} % busy", 100.0 * twice), busy(twice), *rented, *load),
        row("half the requests", *owned, *rented, volume(0.5)),
        row("twice the requests", *owned, *rented, volume(2.0)),
        row("renting at half the price", *owned, dearer(0.5), *load),
        row("renting at twice the price", *owned, dearer(2.0), *load),
    ]
}

fn drawn(report: &Report) -> String {
    let load = report.load;
    let owning = |requests: f64| report.owned.cost(&load.with(requests)).total_month;
    let lines = report.renting.iter().map(|renting| Line {
        name: &renting.price.name,
        each: renting.price.rented().month(&load.with(1.0)),
        break_even: renting.break_even_requests_per_day,
    });
    Chart {
        title: match &report.model {
            Some(model) => format!("{model}: your own machine or a price per token"),
            None => "Your own machine or a price per token".to_owned(),
        },
        subtitle: format!(
            "{} tokens in, {} out a request; {} {} for {} years, {} W, prices of {}",
            load.tokens_in,
            load.tokens_out,
            report.owned.price,
            report.currency,
            report.owned.life_years,
            report.owned.watts_busy,
            report.prices_as_of
        ),
        currency: &report.currency,
        volume: load.requests_per_day,
        owning: &owning,
        prices: lines.collect(),
    }
    .svg()
}

fn within(name: &str, value: f64, least: f64, most: f64) -> anyhow::Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let least =
        if least == f64::MIN_POSITIVE { "more than 0".to_owned() } else { least.to_string() };
    Err(usage(format!("{name} is {value}, expected {least} to {most}")))
}

fn prices(app: &App, asked: Asked, json: bool) -> anyhow::Result<()> {
    if asked == Asked::Show {
        let list = Prices::of(app)?;
        return if json { app.output.json(&list) } else { app.output.line(show::prices(&list)) };
    }
    let path = prices::path(app)?;
    prices::place(&path)?;
    match &app.settings.editor {
        Some(editor) if app.output.is_terminal() => {
            let mut words = editor.split_whitespace();
            let program = words.next().unwrap_or("vi");
            let done = std::process::Command::new(program).args(words).arg(&path).status();
            match done {
                Ok(status) if status.success() => Prices::of(app).map(|_| ()),
                Ok(_) => Err(failed("the editor failed", format!("edit {}", path.display()))),
                Err(error) => Err(failed(
                    format!("cannot start the editor {program}: {error}"),
                    format!("edit {}", path.display()),
                )),
            }
        }
        _ => app.output.line(path.display()),
    }
}

/// Requests a day as tokens a month.
fn tokens_month(load: &Load, requests: f64) -> f64 {
    requests * MONTH_DAYS * (load.tokens_in + load.tokens_out)
}
