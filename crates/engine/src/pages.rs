//! The pages of the cache: who holds which, and which prefixes they keep.
//!
//! A page is [`PAGE_TOKENS`] tokens of keys and values in every layer at once (page `p` of each layer's
//! cache), so one list of page numbers describes a sequence. What a page holds follows from its tokens
//! and all before them, bit for bit (the determinism law), so a full page is *sealed* under a name:
//! the page before it and its own tokens. Whoever comes with the same tokens in the same [`Domain`]
//! holds that page instead of computing it. Names are compared whole, tokens and domain included: the
//! keyed hash only finds them, so no collision can mix two prompts.
//!
//! Pages nobody holds stay findable until their room is needed, least recently used first. A sequence
//! lets go of its pages from the last to the first, so a page always outlives those that follow it.
//! The last, partly filled page of a sequence is kept too, as a *tail*, and taken whole by whoever
//! continues it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kernels::PAGE_TOKENS;

use crate::{Error, Tenant};

/// Who may share pages: requests of equal domains, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Domain {
    /// Whose.
    pub(crate) tenant: Tenant,
    /// What the tenant keeps apart.
    pub(crate) salt: Vec<u8>,
    /// How each rotation turns; see [`model::Rope::variant`].
    pub(crate) variants: Vec<usize>,
    /// The one request, where sharing is switched off.
    pub(crate) alone: Option<u64>,
}

/// What lies before a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Before {
    Nothing(Arc<Domain>),
    /// The page sealed under this number; numbers are never used again.
    Page(u64),
}

/// The name of a sealed page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    before: Before,
    ids: [u32; PAGE_TOKENS],
}

/// The pages of one sequence.
#[derive(Debug)]
pub(crate) struct Held {
    domain: Arc<Domain>,
    pages: Vec<u32>,
    /// So many of the first are sealed; the others are nobody else's.
    sealed: usize,
    before: Before,
}

impl Held {
    /// None yet.
    pub(crate) fn new(domain: Arc<Domain>) -> Self {
        let before = Before::Nothing(Arc::clone(&domain));
        Held { domain, pages: vec![], sealed: 0, before }
    }

    /// In order of position.
    pub(crate) fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Tokens in sealed pages.
    pub(crate) fn sealed_tokens(&self) -> usize {
        self.sealed * PAGE_TOKENS
    }

    /// Who may share them.
    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// What the page after the sealed ones would be called, if `ids` has so many tokens.
    pub(crate) fn next_name(&self, ids: &[u32]) -> Option<Name> {
        name(&self.before, ids, self.sealed)
    }
}

fn name(before: &Before, ids: &[u32], page: usize) -> Option<Name> {
    let ids = ids.get(page * PAGE_TOKENS..(page + 1) * PAGE_TOKENS)?.try_into().ok()?;
    Some(Name { before: before.clone(), ids })
}

/// What a page holds.
#[derive(Debug)]
enum Content {
    /// Nothing anybody could find.
    Private,
    Sealed {
        name: Name,
        number: u64,
    },
    Tail {
        before: Before,
        ids: Vec<u32>,
    },
}

#[derive(Debug)]
struct Page {
    content: Content,
    holders: u32,
    /// Its place among the idle.
    idle_since: u64,
}

/// What an admission would find: see [`Pages::find`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Pages with a part of the prefix.
    pub(crate) pages: usize,
    /// Of these, held by nobody.
    pub(crate) idle: usize,
}

/// All pages.
#[derive(Debug)]
pub(crate) struct Pages {
    all: Vec<Page>,
    free: Vec<u32>,
    sealed: HashMap<Name, u32>,
    tails: HashMap<Before, u32>,
    /// Findable pages that nobody holds, by when they were let go.
    idle: BTreeMap<u64, u32>,
    clock: u64,
    numbers: u64,
}

impl Pages {
    /// `count` free pages.
    pub(crate) fn new(count: usize) -> Self {
        let empty = || Page { content: Content::Private, holders: 0, idle_since: 0 };
        Pages {
            all: (0..count).map(|_| empty()).collect(),
            // Taken from the end: low numbers first.
            free: (0..count as u32).rev().collect(),
            sealed: HashMap::new(),
            tails: HashMap::new(),
            idle: BTreeMap::new(),
            clock: 0,
            numbers: 0,
        }
    }

    /// Pages in all.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Pages that hold nothing.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Pages that nobody holds but somebody may find.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Pages that can be had.
    pub(crate) fn available(&self) -> usize {
        self.free.len() + self.idle.len()
    }

