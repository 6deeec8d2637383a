//! `freehold key`: the keys of `freehold serve`, made, listed, taken back.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use serve::key::{Grant, Key, Keys as Store, Scope};

use super::Command;
use crate::{
    error::{failed, usage},
    program::App,
};

/// The file of keys and usage records, under `FREEHOLD_HOME`.
pub(crate) const FILE: &str = "keys.sqlite";

/// Arguments of `freehold key`.
#[derive(Args, Clone)]
pub(crate) struct Keys {
    /// The file of keys [default: keys.sqlite under FREEHOLD_HOME]
    #[arg(long = "keys", value_name = "FILE", global = true)]
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone)]
enum Action {
    /// Make a key; it is shown once
    Create(Create),
    /// List the keys, without their secrets
    Ls,
    /// Take a key back, at once
    Revoke {
        /// The key's id, as listed
        id: String,
    },
}

#[derive(Args, Clone)]
struct Create {
    /// What to call it: whom or what it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
    /// What it is good for: infer, metrics or admin (repeatable) [default: infer]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// A model it may ask (repeatable) [default: all]
    #[arg(long, value_name = "NAME")]
    model: Vec<String>,
    /// Requests it may make a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens it may use a minute, of prompts and answers
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// Tokens it may use a day
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<u64>,
    /// How long it is good, as 90d, 12h or 30m [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

impl Command for Keys {
    const NAME: &'static str = "key";
    const ABOUT: &'static str = "Make, list and revoke the keys of freehold serve";
    const DETAILS: &'static str = "A key is shown once, when it is made; what is kept is its hash. Running servers see changes at once.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold key create --name ann --tokens-per-day 500000 --expires 90d",
        "freehold key create --name prometheus --scope metrics",
        "freehold key ls",
        "freehold key revoke k3v9qd2m7p",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => app.settings.home()?.join(FILE),
        };
        let store = Store::open(&path).context("the keys cannot be opened")?;
        match self.action {
            Action::Create(create) => create.run(app, &store, self.json),
            Action::Ls => list(app, &store, self.json),
            Action::Revoke { id } => revoke(app, &store, &id, self.json),
        }
    }
}

impl Create {
    fn run(self, app: &App, store: &Store, json: bool) -> anyhow::Result<()> {
        let mut scopes = self.scope;
        scopes.sort_unstable();
        scopes.dedup();
        let expires = self.expires.as_deref().map(seconds).transpose()?;
        let grant = Grant {
            name: self.name,
            scopes: if scopes.is_empty() { vec![Scope::Infer] } else { scopes },
            models: self.model,
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            tokens_per_day: self.tokens_per_day,
            expires: expires.map(|seconds| serve::key::now() + seconds),
        };
        let created = store.create(grant)?;
        if json {
            return app.output.json(&json!({"id": created.key.id, "key": created.token}));
        }
        app.output.note("this is shown once; clients send it as Authorization: Bearer KEY");
        app.output.line(created.token)
    }
}

/// A time as `90d`, in seconds.
fn seconds(text: &str) -> anyhow::Result<u64> {
    let units = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
    let parsed = units
        .iter()
        .find_map(|(unit, each)| text.strip_suffix(*unit)?.parse::<u64>().ok()?.checked_mul(*each));
    parsed
        .filter(|seconds| (1..=3_200_000_000).contains(seconds))
        .ok_or_else(|| usage(format!("--expires is {text:?}, expected a time as 90d, 12h or 30m")))
}

fn list(app: &App, store: &Store, json: bool) -> anyhow::Result<()> {
    let (now, keys) = (serve::key::now(), store.list()?);
    if json {
        let all: Vec<_> = keys.iter().map(|key| told(key, now)).collect();
        return app.output.json(&all);
    }
    if keys.is_empty() {
        app.output.note("there are no keys; make one: freehold key create --name NAME");
        return Ok(());
    }
    for key in &keys {
        let Key { id, grant, .. } = key;
        let scopes: Vec<&str> = grant.scopes.iter().map(|scope| scope.name()).collect();
        let limit = |what: &str, n: Option<u64>| n.map(|n| format!("  {n} {what}"));
        let limits: String = [
            limit("requests/min", grant.requests_per_minute),
            limit("tokens/min", grant.tokens_per_minute),
            limit("tokens/day", grant.tokens_per_day),
        ]
        .into_iter()
        .flatten()
        .collect();
        let models = if grant.models.is_empty() {
            String::new()
        } else {
            format!("  {}", grant.models.join(","))
        };
        let state = state(key, now);
        app.output.line(format!(
            "{id}  {state:<8} {:<12} {}{models}{limits}",
            scopes.join(","),
            grant.name
        ))?;
    }
    Ok(())
}

fn state(key: &Key, now: u64) -> &'static str {
    match key.revoked {
        Some(_) => "revoked",
        None if key.is_good(now) => "good",
        None => "expired",
    }
}

fn told(key: &Key, now: u64) -> serde_json::Value {
    let Key { id, grant, created, revoked } = key;
    json!({
        "id": id,
        "name": grant.name,
        "state": state(key, now),
        "scopes": grant.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        "models": grant.models,
        "requests_per_minute": grant.requests_per_minute,
        "tokens_per_minute": grant.tokens_per_minute,
        "tokens_per_day": grant.tokens_per_day,
        "created": created,
        "expires": grant.expires,
        "revoked": revoked,
    })
}

fn revoke(app: &App, store: &Store, id: &str, json: bool) -> anyhow::Result<()> {
    if !store.revoke(id)? {
        return Err(failed(format!("there is no good key {id:?}"), "freehold key ls lists them"));
    }
    if json {
        return app.output.json(&json!({"id": id, "state": "revoked"}));
    }
    app.output.note(format!("{id} is revoked"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_are_written() {
        assert_eq!(seconds("90d").unwrap(), 90 * 86_400);
        assert_eq!(seconds("30m").unwrap(), 1800);
        for text in ["", "d", "-1d", "90", "1.5h", "9999999999999d", "0s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
