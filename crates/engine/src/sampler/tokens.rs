//! A set of token ids, one bit each: what a grammar allows next, or what breaks a DRY match.

/// A set of token ids below `vocab`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenSet {
    words: Vec<u32>,
    vocab: usize,
}

impl TokenSet {
    /// The empty set over `vocab` ids.
    pub fn none(vocab: usize) -> Self {
        Self { words: vec![0; vocab.div_ceil(32)], vocab }
    }

    /// Every id below `vocab`.
    pub fn all(vocab: usize) -> Self {
        Self::from_words(&vec![u32::MAX; vocab.div_ceil(32)], vocab)
    }

    /// From a bit mask as grammar engines give it: id `i` is bit `i % 32` of word `i / 32`.
    /// Missing words count as zeros, bits beyond `vocab` are dropped.
    pub fn from_words(words: &[u32], vocab: usize) -> Self {
        let mut set = Self::none(vocab);
        set.copy_words(words);
        set
    }

    /// The ids whose bytes contain one of `needles`; `pieces` gives the bytes of every id in
    /// order. Empty needles are skipped.
    pub fn containing<P: AsRef<[u8]>>(
        needles: &[&str],
        pieces: impl IntoIterator<Item = P>,
    ) -> Self {
        let mut set = Self::default();
        for piece in pieces {
            let bytes = piece.as_ref();
            let found = needles.iter().filter(|needle| !needle.is_empty()).any(|needle| {
                bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
            });
            let id = set.vocab;
            set.vocab += 1;
            set.words.resize(set.vocab.div_ceil(32), 0);
            if found {
                set.insert(id as u32);
            }
        }
        set
    }

    /// Adds an id; one outside the vocabulary is left out and `false` returned.
    pub fn insert(&mut self, id: u32) -> bool {
        let inside = (id as usize) < self.vocab;
        if inside && let Some(word) = self.words.get_mut(id as usize / 32) {
            *word |= 1 << (id % 32);
        }
        inside
    }

    /// Takes an id out.
    pub fn remove(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 32) {
            *word &= !(1 << (id % 32));
        }
    }

    /// Takes every id out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Puts every id in.
    pub fn fill(&mut self) {
        self.words.fill(u32::MAX);
        self.trim();
    }

    /// Becomes what a bit mask says, as [`TokenSet::from_words`] reads it, without allocating.
    pub fn copy_words(&mut self, words: &[u32]) {
        self.words.fill(0);
        for (own, &given) in self.words.iter_mut().zip(words) {
            *own = given;
        }
        self.trim();
    }

    /// Drops bits beyond the vocabulary.
    fn trim(&mut self) {
        if !self.vocab.is_multiple_of(32)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.vocab % 32)) - 1;
        }
    }

    /// Whether the id is in the set.
    #[inline]
    pub fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 32).is_some_and(|word| word >> (id % 32) & 1 == 1)
    }

    /// How many ids the set may hold.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// How many ids are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no id is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The bits: id `i` is bit `i % 32` of word `i / 32`.
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_go_in_and_out() {
        for vocab in [0, 1, 31, 32, 33, 100] {
            let all = TokenSet::all(vocab);
            assert_eq!(all.len(), vocab);
            assert!(!all.contains(vocab as u32));
            let mut set = TokenSet::none(vocab);
            assert!(set.is_empty());
            assert_eq!(set.insert(32), vocab > 32);
            assert_eq!(set.contains(32), vocab > 32);
            set.remove(32);
            set.remove(4_000_000);
            assert!(set.is_empty());
            set.fill();
            assert_eq!(set, all);
            set.clear();
            assert!(set.is_empty());
            set.copy_words(all.words());
            assert_eq!(set, all);
        }
    }

    #[test]
    fn breakers_are_the_tokens_that_contain_them() {
        let set = TokenSet::containing(&["\n", ":", ""], ["a", ".\n\n", ":", "b:c", "\"", ""]);
        assert_eq!((0..6).filter(|&id| set.contains(id)).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(set.vocab(), 6);
    }
}
