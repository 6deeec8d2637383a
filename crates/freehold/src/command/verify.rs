//! `freehold verify`: holds every file in the store to its hash.

use clap::Args;
use hub::{Check, HeldModel, Trust};
use serde::Serialize;

use super::Command;
use crate::{
    error::refused,
    named,
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// The model: org/model or org/model@revision or an alias [default: all that are here]
    name: Option<String>,
    /// Hash every byte again, also of files that have not changed since they were hashed
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    right: usize,
    wrong: usize,
    /// Files that state no hash (a store without links).
    unknown: usize,
    revisions: Vec<Revision>,
}

#[derive(Serialize)]
struct Revision {
    name: String,
    commit: String,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    /// `hashed`, `remembered`, `wrong`, `wrong size` or `no hash`.
    state: &'static str,
    found: Option<String>,
}

impl Command for Verify {
    const NAME: &'static str = "verify";
    const ABOUT: &'static str = "Check the files that are here against their hashes";
    const DETAILS: &'static str = "A file that was hashed before and has not changed since (inode, size, time) counts as right; --force \
        hashes it again. The exit code is 3 when a file is not what its publisher stated. Offline.";
    const EXAMPLES: &'static [&'static str] =
        &["freehold verify", "freehold verify org/model --force --json"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let (models, wanted): (Vec<HeldModel>, Option<String>) = match &self.name {
            None => (hub.store().list()?, None),
            Some(text) => {
                let name = hub.name(text)?;
                (vec![hub.held(&name)?], name.revision)
            }
        };
        let trust = if self.force { Trust::Nothing } else { Trust::Remembered };
        let mut report = Report { right: 0, wrong: 0, unknown: 0, revisions: vec![] };
        for model in &models {
            for revision in &model.revisions {
                let meant = |wanted: &String| {
                    revision.commit.starts_with(wanted.as_str())
                        || revision.references.contains(wanted)
                };
                if wanted.as_ref().is_some_and(|wanted| !meant(wanted)) {
                    continue;
                }
                app.output.note(format!("checking {} ...", model.name));
                let files = hub.store().verify(revision, trust)?;
                let files = files.into_iter().map(|(path, check)| file(path, check.as_ref()));
                report.revisions.push(Revision {
                    name: model.name.clone(),
                    commit: revision.commit.clone(),
                    files: files.collect(),
                });
            }
        }
        for file in report.revisions.iter().flat_map(|revision| &revision.files) {
            match file.state {
                "hashed" | "remembered" => report.right += 1,
                "no hash" => report.unknown += 1,
                _ => report.wrong += 1,
            }
        }
        if self.json {
            app.output.json(&report)?;
        } else {
            shown(app, &report)?;
        }
        if report.wrong == 0 {
            return Ok(());
        }
        Err(refused(
            format!(
                "{} of {} files are not what they should be",
                report.wrong,
                report.wrong + report.right
            ),
            "freehold rm the model, then pull it again",
        ))
    }
}

fn file(path: String, check: Option<&Check>) -> File {
    let (state, found) = match check {
        None => ("no hash", None),
        Some(Check::Hashed) => ("hashed", None),
        Some(Check::Remembered) => ("remembered", None),
        Some(Check::Wrong { found }) => ("wrong", Some(found.to_string())),
        Some(Check::WrongSize { found }) => ("wrong size", Some(format!("{found} bytes"))),
    };
    File { path, state, found }
}

fn shown(app: &App, report: &Report) -> anyhow::Result<()> {
    let colours = app.output.styles();
    let mut table = Table::new([
        ("model", Align::Left),
        ("commit", Align::Left),
        ("files", Align::Right),
        ("", Align::Left),
    ]);
    for revision in &report.revisions {
        let wrong: Vec<String> = revision
            .files
            .iter()
            .filter(|file| file.state.starts_with("wrong"))
            .map(|file| format!("{} is {}", policy::shown(&file.path), file.state))
            .collect();
        let verdict =
            if wrong.is_empty() { colours.green("right") } else { colours.red(&wrong.join(", ")) };
        table.row([
            revision.name.clone(),
            revision.commit.chars().take(10).collect(),
            revision.files.len().to_string(),
            verdict,
        ]);
    }
    app.output.line(table.render(colours))
}
