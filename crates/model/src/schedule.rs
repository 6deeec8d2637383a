//! The order in which a graph's nodes run.

use crate::{
    graph::{Graph, NodeId},
    op::Op,
};

/// The same graph with products of one input side by side (q, k and v; gate and up), so that a
/// backend prepares that input once and runs them as one. Values do not change.
pub fn products_together(graph: &Graph) -> Graph {
    let mut order: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    let mut placed = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        if placed[id] {
            continue;
        }
        placed[id] = true;
        order.push(id);
        if !is_product(&node.op) {
            continue;
        }
        // Those of the same layer only: weights further on may share an input by chance.
        for (other, twin) in graph.nodes.iter().enumerate().skip(id + 1) {
            if twin.layer != node.layer {
                break;
            }
            if !placed[other] && together(&node.op, &twin.op) && twin.inputs == node.inputs {
                placed[other] = true;
                order.push(other);
            }
        }
    }
    let mut moved = vec![0; order.len()];
    order.iter().enumerate().for_each(|(now, before)| moved[*before] = now);
    let nodes = order.iter().map(|before| {
        let mut node = graph.nodes[*before].clone();
        node.inputs.iter_mut().for_each(|input| *input = moved[*input]);
        node
    });
    Graph { nodes: nodes.collect(), params: graph.params.clone(), ropes: graph.ropes.clone() }
}

/// Whether two products may run as one, given the same inputs.
pub fn together(a: &Op, b: &Op) -> bool {
    matches!(
        (a, b),
        (Op::Linear { .. }, Op::Linear { .. }) | (Op::ExpertLinear { .. }, Op::ExpertLinear { .. })
    )
}

fn is_product(op: &Op) -> bool {
    matches!(op, Op::Linear { .. } | Op::ExpertLinear { .. })
}
