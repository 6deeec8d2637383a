//! The rules. Each looks at the policy and the question, says nothing where it does not apply, and
//! otherwise gives its verdict with the reason; a rule that is satisfied says so too.

mod licence;
mod origin;
mod purpose;

use super::{Ask, Policy, Reason, Verdict};
use crate::{Licences, Quote};

/// One rule.
type Rule = fn(&Asked<'_>) -> Vec<Reason>;

/// All rules, in the order reasons are told.
const RULES: [Rule; 17] = [
    origin::sources,
    origin::formats,
    origin::remote_code,
    origin::templates,
    licence::unknown,
    licence::classes,
    licence::named,
    licence::osi,
    licence::findings,
    licence::commercial,
    licence::thresholds,
    licence::exclusions,
    licence::military,
    purpose::serving,
    purpose::openness,
    purpose::budget,
    purpose::tuning_and_export,
];

/// What every rule sees.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) ask: &'a Ask<'a>,
    pub(super) licences: &'a Licences,
}

impl Asked<'_> {
    fn unknown_term(&self) -> Verdict {
        self.policy.defaults.unknown_term.unwrap_or(Verdict::Warn)
    }

    fn name(&self, id: &str) -> String {
        self.licences.get(id).name
    }

    /// Every licence that binds.
    fn ids(&self) -> impl Iterator<Item = &String> {
        self.ask.effective.terms.licences.iter()
    }

    /// A reason about one licence, with clause and source.
    fn about(
        &self,
        rule: &'static str,
        verdict: Verdict,
        id: &str,
        field: &str,
        clause: Option<&String>,
        says: impl AsRef<str>,
    ) -> Reason {
        let quote = Quote::of(self.ask.effective, self.licences, id, field, clause);
        Reason::new(rule, verdict, says).of(id, quote)
    }
}

/// What every rule says.
pub(super) fn all(policy: &Policy, ask: &Ask<'_>, licences: &Licences) -> Vec<Reason> {
    let asked = Asked { policy, ask, licences };
    RULES.iter().flat_map(|rule| rule(&asked)).collect()
}

/// What an allow-list says: nothing where there is none; otherwise whether it holds a thing.
fn listed<T>(list: Option<&Vec<T>>, holds: impl Fn(&T) -> bool) -> Option<bool> {
    list.map(|list| list.iter().any(holds))
}
