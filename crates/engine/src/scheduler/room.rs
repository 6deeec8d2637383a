//! Who is admitted, and who is put back for whom.
//!
//! Putting a sequence back costs nothing but the time to compute it again: its pages stay findable until
//! somebody needs the room, and its sampler and constraint stay where they are, so it goes on with the
//! same bytes. Progress is certain: the oldest sequence of the highest priority is never put back for
//! want of pages, and a tenant's oldest never for another's share.

use std::{cmp::Reverse, collections::BTreeMap, time::Instant};

use super::Scheduler;
use crate::{Error, Event, Priority, Tenant, pages::Pages, scheduler::Outcome};

/// What a waiting sequence lacks.
#[derive(Clone, Copy, Debug)]
struct Lack {
    tenant: Tenant,
    priority: Priority,
    what: Resource,
    /// How much of it it would hold, what it shares included.
    need: usize,
}

#[derive(Clone, Copy, Debug)]
enum Resource {
    /// A row in every step.
    Row,
    /// Pages of the cache.
    Pages,
}

impl Scheduler {
    /// Moves waiting sequences to the running ones while there is room.
    pub(super) fn admit(&mut self, now: Instant, events: &mut Vec<Event>) {
        // Nobody goes twice for the same step.
        let mut may_go = self.running.len();
        while !self.queue.is_empty() {
            let (_, running) = self.used(Resource::Row);
            let Some(lane) = self.queue.next(&self.tenants, &running) else { return };
            match self.lack(lane) {
                Some(lack) if may_go > 0 && self.make_room(lack) => may_go -= 1,
                Some(lack) if self.running.is_empty() => self.refuse(lane, lack, events),
                Some(_) => return,
                None => self.start(lane, now, events),
            }
        }
    }

    /// What the first of a lane lacks to be admitted.
    fn lack(&self, lane: (Priority, Tenant)) -> Option<Lack> {
        let sequence = self.queue.first(lane)?;
        let (priority, tenant) = lane;
        let lack = |what, need| Some(Lack { tenant, priority, what, need });
        if self.running.len() >= self.limits.wanted {
            return lack(Resource::Row, 1);
        }
        let found = self.pages.find(sequence.held.domain(), &sequence.ids, sequence.shareable());
        let need = Pages::needed(sequence.ids.len() + 1);
        // A page for the next token of everybody else, so that nobody has to be put back at once.
        let reserve = self.running.len();
        let there = self.pages.available() - found.idle;
        let new = need.saturating_sub(found.pages);
        if new + reserve > there { lack(Resource::Pages, need) } else { None }
    }

    fn start(&mut self, lane: (Priority, Tenant), now: Instant, events: &mut Vec<Event>) {
        let Some(mut sequence) = self.queue.pop(lane) else { return };
        self.metrics.cached_tokens += sequence.follow(&mut self.pages) as u64;
        // There is room: `lack` has counted it.
        if let Err(error) = self.pages.grow(&mut sequence.held, sequence.ids.len()) {
            sequence.outcome = Some(Outcome::Failed(error));
        }
        if sequence.place.take().is_some() {
            // Penalties look back over the prompt too. Not before, so that those who wait stay small.
            sequence.sampler.prompt(&sequence.ids);
            let queued = now.saturating_duration_since(sequence.entered);
            let cached = sequence.usage.cached_tokens;
            events.push(Event::Started { request: sequence.id, queued, cached });
        }
        let at = self.running.partition_point(|other| other.order() < sequence.order());
        self.running.insert(at, sequence);
    }

    /// Ends a sequence that would never fit. (Intake admits none: a context fits an empty cache.)
    fn refuse(&mut self, lane: (Priority, Tenant), lack: Lack, events: &mut Vec<Event>) {
        let Some(mut sequence) = self.queue.pop(lane) else { return };
        let (free, pages) = (self.pages.available(), self.pages.count());
        let error = Error::CacheFull { free, pages, wanted: lack.need };
        sequence.outcome = Some(Outcome::Failed(error));
        self.queue.push(sequence);
        self.retire(events);
    }

