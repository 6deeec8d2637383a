//! A finished description of a model: its operations in execution order, and its parameters.

use std::panic::Location;

use crate::{
    op::{Attention, Op},
    rope::Rope,
    source::Source,
};

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;
/// Index of a parameter in [`Graph::params`].
pub type ParamId = usize;

/// One step of the computation.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Nodes it reads, always earlier ones.
    pub inputs: Vec<NodeId>,
    /// Entries of one row.
    pub width: usize,
    /// Rows for each token: 1, or `k` where rows were dispatched to experts.
    pub rows_per_token: usize,
    /// The layer it belongs to; `None` before the first and after the last.
    pub layer: Option<usize>,
    /// The line of the family that drew it.
    pub site: &'static Location<'static>,
}

/// A named weight: a stack of matrices `[experts, out, in]`, or a vector where `out` is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The canonical (GGUF) name, suffix and all: `blk.0.attn_q.weight`.
    pub name: String,
    /// `[experts, out, in]`
    pub shape: [usize; 3],
    /// Where a checkpoint keeps it.
    pub source: Source,
    /// Shares the numbers of another parameter (tied output head).
    pub tied_to: Option<ParamId>,
}

impl Param {
    /// Numbers in it.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is a vector (a gain, a bias), not a matrix.
    pub fn is_vector(&self) -> bool {
        self.shape[0] == 1 && self.shape[1] == 1
    }
}

/// A finished model description.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Every step, inputs before users. The last is the logits `[wanted, vocab]`.
    pub nodes: Vec<Node>,
    /// Every weight, declared where it is first used.
    pub params: Vec<Param>,
    /// The rotations that [`Op::Rope`] names.
    pub ropes: Vec<Rope>,
}

impl Graph {
    /// Every attention, first layer to last.
    pub fn attentions(&self) -> impl Iterator<Item = &Attention> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::Attend { attention, .. } => Some(attention),
            _ => None,
        })
    }

    /// The parameters an operation reads.
    pub fn params_of(op: &Op) -> Vec<ParamId> {
        let (first, second) = match op {
            Op::Embed { table } | Op::EmbedPosition { table } => (Some(*table), None),
            Op::RmsNorm { gain, .. } => (*gain, None),
            Op::LayerNorm { gain, bias, .. } => (*gain, *bias),
            Op::Linear { weight, bias } | Op::ExpertLinear { weight, bias } => {
                (Some(*weight), *bias)
            }
            Op::HeadLinear { weight } => (Some(*weight), None),
            Op::Attend { sinks, .. } => (*sinks, None),
            Op::Route { select_bias, .. } => (*select_bias, None),
            Op::Rope { .. }
            | Op::Activate(_)
            | Op::ActivateMul(_)
            | Op::SwigluClamped { .. }
            | Op::Softcap { .. }
            | Op::Add
            | Op::Mul
            | Op::Scale { .. }
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Combine
            | Op::Wanted => (None, None),
        };
        first.into_iter().chain(second).collect()
    }

    /// The parameter whose numbers stand for this one: itself, unless it is tied.
    pub fn resolve(&self, param: ParamId) -> ParamId {
        self.params[param].tied_to.unwrap_or(param)
    }
}
