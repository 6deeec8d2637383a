//! Activation functions, alone and as gates.
//!
//! The exponential, hyperbolic tangent and error function are polynomials in `f32` (no tables), the
//! same for every lane and tail, within about 1e-6 of the true value.

use crate::Kernels;
use crate::buffer::SharedMut;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x · sigmoid(x)`, also called swish.
    Silu,
    /// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x/2 · (1 + erf(x / √2))`, the exact one.
    GeluErf,
    /// `x · sigmoid(1.702 x)`.
    GeluQuick,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²`.
    Relu2,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 8] = [
        Activation::Silu,
        Activation::GeluTanh,
        Activation::GeluErf,
        Activation::GeluQuick,
        Activation::Relu,
        Activation::Relu2,
        Activation::Sigmoid,
        Activation::Tanh,
    ];
}

/// Where a gate's and its partner's rows lie, so that both can be halves of one product:
/// `gate[row · stride ..][..width]`, likewise `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateRows {
    /// Elements of a row.
    pub width: usize,
    /// Elements from one row to the next in `gate` and in `up`.
    pub stride: usize,
}

impl GateRows {
    fn check(&self, gate: &[f32], up: &[f32], out: &[f32]) -> usize {
        assert!(self.width > 0 && self.width <= self.stride, "{self:?}");
        let rows = out.len() / self.width;
        assert_eq!(out.len(), rows * self.width, "out is [rows, width]");
        let needed = if rows == 0 { 0 } else { (rows - 1) * self.stride + self.width };
        assert!(
            gate.len() >= needed && up.len() >= needed,
            "gate and up are shorter than {rows} rows of {self:?}"
        );
        rows
    }
}

impl Kernels {
    /// `out[i] = kind(x[i])`.
    pub fn activate(&self, kind: Activation, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "as many results as arguments");
        let out = SharedMut::new(out);
        self.over_rows(x.len(), 1, &|range| {
            // SAFETY: ranges are disjoint; the table's instructions are present.
            unsafe { (self.table.activate)(kind, &x[range.clone()], out.part(range)) };
        });
    }

    /// `out[i] = kind(gate[i]) · up[i]`.
    pub fn activate_mul(&self, kind: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
        let width = out.len().max(1);
        assert!(
            gate.len() == out.len() && up.len() == out.len(),
            "gate, up and out are equally long"
        );
        self.activate_mul_rows(kind, GateRows { width, stride: width }, gate, up, out);
    }

    /// [`Kernels::activate_mul`] where the rows of `gate` and `up` lie in wider rows (the two halves of
    /// a joined product); `out` is `[rows, width]`.
    pub fn activate_mul_rows(
        &self,
        kind: Activation,
        at: GateRows,
        gate: &[f32],
        up: &[f32],
        out: &mut [f32],
    ) {
        let loops = self.table.activate_mul;
        // SAFETY: the table's instructions are present.
        self.gated(at, gate, up, out, &|gate, up, out| unsafe { loops(kind, gate, up, out) });
    }

    /// gpt-oss's gate: with `g = min(gate, limit)` and `u = clamp(up, −limit, limit)`,
    /// `out = (u + 1) · g · sigmoid(alpha · g)`. Rows as in [`Kernels::activate_mul_rows`].
    pub fn swiglu_clamped(
        &self,
        clamp: SwigluClamp,
        at: GateRows,
        gate: &[f32],
        up: &[f32],
        out: &mut [f32],
    ) {
        let loops = self.table.swiglu_clamped;
        // SAFETY: the table's instructions are present.
        self.gated(at, gate, up, out, &|gate, up, out| unsafe { loops(clamp, gate, up, out) });
    }

    fn gated(&self, at: GateRows, gate: &[f32], up: &[f32], out: &mut [f32], f: &Gate<'_>) {
        let rows = at.check(gate, up, out);
        if rows == 0 {
            return;
        }
        let out = SharedMut::new(out);
        // Rows may be few and wide, so they are cut into pieces too: no sum runs along them.
        let pieces = if rows >= self.threads() { 1 } else { at.width.div_ceil(PIECE) };
        let piece = at.width.div_ceil(pieces);
        self.over_rows(rows * pieces, piece, &|range| {
            for index in range {
                let (row, start) = (index / pieces, index % pieces * piece);
                let end = (start + piece).min(at.width);
                if start >= end {
                    continue;
                }
                let from = row * at.stride + start..row * at.stride + end;
                // SAFETY: pieces are disjoint.
                let out = unsafe { out.part(row * at.width + start..row * at.width + end) };
                f(&gate[from.clone()], &up[from], out);
            }
        });
    }
}

/// Elements of a row that are one piece of work.
const PIECE: usize = 2048;

type Gate<'a> = dyn Fn(&[f32], &[f32], &mut [f32]) + Sync + 'a;

/// The constants of [`Kernels::swiglu_clamped`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SwigluClamp {
    /// Gates are clamped from above, partners on both sides.
    pub limit: f32,
    /// Steepness of the sigmoid.
    pub alpha: f32,
}
