//! `freehold rm`: takes models out of the store.

use clap::Args;
use hub::Removed;
use machine::Bytes;
use serde_json::json;

use super::Command;
use crate::{
    error::{usage, usage_hint},
    named,
    program::App,
};

/// Arguments of `freehold rm`.
#[derive(Args)]
pub(crate) struct Rm {
    /// The model, or one commit or branch of it: org/model or org/model@revision
    #[arg(required_unless_present = "unused")]
    name: Option<String>,
    /// Remove what no model uses instead: leftovers and interrupted downloads
    #[arg(long, conflicts_with = "name")]
    unused: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove a model, or one revision of it, from this computer";
    const DETAILS: &'static str =
        "Files that another revision uses stay. Links are removed, never followed.";
    const EXAMPLES: &'static [&'static str] =
        &["freehold rm org/model", "freehold rm org/model@v1.0", "freehold rm --unused"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let removed = match &self.name {
            None => hub.store().prune()?,
            Some(text) => {
                let name = hub.name(text)?;
                if let Some(quant) = &name.quant {
                    return Err(usage_hint(
                        format!("{text}: one quantization ({quant}) cannot be removed alone"),
                        "name the model, or a revision: org/model@revision",
                    ));
                }
                let model = hub.held(&name)?;
                let commit = name.revision.as_ref().map(|wanted| {
                    let found = model.revisions.iter().find(|revision| {
                        revision.commit.starts_with(wanted.as_str())
                            || revision.references.contains(wanted)
                    });
                    found.map(|revision| revision.commit.clone()).ok_or_else(|| {
                        usage(format!("{} has no revision {wanted:?} here", model.name))
                    })
                });
                hub.store().remove(&model, commit.transpose()?.as_deref())?
            }
        };
        self.tell(app, &removed)
    }
}

impl Rm {
    fn tell(&self, app: &App, removed: &Removed) -> anyhow::Result<()> {
        if self.json {
            return app.output.json(&json!({
                "revisions": removed.revisions, "files": removed.blobs, "bytes": removed.bytes,
            }));
        }
        app.output.line(format!(
            "removed {} revision{}, {} file{}, {}",
            removed.revisions.len(),
            plural(removed.revisions.len()),
            removed.blobs,
            plural(removed.blobs),
            Bytes(removed.bytes)
        ))
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
