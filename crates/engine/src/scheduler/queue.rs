//! Who waits, and whose turn it is.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Sequence, Terms};
use crate::{Priority, Tenant};

/// Service is counted in these parts of a token.
const PARTS: u64 = 1 << 10;
/// Accounts of absent tenants kept before old ones are dropped.
const ACCOUNTS_MAX: usize = 4096;

/// Sequences that wait, by priority and tenant, each tenant's in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: BTreeMap<(Priority, Tenant), VecDeque<Sequence>>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.values().map(VecDeque::len).sum()
    }

    /// Puts a sequence where its arrival says: one that was put back comes before those after it.
    pub(crate) fn push(&mut self, sequence: Sequence) {
        let lane = self.lanes.entry((sequence.terms.priority, sequence.terms.tenant)).or_default();
        let at = lane.partition_point(|other| other.order() < sequence.order());
        lane.insert(at, sequence);
    }

    /// Whose turn it is: of those with the highest priority, who runs least for their weight (`running`
    /// counts), then who has had the least service.
    pub(crate) fn next(
        &self,
        tenants: &Tenants,
        running: &BTreeMap<Tenant, usize>,
    ) -> Option<(Priority, Tenant)> {
        let (top, _) = self.lanes.keys().next_back()?;
        let lanes = self.lanes.iter().filter(|((priority, _), _)| priority == top);
        let turn = lanes.min_by_key(|((_, tenant), lane)| {
            let runs = running.get(tenant).copied().unwrap_or(0) as u64;
            let share = runs * PARTS / tenants.weight(*tenant);
            (share, tenants.service(*tenant), lane.front().map(Sequence::order))
        });
        turn.map(|(key, _)| *key)
    }

    /// The first of a lane.
    pub(crate) fn first(&self, lane: (Priority, Tenant)) -> Option<&Sequence> {
        self.lanes.get(&lane)?.front()
    }

    /// Takes the first of a lane.
    pub(crate) fn pop(&mut self, lane: (Priority, Tenant)) -> Option<Sequence> {
        let waiting = self.lanes.get_mut(&lane)?;
        let first = waiting.pop_front();
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        }
        first
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sequence> {
        self.lanes.values_mut().flatten()
    }

    /// Takes out those that have ended.
    pub(crate) fn take_ended(&mut self) -> Vec<Sequence> {
        let mut ended = vec![];
        for lane in self.lanes.values_mut() {
            if lane.iter().any(|s| s.outcome.is_some()) {
                let all = std::mem::take(lane);
                let (gone, left): (VecDeque<_>, _) =
                    all.into_iter().partition(|s| s.outcome.is_some());
                ended.extend(gone);
                *lane = left;
            }
        }
        self.lanes.retain(|_, lane| !lane.is_empty());
        ended
    }
}

/// What every tenant has had: a virtual counter of service, divided by weight. One who comes back after a while starts where the others are, so that nobody saves up turns.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    service: HashMap<Tenant, u64>,
    present: BTreeMap<Tenant, Present>,
    /// The least service of anybody present, when last looked at.
    clock: u64,
}

#[derive(Debug)]
struct Present {
    sequences: usize,
    weight: u32,
}

impl Tenants {
    /// A sequence of theirs has come.
    pub(crate) fn enter(&mut self, sequence: &Sequence) {
        let Terms { tenant, weight, .. } = *sequence.terms;
        let least = self.present.keys().map(|tenant| self.service(*tenant)).min();
        self.clock = self.clock.max(least.unwrap_or(0));
        let present = self.present.entry(tenant).or_insert(Present { sequences: 0, weight });
        present.sequences += 1;
        present.weight = weight;
        if present.sequences == 1 {
            let clock = self.clock;
            let own = self.service.entry(tenant).or_default();
            *own = clock.max(*own);
        }
        if self.service.len() > ACCOUNTS_MAX.max(2 * self.present.len()) {
            let (present, clock) = (&self.present, self.clock);
            self.service.retain(|tenant, own| present.contains_key(tenant) || *own > clock);
        }
    }

    /// A sequence of theirs has ended.
    pub(crate) fn leave(&mut self, tenant: Tenant) {
        if let Some(present) = self.present.get_mut(&tenant) {
            present.sequences = present.sequences.saturating_sub(1);
            if present.sequences == 0 {
                self.present.remove(&tenant);
            }
        }
    }

    /// They have had so much more.
    pub(crate) fn charge(&mut self, terms: &Terms, cost: u64) {
        let own = self.service.entry(terms.tenant).or_default();
        *own = own.saturating_add(cost * PARTS / u64::from(terms.weight.max(1)));
    }

    fn service(&self, tenant: Tenant) -> u64 {
        self.service.get(&tenant).copied().unwrap_or(0)
    }

    fn weight(&self, tenant: Tenant) -> u64 {
        self.present.get(&tenant).map_or(1, |present| u64::from(present.weight)).max(1)
    }

    /// A tenant's part of `total`, at least one.
    pub(crate) fn share(&self, tenant: Tenant, total: usize) -> usize {
        let all: u64 = self.present.keys().map(|tenant| self.weight(*tenant)).sum();
        (total * self.weight(tenant) as usize / all.max(1) as usize).max(1)
    }
}
