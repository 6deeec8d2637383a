//! An append-only log of decisions, chained by hashes: what was written cannot be changed, left out or
//! put in another order without the rest ceasing to fit.
//!
//! A line is one JSON object in canonical form (RFC 8785: keys sorted, no spaces, whole numbers only),
//! ending in a line feed. Its `hash` is SHA-256 over the hash before it, a line feed, and the line's
//! object without `hash`. Whoever writes keeps the [`Head`] (count and last hash) beside the log, and
//! copies it elsewhere now and then: a log cut at its end still fits together, and only an anchor that
//! knows better shows the cut. No prompts belong in here, only hashes.
//!
//! Nothing here opens a file: [`append_line`] makes the next line, [`Verifier`] takes lines one by one.

mod canonical;
mod verify;

pub use canonical::canonical;
pub use verify::{Break, BreakKind, Summary, Verifier, verify};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{Decision, Error};

/// A line is no longer than this, its line feed included.
pub const MAX_LINE: usize = 1 << 20;

/// What happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// When, as RFC 3339 in UTC: `2026-11-21T11:30:00Z`. Given from outside.
    pub time: String,
    /// Who: a user, a key's name, a service.
    pub actor: String,
    /// What: `pull`, `run`, `policy.waiver`, `audit.trim`, …
    pub action: String,
    /// On what, with hashes where there are any.
    pub subjects: Vec<Subject>,
    /// More: a JSON object without fractions; for decisions, verdict, rules and waivers.
    pub details: Map<String, Value>,
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subject {
    /// Its name: a model, a file.
    pub name: String,
    /// Its commit or SHA-256, where there is one.
    pub digest: Option<String>,
}

impl Entry {
    /// The entry for a decision: verdict, deciding rules, waivers, serial of the policy.
    pub fn of_decision(decision: &Decision, time: &str, actor: &str) -> Self {
        let rules: Vec<Value> = decision
            .reasons
            .iter()
            .filter(|reason| reason.verdict == decision.verdict || reason.waived.is_some())
            .map(|reason| {
                let mut rule = Map::new();
                rule.insert("rule".into(), reason.rule.into());
                rule.insert("verdict".into(), reason.verdict.name().into());
                rule.insert("says".into(), reason.says.clone().into());
                if let Some((waiver, was)) = &reason.waived {
                    rule.insert("waiver".into(), waiver.clone().into());
                    rule.insert("was".into(), was.name().into());
                }
                Value::Object(rule)
            })
            .collect();
        let mut details = Map::new();
        details.insert("verdict".into(), decision.verdict.name().into());
        details.insert("reasons".into(), Value::Array(rules));
        if let Some(serial) = decision.policy_serial {
            details.insert("policy_serial".into(), serial.into());
        }
        let subject = Subject { name: decision.model.clone(), digest: decision.revision.clone() };
        Self {
            time: time.to_owned(),
            actor: actor.to_owned(),
            action: decision.gate.name().to_owned(),
            subjects: vec![subject],
            details,
        }
    }
}

/// The end of a log: how many entries, and the last one's hash. As a text, an anchor to keep elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// How many entries there are.
    pub count: u64,
    /// The last one's hash: 64 hex digits; zeros for an empty log.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { count: 0, hash: "0".repeat(64) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "freehold-audit/1 {} {}", self.count, self.hash)
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Anchor { found: crate::shown(text) };
        let mut parts = text.split_whitespace();
        let (Some("freehold-audit/1"), Some(count), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let count = count.parse().map_err(|_| wrong())?;
        if !is_hash(hash) {
            return Err(wrong());
        }
        Ok(Self { count, hash: hash.to_owned() })
    }
}

/// The next line of a log, its line feed included, and the head after it. Write the line, sync it, then
/// keep the head.
pub fn append_line(head: &Head, entry: &Entry) -> Result<(String, Head), Error> {
    let why = |why: String| Error::Entry { why };
    if !is_time(&entry.time) {
        let found = crate::shown(&entry.time);
        return Err(why(format!(
            "found time {found:?}, expected UTC such as 2026-11-21T11:30:00Z"
        )));
    }
    let Value::Object(mut object) =
        serde_json::to_value(entry).map_err(|error| why(error.to_string()))?
    else {
        return Err(why("expected an object".to_owned()));
    };
    object.insert("seq".into(), head.count.into());
    object.insert("prev".into(), head.hash.clone().into());
    let hash = chained(&head.hash, &Value::Object(object.clone())).map_err(why)?;
    object.insert("hash".into(), hash.clone().into());
    let mut line = canonical(&Value::Object(object)).map_err(why)?;
    line.push('\n');
    if line.len() > MAX_LINE {
        return Err(why(format!("found {} bytes, expected at most {MAX_LINE}", line.len())));
    }
    Ok((line, Head { count: head.count + 1, hash }))
}

/// SHA-256 over the hash before, a line feed, and the entry without its own hash, in hex.
fn chained(before: &str, entry: &Value) -> Result<String, String> {
    let mut hasher = Sha256::new();
    hasher.update(before.as_bytes());
    hasher.update(b"\n");
    hasher.update(canonical(entry)?.as_bytes());
    Ok(crate::licence::hex(&hasher.finalize()))
}

/// RFC 3339 in UTC, so that times sort as texts.
fn is_time(text: &str) -> bool {
    let Some((day, clock)) = text.strip_suffix('Z').and_then(|text| text.split_once('T')) else {
        return false;
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<Option<u8>> = clock
        .split(':')
        .map(|part| {
            part.parse()
                .ok()
                .filter(|_| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
        })
        .collect();
    let in_range = matches!(parts[..], [Some(0..=23), Some(0..=59), Some(0..=60)]);
    let digits =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    day.parse::<crate::Date>().is_ok() && in_range && digits
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
