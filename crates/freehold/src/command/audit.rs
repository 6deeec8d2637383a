//! `freehold audit`: the log of decisions, shown and verified.

use clap::{Args, ValueEnum};
use policy::audit::Head;
use serde_json::Value;

use super::Command;
use crate::{
    audit::Log,
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold audit`.
#[derive(Args)]
pub(crate) struct Audit {
    /// What to do
    #[arg(value_enum)]
    action: Action,
    /// Entries that are shown, the last ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// An anchor that was kept elsewhere ("freehold-audit/1 COUNT HASH"; repeatable): shows whether the log's end was cut or
    /// rewritten since
    #[arg(long, value_name = "TEXT")]
    anchor: Vec<Head>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Show the last entries
    Show,
    /// Check the whole chain, and print an anchor to keep elsewhere
    Verify,
}

impl Command for Audit {
    const NAME: &'static str = "audit";
    const ABOUT: &'static str = "Show and verify the log of what was decided about models";
    const DETAILS: &'static str = "Every pull, and where there is a policy every run, is an entry, chained to the one before by its hash and \
        synced before what it decides is done. No prompts are in it. The log is audit/log.jsonl under FREEHOLD_HOME. A \
        broken chain ends with exit code 3.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold audit show --last 5",
        "freehold audit verify",
        "freehold audit verify --anchor \"freehold-audit/1 17 9f86…\"",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let log = Log::of(app)?;
        match self.action {
            Action::Show => self.show(app, &log),
            Action::Verify => self.verify(app, &log),
        }
    }
}

impl Audit {
    fn verify(&self, app: &App, log: &Log) -> anyhow::Result<()> {
        // The end that was written beside the log is an anchor too: it knows of a cut.
        let anchors = self.anchor.iter().cloned().chain(log.head()).collect();
        let summary = log.verifier(anchors)?.finish()?;
        if self.json {
            return app.output.json(&summary);
        }
        let mut lines = vec![
            format!("{} entries, chain whole", summary.entries),
            format!("anchor: {}", summary.anchor),
        ];
        if let (Some(first), Some(last)) = (&summary.first, &summary.last) {
            lines.push(format!("from {first} to {last}"));
        }
        lines.extend(summary.counts.iter().map(|(what, count)| format!("{count:>6}  {what}")));
        if !summary.backwards.is_empty() {
            let lines_of: Vec<String> = summary.backwards.iter().map(u64::to_string).collect();
            lines.push(format!("times go backwards at: {}", lines_of.join(", ")));
        }
        if self.anchor.is_empty() {
            let note = "keep the anchor elsewhere: only that shows a log that was cut and its head with it";
            app.output.note(note);
        }
        app.output.line(lines.join("\n"))
    }

    fn show(&self, app: &App, log: &Log) -> anyhow::Result<()> {
        let mut last: std::collections::VecDeque<Value> = std::collections::VecDeque::new();
        log.lines(|line| {
            if last.len() == self.last {
                last.pop_front();
            }
            // A line that is no entry is for `verify` to name.
            last.push_back(serde_json::from_slice(line).unwrap_or(Value::Null));
            Ok(())
        })?;
        if self.json {
            return app.output.json(&last);
        }
        if last.is_empty() {
            app.output.note("the log has no entries");
            return Ok(());
        }
        let mut table = Table::new([
            ("time", Align::Left),
            ("who", Align::Left),
            ("what", Align::Left),
            ("model", Align::Left),
            ("commit", Align::Left),
            ("verdict", Align::Left),
            ("because", Align::Left),
        ]);
        for entry in &last {
            let text = |value: &Value| policy::shown(value.as_str().unwrap_or_default());
            let subject = &entry["subjects"][0];
            let details = &entry["details"];
            let answer = details["answer"].as_str().map(|answer| format!(" ({answer})"));
            table.row([
                text(&entry["time"]),
                text(&entry["actor"]),
                text(&entry["action"]),
                text(&subject["name"]),
                text(&subject["digest"]).chars().take(10).collect(),
                text(&details["verdict"]) + &answer.unwrap_or_default(),
                text(&details["reasons"][0]["rule"]),
            ]);
        }
        app.output.line(table.render(app.output.styles()))
    }
}
