//! Pair merging: the one loop behind byte-level BPE and SentencePiece BPE.
//!
//! A text starts as a chain of symbols. As long as some neighbours may merge, the pair with the
//! lowest rank does, the leftmost first among equals. Short chains look through all pairs each
//! time; long ones keep the candidates in a heap, so that a megabyte of one letter costs
//! `n log n` and not `n²`. A heap entry is stale when either of its sides has changed since; the
//! width of the merged span tells.
//!
//! Sennrich et al. 2016, "Neural machine translation of rare words with subword units".

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A stretch of the text that has become one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// The token, or [`NO_TOKEN`] while the text of the symbol is none.
    pub(crate) id: u32,
    /// Where it begins, in bytes.
    pub(crate) start: u32,
    /// Where it ends, in bytes.
    pub(crate) end: u32,
}

/// The id of a symbol whose text is not a token.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

/// Which neighbours may merge.
pub(crate) trait Merges {
    /// The rank of merging the two (lower first) and the token that results.
    fn find(&self, left: Symbol, right: Symbol) -> Option<(u32, u32)>;
    /// Called for each merge done.
    fn merged(&mut self, left: Symbol, right: Symbol, id: u32) {
        let _ = (left, right, id);
    }
}

/// Chains up to this length are scanned instead of kept in a heap.
const SHORT: usize = 24;

/// Merges until nothing merges any more.
pub(crate) fn merge_all(symbols: &mut Vec<Symbol>, merges: &mut impl Merges) {
    match symbols.len() {
        0 | 1 => {}
        2..=SHORT => merge_short(symbols, merges),
        _ => merge_long(symbols, merges),
    }
}

fn merge_short(symbols: &mut Vec<Symbol>, merges: &mut impl Merges) {
    const NEVER: (u32, u32) = (u32::MAX, NO_TOKEN);
    let mut ranks = [NEVER; SHORT];
    for (slot, pair) in ranks.iter_mut().zip(symbols.windows(2)) {
        *slot = merges.find(pair[0], pair[1]).unwrap_or(NEVER);
    }
    loop {
        let pairs = symbols.len() - 1;
        let best = (0..pairs).min_by_key(|&i| (ranks[i].0, i));
        let Some(i) = best.filter(|&i| ranks[i].1 != NO_TOKEN) else { return };
        let id = ranks[i].1;
        merges.merged(symbols[i], symbols[i + 1], id);
        symbols[i] = Symbol { id, start: symbols[i].start, end: symbols[i + 1].end };
        symbols.remove(i + 1);
        ranks.copy_within(i + 1..pairs, i);
        if i + 1 < symbols.len() {
            ranks[i] = merges.find(symbols[i], symbols[i + 1]).unwrap_or(NEVER);
        }
        if i > 0 {
            ranks[i - 1] = merges.find(symbols[i - 1], symbols[i]).unwrap_or(NEVER);
        }
        if symbols.len() == 1 {
            return;
        }
    }
}

/// No neighbour on this side.
const NONE: u32 = u32::MAX;

fn merge_long(symbols: &mut Vec<Symbol>, merges: &mut impl Merges) {
    let count = symbols.len() as u32;
    let mut prev: Vec<u32> = (0..count).map(|i| i.checked_sub(1).unwrap_or(NONE)).collect();
    let mut next: Vec<u32> = (1..=count).map(|i| if i == count { NONE } else { i }).collect();
    let mut heap: BinaryHeap<Candidate> = BinaryHeap::new();
    for left in 0..count - 1 {
        heap.extend(candidate(merges, symbols, left, left + 1));
    }
    while let Some(Reverse((_, left, right, width, id))) = heap.pop() {
        let (l, r) = (symbols[left as usize], symbols[right as usize]);
        if next[left as usize] != right || r.end.wrapping_sub(l.start) != width || l.end == l.start
        {
            continue;
        }
        merges.merged(l, r, id);
        symbols[left as usize] = Symbol { id, start: l.start, end: r.end };
        symbols[right as usize].end = symbols[right as usize].start; // gone
        let after = next[right as usize];
        next[left as usize] = after;
        next[right as usize] = NONE;
        if after != NONE {
            prev[after as usize] = left;
            heap.extend(candidate(merges, symbols, left, after));
        }
        let before = prev[left as usize];
        if before != NONE {
            heap.extend(candidate(merges, symbols, before, left));
        }
    }
    symbols.retain(|symbol| symbol.end > symbol.start);
}

/// A heap entry: rank, left, right, width of the merged span in bytes, token.
type Candidate = Reverse<(u32, u32, u32, u32, u32)>;

fn candidate(merges: &impl Merges, symbols: &[Symbol], left: u32, right: u32) -> Option<Candidate> {
    let (l, r) = (symbols[left as usize], symbols[right as usize]);
    merges.find(l, r).map(|(rank, id)| Reverse((rank, left, right, r.end - l.start, id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any two neighbours of equal width merge, the wider the earlier.
    struct Doubling;

    impl Merges for Doubling {
        fn find(&self, left: Symbol, right: Symbol) -> Option<(u32, u32)> {
            let width = left.end - left.start;
            (width == right.end - right.start).then(|| (1000 - width.min(999), width * 2))
        }
    }

    fn chain(count: u32) -> Vec<Symbol> {
        (0..count).map(|i| Symbol { id: 1, start: i, end: i + 1 }).collect()
    }

    #[test]
    fn short_and_long_chains_merge_alike() {
        for count in 2..=SHORT as u32 {
            let (mut short, mut long) = (chain(count), chain(count));
            merge_short(&mut short, &mut Doubling);
            merge_long(&mut long, &mut Doubling);
            assert_eq!(short, long, "{count} symbols");
        }
    }
}
