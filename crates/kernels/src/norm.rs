//! Normalisation of rows: RMS norm (Zhang & Sennrich 2019) and layer norm (Ba et al. 2016).

use crate::Kernels;
use crate::buffer::SharedMut;

/// Heads inside wider rows: `x[row · row_stride + first + head · head_dim ..][..head_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadRows {
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Where in a row the first head begins.
    pub first: usize,
    /// Heads in a row, one after another.
    pub heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl HeadRows {
    /// How many rows a slice of `len` elements holds; the last need not be whole.
    pub(crate) fn rows(&self, len: usize) -> usize {
        let used = self.first + self.heads * self.head_dim;
        assert!(used <= self.row_stride, "heads reach past their row: {self:?}");
        if len < used { 0 } else { (len - used) / self.row_stride + 1 }
    }
}

impl Kernels {
    /// `out = x / sqrt(mean(x²) + eps) · gain`, row by row. `x`, `out`: `[rows, width]`; `gain`:
    /// `[width]`, 1 when there is none.
    ///
    /// Panics when lengths do not fit.
    pub fn rms_norm(
        &self,
        x: &[f32],
        gain: Option<&[f32]>,
        eps: f32,
        width: usize,
        out: &mut [f32],
    ) {
        let rows = rows_of(x, width, out.len());
        assert!(gain.is_none_or(|g| g.len() == width), "a gain is [width]");
        let out = SharedMut::new(out);
        self.over_rows(rows, width, &|range| {
            for row in range {
                // SAFETY: rows are disjoint; the table's instructions are present.
                unsafe {
                    let out = out.part(row * width..(row + 1) * width);
                    (self.table.rms_norm)(&x[row * width..][..width], gain, eps, out);
                }
            }
        });
    }

    /// `x += add`, then RMS norm of the sum into `out`: a residual connection and the norm after it in
    /// one pass over memory. All `[rows, width]`.
    pub fn add_rms_norm(
        &self,
        x: &mut [f32],
        add: &[f32],
        gain: Option<&[f32]>,
        eps: f32,
        width: usize,
        out: &mut [f32],
    ) {
        let rows = rows_of(x, width, out.len());
        assert_eq!(add.len(), x.len(), "what is added is as long as x");
        assert!(gain.is_none_or(|g| g.len() == width), "a gain is [width]");
        let (x, out) = (SharedMut::new(x), SharedMut::new(out));
        self.over_rows(rows, width, &|range| {
            for row in range {
                let at = row * width..(row + 1) * width;
                // SAFETY: rows are disjoint; the table's instructions are present.
                unsafe {
                    let (x, out) = (x.part(at.clone()), out.part(at.clone()));
                    (self.table.add)(x, &add[at]);
                    (self.table.rms_norm)(x, gain, eps, out);
                }
            }
        });
    }

    /// RMS norm of every head in place (the query and key norms of Qwen3, Gemma 3, OLMo 2…). `gain`:
    /// `[head_dim]`, shared by the heads.
    pub fn rms_norm_heads(&self, x: &mut [f32], at: HeadRows, gain: Option<&[f32]>, eps: f32) {
        assert!(gain.is_none_or(|g| g.len() == at.head_dim), "a gain is [head_dim]");
        let rows = at.rows(x.len());
        let x = SharedMut::new(x);
        self.over_rows(rows, at.heads * at.head_dim, &|range| {
            for index in range.start * at.heads..range.end * at.heads {
                let (row, head) = (index / at.heads, index % at.heads);
                let start = row * at.row_stride + at.first + head * at.head_dim;
                // SAFETY: heads are disjoint; the table's instructions are present.
                unsafe {
                    (self.table.rms_norm_in_place)(x.part(start..start + at.head_dim), gain, eps);
                };
            }
        });
    }

    /// `out = (x − mean) / sqrt(variance + eps) · gain + bias`, row by row. `x`, `out`: `[rows, width]`;
    /// `gain`, `bias`: `[width]`, 1 and 0 when there are none.
    pub fn layer_norm(
        &self,
        x: &[f32],
        gain: Option<&[f32]>,
        bias: Option<&[f32]>,
        eps: f32,
        width: usize,
        out: &mut [f32],
    ) {
        let rows = rows_of(x, width, out.len());
        assert!(gain.is_none_or(|g| g.len() == width), "a gain is [width]");
        assert!(bias.is_none_or(|b| b.len() == width), "a bias is [width]");
        let out = SharedMut::new(out);
        self.over_rows(rows, width, &|range| {
            for row in range {
                // SAFETY: rows are disjoint; the table's instructions are present.
                unsafe {
                    let out = out.part(row * width..(row + 1) * width);
                    (self.table.layer_norm)(&x[row * width..][..width], gain, bias, eps, out);
                }
            }
        });
    }
}

/// How many rows of `width`; panics unless `x` and `out` are that many.
fn rows_of(x: &[f32], width: usize, out: usize) -> usize {
    assert!(width > 0, "rows of no width");
    let rows = x.len() / width;
    assert!(
        x.len() == rows * width && out == x.len(),
        "{} elements into {out} in rows of {width}",
        x.len()
    );
    rows
}