    /// Pages that `tokens` tokens need.
    pub(crate) fn needed(tokens: usize) -> usize {
        tokens.div_ceil(PAGE_TOKENS)
    }

    /// What [`Pages::follow`] would bring a sequence of this domain that holds nothing.
    pub(crate) fn find(&self, domain: &Arc<Domain>, ids: &[u32], most: usize) -> Found {
        let mut before = Before::Nothing(Arc::clone(domain));
        let mut found = Found::default();
        let mut count = |page: u32| {
            found.pages += 1;
            found.idle += usize::from(self.all[page as usize].holders == 0);
        };
        let mut at = 0;
        while (at + 1) * PAGE_TOKENS <= most
            && let Some(page) = name(&before, ids, at).and_then(|name| self.sealed.get(&name))
            && let Content::Sealed { number, .. } = self.all[*page as usize].content
        {
            count(*page);
            before = Before::Page(number);
            at += 1;
        }
        if let Some((page, _)) = self.tail(&before, ids, at * PAGE_TOKENS, most) {
            count(page);
        }
        found
    }

    /// Takes over pages that hold what comes next in `ids`, up to `most` tokens. `computed` tokens are in
    /// the sequence's own pages already; gives how many are then.
    pub(crate) fn follow(
        &mut self,
        held: &mut Held,
        ids: &[u32],
        computed: usize,
        most: usize,
    ) -> usize {
        let mut computed = computed;
        while computed == held.sealed * PAGE_TOKENS
            && computed + PAGE_TOKENS <= most
            && let Some(page) = held.next_name(ids).and_then(|name| self.sealed.get(&name)).copied()
        {
            self.hold(page);
            self.put_sealed(held, page);
            computed += PAGE_TOKENS;
        }
        if computed == held.sealed * PAGE_TOKENS
            && held.pages.len() == held.sealed
            && let Some((page, tokens)) = self.tail(&held.before, ids, computed, most)
        {
            self.tails.remove(&held.before);
            self.all[page as usize].content = Content::Private;
            self.hold(page);
            held.pages.push(page);
            computed += tokens;
        }
        computed
    }

    /// The tail after `before` and how many tokens it has in common with `ids` from `computed` on.
    fn tail(
        &self,
        before: &Before,
        ids: &[u32],
        computed: usize,
        most: usize,
    ) -> Option<(u32, usize)> {
        let page = *self.tails.get(before)?;
        let Content::Tail { ids: own, .. } = &self.all[page as usize].content else {
            return None;
        };
        let wanted = ids.get(computed..most.min(ids.len()))?;
        let common = own.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        (common > 0).then_some((page, common))
    }

    /// Grows a sequence's list until it holds `tokens` tokens, or takes nothing.
    pub(crate) fn grow(&mut self, held: &mut Held, tokens: usize) -> Result<(), Error> {
        let wanted = Self::needed(tokens).saturating_sub(held.pages.len());
        if wanted > self.available() {
            let (free, pages) = (self.available(), self.count());
            return Err(Error::CacheFull { free, pages, wanted });
        }
        for _ in 0..wanted {
            let Some(page) = self.free.pop().or_else(|| self.evict()) else { break };
            self.all[page as usize].holders = 1;
            held.pages.push(page);
        }
        Ok(())
    }

    /// Seals what `computed` tokens have filled. Where somebody else has sealed the same, that page is
    /// held instead and the own one given back: they are equal, bit for bit.
    pub(crate) fn seal(&mut self, held: &mut Held, ids: &[u32], computed: usize) {
        while (held.sealed + 1) * PAGE_TOKENS <= computed
            && let Some(name) = held.next_name(ids)
            && let Some(own) = held.pages.get(held.sealed).copied()
        {
            if let Some(page) = self.sealed.get(&name).copied() {
                self.hold(page);
                self.put_sealed(held, page);
                continue;
            }
            self.numbers += 1;
            let number = self.numbers;
            self.sealed.insert(name.clone(), own);
            self.all[own as usize].content = Content::Sealed { name, number };
            held.sealed += 1;
            held.before = Before::Page(number);
        }
    }

    /// Lets go of all pages; what `computed` tokens of `ids` have filled stays findable.
    pub(crate) fn release(&mut self, held: &mut Held, ids: &[u32], computed: usize) {
        self.seal(held, ids, computed);
        let sealed = held.sealed;
        let rest = ids.get(sealed * PAGE_TOKENS..computed.min(ids.len())).unwrap_or_default();
        while held.pages.len() > sealed {
            let Some(page) = held.pages.pop() else { break };
            self.all[page as usize].holders = 0;
            if held.pages.len() == sealed && !rest.is_empty() {
                self.keep_tail(page, held.before.clone(), rest);
            } else {
                self.free.push(page);
            }
        }
        while let Some(page) = held.pages.pop() {
            let state = &mut self.all[page as usize];
            state.holders -= 1;
            if state.holders == 0 {
                self.rest(page);
            }
        }
        *held = Held::new(Arc::clone(&held.domain));
    }

