//! `freehold show`: everything one needs to choose a model, before a weight of it is downloaded.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use engine::ModelFile;
use hub::{WeightSet, weight_sets};
use machine::Bytes;
use policy::{Answer, Licences, answers};
use serde::Serialize;

use super::{Command, licence, plan};
use crate::{
    gate,
    known::{Known, Reach},
    kv::Kv,
    load,
    named::{self, Located},
    output::Colours,
    program::App,
    table::{Align, Table, count},
};

/// Lines of the card that are shown.
const CARD_LINES: usize = 8;

/// Arguments of `freehold show`.
#[derive(Args)]
pub(crate) struct Show {
    /// A model here or on the hub: org/model, org/model:quantization, org/model@revision, an alias, a path
    model: PathBuf,
    /// Tokens each user's conversation may have, for the plan
    #[arg(long, value_name = "N")]
    ctx: Option<usize>,
    /// Conversations at the same time, for the plan
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    users: u32,
    #[command(flatten)]
    running: load::Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    name: String,
    source: String,
    commit: Option<String>,
    /// `pulled`, `on the hub` or `local`.
    place: &'static str,
    architecture: Option<String>,
    gated: policy::Gated,
    downloads: Option<u64>,
    likes: Option<u64>,
    modified: Option<String>,
    task: Option<String>,
    licence: String,
    answers: Vec<Answer>,
    findings: Vec<policy::Finding>,
    openness: policy::Openness,
    decision: policy::Decision,
    /// Sets of weights one can choose from, as `model:NAME`.
    quantizations: Vec<Set>,
    /// What a pull would fetch, or what is here.
    files: Vec<File>,
    /// Bytes of headers that were read for this page.
    read_bytes: u64,
    plan: Option<plan::Report>,
    /// Why there is no plan.
    why_no_plan: Option<String>,
    card: Option<String>,
}

#[derive(Serialize)]
struct Set {
    name: Option<String>,
    bytes: u64,
    files: usize,
}

#[derive(Serialize)]
struct File {
    path: String,
    bytes: u64,
}

impl Command for Show {
    const NAME: &'static str = "show";
    const ABOUT: &'static str =
        "Show a model before it is downloaded: card, licence, openness, files, plan";
    const DETAILS: &'static str = "Of a model on the hub only the listing, small texts and the headers of the weights are read, by range \
        requests; the plan is the one freehold plan makes. Nothing goes into the store.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold show Qwen/Qwen3-0.6B-GGUF:Q8_0",
        "freehold show org/model --ctx 32768 --users 4",
        "freehold show ./model.gguf --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let located = named::locate_or_headers(app, &self.model)?;
        let known = Known::of(app, &located, Reach::Hub);
        let report = self.report(app, &located, &known);
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(page(&report, app.output.styles()))
        }
    }
}

