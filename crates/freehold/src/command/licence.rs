//! `freehold licence`: what one may do with a model, in plain words, with clause and source of each.

use std::path::PathBuf;

use clap::Args;
use policy::{Answer, Effective, Licences, Question, Ruling, answers};
use serde_json::json;

use super::Command;
use crate::{
    gate,
    known::{Known, Reach},
    named,
    output::Colours,
    program::App,
};

/// Arguments of `freehold licence`.
#[derive(Args)]
pub(crate) struct Licence {
    /// A model here or on the hub; files of weights are not fetched
    model: PathBuf,
    /// Tell everything: what was looked at, clauses and sources
    #[arg(long)]
    long: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Licence {
    const NAME: &'static str = "licence";
    const ABOUT: &'static str = "Tell in plain words what a model's licence allows and asks for";
    const DETAILS: &'static str = "The licence is found by its text first, then by what is declared, and what binds is the strictest of the \
        model's own and those of all models it was made from. Facts of your organisation come from the policy, where there \
        is one. This is what the texts say as read, not legal advice.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold licence meta-llama/Llama-3.2-1B-Instruct",
        "freehold licence ./model.gguf --long",
        "freehold licence org/model --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let located = named::locate_or_headers(app, &self.model)?;
        let known = Known::of(app, &located, Reach::Hub);
        let licences = Licences::shipped();
        let effective = known.effective();
        let who = gate::state(app).organisation();
        let answers = answers(&effective, licences, &who);
        if self.json {
            return app.output.json(&json!({
                "model": effective.model,
                "revision": known.facts.revision,
                "summary": effective.summary(licences),
                "parts": effective.parts,
                "terms": effective.terms,
                "findings": effective.findings,
                "answers": answers,
            }));
        }
        let colours = app.output.styles();
        let heading =
            format!("{}\n{}", colours.bold(&effective.model), effective.summary(licences));
        let mut parts = vec![heading, origin(&effective, licences, colours, self.long)];
        parts.extend(answers.iter().map(|answer| question(answer, colours, self.long)));
        if !effective.findings.is_empty() {
            let lines = effective.findings.iter().map(|f| format!("  {}: {}", f.model, f.says));
            let lines: Vec<String> = lines.collect();
            parts.push(format!("{}\n{}", colours.yellow("look at this"), lines.join("\n")));
        }
        parts.push(colours.dim("what the licences' texts say as read, not legal advice"));
        app.output.line(parts.join("\n\n"))
    }
}

/// Which licence, of which model, and how that is known.
fn origin(effective: &Effective, licences: &Licences, colours: Colours, long: bool) -> String {
    let mut lines = vec![];
    for part in &effective.parts {
        let licence = licences.get(&part.resolution.licence);
        let whose = if part.depth == 0 {
            "the model itself".to_owned()
        } else {
            format!("{} ({})", part.model, part.relation)
        };
        lines.push(format!("{whose}: {}", licence.name));
        lines.push(colours.dim(&format!("  {}", part.resolution.basis.means())));
        if long {
            for evidence in &part.resolution.evidence {
                lines.push(colours.dim(&format!("  {}: {}", evidence.place, evidence.found)));
            }
        }
    }
    lines.join("\n")
}

/// The answer in a word, to a question that can be answered in one.
pub(super) fn mark(answer: &Answer, colours: Colours) -> Option<String> {
    if !matches!(answer.question, Question::Sell | Question::Train | Question::Share) {
        return None;
    }
    Some(match answer.ruling {
        Ruling::Yes => colours.green("yes"),
        Ruling::Conditional => colours.yellow("on conditions"),
        Ruling::Unknown => colours.yellow("not known"),
        Ruling::No => colours.red("no"),
    })
}

fn question(answer: &Answer, colours: Colours, long: bool) -> String {
    let asked = colours.bold(answer.question.text());
    let mut lines = vec![match mark(answer, colours) {
        Some(mark) => format!("{asked} {mark}"),
        None => asked,
    }];
    lines.extend(answer.says.iter().map(|says| format!("  {says}")));
    lines.extend(answer.for_you.iter().map(|says| format!("  for you: {says}")));
    if long {
        let quotes = answer.quotes.iter();
        lines.extend(
            quotes.map(|quote| colours.dim(&format!("  {} [{}]", quote.line(), quote.known_by))),
        );
    }
    lines.join("\n")
}
