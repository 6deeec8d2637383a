//! What is to be done with it: serve, train, pass on; how open it is; what it takes.

use super::Asked;
use crate::gate::{Gate, Reason, TuneIntent, Verdict};
use crate::plain::bytes;
use crate::{Known, Ruling, Train, shown};

pub(super) fn serving(asked: &Asked<'_>) -> Vec<Reason> {
    let terms = &asked.ask.effective.terms;
    if asked.ask.gate != Gate::Serve {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    for id in asked.ids() {
        let licence = asked.licences.get(id);
        let (verdict, says) = match licence.hosting.is_distribution {
            Known::Yes => (
                Verdict::Allow,
                format!("{} counts serving as passing on: its duties are listed", licence.name),
            ),
            Known::No => continue,
            Known::Unknown => (
                asked.unknown_term(),
                format!("whether {} counts serving as passing on is not known", licence.name),
            ),
        };
        reasons.push(asked.about(
            "licence.serving",
            verdict,
            id,
            "hosted_service_is_distribution",
            licence.hosting.clause.as_ref(),
            says,
        ));
    }
    if terms.hosting_is_distribution == Known::Yes && terms.redistribution == Ruling::No {
        reasons.push(Reason::new(
            "licence.serving",
            Verdict::Deny,
            "serving counts as passing on, which is not allowed",
        ));
    }
    reasons
}

pub(super) fn openness(asked: &Asked<'_>) -> Vec<Reason> {
    let Some(least) = asked.policy.openness.at(asked.ask.gate) else { return Vec::new() };
    let rule = match asked.ask.gate {
        Gate::Pull => "openness.pull",
        Gate::Run => "openness.run",
        Gate::Serve => "openness.serve",
        Gate::Tune => "openness.tune",
        Gate::Export => "openness.export",
    };
    let Some(openness) = asked.ask.openness else {
        let says =
            format!("how open it is was not looked at, and at least level {least} is asked for");
        return vec![Reason::new(rule, Verdict::Deny, says)];
    };
    let level = openness.level.number();
    let (verdict, word) =
        if level >= least { (Verdict::Allow, "enough for") } else { (Verdict::Deny, "below") };
    let says = format!(
        "its openness is at most level {level} ({}), {word} level {least}",
        openness.level.means()
    );
    vec![Reason::new(rule, verdict, says)]
}

pub(super) fn budget(asked: &Asked<'_>) -> Vec<Reason> {
    let (rules, needs) = (&asked.policy.memory, &asked.ask.budget);
    let limits = [
        (
            "memory.memory_max",
            "memory",
            rules.memory_max,
            needs.memory_bytes,
            &[Gate::Run, Gate::Serve, Gate::Tune][..],
        ),
        ("memory.disk_max", "disk", rules.disk_max, needs.disk_bytes, &[Gate::Pull]),
        (
            "memory.download_max",
            "download",
            rules.download_max,
            needs.download_bytes,
            &[Gate::Pull],
        ),
    ];
    let mut reasons = Vec::new();
    for (rule, what, limit, need, gates) in limits {
        let Some(limit) = limit.filter(|_| gates.contains(&asked.ask.gate)) else { continue };
        let (verdict, says) = match need {
            Some(need) if need > limit => (
                Verdict::Deny,
                format!("it takes {} of {what}, above the limit of {}", bytes(need), bytes(limit)),
            ),
            Some(need) => (
                Verdict::Allow,
                format!("it takes {} of {what}, within the limit of {}", bytes(need), bytes(limit)),
            ),
            None => (
                asked.unknown_term(),
                format!("what it takes of {what} is not known; the limit is {}", bytes(limit)),
            ),
        };
        reasons.push(Reason::new(rule, verdict, says));
    }
    reasons
}

pub(super) fn tuning_and_export(asked: &Asked<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(tune) = asked.ask.tune.as_ref().filter(|_| asked.ask.gate == Gate::Tune) {
        for teacher in &tune.teachers {
            reasons.extend(teaching(asked, teacher));
        }
        if tune.intent == TuneIntent::WeakenSafeguards {
            for said in &asked.ask.effective.terms.guardrails {
                let says = format!("{}: {}", asked.name(&said.licence), said.what.says);
                reasons.push(asked.about(
                    "licence.guardrail",
                    Verdict::Deny,
                    &said.licence,
                    "guardrail_clause",
                    said.what.clause.as_ref(),
                    says,
                ));
            }
        }
        if let Some(name) = &tune.result_name {
            let teachers = tune.teachers.iter().map(|teacher| &teacher.terms);
            reasons.extend(naming(asked, name, teachers.chain([&asked.ask.effective.terms])));
        }
        let terms = &asked.ask.effective.terms;
        if terms.derivatives >= Ruling::Unknown {
            let verdict =
                if terms.derivatives == Ruling::No { Verdict::Deny } else { asked.unknown_term() };
            reasons.push(Reason::new(
                "licence.derivatives",
                verdict,
                "permission to change it was not found",
            ));
        }
    }
    if let Some(export) = asked.ask.export.as_ref().filter(|_| asked.ask.gate == Gate::Export) {
        let terms = &asked.ask.effective.terms;
        if terms.redistribution >= Ruling::Unknown {
            let verdict = if terms.redistribution == Ruling::No {
                Verdict::Deny
            } else {
                asked.unknown_term()
            };
            reasons.push(Reason::new(
                "licence.redistribution",
                verdict,
                "permission to pass it on was not found",
            ));
        }
        if export.changed != Known::No {
            reasons.extend(naming(asked, &export.name, [terms]));
        }
        for said in &terms.notices {
            let carried = export.files.iter().any(|(path, text)| {
                path.to_ascii_lowercase().contains("notice")
                    && crate::licence::normal(text)
                        .contains(&crate::licence::normal(&said.what.text))
            });
            let (verdict, word) =
                if carried { (Verdict::Allow, "carries") } else { (Verdict::Deny, "lacks") };
            let says = format!(
                "the export {word} the notice of {}: \"{}\"",
                asked.name(&said.licence),
                said.what.text
            );
            reasons.push(asked.about(
                "licence.notice",
                verdict,
                &said.licence,
                "notice",
                said.what.clause.as_ref(),
                says,
            ));
        }
        let card = export
            .files
            .iter()
            .any(|(path, text)| path.eq_ignore_ascii_case("README.md") && !text.trim().is_empty());
        let card_asked = asked.ids().find(|id| {
            asked
                .licences
                .get(id)
                .redistribution
                .conditions
                .iter()
                .any(|duty| duty.contains("documentation"))
        });
        match (card, card_asked) {
            (true, _) => reasons.push(Reason::new("licence.model_card", Verdict::Allow, "the export carries a model card")),
            (false, Some(id)) => reasons.push(asked.about("licence.model_card", Verdict::Deny, id, "redistribution", None,
                format!("{} asks for documentation as good as the original's, and the export carries no model card", asked.name(id)))),
            (false, None) => reasons.push(Reason::new("licence.model_card", Verdict::Warn, "the export carries no model card")),
        }
    }
    reasons
}

/// Whether a teacher's outputs may train this model.
fn teaching(asked: &Asked<'_>, teacher: &crate::Effective) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for id in &teacher.terms.licences {
        let licence = asked.licences.get(id);
        let outputs = &licence.outputs;
        // A licence that forbids training others allows improving its own line.
        let own_line = asked.ask.effective.terms.licences.contains(id);
        let note = outputs.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
        let who = format!("{} (of {})", licence.name, shown(&teacher.model));
        let (verdict, says) = match outputs.train {
            Train::Yes => (Verdict::Allow, format!("{who} lets its outputs train other models")),
            Train::Conditional => (
                Verdict::Warn,
                format!("{who} lets its outputs train other models with a duty{note}"),
            ),
            Train::Derivative => (
                Verdict::Warn,
                format!("under {who} what is trained on outputs inherits the licence{note}"),
            ),
            Train::Unknown => (
                asked.unknown_term(),
                format!("whether {who} lets its outputs train other models is not known"),
            ),
            Train::No if own_line => (
                Verdict::Ask,
                format!("{who} lets its outputs train only models of its own line{note}"),
            ),
            Train::No => {
                (Verdict::Deny, format!("{who} forbids that its outputs train other models{note}"))
            }
        };
        let quote =
            crate::Quote::of(teacher, asked.licences, id, "outputs", outputs.clause.as_ref());
        reasons.push(Reason::new("licence.outputs", verdict, says).of(id, quote));
    }
    reasons
}

/// Whether a name begins as licences ask.
fn naming<'t>(
    asked: &Asked<'_>,
    name: &str,
    all: impl IntoIterator<Item = &'t crate::Terms>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for said in all.into_iter().flat_map(|terms| &terms.namings) {
        let good = name.to_lowercase().starts_with(&said.what.prefix.to_lowercase());
        let (verdict, word) =
            if good { (Verdict::Allow, "begins") } else { (Verdict::Deny, "does not begin") };
        let says = format!(
            "the name \"{}\" {word} with \"{}\", as {} asks",
            shown(name),
            said.what.prefix,
            asked.name(&said.licence)
        );
        reasons.push(asked.about(
            "licence.naming",
            verdict,
            &said.licence,
            "naming",
            said.what.clause.as_ref(),
            says,
        ));
    }
    reasons
}
