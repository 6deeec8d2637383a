//! `freehold pull`: brings a model in, judged first, verified on the way, pinned if asked.

use std::path::PathBuf;

use clap::Args;
use hub::{Event, Hub, LockFile, ModelName, Pulled, Trust};
use machine::Bytes;
use policy::{Decision, Gate, Licences};
use serde::Serialize;

use super::Command;
use crate::{
    error::{failed, usage_hint},
    gate,
    known::{Known, Reach},
    named::{self, Located},
    output::Progress,
    program::App,
};

/// The lock file's usual name.
const LOCK: &str = "freehold.lock";

/// Arguments of `freehold pull`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Pull {
    /// org/model, org/model:quantization, org/model@revision, an alias, ollama:model, oci://host/model or https://…#sha256=…; with --locked all
    /// that is locked when none is named
    name: Option<String>,
    /// The quantization or variant, where there are several
    #[arg(long, value_name = "NAME")]
    quant: Option<String>,
    /// The branch, tag or commit
    #[arg(long, value_name = "NAME")]
    revision: Option<String>,
    /// Write what was pulled into the lock file
    #[arg(long, conflicts_with = "locked")]
    lock: bool,
    /// Take exactly what the lock file says, or fail
    #[arg(long, conflicts_with_all = ["quant", "revision"])]
    locked: bool,
    /// The lock file
    #[arg(long, value_name = "FILE", default_value = LOCK)]
    lock_file: PathBuf,
    /// Hash what is there again instead of trusting that it was hashed before
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints, an object a model.
#[derive(Serialize)]
struct Report {
    name: String,
    commit: String,
    quant: Option<String>,
    path: String,
    bytes: u64,
    fetched_bytes: u64,
    files: Vec<File>,
    licence: String,
    decision: Decision,
}

#[derive(Serialize)]
struct File {
    path: String,
    bytes: u64,
    digest: String,
}

impl Command for Pull {
    const NAME: &'static str = "pull";
    const ABOUT: &'static str =
        "Bring a model in: judged first, verified on the way, resumed where it stopped";
    const DETAILS: &'static str = "The revision is resolved to a commit, licence and policy are looked at, and only then the \
        files that are needed are fetched, each through the hash its publisher states; nothing gets its name before its \
        hash is right. The store is a Hugging Face cache, shared with other tools. Offline, what the store has is taken. \
        --lock writes source, commit and every hash into a lock file; --locked gives another machine the same bytes or fails.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold pull Qwen/Qwen3-0.6B-GGUF:Q8_0",
        "freehold pull org/model --revision v1.0 --lock",
        "freehold pull --locked",
        "freehold pull ollama:qwen3:4b",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let mut lock = LockFile::read(&self.lock_file)?;
        let names = self.names(&hub, &lock)?;
        for name in names {
            let (pulled, decision, known) = if self.locked {
                self.pull_locked(app, &hub, &lock, &name)?
            } else {
                self.pull(app, &hub, &name)?
            };
            if self.lock {
                lock.set(hub.lock(&pulled)?);
                lock.write(&self.lock_file)?;
            }
            self.tell(app, &pulled, decision, &known)?;
        }
        Ok(())
    }
}

impl Pull {
    fn names(&self, hub: &Hub, lock: &LockFile) -> anyhow::Result<Vec<ModelName>> {
        let Some(text) = &self.name else {
            if !self.locked {
                return Err(usage_hint(
                    "nothing is named to pull",
                    "freehold search WORDS and freehold catalogue tell names",
                ));
            }
            if lock.models.is_empty() {
                let hint = "freehold pull NAME --lock writes one";
                let what = format!("{} locks nothing", self.lock_file.display());
                return Err(failed(what, hint));
            }
            let names = lock.models.iter().map(|locked| ModelName::parse(&locked.name));
            return Ok(names.collect::<Result<_, _>>()?);
        };
        let mut name = hub.name(text)?;
        name.quant = self.quant.clone().or(name.quant);
        if let Some(revision) = &self.revision {
            name = name.at(revision);
        }
        // A name that was put together has to be one too.
        Ok(vec![ModelName::parse(&name.to_string())?])
    }

    fn pull(
        &self,
        app: &App,
        hub: &Hub,
        name: &ModelName,
    ) -> anyhow::Result<(Pulled, Decision, Known)> {
        let trust = if self.force { Trust::Nothing } else { Trust::Remembered };
        let remote = matches!(
            name.place,
            hub::Place::Hub { .. } | hub::Place::Oci { .. } | hub::Place::Url { .. }
        );
        if remote && !hub.is_online() {
            let pulled = hub.find(name, trust)?;
            let pulled = pulled.ok_or_else(|| hub::Error::Offline { missing: name.to_string() })?;
            let (decision, known) = judged(app, &pulled)?;
            return Ok((pulled, decision, known));
        }
        let located = match named::headers(app, hub, name) {
            // A server that gives no parts of files can still give whole ones.
            Err(error) if is_unsupported(&error) => {
                return self.pull_without_headers(app, hub, name);
            }
            other => other?,
        };
        let Some(remote) = &located.remote else {
            return self.pull_without_headers(app, hub, name);
        };
        let known = Known::of(app, &located, Reach::Hub);
        let decision = gate::pass(app, Gate::Pull, &known)?;
        let pulled = fetch(app, hub, &remote.listing, &remote.selection, trust)?;
        Ok((pulled, decision, known))
    }

