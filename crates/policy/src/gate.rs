//! The gate: an organisation's policy and the facts of a model in, a decision with reasons out.
//!
//! Every rule speaks for itself and the strictest verdict counts, so a further rule can only make a
//! decision stricter. Only a waiver softens one, never below a warning, and it says who, why and until
//! when. A policy that cannot be read denies everything.

mod ask;
mod decision;
mod duties;
mod file;
mod organisation;
mod pattern;
mod rules;
mod waiver;

pub use ask::{
    Ask, Budget, ExportFacts, Format, Gate, RemoteCode, TemplateFact, TuneFacts, TuneIntent,
};
pub use decision::{Decision, Obligation, ObligationKind, Reason, Verdict};
pub use file::{
    AuditRules, Defaults, Formats, LicenceRules, MemoryRules, OpennessRules, Policy, PolicyState,
    Schema, Sources, Templates,
};
pub(crate) use organisation::Standing;
pub use organisation::{Organisation, Use};
pub use waiver::Waiver;

use crate::Licences;

/// Decides what is asked, under a policy as far as there is one.
pub fn decide(state: &PolicyState, ask: &Ask<'_>, licences: &Licences) -> Decision {
    let policy = match state {
        PolicyState::Absent => &Policy::default(),
        PolicyState::Ready(policy) => policy,
        PolicyState::Unreadable(why) => {
            let says =
                format!("the policy cannot be read, so nothing is allowed: {}", crate::shown(why));
            let reason = Reason::new("policy.unreadable", Verdict::Deny, says);
            return Decision::of(ask, vec![reason], Vec::new(), None);
        }
    };
    let mut reasons = rules::all(policy, ask, licences);
    waiver::apply(&policy.waiver, ask, &mut reasons);
    let obligations = duties::of(ask, licences);
    Decision::of(ask, reasons, obligations, policy.serial)
}

#[cfg(test)]
mod tests;
