//! The pages of the cache: who holds which.
//!
//! A page is [`PAGE_TOKENS`] tokens of keys and values in every layer at once (page `p` of each layer's
//! cache), so one list of page numbers describes a sequence.

use kernels::PAGE_TOKENS;

use crate::Error;

/// Free and taken pages.
#[derive(Debug)]
pub(crate) struct Pages {
    free: Vec<u32>,
    count: usize,
}

impl Pages {
    /// `count` free pages.
    pub(crate) fn new(count: usize) -> Self {
        // Taken from the end: low numbers first.
        Pages { free: (0..count as u32).rev().collect(), count }
    }

    /// Pages not taken.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Pages that `tokens` tokens need.
    pub(crate) fn needed(tokens: usize) -> usize {
        tokens.div_ceil(PAGE_TOKENS)
    }

    /// Grows a sequence's list until it holds `tokens` tokens, or takes nothing.
    pub(crate) fn grow(&mut self, pages: &mut Vec<u32>, tokens: usize) -> Result<(), Error> {
        let wanted = Self::needed(tokens).saturating_sub(pages.len());
        if wanted > self.free.len() {
            return Err(Error::CacheFull { free: self.free.len(), pages: self.count, wanted });
        }
        let from = self.free.len() - wanted;
        pages.extend(self.free.drain(from..).rev());
        Ok(())
    }

    /// Shrinks a sequence's list to what `tokens` tokens need.
    pub(crate) fn shrink(&mut self, pages: &mut Vec<u32>, tokens: usize) {
        let keep = Self::needed(tokens).min(pages.len());
        self.free.extend(pages.drain(keep..).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_taken_and_given_back_whole() {
        let mut pages = Pages::new(3);
        let (mut a, mut b) = (vec![], vec![]);
        pages.grow(&mut a, PAGE_TOKENS + 1).unwrap();
        assert_eq!(a, [0, 1]);
        assert!(pages.grow(&mut b, 2 * PAGE_TOKENS).is_err());
        assert!(b.is_empty() && pages.free() == 1);
        pages.shrink(&mut a, PAGE_TOKENS);
        assert_eq!(pages.free(), 2);
        pages.grow(&mut b, 2 * PAGE_TOKENS).unwrap();
        assert_eq!((a, b), (vec![0], vec![1, 2]));
    }
}
