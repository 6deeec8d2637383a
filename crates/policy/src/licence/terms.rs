//! What binds someone who holds several licences at once: the meet.
//!
//! Each term is a lattice: single answers are ordered from permissive to strict and the strictest wins;
//! duties, thresholds and exclusions are sets and add up, each naming the licence that says it. So the
//! meet is commutative, associative and idempotent, and never more permissive than either side.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Class, Clause, Display, Exclusion, Known, Licence, Naming, Notice, Ruling, Threshold, Train,
    UsePolicy,
};

/// Something a licence says: which one, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Said<T> {
    /// The licence's id.
    pub licence: String,
    /// What it says.
    pub what: T,
}

/// The terms of one licence or of several at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The licences.
    pub licences: BTreeSet<String>,
    /// The least permissive class.
    pub class: Class,
    /// May it be used to earn money?
    pub commercial: Ruling,
    /// May it be passed on?
    pub redistribution: Ruling,
    /// May it be changed, and the result passed on?
    pub derivatives: Ruling,
    /// May outputs train other models?
    pub train: Train,
    /// Does a licensor claim the outputs? `No` is the permissive answer.
    pub outputs_claimed: Known,
    /// Does offering it over a network count as passing it on? `No` is the permissive answer.
    pub hosting_is_distribution: Known,
    /// Is every licence approved by the Open Source Initiative? `Yes` is the permissive answer.
    pub osi_approved: Known,
    /// Does every licence give patents? `Yes` is the permissive answer.
    pub patent_grant: Known,
    /// Can any licensor change the terms? `No` is the permissive answer.
    pub can_change: Known,
    /// Sizes at which something changes.
    pub thresholds: BTreeSet<Said<Threshold>>,
    /// What passing on asks for.
    pub sharing_duties: BTreeSet<Said<Clause>>,
    /// What changing asks for.
    pub change_duties: BTreeSet<Said<Clause>>,
    /// Texts that accompany copies.
    pub notices: BTreeSet<Said<Notice>>,
    /// Texts to show.
    pub displays: BTreeSet<Said<Display>>,
    /// How derived models are named.
    pub namings: BTreeSet<Said<Naming>>,
    /// Acceptable use policies.
    pub use_policies: BTreeSet<Said<UsePolicy>>,
    /// Who may not use it.
    pub exclusions: BTreeSet<Said<Exclusion>>,
    /// What is said of weakening safeguards.
    pub guardrails: BTreeSet<Said<Clause>>,
    /// What suing over patents or copyright does.
    pub retaliations: BTreeSet<Said<Clause>>,
    /// When the permission ends.
    pub terminations: BTreeSet<Said<Clause>>,
}

impl Terms {
    /// Nothing binds: the neutral element of [`Terms::meet`].
    pub fn free() -> Self {
        Self {
            licences: BTreeSet::new(),
            class: Class::OpenSource,
            commercial: Ruling::Yes,
            redistribution: Ruling::Yes,
            derivatives: Ruling::Yes,
            train: Train::Yes,
            outputs_claimed: Known::No,
            hosting_is_distribution: Known::No,
            osi_approved: Known::Yes,
            patent_grant: Known::Yes,
            can_change: Known::No,
            thresholds: BTreeSet::new(),
            sharing_duties: BTreeSet::new(),
            change_duties: BTreeSet::new(),
            notices: BTreeSet::new(),
            displays: BTreeSet::new(),
            namings: BTreeSet::new(),
            use_policies: BTreeSet::new(),
            exclusions: BTreeSet::new(),
            guardrails: BTreeSet::new(),
            retaliations: BTreeSet::new(),
            terminations: BTreeSet::new(),
        }
    }

