//! The model's measures, from its graph.

use engine::ModelFile;
use model::op::Mask;
use serde::Serialize;

/// What the graph says of a model.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    pub(super) family: &'static str,
    pub(super) params: u64,
    pub(super) active_params: u64,
    pub(super) context: usize,
    pub(super) layers: usize,
    pub(super) hidden: usize,
    pub(super) vocab: usize,
    /// The kinds of attention there are, in order of their first layer.
    pub(super) attention: Vec<Attention>,
    /// Experts and how many of them a token uses, where there are any.
    pub(super) experts: Option<Experts>,
    /// Numbers a token adds to the cache.
    pub(super) kv_numbers_per_token: u64,
}

/// One kind of attention and the layers that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Attention {
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) value_dim: usize,
    /// Tokens it sees, where that is less than all.
    pub(super) window: Option<usize>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Experts {
    pub(super) count: usize,
    pub(super) used: usize,
}

impl Facts {
    pub(super) fn of(file: &ModelFile) -> Self {
        let model = file.model();
        let counts = model::plan::counts(&model.graph);
        Facts {
            family: model.family,
            params: counts.params,
            active_params: counts.active_params,
            context: model.context,
            layers: model.layers,
            hidden: model.hidden,
            vocab: model.vocab,
            attention: attention(&model.graph),
            experts: experts(&model.graph),
            kv_numbers_per_token: counts.kv_per_token,
        }
    }
}

fn attention(graph: &model::Graph) -> Vec<Attention> {
    let mut kinds: Vec<Attention> = vec![];
    for a in graph.attentions() {
        let window = match a.mask {
            Mask::Causal => None,
            Mask::Window(window) => Some(window),
        };
        let one = Attention {
            layers: 1,
            heads: a.heads,
            kv_heads: a.kv_heads,
            head_dim: a.key_dim,
            value_dim: a.value_dim,
            window,
        };
        match kinds.iter_mut().find(|kind| Attention { layers: 1, ..**kind } == one) {
            Some(kind) => kind.layers += 1,
            None => kinds.push(one),
        }
    }
    kinds
}

fn experts(graph: &model::Graph) -> Option<Experts> {
    graph.nodes.iter().find_map(|node| match &node.op {
        model::Op::ExpertLinear { weight, .. } => {
            Some(Experts { count: graph.params[*weight].shape[0], used: node.rows_per_token })
        }
        _ => None,
    })
}