    fn keep_tail(&mut self, page: u32, before: Before, ids: &[u32]) {
        if let Some(older) = self.tails.insert(before.clone(), page) {
            self.idle.remove(&self.all[older as usize].idle_since);
            self.all[older as usize].content = Content::Private;
            self.free.push(older);
        }
        self.all[page as usize].content = Content::Tail { before, ids: ids.to_vec() };
        self.rest(page);
    }

    /// One more holder.
    fn hold(&mut self, page: u32) {
        let state = &mut self.all[page as usize];
        if state.holders == 0 {
            self.idle.remove(&state.idle_since);
        }
        state.holders += 1;
    }

    /// Puts a sealed page, already held, where the sequence's next would come.
    fn put_sealed(&mut self, held: &mut Held, page: u32) {
        match held.pages.get_mut(held.sealed) {
            Some(own) => {
                let own = std::mem::replace(own, page);
                self.all[own as usize].holders = 0;
                self.free.push(own);
            }
            None => held.pages.push(page),
        }
        held.sealed += 1;
        if let Content::Sealed { number, .. } = self.all[page as usize].content {
            held.before = Before::Page(number);
        }
    }

    /// Whether every page is accounted for once, when these and nobody else hold pages.
    pub(crate) fn are_sound<'h>(&self, holding: impl Iterator<Item = &'h Held>) -> bool {
        let mut holders = vec![0; self.all.len()];
        let mut private_once = true;
        for held in holding {
            for (at, page) in held.pages.iter().enumerate() {
                holders[*page as usize] += 1;
                let sealed = matches!(self.all[*page as usize].content, Content::Sealed { .. });
                private_once &= sealed == (at < held.sealed)
                    && (sealed || self.all[*page as usize].holders == 1);
            }
        }
        let mut free = self.free.clone();
        free.sort_unstable();
        free.dedup();
        let found = |page: &Page, number: u32| match &page.content {
            Content::Private => page.holders > 0 || free.binary_search(&number).is_ok(),
            Content::Sealed { name, .. } => self.sealed.get(name) == Some(&number),
            Content::Tail { before, .. } => self.tails.get(before) == Some(&number),
        };
        let findable = self.all.iter().filter(|p| !matches!(p.content, Content::Private)).count();
        let idle = self.idle.iter().all(|(since, page)| {
            let page = &self.all[*page as usize];
            page.holders == 0 && page.idle_since == *since
        });
        private_once
            && idle
            && free.len() == self.free.len()
            && findable == self.sealed.len() + self.tails.len()
            && self.all.iter().zip(&holders).all(|(page, holders)| page.holders == *holders)
            && self.all.iter().zip(0..).all(|(page, number)| found(page, number))
            && self.free.len() + self.idle.len() + holders.iter().filter(|n| **n > 0).count()
                == self.all.len()
    }

    /// A findable page nobody holds any more.
    fn rest(&mut self, page: u32) {
        self.clock += 1;
        self.all[page as usize].idle_since = self.clock;
        self.idle.insert(self.clock, page);
    }

    /// Forgets the idle page used longest ago.
    fn evict(&mut self) -> Option<u32> {
        let (_, page) = self.idle.pop_first()?;
        match std::mem::replace(&mut self.all[page as usize].content, Content::Private) {
            Content::Sealed { name, .. } => drop(self.sealed.remove(&name)),
            Content::Tail { before, .. } => drop(self.tails.remove(&before)),
            Content::Private => {}
        }
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: usize = PAGE_TOKENS;

    fn domain(tenant: u64, salt: &str) -> Arc<Domain> {
        let salt = salt.as_bytes().to_vec();
        Arc::new(Domain { tenant: Tenant(tenant), salt, variants: vec![0], alone: None })
    }

    fn ids(count: usize) -> Vec<u32> {
        (0..count as u32).collect()
    }

    /// Computes `ids` whole and lets go.
    fn leave(pages: &mut Pages, domain: &Arc<Domain>, ids: &[u32]) {
        let mut held = Held::new(Arc::clone(domain));
        pages.grow(&mut held, ids.len()).unwrap();
        pages.seal(&mut held, ids, ids.len());
        pages.release(&mut held, ids, ids.len());
    }

    #[test]
    fn pages_are_taken_and_given_back_whole() {
        let mut pages = Pages::new(3);
        let (mut a, mut b) = (Held::new(domain(0, "")), Held::new(domain(0, "")));
        pages.grow(&mut a, P + 1).unwrap();
        assert_eq!(a.pages(), [0, 1]);
        assert!(pages.grow(&mut b, 2 * P).is_err());
        assert!(b.pages().is_empty() && pages.free() == 1);
        pages.release(&mut a, &[], 0);
        assert_eq!(pages.free(), 3);
        pages.grow(&mut b, 3 * P).unwrap();
        assert_eq!(b.pages().len(), 3);
    }

    #[test]
    fn a_prefix_is_found_by_its_own_domain_only() {
        let mut pages = Pages::new(8);
        let own = domain(1, "a");
        leave(&mut pages, &own, &ids(2 * P + 5));
        assert_eq!((pages.free(), pages.idle()), (5, 3));
        let again = ids(3 * P);
        assert_eq!(pages.find(&own, &again, 3 * P), Found { pages: 3, idle: 3 });
        for other in [domain(1, ""), domain(1, "b"), domain(2, "a")] {
            assert_eq!(pages.find(&other, &again, 3 * P), Found::default());
            let mut held = Held::new(other);
            assert_eq!(pages.follow(&mut held, &again, 0, 3 * P), 0);
        }
        let mut variant = (*own).clone();
        variant.variants = vec![1];
        assert_eq!(pages.find(&Arc::new(variant), &again, 3 * P), Found::default());
        let mut held = Held::new(Arc::clone(&own));
        assert_eq!(pages.follow(&mut held, &again, 0, 3 * P), 2 * P + 5);
        // The tail is now this sequence's own.
        let mut second = Held::new(Arc::clone(&own));
        assert_eq!(pages.follow(&mut second, &again, 0, 3 * P), 2 * P);
        assert_eq!(held.pages()[..2], second.pages()[..2]);
        assert_eq!(pages.find(&own, &again, P), Found { pages: 1, idle: 0 }, "no more than asked");
        pages.release(&mut held, &again, 2 * P + 5);
        pages.release(&mut second, &again, 2 * P);
        assert_eq!(pages.available(), 8);
    }

    #[test]
    fn a_prefix_that_differs_early_shares_nothing_after() {
        let mut pages = Pages::new(8);
        let own = domain(0, "");
        leave(&mut pages, &own, &ids(3 * P));
        let mut other = ids(3 * P);
        other[0] = 999;
        assert_eq!(pages.find(&own, &other, 3 * P), Found::default());
        let mut other = ids(3 * P);
        other[P + 3] = 999;
        assert_eq!(pages.find(&own, &other, 3 * P).pages, 1);
    }

    #[test]
    fn equal_pages_become_one() {
        let mut pages = Pages::new(4);
        let own = domain(0, "");
        let (mut a, mut b) = (Held::new(Arc::clone(&own)), Held::new(Arc::clone(&own)));
        let tokens = ids(P + 1);
        pages.grow(&mut a, P + 1).unwrap();
        pages.grow(&mut b, P + 1).unwrap();
        assert_eq!(pages.free(), 0);
        pages.seal(&mut a, &tokens, P);
        pages.seal(&mut b, &tokens, P);
        assert_eq!(pages.free(), 1);
        assert_eq!(a.pages()[0], b.pages()[0]);
        assert_ne!(a.pages()[1], b.pages()[1]);
        pages.release(&mut a, &tokens, P);
        assert_eq!(pages.idle(), 0, "the other still holds it");
        pages.release(&mut b, &tokens, P);
        assert_eq!((pages.free(), pages.idle()), (3, 1));
    }

    #[test]
    fn the_least_recently_used_goes_first_and_leaves_before_what_it_follows() {
        let mut pages = Pages::new(4);
        let own = domain(0, "");
        let (old, new): (Vec<u32>, Vec<u32>) = (ids(2 * P), (500..500 + 2 * P as u32).collect());
        leave(&mut pages, &own, &old);
        leave(&mut pages, &own, &new);
        let mut held = Held::new(Arc::clone(&own));
        pages.grow(&mut held, P).unwrap();
        assert_eq!(pages.find(&own, &old, 2 * P).pages, 1, "its second page went");
        pages.grow(&mut held, 2 * P).unwrap();
        assert_eq!(pages.find(&own, &old, 2 * P).pages, 0);
        assert_eq!(pages.find(&own, &new, 2 * P).pages, 2);
        pages.release(&mut held, &[], 0);
        assert_eq!(pages.available(), 4);
    }
}
