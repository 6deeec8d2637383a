//! Parts that many decoders share: projections that a checkpoint may keep fused, and gated
//! feed-forward networks. The graph has the same parameters however the file cuts them up.

use super::HeadDims;
use crate::{
    Facts,
    facts::Dialect,
    net::{Bias, Flat, Heads, Scope, Weight},
    op::Activation,
    source::{Rows, Turn},
};

/// How a checkpoint keeps the projections to queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fused {
    /// A matrix each.
    No,
    /// One `attn_qkv`: all queries, then all keys, then all values.
    Stacked,
    /// One `attn_qkv`: for each key head its queries, the key, the value.
    Grouped,
}

impl Fused {
    /// The hub's way, or what a GGUF file does.
    pub(super) fn of(facts: &Facts<'_>, hub: Fused) -> Self {
        match facts.dialect {
            Dialect::HuggingFace => hub,
            Dialect::Gguf if facts.gguf_has("blk.0.attn_qkv.weight") => Fused::Stacked,
            Dialect::Gguf => Fused::No,
        }
    }
}

/// How queries, keys and values are projected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Projection {
    pub(super) fused: Fused,
    pub(super) bias: Bias,
    pub(super) turn: Turn,
}

impl Projection {
    /// Three matrices, with biases or not.
    pub(super) fn plain(bias: impl Into<Bias>) -> Self {
        Projection { fused: Fused::No, bias: bias.into(), turn: Turn::None }
    }

    /// Kept fused in this way.
    pub(super) fn fused(self, fused: Fused) -> Self {
        Projection { fused, ..self }
    }
}

impl HeadDims {
    /// Queries, keys and values of `h`: `[tokens, heads | kv_heads, head_dim]`.
    #[track_caller]
    pub(super) fn project<'n>(&self, h: Flat<'n>, l: Scope, how: Projection) -> [Heads<'n>; 3] {
        let (d, group) = (self.head_dim, self.heads / self.kv_heads);
        let stride = (group + 2) * d;
        let grouped = |first: usize, run: usize| Rows { first: first * d, run: run * d, stride };
        let part = |weight: Weight, first: usize, rows: Rows| {
            let weight = weight.bias(how.bias).turned(how.turn);
            match how.fused {
                Fused::No => weight,
                Fused::Stacked => weight.rows_of("attn_qkv", Rows::from(first)),
                Fused::Grouped => weight.rows_of("attn_qkv", rows),
            }
        };
        let q = part(l.w("attn_q"), 0, grouped(0, group));
        let k = part(l.w("attn_k"), self.q(), grouped(group, 1));
        let v = part(l.w("attn_v"), self.q() + self.kv(), grouped(group + 1, 1));
        [
            h.linear(q, self.q()).heads(self.heads),
            h.linear(k, self.kv()).heads(self.kv_heads),
            h.linear(v, self.kv()).heads(self.kv_heads),
        ]
    }
}

/// A gated feed-forward network: `down(f(gate(h)) * up(h))`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gated {
    pub(super) ffn: usize,
    pub(super) act: Activation,
    pub(super) bias: Bias,
    pub(super) kept: Kept,
}

/// How a checkpoint keeps the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// As a matrix of its own.
    Apart,
    /// As the first rows of `ffn_up`.
    BeforeUp,
}

impl Kept {
    /// Fused, unless a GGUF file has the gate apart.
    pub(super) fn before_up_unless_apart(facts: &Facts<'_>) -> Self {
        if facts.gguf_has("blk.0.ffn_gate.weight") { Kept::Apart } else { Kept::BeforeUp }
    }
}

impl Gated {
    /// `[tokens, hidden]` -> `[tokens, hidden]`
    #[track_caller]
    pub(super) fn of<'n>(&self, h: Flat<'n>, l: Scope) -> Flat<'n> {
        let (gate, up) = (l.w("ffn_gate").bias(self.bias), l.w("ffn_up").bias(self.bias));
        let (gate, up) = match self.kept {
            Kept::Apart => (gate, up),
            Kept::BeforeUp => {
                (gate.rows_of("ffn_up", Rows::from(0)), up.rows_of("ffn_up", Rows::from(self.ffn)))
            }
        };
        let mixed = h.linear(gate, self.ffn).activate_mul(self.act, h.linear(up, self.ffn));
        mixed.linear(l.w("ffn_down").bias(self.bias), h.width())
    }
}

/// The rotation of layers with a window, where the reference stretches only the others: its own set of
/// `rope_parameters`, or the base `theta` unstretched.
pub(super) fn local_rope(
    facts: &Facts<'_>,
    full: &crate::facts::Turning<'_>,
    theta: f64,
) -> Result<crate::Rope, crate::Error> {
    const LOCAL: &str = "sliding_attention";
    if facts.rope_nested(LOCAL) {
        return facts.rope_as(&crate::facts::Turning { kind: Some(LOCAL), ..*full });
    }
    let style = if facts.dialect == Dialect::Gguf { full.gguf } else { full.hub };
    Ok(crate::Rope { style, dims: full.dims, theta, scaling: crate::rope::Scaling::None })
}

/// A plain feed-forward network: `down(f(up(h)))`.
#[track_caller]
pub(super) fn plain_ffn(
    h: Flat<'_>,
    l: Scope,
    (ffn, act): (usize, Activation),
    (bias, turn): (Bias, Turn),
) -> Flat<'_> {
    let w = |name| l.w(name).bias(bias).turned(turn);
    h.linear(w("ffn_up"), ffn).activate(act).linear(w("ffn_down"), h.width())
}