    /// The terms of one licence.
    pub fn of(licence: &Licence) -> Self {
        let id = &licence.id;
        let duties = |permission: &super::Permission| {
            let clause =
                |says: &String| Clause { says: says.clone(), clause: permission.clause.clone() };
            permission.conditions.iter().map(|says| said(id, clause(says))).collect()
        };
        let retaliation = licence
            .patent
            .retaliation
            .as_ref()
            .map(|says| Clause { says: says.clone(), clause: licence.patent.clause.clone() });
        Self {
            licences: BTreeSet::from([id.clone()]),
            class: licence.class,
            commercial: licence.commercial.value,
            redistribution: licence.redistribution.value,
            derivatives: licence.derivatives.value,
            train: licence.outputs.train,
            outputs_claimed: licence.outputs.claimed,
            hosting_is_distribution: licence.hosting.is_distribution,
            osi_approved: licence.osi_approved,
            patent_grant: licence.patent.grant,
            can_change: licence.unilateral_change,
            thresholds: licence.thresholds.iter().map(|t| said(id, t.clone())).collect(),
            sharing_duties: duties(&licence.redistribution),
            change_duties: duties(&licence.derivatives),
            notices: one(id, licence.notice.as_ref()),
            displays: one(id, licence.display.as_ref()),
            namings: one(id, licence.naming.as_ref()),
            use_policies: one(id, licence.use_policy.as_ref()),
            exclusions: licence.exclusions.iter().map(|e| said(id, e.clone())).collect(),
            guardrails: one(id, licence.guardrail.as_ref()),
            retaliations: one(id, retaliation.as_ref()),
            terminations: one(id, licence.termination.as_ref()),
        }
    }

    /// What binds under both: the strictest of every answer, all duties of both.
    pub fn meet(mut self, other: Self) -> Self {
        self.licences.extend(other.licences);
        self.class = self.class.max(other.class);
        self.commercial = self.commercial.max(other.commercial);
        self.redistribution = self.redistribution.max(other.redistribution);
        self.derivatives = self.derivatives.max(other.derivatives);
        self.train = self.train.max(other.train);
        // `Yes < Unknown < No`: where `No` is the permissive answer, the least counts.
        self.outputs_claimed = self.outputs_claimed.min(other.outputs_claimed);
        self.hosting_is_distribution =
            self.hosting_is_distribution.min(other.hosting_is_distribution);
        self.can_change = self.can_change.min(other.can_change);
        self.osi_approved = self.osi_approved.max(other.osi_approved);
        self.patent_grant = self.patent_grant.max(other.patent_grant);
        self.thresholds.extend(other.thresholds);
        self.sharing_duties.extend(other.sharing_duties);
        self.change_duties.extend(other.change_duties);
        self.notices.extend(other.notices);
        self.displays.extend(other.displays);
        self.namings.extend(other.namings);
        self.use_policies.extend(other.use_policies);
        self.exclusions.extend(other.exclusions);
        self.guardrails.extend(other.guardrails);
        self.retaliations.extend(other.retaliations);
        self.terminations.extend(other.terminations);
        self
    }

    /// Whether these terms allow no more than others do, term by term.
    pub fn at_most_as_free_as(&self, other: &Self) -> bool {
        self.clone().meet(other.clone()) == *self
    }
}

fn said<T>(licence: &str, what: T) -> Said<T> {
    Said { licence: licence.to_owned(), what }
}

fn one<T: Clone + Ord>(licence: &str, what: Option<&T>) -> BTreeSet<Said<T>> {
    what.into_iter().map(|what| said(licence, what.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Licences;
    use super::*;

    fn all() -> Vec<Terms> {
        Licences::shipped().iter().map(Terms::of).collect()
    }

    #[test]
    fn meet_is_idempotent_commutative_and_has_a_neutral_element() {
        let all = all();
        for a in &all {
            assert_eq!(a.clone().meet(a.clone()), *a);
            assert_eq!(a.clone().meet(Terms::free()), *a);
            for b in &all {
                assert_eq!(a.clone().meet(b.clone()), b.clone().meet(a.clone()));
            }
        }
    }

    #[test]
    fn meet_is_associative_and_never_more_permissive() {
        let all = all();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate().skip(i) {
                let both = a.clone().meet(b.clone());
                assert!(both.at_most_as_free_as(a) && both.at_most_as_free_as(b));
                assert!(
                    both.commercial >= a.commercial
                        && both.train >= b.train
                        && both.class >= a.class
                );
                let c = &all[(i * 7 + j * 3) % all.len()];
                assert_eq!(both.meet(c.clone()), a.clone().meet(b.clone().meet(c.clone())));
            }
        }
    }
}