    fn pull_without_headers(
        &self,
        app: &App,
        hub: &Hub,
        name: &ModelName,
    ) -> anyhow::Result<(Pulled, Decision, Known)> {
        let trust = if self.force { Trust::Nothing } else { Trust::Remembered };
        let listing = hub.listing(name)?;
        let selection = hub.select(&listing)?;
        let headers = hub::Headers {
            open: PathBuf::new(),
            root: PathBuf::new(),
            fetched: 0,
            requests: 0,
            pulled: None,
        };
        let remote = named::Remote { listing, selection, headers };
        let located = Located {
            path: PathBuf::new(),
            name: name.to_string(),
            source: name.source(),
            pulled: None,
            remote: Some(Box::new(remote)),
        };
        let known = Known::of(app, &located, Reach::Hub);
        let decision = gate::pass(app, Gate::Pull, &known)?;
        let remote = located.remote.as_ref().expect("it was put there above");
        let pulled = fetch(app, hub, &remote.listing, &remote.selection, trust)?;
        Ok((pulled, decision, known))
    }

    fn pull_locked(
        &self,
        app: &App,
        hub: &Hub,
        lock: &LockFile,
        name: &ModelName,
    ) -> anyhow::Result<(Pulled, Decision, Known)> {
        let locked = lock.get(&name.to_string()).ok_or_else(|| {
            failed(
                format!("{name} is not in {}", self.lock_file.display()),
                format!("freehold pull {name} --lock puts it there"),
            )
        })?;
        // What is judged is the commit that is locked.
        let pinned = name.at(locked.commit.clone());
        let before = hub.is_online() && hub.find(&pinned, Trust::Remembered)?.is_none();
        if before && matches!(name.place, hub::Place::Hub { .. }) {
            let located = named::headers(app, hub, &pinned)?;
            gate::pass(app, Gate::Pull, &Known::of(app, &located, Reach::Hub))?;
        }
        let progress = app.output.transfer("pulling", 0);
        let pulled = hub.pull_locked(locked, &|event| hear(&progress, &event));
        progress.finish();
        let pulled = pulled?;
        let (decision, known) = judged(app, &pulled)?;
        Ok((pulled, decision, known))
    }

    fn tell(
        &self,
        app: &App,
        pulled: &Pulled,
        decision: Decision,
        known: &Known,
    ) -> anyhow::Result<()> {
        let licence = known.effective().summary(Licences::shipped());
        if self.json {
            let file = |file: &hub::PulledFile| File {
                path: file.path.clone(),
                bytes: file.bytes,
                digest: file.digest.to_string(),
            };
            return app.output.json(&Report {
                name: pulled.name.to_string(),
                commit: pulled.commit.clone(),
                quant: pulled.quant.clone(),
                path: pulled.open.display().to_string(),
                bytes: pulled.bytes(),
                fetched_bytes: pulled.fetched,
                files: pulled.files.iter().map(file).collect(),
                licence,
                decision,
            });
        }
        let colours = app.output.styles();
        let mut text = format!(
            "{} at {}: {} in {} file{}, verified\nlicence  {licence}",
            colours.bold(&pulled.name.to_string()),
            &pulled.commit[..pulled.commit.len().min(10)],
            Bytes(pulled.bytes()),
            pulled.files.len(),
            if pulled.files.len() == 1 { "" } else { "s" },
        );
        for duty in &decision.obligations {
            text = format!("{text}\nduty     {}", duty.says);
        }
        text = format!("{text}\nrun it   freehold run {}", pulled.name);
        app.output.line(text)
    }
}

fn fetch(
    app: &App,
    hub: &Hub,
    listing: &hub::Listing,
    selection: &hub::Selection,
    trust: Trust,
) -> anyhow::Result<Pulled> {
    let progress = app.output.transfer("pulling", 0);
    let pulled = hub.pull_listing(listing, selection, trust, &|event| hear(&progress, &event));
    progress.finish();
    Ok(pulled?)
}

/// Passes what is in the store already through the gate.
fn judged(app: &App, pulled: &Pulled) -> anyhow::Result<(Decision, Known)> {
    let located = Located {
        path: pulled.open.clone(),
        name: pulled.name.to_string(),
        source: pulled.name.source(),
        pulled: Some(Box::new(pulled.clone())),
        remote: None,
    };
    let known = Known::of(app, &located, Reach::Here);
    Ok((gate::pass(app, Gate::Pull, &known)?, known))
}

fn is_unsupported(error: &anyhow::Error) -> bool {
    error.downcast_ref::<hub::Error>().is_some_and(|e| matches!(e, hub::Error::Unsupported { .. }))
}

/// What a download tells, on the screen.
pub(super) fn hear(progress: &Progress, event: &Event) {
    match event {
        Event::Advanced(p) => progress.set_at(p.done, p.total, p.rate, p.left),
        Event::Started { file, resumed, .. } if *resumed > 0 => {
            progress.say(&format!("{file}: going on after {}", Bytes(*resumed)));
        }
        Event::Restarted { file, why } => progress.say(&format!("{file}: beginning anew: {why}")),
        Event::Retrying { file, why, pause } => {
            let pause = crate::clock::words(*pause);
            progress.say(&format!("{file}: {why}; trying again in {pause}"));
        }
        Event::Waiting { file } => progress.say(&format!("{file}: another process fetches it")),
        _ => {}
    }
}
