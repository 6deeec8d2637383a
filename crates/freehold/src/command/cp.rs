//! `freehold cp`: takes a model elsewhere, hashed on the way.

use std::path::PathBuf;

use clap::Args;
use hub::{CopyTo, HeldRevision};
use machine::Bytes;
use serde_json::json;

use super::Command;
use crate::{error::failed, named, program::App};

/// Arguments of `freehold cp`.
#[derive(Args)]
pub(crate) struct Cp {
    /// The model: org/model or org/model@revision or an alias
    name: String,
    /// Where to: a folder of plain files
    to: PathBuf,
    /// TO is another Hugging Face cache (such as on a disk for a machine without network)
    #[arg(long)]
    cache: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Cp {
    const NAME: &'static str = "cp";
    const ABOUT: &'static str = "Copy a model out of the store: to a folder, or into another store";
    const DETAILS: &'static str =
        "Every byte passes its hash on the way; what does not hash right never gets its name.";
    const EXAMPLES: &'static [&'static str] =
        &["freehold cp org/model ./model", "freehold cp org/model@v1.0 /media/stick/hub --cache"];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let name = hub.name(&self.name)?;
        let model = hub.held(&name)?;
        let wanted = name.revision.as_deref().unwrap_or("main");
        let is_meant = |revision: &&HeldRevision| {
            revision.commit.starts_with(wanted) || revision.references.iter().any(|r| r == wanted)
        };
        let only = match model.revisions.as_slice() {
            [only] if name.revision.is_none() => Some(only),
            _ => None,
        };
        let revision = model.revisions.iter().find(is_meant).or(only);
        let revision = revision.ok_or_else(|| {
            let here: Vec<&str> = model.revisions.iter().map(|r| r.commit.as_str()).collect();
            failed(
                format!("{} has no revision {wanted:?} here", model.name),
                format!("here are: {}", here.join(", ")),
            )
        })?;
        let to = if self.cache {
            CopyTo::Cache(self.to.clone())
        } else {
            CopyTo::Folder(self.to.clone())
        };
        let bytes = hub.store().copy(&model, revision, &to)?;
        if self.json {
            return app.output.json(&json!({
                "name": model.name, "commit": revision.commit, "to": self.to, "bytes": bytes,
            }));
        }
        app.output.line(format!(
            "{} at {}: {} copied to {}",
            model.name,
            revision.commit.chars().take(10).collect::<String>(),
            Bytes(bytes),
            self.to.display()
        ))
    }
}
