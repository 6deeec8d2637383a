//! What binds the user, held against the policy's lists and the organisation's facts.

use super::Asked;
use crate::gate::{Reason, Standing, Use, Verdict};
use crate::plain::list;
use crate::{Class, FindingKind, Known, Licences, Ruling};

pub(super) fn unknown(asked: &Asked<'_>) -> Vec<Reason> {
    let nameless = asked
        .ask
        .effective
        .parts
        .iter()
        .filter(|part| part.resolution.licence == Licences::UNKNOWN);
    let nameless: Vec<String> = nameless.map(|part| part.model.clone()).collect();
    if nameless.is_empty() {
        return Vec::new();
    }
    let verdict = asked.policy.defaults.unknown_licence.unwrap_or(Verdict::Warn);
    let says = format!("no permission was found for {}, so none can be assumed", list(&nameless));
    vec![asked.about(
        "defaults.unknown_licence",
        verdict,
        Licences::UNKNOWN,
        "rationale",
        None,
        says,
    )]
}

pub(super) fn classes(asked: &Asked<'_>) -> Vec<Reason> {
    let rules = &asked.policy.licence;
    let mut reasons = Vec::new();
    for id in asked.ids() {
        let licence = asked.licences.get(id);
        let (class, what) = (
            licence.class,
            format!("{} is {}: {}", licence.name, licence.class.name(), licence.class.means()),
        );
        let mut say =
            |rule, verdict| reasons.push(asked.about(rule, verdict, id, "*", None, &what));
        if rules.deny_classes.contains(&class) {
            say("licence.deny_classes", Verdict::Deny);
        }
        if rules.ask_classes.contains(&class) {
            say("licence.ask_classes", Verdict::Ask);
        }
        match super::listed(rules.allow_classes.as_ref(), |allowed| *allowed == class) {
            Some(true) => say("licence.allow_classes", Verdict::Allow),
            Some(false) => say("licence.allow_classes", Verdict::Deny),
            None => {}
        }
    }
    reasons
}

pub(super) fn named(asked: &Asked<'_>) -> Vec<Reason> {
    let rules = &asked.policy.licence;
    let mut reasons = Vec::new();
    for id in rules.deny.iter().chain(&rules.ask).filter(|id| !asked.licences.knows(id)) {
        // A rule with a slip of the pen must not pass for one that allows.
        let says = format!(
            "the policy names the licence \"{}\", which nobody here knows",
            crate::shown(id)
        );
        reasons.push(Reason::new("policy.unknown_name", Verdict::Deny, says));
    }
    for id in asked.ids() {
        let name = asked.name(id);
        let mut say = |rule, verdict, says: String| {
            reasons.push(asked.about(rule, verdict, id, "*", None, says));
        };
        if rules.deny.contains(id) {
            say("licence.deny", Verdict::Deny, format!("{name} is on the list never to use"));
        }
        if rules.ask.contains(id) {
            say("licence.ask", Verdict::Ask, format!("{name} needs a person's yes"));
        }
    }
    reasons
}

pub(super) fn osi(asked: &Asked<'_>) -> Vec<Reason> {
    if !asked.policy.licence.require_osi.contains(&asked.ask.gate) {
        return Vec::new();
    }
    let gate = asked.ask.gate.name();
    let all = asked.ids().map(|id| {
        let licence = asked.licences.get(id);
        let (verdict, says) = match licence.osi_approved {
            Known::Yes => (Verdict::Allow, format!("{} is approved by the Open Source Initiative", licence.name)),
            Known::No => (Verdict::Deny, format!("{} is not approved by the Open Source Initiative, as {gate} asks", licence.name)),
            Known::Unknown => (Verdict::Deny, format!("whether the Open Source Initiative approved {} is not known, and {gate} asks for it", licence.name)),
        };
        asked.about("licence.require_osi", verdict, id, "osi_approved", None, says)
    });
    all.collect()
}

pub(super) fn findings(asked: &Asked<'_>) -> Vec<Reason> {
    let verdict = asked.policy.defaults.finding.unwrap_or(Verdict::Warn);
    let told = asked
        .ask
        .effective
        .findings
        .iter()
        .filter(|finding| finding.kind != FindingKind::NothingDeclared);
    told.map(|finding| {
        let (rule, verdict) = match finding.kind {
            FindingKind::TermsNotRead => ("defaults.unknown_term", asked.unknown_term()),
            _ => ("defaults.finding", verdict),
        };
        Reason::new(rule, verdict, format!("{}: {}", finding.model, finding.says))
    })
    .collect()
}