    /// Puts somebody back for a sequence that waits: one of lower priority, or one of a tenant that has
    /// more than its share while this one has less. False when nobody has to go.
    fn make_room(&mut self, lack: Lack) -> bool {
        let lower =
            self.running.iter().enumerate().filter(|(_, s)| s.terms.priority < lack.priority);
        let youngest = lower.max_by_key(|(_, s)| (Reverse(s.terms.priority), s.order()));
        if let Some(index) = youngest.map(|(index, _)| index) {
            self.put_back(index);
            return true;
        }
        let (total, used) = self.used(lack.what);
        let own = used.get(&lack.tenant).copied().unwrap_or(0);
        if own > 0 && own + lack.need > self.tenants.share(lack.tenant, total) {
            return false;
        }
        let over = used.iter().filter_map(|(tenant, used)| {
            let over = used.checked_sub(self.tenants.share(*tenant, total) + 1)?;
            let mut of =
                self.running.iter().enumerate().filter(|(_, s)| {
                    s.terms.tenant == *tenant && s.terms.priority == lack.priority
                });
            let (index, _) = of.next_back()?;
            // Its oldest stays.
            of.next()?;
            (*tenant != lack.tenant).then_some((over, index))
        });
        let most = over.max().map(|(_, index)| index);
        most.inspect(|index| self.put_back(*index)).is_some()
    }

    /// How much of a resource there is, and who uses how much of it.
    fn used(&self, what: Resource) -> (usize, BTreeMap<Tenant, usize>) {
        let mut used = BTreeMap::new();
        for sequence in &self.running {
            *used.entry(sequence.terms.tenant).or_default() += match what {
                Resource::Row => 1,
                Resource::Pages => sequence.held.pages().len(),
            };
        }
        let total = match what {
            Resource::Row => self.limits.wanted,
            Resource::Pages => self.pages.count(),
        };
        (total, used)
    }

    /// Gives every running sequence pages for all its tokens; who finds none puts somebody back.
    pub(super) fn secure(&mut self) {
        let mut index = 0;
        while let Some(sequence) = self.running.get_mut(index) {
            let tokens = sequence.ids.len();
            if self.pages.grow(&mut sequence.held, tokens).is_ok() {
                index += 1;
                continue;
            }
            let victim = self.victim();
            self.put_back(victim);
            if victim < index {
                index -= 1;
            }
        }
    }

    /// Who goes when pages run out: of the lowest priority, the youngest of the tenant that holds most
    /// pages and has more than one, or else the youngest of all.
    fn victim(&self) -> usize {
        let lowest = self.running.iter().map(|s| s.terms.priority).min();
        let candidates =
            || self.running.iter().enumerate().filter(|(_, s)| Some(s.terms.priority) == lowest);
        let mut tenants: BTreeMap<Tenant, (usize, usize, usize)> = BTreeMap::new();
        for (index, sequence) in candidates() {
            let (pages, count, youngest) = tenants.entry(sequence.terms.tenant).or_default();
            *pages += sequence.held.pages().len();
            *count += 1;
            *youngest = index;
        }
        let many = tenants.values().filter(|(_, count, _)| *count > 1);
        let of_many = many.max_by_key(|(pages, _, youngest)| (*pages, *youngest));
        let youngest = || candidates().next_back().map_or(0, |(index, _)| index);
        of_many.map_or_else(youngest, |(_, _, youngest)| *youngest)
    }

    /// Puts a running sequence back to those that wait.
    fn put_back(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        self.pages.release(&mut sequence.held, &sequence.ids, sequence.computed);
        sequence.computed = 0;
        sequence.put_back = true;
        sequence.draft.clear();
        self.metrics.preemptions += 1;
        self.queue.push(sequence);
    }
}