impl Show {
    fn report(&self, app: &App, located: &Located, known: &Known) -> Report {
        let licences = Licences::shipped();
        let effective = known.effective();
        let state = gate::state(app);
        let remote = located.remote.as_deref();
        let about = remote.map(|remote| &remote.listing.about);
        let (plan, why_no_plan) = match self.plan(app, located) {
            Ok(plan) => (Some(plan), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let files = match (remote, &located.pulled) {
            (Some(remote), _) => {
                let size = |path: &String| remote.listing.file(path).map_or(0, |file| file.bytes);
                let files = remote.selection.files.iter();
                files.map(|path| File { path: path.clone(), bytes: size(path) }).collect()
            }
            (None, Some(pulled)) => {
                let files = pulled.files.iter();
                files.map(|file| File { path: file.path.clone(), bytes: file.bytes }).collect()
            }
            (None, None) => {
                let files = known.facts.files.iter();
                files.map(|file| File { path: file.path.clone(), bytes: file.bytes }).collect()
            }
        };
        let set = |set: &WeightSet| Set {
            name: set.quant.clone(),
            bytes: set.bytes,
            files: set.files.len(),
        };
        Report {
            name: located.name.clone(),
            source: located.source.clone(),
            commit: known.facts.revision.clone(),
            place: match (remote.map(|r| r.headers.pulled.is_some()), &located.pulled) {
                (Some(false), _) => "on the hub",
                (Some(true), _) | (None, Some(_)) => "pulled",
                (None, None) => "local",
            },
            architecture: known.facts.architecture.clone(),
            gated: known.facts.gated,
            downloads: about.and_then(|about| about.downloads),
            likes: about.and_then(|about| about.likes),
            modified: about.and_then(|about| about.modified.clone()),
            task: about.and_then(|about| about.pipeline.clone()),
            licence: effective.summary(licences),
            answers: answers(&effective, licences, &state.organisation()),
            openness: known.openness(&effective),
            decision: gate::judge(&state, policy::Gate::Pull, known),
            findings: effective.findings,
            quantizations: remote
                .map(|remote| weight_sets(&remote.listing).iter().map(set).collect())
                .unwrap_or_default(),
            files,
            read_bytes: remote.map_or(0, |remote| remote.headers.fetched),
            plan,
            why_no_plan,
            card: known.facts.card.as_ref().map(|card| beginning(&card.body)),
        }
    }

    fn plan(&self, app: &App, located: &Located) -> anyhow::Result<plan::Report> {
        let file = Arc::new(ModelFile::open(&located.path)?);
        let settings = load::engine_settings(&file, self.ctx, Kv::or_of(None, &file))?;
        let settings = engine::Settings { sequences: self.users as usize, ..settings };
        plan::Report::of(app, &file, &settings, &self.running, None)
    }
}

/// The first words of a card, up to its second heading; pictures and markup are left out.
fn beginning(body: &str) -> String {
    let is_text = |line: &&str| {
        let markup = ["#", "<", "!", "[", "|", "```", "---", "***", "- ["];
        !line.is_empty() && !markup.iter().any(|start| line.starts_with(start))
    };
    let lines = body.lines().map(str::trim).skip_while(|line| !is_text(line));
    let first = lines.take_while(|line| !line.starts_with('#')).filter(is_text).take(CARD_LINES);
    first.map(policy::shown).collect::<Vec<_>>().join("\n")
}

fn page(report: &Report, colours: Colours) -> String {
    let mut parts = vec![heading(report, colours)];
    if let Some(card) = report.card.as_ref().filter(|card| !card.is_empty()) {
        parts.push(colours.dim(card));
    }
    parts.push(terms(report, colours));
    if report.quantizations.len() > 1 {
        parts.push(quantizations(report, colours));
    }
    parts.push(files(report, colours));
    parts.push(match (&report.plan, &report.why_no_plan) {
        (Some(plan), _) => plan.words(colours),
        (None, Some(why)) => format!("no plan: {why}"),
        (None, None) => String::new(),
    });
    let next = match report.place {
        "on the hub" => format!("freehold pull {}", report.name),
        _ => format!("freehold run {}", report.name),
    };
    parts.push(colours.dim(&next));
    parts.join("\n\n")
}

fn heading(report: &Report, colours: Colours) -> String {
    let mut facts = vec![report.place.to_owned()];
    facts.extend(
        report
            .commit
            .as_ref()
            .map(|commit| format!("commit {}", commit.chars().take(10).collect::<String>())),
    );
    facts.extend(report.architecture.as_deref().map(policy::shown));
    facts.extend(report.task.as_deref().map(policy::shown));
    facts.extend(report.downloads.map(|n| format!("{} downloads a month", count(n))));
    facts.extend(
        report
            .modified
            .as_deref()
            .map(|m| format!("changed {}", policy::shown(&m.chars().take(10).collect::<String>()))),
    );
    if matches!(report.gated, policy::Gated::Auto | policy::Gated::Manual) {
        facts.push("gated: its publisher asks you to accept terms first".to_owned());
    }
    format!("{}\n{}", colours.bold(&report.name), facts.join(", "))
}

fn terms(report: &Report, colours: Colours) -> String {
    let mut lines = vec![format!("licence   {}", report.licence)];
    for answer in &report.answers {
        let (question, mark) = (answer.question.text(), licence::mark(answer, colours));
        lines.push(format!("          {question} {}", mark.unwrap_or_else(|| short(answer))));
    }
    for finding in &report.findings {
        lines.push(colours.yellow(&format!("          {}: {}", finding.model, finding.says)));
    }
    let class = match report.openness.class {
        Some(class) => format!("; at most {}", class.label()),
        None => String::new(),
    };
    lines.push(format!(
        "openness  {} of 6, {}{class}",
        report.openness.level.number(),
        report.openness.level.means()
    ));
    lines.push(format!("policy    {}", report.decision.summary()));
    lines.join("\n")
}

/// The first sentence of an answer.
fn short(answer: &Answer) -> String {
    answer.says.first().cloned().unwrap_or_default()
}

fn quantizations(report: &Report, colours: Colours) -> String {
    let mut table =
        Table::new([("weights", Align::Left), ("size", Align::Right), ("files", Align::Right)]);
    for set in &report.quantizations {
        let name = set.name.clone().unwrap_or_else(|| "as it is".to_owned());
        table.row([name, Bytes(set.bytes).to_string(), set.files.to_string()]);
    }
    table.render(colours)
}

fn files(report: &Report, colours: Colours) -> String {
    let total: u64 = report.files.iter().map(|file| file.bytes).sum();
    let heading = match report.place {
        "on the hub" => "to be fetched",
        _ => "files",
    };
    let mut table = Table::new([(heading, Align::Left), ("size", Align::Right)]);
    for file in &report.files {
        let size = if file.bytes > 0 { Bytes(file.bytes).to_string() } else { String::new() };
        table.row([policy::shown(&file.path), size]);
    }
    if report.files.len() > 1 && total > 0 {
        table.row(["all".to_owned(), Bytes(total).to_string()]);
    }
    table.render(colours)
}
