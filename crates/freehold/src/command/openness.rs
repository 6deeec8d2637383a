//! `freehold openness`: where a model stands between closed and fully open, and what is missing.

use std::path::PathBuf;

use clap::Args;
use policy::{Known as Answer, Openness as Standing};

use super::Command;
use crate::{
    known::{Known, Reach},
    named,
    output::Colours,
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold openness`.
#[derive(Args)]
pub(crate) struct Openness {
    /// A model here or on the hub; files of weights are not fetched
    model: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Openness {
    const NAME: &'static str = "openness";
    const ABOUT: &'static str =
        "Tell how open a model is: weights only, or data, code and papers too";
    const DETAILS: &'static str = "By the Model Openness Framework (classes III, II, I) and the Open Source AI Definition, from what is \
        really in the repository, its card and its licences. It is an upper bound: that something is linked \
        does not prove that it is complete or open.";
    const EXAMPLES: &'static [&'static str] =
        &["freehold openness allenai/OLMo-2-0425-1B", "freehold openness ./model --json"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let located = named::locate_or_headers(app, &self.model)?;
        let known = Known::of(app, &located, Reach::Hub);
        let standing = known.openness(&known.effective());
        if self.json {
            return app.output.json(&standing);
        }
        app.output.line(page(&standing, app.output.styles()))
    }
}

fn page(standing: &Standing, colours: Colours) -> String {
    let framework = match (standing.class, standing.proven) {
        (None, _) => "no class can be reached with what is there".to_owned(),
        (Some(most), None) => format!("at most {}; none proven", most.label()),
        (Some(most), Some(proven)) => {
            format!("at most {}; proven {}", most.label(), proven.label())
        }
    };
    let level = format!("{} of 6: {}", standing.level.number(), standing.level.means());
    let mut parts = vec![format!(
        "{}\n{level}\nModel Openness Framework: {framework}",
        colours.bold(&standing.model)
    )];
    let mut table = Table::new([
        ("component", Align::Left),
        ("class", Align::Left),
        ("evidence", Align::Left),
        ("licence", Align::Left),
        ("where", Align::Left),
    ]);
    for held in &standing.components {
        let class = held.component.class.label().split(',').next().unwrap_or_default();
        table.row([
            held.component.name.to_owned(),
            format!("{class}{}", if held.component.required { "" } else { " (welcome)" }),
            held.evidence.means().to_owned(),
            held.licence.clone().unwrap_or_default(),
            held.places.first().cloned().unwrap_or_default(),
        ]);
    }
    parts.push(table.render(colours));
    if let Some(next) = &standing.next {
        let missing = next.missing.iter().map(|m| format!("  {}: {}", m.name, m.why));
        let missing: Vec<String> = missing.collect();
        parts.push(format!("missing for {}\n{}", next.class.label(), missing.join("\n")));
    }
    let verdict = match standing.osaid.verdict {
        Answer::Yes => colours.green("yes"),
        Answer::Unknown => colours.yellow("for a person to judge"),
        Answer::No => colours.red("no"),
    };
    let tests = standing.osaid.tests.iter().map(|test| {
        let met = match test.met {
            Answer::Yes => "yes",
            Answer::Unknown => "open",
            Answer::No => "no",
        };
        format!("  {} {met}: {}", test.asks, test.why)
    });
    let tests: Vec<String> = tests.collect();
    parts.push(format!("Open Source AI Definition: {verdict}\n{}", tests.join("\n")));
    parts.join("\n\n")
}
