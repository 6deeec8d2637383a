//! One step's input: rows of several sequences, one after another.

use std::ops::Range;

use kernels::{PAGE_TOKENS, Slot};

/// One sequence's rows in a batch.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its rows of the batch, at consecutive positions.
    pub rows: Range<usize>,
    /// The position of the first of them.
    pub first_position: usize,
    /// Its pages of the cache, in order of position, enough for its last row.
    pub pages: Vec<u32>,
    /// The length that decides its rotation where that depends on it; see [`model::Rope::variant`].
    pub rope_length: usize,
}

/// A ragged batch: prefill chunks and single tokens of several sequences.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Token ids `[rows]`.
    pub ids: Vec<u32>,
    /// The position of each row `[rows]`.
    pub positions: Vec<u32>,
    /// Where each row's keys and values go `[rows]`.
    pub slots: Vec<Slot>,
    /// The sequences.
    pub spans: Vec<Span>,
    /// Rows whose logits are wanted, ascending.
    pub wanted: Vec<u32>,
}

impl Batch {
    /// Adds a sequence's next `ids`, from `first_position`. `wanted` are those of the new rows, counted
    /// from 0, whose logits are wanted.
    pub fn push(
        &mut self,
        ids: &[u32],
        first_position: usize,
        pages: &[u32],
        rope_length: usize,
        wanted: Range<usize>,
    ) {
        let start = self.ids.len();
        self.ids.extend_from_slice(ids);
        for position in first_position..first_position + ids.len() {
            self.positions.push(position as u32);
            self.slots.push(Slot {
                page: pages[position / PAGE_TOKENS],
                offset: (position % PAGE_TOKENS) as u32,
            });
        }
        let rows = start..self.ids.len();
        let pages = pages.to_vec();
        self.spans.push(Span { rows, first_position, pages, rope_length });
        self.wanted.extend(wanted.map(|row| (start + row) as u32));
    }

    /// Rows in it.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.positions.clear();
        self.slots.clear();
        self.spans.clear();
        self.wanted.clear();
    }
}
