//! A decision: the verdict, every reason, every duty.

use serde::{Deserialize, Serialize};

use super::{Ask, Gate};
use crate::{Date, Quote, shown};

/// What is decided, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Go on, and say so.
    Warn,
    /// A person has to say yes first.
    Ask,
    /// No.
    Deny,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule: the key of the policy file, such as `licence.deny_classes`, or one every policy has,
    /// such as `licence.commercial`.
    pub rule: &'static str,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, in plain words.
    pub says: String,
    /// The licence it is about, by id.
    pub licence: Option<String>,
    /// Where that is written.
    pub quote: Option<Quote>,
    /// The waiver that softened it, and what it said before.
    pub waived: Option<(String, Verdict)>,
}

impl Reason {
    pub(super) fn new(rule: &'static str, verdict: Verdict, says: impl AsRef<str>) -> Self {
        let says = crate::plain::sentence(says.as_ref());
        Self { rule, verdict, says, licence: None, quote: None, waived: None }
    }

    pub(super) fn of(mut self, licence: &str, quote: Quote) -> Self {
        self.licence = Some(licence.to_owned());
        self.quote = Some(quote);
        self
    }
}

/// Something that has to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Obligation {
    /// What kind.
    pub kind: ObligationKind,
    /// What, in plain words.
    pub says: String,
    /// The very text to show or carry, or the beginning of a name.
    pub text: Option<String>,
    /// Where it is written.
    pub quote: Quote,
}

/// Kinds of duties a program can help with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObligationKind {
    /// Show a text to people.
    Show,
    /// Carry a notice in a file.
    Notice,
    /// Pass a use policy on to users.
    PassOnUsePolicy,
    /// Keep to a use policy.
    KeepUsePolicy,
    /// Begin a name with something.
    Name,
    /// Anything a licence asks of those who pass the model on.
    Sharing,
    /// Anything a licence asks of those who change it.
    Changing,
    /// Do not weaken safeguards.
    Guardrail,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The strictest verdict of all reasons.
    pub verdict: Verdict,
    /// Which gate.
    pub gate: Gate,
    /// The model.
    pub model: String,
    /// Its commit.
    pub revision: Option<String>,
    /// Every rule that spoke, the strictest first.
    pub reasons: Vec<Reason>,
    /// Every duty.
    pub obligations: Vec<Obligation>,
    /// The day.
    pub today: Date,
    /// The policy's serial number, where it has one.
    pub policy_serial: Option<u64>,
}

impl Decision {
    pub(super) fn of(
        ask: &Ask<'_>,
        mut reasons: Vec<Reason>,
        mut obligations: Vec<Obligation>,
        policy_serial: Option<u64>,
    ) -> Self {
        // Stable: rules keep their order within a verdict.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
        obligations.sort();
        obligations.dedup();
        Self {
            verdict: reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Deny),
            gate: ask.gate,
            model: shown(ask.model),
            revision: ask.revision.map(shown),
            reasons,
            obligations,
            today: ask.today,
            policy_serial,
        }
    }

    /// The reasons that decided.
    pub fn because(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| reason.verdict == self.verdict)
    }

    /// In one line: `deny: the licence is for research only (licence.deny_classes)`.
    pub fn summary(&self) -> String {
        let first = self.reasons.first();
        let why = first
            .map_or(String::new(), |r| format!(": {} ({})", r.says.trim_end_matches('.'), r.rule));
        format!("{} {} of {}{why}", self.verdict.name(), self.gate.name(), self.model)
    }

    /// Both at once, as under two policies: the strictest verdict, all reasons, all duties.
    pub fn and(mut self, other: Self) -> Self {
        self.reasons.extend(other.reasons);
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
        self.obligations.extend(other.obligations);
        self.obligations.sort();
        self.obligations.dedup();
        self.verdict = self.verdict.max(other.verdict);
        self
    }
}