pub(super) fn commercial(asked: &Asked<'_>) -> Vec<Reason> {
    let purpose = asked.policy.organisation.purpose;
    let mut reasons = Vec::new();
    for id in asked.ids().filter(|id| *id != Licences::UNKNOWN) {
        let licence = asked.licences.get(id);
        let (verdict, says) = match (licence.commercial.value, purpose) {
            (Ruling::Yes | Ruling::Conditional, Some(Use::Commercial)) => {
                (Verdict::Allow, format!("{} allows commercial use", licence.name))
            }
            (Ruling::Unknown, Some(Use::Commercial)) => (
                asked.unknown_term(),
                format!("whether {} allows commercial use is not known", licence.name),
            ),
            (Ruling::No, Some(Use::Commercial)) => (
                Verdict::Deny,
                format!("{} does not allow commercial use, which yours is", licence.name),
            ),
            (Ruling::No, Some(Use::Research)) => (
                Verdict::Allow,
                format!("{} allows no commercial use; yours is research", licence.name),
            ),
            (Ruling::No, Some(Use::Personal)) => (
                Verdict::Warn,
                format!(
                    "{} allows no commercial use; read whether it allows personal use",
                    licence.name
                ),
            ),
            (Ruling::No, None) => (
                asked.unknown_term(),
                format!(
                    "{} allows no commercial use, and what yours is, is not stated",
                    licence.name
                ),
            ),
            (_, _) => continue,
        };
        reasons.push(asked.about(
            "licence.commercial",
            verdict,
            id,
            "commercial_use",
            licence.commercial.clause.as_ref(),
            says,
        ));
    }
    if reasons.is_empty() && asked.ask.effective.terms.class < Class::NonCommercial {
        let says = format!("it is {}", asked.ask.effective.summary(asked.licences));
        reasons.push(Reason::new("licence.commercial", Verdict::Allow, says));
    }
    reasons
}

pub(super) fn thresholds(asked: &Asked<'_>) -> Vec<Reason> {
    let who = &asked.policy.organisation;
    let mut reasons = Vec::new();
    for said in &asked.ask.effective.terms.thresholds {
        let limit = &said.what;
        let name = asked.name(&said.licence);
        let what = limit.metric.count(limit.above);
        let (verdict, says) = match who.standing(limit) {
            Standing::Free => (
                Verdict::Allow,
                format!("{name}: the limit of {what} is for those who offer models as a service"),
            ),
            Standing::Below(number) => (
                Verdict::Allow,
                format!("{name}: {} is within the limit of {what}", limit.metric.count(number)),
            ),
            Standing::Above(number) if limit.stops == Known::No => (
                Verdict::Warn,
                format!("{name}: {} is above {what}: {}", limit.metric.count(number), limit.effect),
            ),
            Standing::Above(number) => (
                Verdict::Deny,
                format!("{name}: {} is above {what}: {}", limit.metric.count(number), limit.effect),
            ),
            Standing::NotKnown => (
                asked.unknown_term(),
                format!(
                    "{name} has a limit of {what} ({}), and your number is not stated",
                    limit.effect
                ),
            ),
        };
        reasons.push(asked.about(
            "licence.threshold",
            verdict,
            &said.licence,
            "thresholds",
            limit.clause.as_ref(),
            says,
        ));
    }
    reasons
}

pub(super) fn exclusions(asked: &Asked<'_>) -> Vec<Reason> {
    let who = &asked.policy.organisation;
    let all = asked.ask.effective.terms.exclusions.iter().map(|said| {
        let name = asked.name(&said.licence);
        let regions = list(&said.what.regions);
        let (verdict, says) = match who.excluded(&said.what, asked.ask.multimodal) {
            Some(true) => (Verdict::Deny, format!("{name} excludes {regions}, where you are: {}", said.what.scope)),
            Some(false) => (Verdict::Allow, format!("{name} excludes {regions}, which does not meet you")),
            None => (asked.unknown_term(), format!("{name} excludes {regions} ({}); where you are, or what the model takes in, is not known", said.what.scope)),
        };
        asked.about("licence.exclusion", verdict, &said.licence, "geo_exclusions", Some(&said.what.place), says)
    });
    all.collect()
}

pub(super) fn military(asked: &Asked<'_>) -> Vec<Reason> {
    let who = asked.policy.organisation.military;
    let barred = asked
        .ask
        .effective
        .terms
        .use_policies
        .iter()
        .filter(|said| said.what.bars_military == Known::Yes);
    let all = barred.filter(|_| who == Known::Yes).map(|said| {
        let says = format!("{} bars military use, which yours is", asked.name(&said.licence));
        asked.about(
            "licence.military",
            Verdict::Deny,
            &said.licence,
            "aup",
            said.what.clause.as_ref(),
            says,
        )
    });
    all.collect()
}
