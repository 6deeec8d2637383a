//! A tensor as a file describes it, once everything about it has been checked.

use std::{ops::Range, sync::Arc};

use crate::Dtype;

/// A stored tensor: name, shape, type and place. Its bytes come from
/// [`Checkpoint::bytes`](crate::Checkpoint::bytes) and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The name. Any text: never use it as a path, and escape it before showing it
    /// ([`shown`](crate::shown)).
    pub name: Arc<str>,
    /// The shape, slowest axis first; empty for a single value.
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Which of the checkpoint's files it lies in.
    pub file: usize,
    /// Its bytes, from the start of that file.
    pub range: Range<u64>,
}

impl Tensor {
    /// How many elements it has. Cannot overflow: files whose shapes would are refused.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Elements along the last axis; 1 for a single value.
    pub fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows: the product of all axes but the last; 1 for a single value.
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, rest)| rest.iter().product())
    }

    /// How many bytes it takes.
    pub fn len_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }
}
