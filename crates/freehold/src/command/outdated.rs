//! `freehold outdated`: which branches have moved on since they were pulled.

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::{
    named,
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold outdated`.
#[derive(Args)]
pub(crate) struct Outdated {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One branch: what `--json` prints.
#[derive(Serialize)]
struct Branch {
    name: String,
    reference: String,
    held: String,
    latest: Option<String>,
    outdated: bool,
    /// Why the latest is not known.
    error: Option<String>,
}

impl Command for Outdated {
    const NAME: &'static str = "outdated";
    const ABOUT: &'static str = "Show which pulled models have newer versions";
    const EXAMPLES: &'static [&'static str] = &["freehold outdated", "freehold outdated --json"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let branches = named::hub(app)?.outdated()?.into_iter().map(|found| Branch {
            outdated: found.is_outdated(),
            error: found.latest.as_ref().err().map(ToString::to_string),
            latest: found.latest.ok(),
            name: found.name,
            reference: found.reference,
            held: found.held,
        });
        let branches: Vec<Branch> = branches.collect();
        if self.json {
            return app.output.json(&branches);
        }
        let old = branches.iter().filter(|branch| branch.outdated).count();
        let mut table = Table::new([
            ("model", Align::Left),
            ("branch", Align::Left),
            ("here", Align::Left),
            ("there", Align::Left),
            ("", Align::Left),
        ]);
        let short = |commit: &str| commit.chars().take(10).collect::<String>();
        for branch in &branches {
            let state = match (&branch.error, branch.outdated) {
                (Some(error), _) => error.clone(),
                (None, true) => format!("freehold pull {}@{}", branch.name, branch.reference),
                (None, false) => "up to date".to_owned(),
            };
            table.row([
                branch.name.clone(),
                branch.reference.clone(),
                short(&branch.held),
                branch.latest.as_deref().map(short).unwrap_or_default(),
                state,
            ]);
        }
        app.output.note(format!("{old} of {} branches have moved on", branches.len()));
        if branches.is_empty() {
            Ok(())
        } else {
            app.output.line(table.render(app.output.styles()))
        }
    }
}
