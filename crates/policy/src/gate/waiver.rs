//! A waiver: a named person's yes to one rule for one model or licence, until a day.

use serde::{Deserialize, Serialize};

use super::{Ask, Gate, Reason, Verdict};
use crate::Date;

/// A recorded exception. It softens a rule to a warning, never to silence, and ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Its name, for logs.
    pub id: String,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The rule it softens, as [`Reason::rule`] names it.
    pub rule: String,
    /// The one model it is for; or
    pub model: Option<String>,
    /// the one licence it is for, by id. Where both stand, both have to fit.
    pub licence: Option<String>,
    /// The one commit it is for; any where not stated.
    pub revision: Option<String>,
    /// The gates it is for; all where not stated.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

impl Waiver {
    /// What is wrong with it, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let blank = |text: &str| text.trim().is_empty();
        if blank(&self.id) || blank(&self.by) || blank(&self.reason) || blank(&self.rule) {
            return Some("a waiver needs id, by, reason and rule".to_owned());
        }
        if self.model.is_none() && self.licence.is_none() {
            return Some(format!(
                "waiver {}: found no scope, expected a model or a licence",
                self.id
            ));
        }
        if self.model.iter().chain(&self.licence).any(|scope| scope.contains('*') || blank(scope)) {
            return Some(format!("waiver {}: found a pattern, expected one exact name", self.id));
        }
        if self.until < self.from {
            return Some(format!(
                "waiver {}: it ends {} before it begins {}",
                self.id, self.until, self.from
            ));
        }
        None
    }

    /// Whether it is for this reason of this question, its days aside.
    fn is_for(&self, ask: &Ask<'_>, reason: &Reason) -> bool {
        self.rule == reason.rule
            && self.model.as_ref().is_none_or(|model| model.eq_ignore_ascii_case(ask.model))
            && self.licence.as_ref().is_none_or(|id| reason.licence.as_ref() == Some(id))
            && self.revision.as_ref().is_none_or(|commit| ask.revision == Some(commit.as_str()))
            && (self.gates.is_empty() || self.gates.contains(&ask.gate))
    }
}

/// Softens what waivers are for, and says so; an ended or future one is told and does nothing.
pub(super) fn apply(waivers: &[Waiver], ask: &Ask<'_>, reasons: &mut [Reason]) {
    for reason in reasons.iter_mut().filter(|reason| reason.verdict > Verdict::Warn) {
        for waiver in waivers {
            if !waiver.is_for(ask, reason) {
                continue;
            }
            let who =
                format!("waiver {} by {}", crate::shown(&waiver.id), crate::shown(&waiver.by));
            if ask.today < waiver.from {
                add(reason, &format!("{who} begins only on {}", waiver.from));
            } else if ask.today > waiver.until {
                add(reason, &format!("{who} ended on {}", waiver.until));
            } else {
                reason.waived = Some((waiver.id.clone(), reason.verdict));
                reason.verdict = Verdict::Warn;
                let why = crate::shown(&waiver.reason);
                add(reason, &format!("{who} until {}: {why}", waiver.until));
                break;
            }
        }
    }
}

/// Adds to what a reason says.
fn add(reason: &mut Reason, more: &str) {
    reason.says.extend([" (", more, ")"]);
}
