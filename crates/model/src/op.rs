//! The vocabulary every backend speaks: coarse operations with typed fields.
//!
//! An operation is admitted when two families need it, or when composing it from others would
//! materialise something larger than its inputs (attention, routed experts). Shapes are written
//! slowest axis first; `tokens` is the number of rows of the step's ragged batch.

use crate::{graph::ParamId, rope::RopeId};

/// A scalar function applied to every entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x * sigmoid(x)`
    Silu,
    /// Gaussian error linear unit in its tanh form (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// Gaussian error linear unit by the error function (`gelu`).
    GeluErf,
    /// `x * sigmoid(1.702 x)` (`quick_gelu`).
    GeluQuick,
    /// `max(x, 0)`
    Relu,
    /// `max(x, 0)²`
    Relu2,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
}

/// Which keys a query may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Every position up to its own.
    Causal,
    /// The last `n` positions, its own among them.
    Window(usize),
}

/// How values are kept in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueStore {
    /// Beside the keys.
    Own,
    /// Not at all: a value is the first entries of its key (latent attention).
    PrefixOfKey,
}

/// Attention of `heads` query heads over `kv_heads` cached heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// The layer whose cache is read and appended to.
    pub layer: usize,
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Entries of a query or key head.
    pub key_dim: usize,
    /// Entries of a value head.
    pub value_dim: usize,
    /// Which keys a query may see.
    pub mask: Mask,
    /// Factor on each score.
    pub scale: f32,
    /// Scores pass `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
    /// Where values come from.
    pub value: ValueStore,
}

/// What turns router logits into scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Softmax over all experts, then the best.
    Softmax,
    /// Sigmoid of each logit, then the best.
    Sigmoid,
    /// The best logits, then softmax over them alone.
    SoftmaxOfChosen,
}

/// How the value of a group of experts is judged before experts are chosen within the best groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The best expert's score.
    Max,
    /// The sum of the two best experts' scores.
    TopTwoSum,
}

/// Only experts of the best `keep` of `count` equal groups may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Number of groups.
    pub count: usize,
    /// Groups that stay.
    pub keep: usize,
    /// How a group is judged.
    pub by: GroupBy,
}

/// Whether the chosen experts' weights are divided by their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renormalise {
    /// They are, so that they add up to one.
    Yes,
    /// They stay as scored.
    No,
}

/// How experts are chosen for a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// Experts chosen for each row.
    pub k: usize,
    /// From logits to scores.
    pub score: Score,
    /// Limits the choice to groups.
    pub groups: Option<Groups>,
    /// What becomes of the chosen scores.
    pub renormalise: Renormalise,
    /// Factor on each weight in the end.
    pub scale: f32,
}

/// One operation. Widths and inputs are the node's.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// ids `[tokens]` -> rows of the table `[tokens, hidden]`
    Embed {
        /// `[vocab, hidden]`
        table: ParamId,
    },
    /// positions `[tokens]` -> rows of the table `[tokens, hidden]`
    EmbedPosition {
        /// `[positions, hidden]`
        table: ParamId,
    },
    /// Root-mean-square norm over every `group` entries; the gain covers one group or the whole row.
    RmsNorm {
        /// `[group]` or `[width]`; absent means one.
        gain: Option<ParamId>,
        /// Added to the mean square.
        eps: f32,
        /// Entries normalised together.
        group: usize,
    },
    /// Norm to zero mean and unit variance over every `group` entries.
    LayerNorm {
        /// `[group]` or `[width]`; absent means one.
        gain: Option<ParamId>,
        /// As the gain; absent means zero.
        bias: Option<ParamId>,
        /// Added to the variance.
        eps: f32,
        /// Entries normalised together.
        group: usize,
    },
    /// `[tokens, in]` x `[out, in]` (+ `[out]`) -> `[tokens, out]`
    Linear {
        /// `[out, in]`
        weight: ParamId,
        /// `[out]`
        bias: Option<ParamId>,
    },
    /// `[tokens, heads * in]` -> `[tokens, heads * out]`, each head through its own matrix.
    HeadLinear {
        /// `[heads, out, in]`
        weight: ParamId,
    },
    /// Turns entries `first ..` of each head by the row's position.
    Rope {
        /// Which of the graph's rotations.
        rope: RopeId,
        /// Equal parts of a row.
        heads: usize,
        /// First entry of a head that turns.
        first: usize,
    },
    /// q `[tokens, heads, key_dim]`, k `[tokens, kv_heads, key_dim]`, v `[tokens, kv_heads, value_dim]`
    /// -> `[tokens, heads, value_dim]`. Appends k and v to the layer's cache first. v is not an input
    /// where values are a prefix of the keys.
    Attend {
        /// Everything but the inputs.
        attention: Attention,
        /// `[heads]`: a score each head may spend on nothing (gpt-oss).
        sinks: Option<ParamId>,
    },
    /// `f(x)`
    Activate(Activation),
    /// `f(gate) * up`
    ActivateMul(Activation),
    /// `(min(max(up, -limit), limit) + 1) * g * sigmoid(alpha * g)` with `g = min(gate, limit)` (gpt-oss).
    SwigluClamped {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// Bound on gate and up.
        limit: f32,
    },
    /// `cap * tanh(x / cap)`
    Softcap {
        /// The bound.
        cap: f32,
    },
    /// `a + b`
    Add,
    /// `a * b`; b may be one entry a row.
    Mul,
    /// `a * factor`
    Scale {
        /// The factor.
        factor: f32,
    },
    /// Entries `start .. start + len` of every `group` entries.
    Slice {
        /// First entry kept.
        start: usize,
        /// Entries kept.
        len: usize,
        /// Entries a part has.
        group: usize,
    },
    /// a `[tokens, parts, x]`, b `[tokens, parts | 1, y]` -> `[tokens, parts, x + y]`
    Concat {
        /// Parts of a row of a.
        parts: usize,
    },
    /// router logits `[tokens, experts]` -> routes `[tokens, k, 2]` (expert, weight)
    Route {
        /// How experts are chosen.
        routing: Routing,
        /// `[experts]`: added to the scores for choosing only (DeepSeek-V3).
        select_bias: Option<ParamId>,
    },
    /// x `[tokens, in]`, routes -> `[tokens * k, out]`, or x `[tokens * k, in]` likewise: each routed
    /// row through its expert's matrix.
    ExpertLinear {
        /// `[experts, out, in]`
        weight: ParamId,
        /// `[experts, out]`
        bias: Option<ParamId>,
    },
    /// `[tokens * k, width]`, routes -> `[tokens, width]`: the weighted sum over each row's experts.
    Combine,
    /// Keeps the rows whose logits were asked for: `[tokens, width]` -> `[wanted, width]`.
    Wanted,
}
