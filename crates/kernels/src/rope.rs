//! Rotary position embedding (Su et al. 2021): pairs of a head's entries turned by an angle.

use crate::buffer::SharedMut;
use crate::{HeadRows, Kernels};

/// Which entries of a head form a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeStyle {
    /// Entry `i` and entry `i + dims / 2` (GPT-NeoX, Hugging Face).
    Halves,
    /// Entries `2i` and `2i + 1` (the original, GGUF's Llama).
    Interleaved,
}

/// What of a head is turned, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rope {
    /// Which entries form a pair.
    pub style: RopeStyle,
    /// The first entry that takes part.
    pub first_dim: usize,
    /// How many entries take part (even); the others stay.
    pub dims: usize,
}

impl Kernels {
    /// Turns the heads of `x` in place: pair `i` of every head of row `r` by the angle whose cosine and
    /// sine are `cos[r, i]` and `sin[r, i]`, both `[rows, dims / 2]` (with the family's scaling factor
    /// multiplied in, if it has one).
    ///
    /// Panics when lengths do not fit.
    pub fn rope(&self, x: &mut [f32], at: HeadRows, rope: Rope, cos: &[f32], sin: &[f32]) {
        let half = rope.dims / 2;
        assert!(
            rope.dims.is_multiple_of(2) && rope.first_dim + rope.dims <= at.head_dim,
            "{rope:?} in {at:?}"
        );
        if half == 0 {
            return;
        }
        let rows = cos.len() / half;
        assert!(cos.len() == rows * half && sin.len() == cos.len(), "angles are [rows, dims / 2]");
        assert!(rows == at.rows(x.len()), "{} rows of x, {rows} of angles", at.rows(x.len()));
        let x = SharedMut::new(x);
        self.over_rows(rows, at.heads * rope.dims, &|range| {
            for row in range {
                let (cos, sin) = (&cos[row * half..][..half], &sin[row * half..][..half]);
                for head in 0..at.heads {
                    let start =
                        row * at.row_stride + at.first + head * at.head_dim + rope.first_dim;
                    // SAFETY: heads are disjoint; the table's instructions are present.
                    unsafe {
                        (self.table.rope)(x.part(start..start + rope.dims), rope.style, cos, sin);
                    };
                }
            }
        });
    }
}
