//! What a graph costs, added up without touching a weight.

use crate::{
    graph::{Graph, NodeId},
    op::{Mask, Op, ValueStore},
};

/// Counts that hold for any backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Numbers in all parameters, tied ones once.
    pub params: u64,
    /// Numbers a token's computation reads: of experts only those chosen, of an embedding one row.
    pub active_params: u64,
    /// Multiplications with weights for one token.
    pub macs_per_token: u64,
    /// Numbers one token adds to all layers' caches.
    pub kv_per_token: u64,
}

/// Adds up a graph.
pub fn counts(graph: &Graph) -> Counts {
    let own = graph.params.iter().filter(|param| param.tied_to.is_none());
    let mut counts = Counts { params: own.map(|p| p.elements() as u64).sum(), ..Counts::default() };
    for node in &graph.nodes {
        let elements = |id: usize| graph.params[id].elements() as u64;
        let (read, macs) = match &node.op {
            Op::Embed { .. } | Op::EmbedPosition { .. } => (node.width as u64, 0),
            Op::Linear { weight, .. } | Op::HeadLinear { weight } => {
                (elements(*weight), elements(*weight))
            }
            Op::ExpertLinear { weight, .. } => {
                let [experts, ..] = graph.params[*weight].shape;
                let one = elements(*weight) / experts as u64 * node.rows_per_token as u64;
                (one, one)
            }
            op => (Graph::params_of(op).into_iter().map(elements).sum(), 0),
        };
        counts.active_params += read;
        counts.macs_per_token += macs;
    }
    counts.kv_per_token = graph
        .attentions()
        .map(|a| (a.kv_heads * (a.key_dim + own_value_dim(a.value, a.value_dim))) as u64)
        .sum();
    counts
}

fn own_value_dim(value: ValueStore, value_dim: usize) -> usize {
    if value == ValueStore::Own { value_dim } else { 0 }
}

/// Multiplications attention needs for one token that sees `depth` earlier ones, all layers.
pub fn attention_macs(graph: &Graph, depth: usize) -> u64 {
    let seen = |mask: Mask| match mask {
        Mask::Causal => depth + 1,
        Mask::Window(n) => n.min(depth + 1),
    };
    graph.attentions().map(|a| (a.heads * (a.key_dim + a.value_dim) * seen(a.mask)) as u64).sum()
}

/// Which buffer each node's value lies in, so that values share memory once their last reader has run.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    /// For each node, the index of its buffer.
    pub of: Vec<usize>,
    /// For each buffer, entries a token (rows a token times width), the most any of its nodes needs.
    pub widths: Vec<usize>,
    /// For each buffer, entries a *wanted* row: nodes after [`Op::Wanted`] have rows only for those.
    pub wanted_widths: Vec<usize>,
}

/// Whether a node may write its result over its first input.
pub fn in_place(op: &Op) -> bool {
    matches!(op, Op::Rope { .. } | Op::Add | Op::Mul | Op::Scale { .. } | Op::Softcap { .. })
}

/// Assigns buffers first come, first free. A node shares its buffer with its first input where it may
/// write over it ([`in_place`]) and is its last reader, and with no other input.
pub fn buffers(graph: &Graph) -> Buffers {
    let last_use = last_uses(graph);
    let wanted_from =
        graph.nodes.iter().position(|node| node.op == Op::Wanted).unwrap_or(graph.nodes.len());
    let mut buffers = Buffers::default();
    let mut free: Vec<usize> = vec![];
    for (id, node) in graph.nodes.iter().enumerate() {
        let width = node.width * node.rows_per_token;
        let wanted = id >= wanted_from;
        let widths = if wanted { &buffers.wanted_widths } else { &buffers.widths };
        let first = node.inputs.first().copied();
        let over = first.filter(|input| {
            in_place(&node.op)
                && last_use[*input] == id
                && graph.nodes[*input].width == node.width
                && node.inputs[1..].iter().all(|other| other != input)
        });
        if let Some(input) = over {
            buffers.of.push(buffers.of[input]);
            release(&mut free, &buffers.of, &node.inputs[1..], |input| last_use[input] == id);
            continue;
        }
        // The free buffer that fits best: the smallest large enough, else the largest.
        let best = free.iter().copied().enumerate().min_by_key(|(_, buffer)| {
            let has = widths[*buffer];
            (has < width, has.abs_diff(width))
        });
        let buffer = match best {
            Some((at, buffer)) => {
                free.swap_remove(at);
                buffer
            }
            None => {
                buffers.widths.push(0);
                buffers.wanted_widths.push(0);
                buffers.widths.len() - 1
            }
        };
        let widths = if wanted { &mut buffers.wanted_widths } else { &mut buffers.widths };
        widths[buffer] = widths[buffer].max(width);
        buffers.of.push(buffer);
        release(&mut free, &buffers.of, &node.inputs, |input| last_use[input] == id);
    }
    buffers
}

fn release(free: &mut Vec<usize>, of: &[usize], inputs: &[NodeId], done: impl Fn(NodeId) -> bool) {
    for input in inputs.iter().copied().filter(|input| done(*input)) {
        if !free.contains(&of[input]) {
            free.push(of[input]);
        }
    }
}

fn last_uses(graph: &Graph) -> Vec<NodeId> {
    let mut last: Vec<NodeId> = (0..graph.nodes.len()).map(|_| usize::MAX).collect();
    for (id, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            last[*input] = id;
        }
    }
    last
}
