//! Sums, products, scaling, soft capping, softmax: what needs no file of its own.

use crate::Kernels;
use crate::buffer::SharedMut;

impl Kernels {
    /// `x[i] += y[i]`.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        let f = self.table.add;
        // SAFETY: the table's instructions are present.
        self.in_place(x, y, &|x, y| unsafe { f(x, y) });
    }

    /// `x[i] *= y[i]`.
    pub fn mul(&self, x: &mut [f32], y: &[f32]) {
        let f = self.table.mul;
        // SAFETY: the table's instructions are present.
        self.in_place(x, y, &|x, y| unsafe { f(x, y) });
    }

    /// `x[i] += factor · y[i]`, rounded once.
    pub fn add_scaled(&self, x: &mut [f32], factor: f32, y: &[f32]) {
        let f = self.table.add_scaled;
        // SAFETY: the table's instructions are present.
        self.in_place(x, y, &|x, y| unsafe { f(x, factor, y) });
    }

    /// `x[row, i] += bias[i]`, with `x` `[rows, bias.len()]`.
    pub fn add_bias(&self, x: &mut [f32], bias: &[f32]) {
        if bias.is_empty() {
            return;
        }
        let width = bias.len();
        let rows = x.len() / width;
        assert_eq!(x.len(), rows * width, "x is [rows, width of the bias]");
        let x = SharedMut::new(x);
        self.over_rows(rows, width, &|range| {
            for row in range {
                // SAFETY: rows are disjoint; the table's instructions are present.
                unsafe { (self.table.add)(x.part(row * width..(row + 1) * width), bias) };
            }
        });
    }

    /// `x[i] *= factor`.
    pub fn scale(&self, x: &mut [f32], factor: f32) {
        let x = SharedMut::new(x);
        self.over_rows(x.len(), 1, &|range| {
            // SAFETY: ranges are disjoint; the table's instructions are present.
            unsafe { (self.table.scale)(x.part(range), factor) };
        });
    }

    /// `x[i] = cap · tanh(x[i] / cap)`: Gemma 2's soft limit on logits.
    pub fn softcap(&self, x: &mut [f32], cap: f32) {
        let x = SharedMut::new(x);
        self.over_rows(x.len(), 1, &|range| {
            // SAFETY: ranges are disjoint; the table's instructions are present.
            unsafe { (self.table.softcap)(x.part(range), cap) };
        });
    }

    /// Softmax of every row of `x` `[rows, width]` in place. A row of nothing but −∞ becomes zeros.
    pub fn softmax(&self, x: &mut [f32], width: usize) {
        assert!(
            width > 0 && x.len().is_multiple_of(width),
            "{} elements in rows of {width}",
            x.len()
        );
        let rows = x.len() / width;
        let x = SharedMut::new(x);
        self.over_rows(rows, width, &|range| {
            for row in range {
                // SAFETY: rows are disjoint; the table's instructions are present.
                unsafe { (self.table.softmax)(x.part(row * width..(row + 1) * width)) };
            }
        });
    }

    fn in_place(&self, x: &mut [f32], y: &[f32], f: &(dyn Fn(&mut [f32], &[f32]) + Sync)) {
        assert_eq!(x.len(), y.len(), "both are equally long");
        let x = SharedMut::new(x);
        self.over_rows(y.len(), 1, &|range| {
            // SAFETY: ranges are disjoint.
            let part = unsafe { x.part(range.clone()) };
            f(part, &y[range]);
        });
    }
}
