//! What has to be done, at which gate. More licences or a further gate only add.

use super::{Ask, Gate, Obligation, ObligationKind};
use crate::{Clause, Known, Licences, Quote, Said};

/// The duties that arise at a gate. Pulling a model alone obliges to nothing; its terms do once it is used.
pub(super) fn of(ask: &Ask<'_>, licences: &Licences) -> Vec<Obligation> {
    let terms = &ask.effective.terms;
    let passing_on = match ask.gate {
        Gate::Pull | Gate::Run | Gate::Tune => false,
        Gate::Serve => terms.hosting_is_distribution == Known::Yes,
        Gate::Export => true,
    };
    let mut all = Vec::new();
    let mut add =
        |kind, id: &str, field, clause: Option<&String>, says: String, text: Option<String>| {
            let quote = Quote::of(ask.effective, licences, id, field, clause);
            all.push(Obligation { kind, says: crate::plain::sentence(&says), text, quote });
        };
    let name = |id: &str| licences.get(id).name;
    for Said { licence, what } in &terms.use_policies {
        let place = what.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
        let of = name(licence);
        if ask.gate != Gate::Pull {
            let says = format!("keep to the use policy of {of}{place}");
            add(
                ObligationKind::KeepUsePolicy,
                licence,
                "aup",
                what.clause.as_ref(),
                says,
                what.place.clone(),
            );
        }
        if what.flows_down == Known::Yes && matches!(ask.gate, Gate::Serve | Gate::Export) {
            let says = format!("bind your users to the use policy of {of}{place}");
            add(
                ObligationKind::PassOnUsePolicy,
                licence,
                "aup",
                what.clause.as_ref(),
                says,
                what.place.clone(),
            );
        }
    }
    for Said { licence, what } in &terms.displays {
        let due = match ask.gate {
            Gate::Pull | Gate::Run => false,
            Gate::Serve => what.on_serving == Known::Yes,
            Gate::Tune | Gate::Export => true,
        };
        if due {
            let texts: Vec<String> = what.any_of.iter().map(|text| format!("\"{text}\"")).collect();
            let says =
                format!("show {} on {}, when {}", texts.join(" or "), what.place, what.trigger);
            add(
                ObligationKind::Show,
                licence,
                "display",
                what.clause.as_ref(),
                says,
                what.any_of.first().cloned(),
            );
        }
    }
    if matches!(ask.gate, Gate::Tune | Gate::Export) {
        for Said { licence, what } in &terms.namings {
            let says = format!("begin the name with \"{}\"; for: {}", what.prefix, what.trigger);
            add(
                ObligationKind::Name,
                licence,
                "naming",
                what.clause.as_ref(),
                says,
                Some(what.prefix.clone()),
            );
        }
        for Said { licence, what: Clause { says, clause } } in &terms.change_duties {
            add(
                ObligationKind::Changing,
                licence,
                "derivatives",
                clause.as_ref(),
                format!("{}: {says}", name(licence)),
                None,
            );
        }
        for Said { licence, what: Clause { says, clause } } in &terms.guardrails {
            add(
                ObligationKind::Guardrail,
                licence,
                "guardrail_clause",
                clause.as_ref(),
                format!("{}: {says}", name(licence)),
                None,
            );
        }
    }
    if passing_on {
        for Said { licence, what: Clause { says, clause } } in &terms.sharing_duties {
            let hosting = licences.get(licence).hosting.is_distribution == Known::Yes;
            if ask.gate == Gate::Export || (hosting && !says.contains("not for hosted")) {
                add(
                    ObligationKind::Sharing,
                    licence,
                    "redistribution",
                    clause.as_ref(),
                    format!("{}: {says}", name(licence)),
                    None,
                );
            }
        }
    }
    if ask.gate == Gate::Export {
        for Said { licence, what } in &terms.notices {
            let says = format!("carry a file \"{}\" that says: \"{}\"", what.file, what.text);
            add(
                ObligationKind::Notice,
                licence,
                "notice",
                what.clause.as_ref(),
                says,
                Some(what.text.clone()),
            );
        }
    }
    if let Some(tune) = ask.tune.as_ref().filter(|_| ask.gate == Gate::Tune) {
        for teacher in &tune.teachers {
            for Said { licence, what } in teacher
                .terms
                .namings
                .iter()
                .filter(|said| said.what.trigger.to_lowercase().contains("output"))
            {
                let says =
                    format!("begin the name with \"{}\"; for: {}", what.prefix, what.trigger);
                add(
                    ObligationKind::Name,
                    licence,
                    "naming",
                    what.clause.as_ref(),
                    says,
                    Some(what.prefix.clone()),
                );
            }
        }
    }
    all
}
