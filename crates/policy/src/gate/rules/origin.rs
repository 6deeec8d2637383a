//! Where a model comes from and what kind of files it is.

use super::{Asked, listed};
use crate::gate::pattern::{fits, is_crooked};
use crate::gate::{Format, Gate, Reason, RemoteCode, Verdict};
use crate::shown;

pub(super) fn sources(asked: &Asked<'_>) -> Vec<Reason> {
    let source = asked.ask.source;
    let rules = &asked.policy.sources;
    let name = format!("the source {}", shown(source));
    if is_crooked(source) {
        let says = format!("{name} climbs out of the place it names");
        return vec![Reason::new("sources.crooked", Verdict::Deny, says)];
    }
    let mut reasons = Vec::new();
    if let Some(pattern) = rules.deny.iter().find(|pattern| fits(pattern, source)) {
        let says = format!("{name} is on the list never to use (\"{}\")", shown(pattern));
        reasons.push(Reason::new("sources.deny", Verdict::Deny, says));
    }
    match listed(rules.allow.as_ref(), |pattern| fits(pattern, source)) {
        Some(true) => reasons.push(Reason::new(
            "sources.allow",
            Verdict::Allow,
            format!("{name} is an allowed one"),
        )),
        Some(false) => reasons.push(Reason::new(
            "sources.allow",
            Verdict::Deny,
            format!("{name} is not on the list of allowed ones"),
        )),
        None => {}
    }
    reasons
}

pub(super) fn formats(asked: &Asked<'_>) -> Vec<Reason> {
    let rules = &asked.policy.formats;
    let mut reasons = Vec::new();
    for format in &asked.ask.formats {
        let name = format.name();
        if rules.deny.contains(format) {
            reasons.push(Reason::new(
                "formats.deny",
                Verdict::Deny,
                format!("weights in {name} files are not to be used"),
            ));
        }
        match listed(rules.allow.as_ref(), |allowed| allowed == format) {
            Some(true) => reasons.push(Reason::new(
                "formats.allow",
                Verdict::Allow,
                format!("{name} is an allowed format"),
            )),
            Some(false) => reasons.push(Reason::new(
                "formats.allow",
                Verdict::Deny,
                format!("{name} is not among the allowed formats"),
            )),
            None => {}
        }
        if *format == Format::Pickle
            && matches!(asked.ask.gate, Gate::Run | Gate::Serve | Gate::Tune)
        {
            let says = "loading a Python pickle runs whatever is in it, which is never done here; convert it first";
            reasons.push(Reason::new("formats.pickle", Verdict::Deny, says));
        }
    }
    if rules.allow.is_some() && asked.ask.formats.is_empty() && asked.ask.gate != Gate::Export {
        reasons.push(Reason::new(
            "formats.allow",
            Verdict::Deny,
            "the format of the weights is not known, and only listed ones are allowed",
        ));
    }
    reasons
}

pub(super) fn remote_code(asked: &Asked<'_>) -> Vec<Reason> {
    let Some(verdict) = asked.policy.formats.remote_code else { return Vec::new() };
    match asked.ask.remote_code {
        RemoteCode::Present => vec![Reason::new(
            "formats.remote_code",
            verdict,
            "it brings code of its own (which is never run here)",
        )],
        RemoteCode::Unknown => vec![Reason::new(
            "formats.remote_code",
            verdict,
            "whether it brings code of its own was not looked at",
        )],
        RemoteCode::Absent => {
            vec![Reason::new("formats.remote_code", Verdict::Allow, "it brings no code of its own")]
        }
    }
}

pub(super) fn templates(asked: &Asked<'_>) -> Vec<Reason> {
    let rules = &asked.policy.templates;
    let Some(template) = &asked.ask.template else { return Vec::new() };
    let hash = template.sha256.trim_start_matches("sha256:");
    let same = |listed: &String| listed.trim_start_matches("sha256:").eq_ignore_ascii_case(hash);
    let short = shown(&hash.chars().take(12).collect::<String>());
    let mut reasons = Vec::new();
    if rules.deny.iter().any(same) {
        reasons.push(Reason::new(
            "templates.deny",
            Verdict::Deny,
            format!("its chat template {short} is on the list never to run"),
        ));
    }
    match listed(rules.allow.as_ref(), same) {
        Some(true) => reasons.push(Reason::new(
            "templates.allow",
            Verdict::Allow,
            format!("its chat template {short} was reviewed"),
        )),
        Some(false) => {
            let verdict = rules.other.unwrap_or(Verdict::Deny);
            reasons.push(Reason::new(
                "templates.allow",
                verdict,
                format!("its chat template {short} was not reviewed"),
            ));
        }
        None => {}
    }
    reasons
}
