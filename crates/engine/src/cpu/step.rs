//! One step of the CPU backend: every node of the graph in turn.

use std::mem;

use kernels::{
    Activation as KernelActivation, AlignedBytes, Attend, GateRows, Group, GroupScore, HeadRows,
    Input, Job, Mask, Needs, Renormalise as KernelRenormalise, Rope as KernelRope,
    RopeStyle as KernelStyle, RouteGroups, RouteScore, Routing as KernelRouting, Sequence,
    SwigluClamp,
};
use model::{
    Op,
    graph::Node,
    op::{self, Activation, Attention, GroupBy, Renormalise, Score},
    plan,
    rope::RopeStyle,
    schedule,
};

use super::{Routes, Running};
use crate::{Batch, Error, Params};

impl Running {
    pub(super) fn step(&mut self, batch: &Batch) -> Result<(), Error> {
        self.turn(batch);
        self.routes.clear();
        let mut attention = 0;
        let mut id = 0;
        while id < self.graph.nodes.len() {
            let group = self.products_from(id);
            if group > 0 {
                self.products(id, group, batch);
                id += group;
                continue;
            }
            let buffer = self.layout.buffers.of[id];
            let rows = self.layout.rows(id, batch);
            let node = &self.graph.nodes[id];
            // The node's own buffer is taken out, so that its inputs can be read beside it.
            let mut out = mem::take(&mut self.buffers[buffer]);
            let len = rows * node.rows_per_token * node.width;
            let result = match &node.op {
                Op::Attend { attention: a, sinks } => {
                    let (a, sinks) = (*a, *sinks);
                    attention += 1;
                    self.attend(id, &a, sinks, attention - 1, batch, &mut out[..len])
                }
                Op::Route { .. } => {
                    self.route(id, rows);
                    Ok(())
                }
                _ => self.compute(id, rows, batch, &mut out, len),
            };
            self.buffers[buffer] = out;
            result?;
            id += 1;
        }
        Ok(())
    }

    /// The cosines and sines of this step's positions, once for each rotation.
    fn turn(&mut self, batch: &Batch) {
        for (rope, angles) in self.graph.ropes.iter().zip(&mut self.angles) {
            let half = rope.dims / 2;
            for span in &batch.spans {
                let frequencies = rope.frequencies(span.rope_length);
                for row in span.rows.clone() {
                    for (i, turns) in frequencies.turns.iter().enumerate() {
                        let at = row * half + i;
                        (angles.cos[at], angles.sin[at]) =
                            crate::angles(batch.positions[row], *turns, frequencies.attention);
                    }
                }
            }
        }
    }

    /// How many nodes from `id` on are products of one input that run as one.
    fn products_from(&self, id: usize) -> usize {
        let first = &self.graph.nodes[id];
        let alike =
            |node: &&Node| schedule::together(&first.op, &node.op) && node.inputs == first.inputs;
        self.graph.nodes[id..].iter().take_while(alike).count()
    }

    /// The value of a node's input, as far as it is filled.
    fn input(&self, id: usize, input: usize, rows: usize) -> &[f32] {
        let from = self.graph.nodes[id].inputs[input];
        let node = &self.graph.nodes[from];
        &self.buffers[self.layout.buffers.of[from]][..rows * node.rows_per_token * node.width]
    }

    /// Products of one input: rows prepared once, all matrices in one parallel region.
    fn products(&mut self, id: usize, count: usize, batch: &Batch) {
        let rows = self.layout.rows(id, batch);
        let mut outs: Vec<Vec<f32>> = (id..id + count)
            .map(|node| mem::take(&mut self.buffers[self.layout.buffers.of[node]]))
            .collect();
        let mut activations = mem::take(&mut self.activations);
        let x = self.input(id, 0, rows);
        let ins = self.graph.nodes[self.graph.nodes[id].inputs[0]].width;
        let weights = |node: usize| match &self.graph.nodes[node].op {
            Op::Linear { weight, bias } | Op::ExpertLinear { weight, bias } => {
                let bias = bias.map(|bias| self.held[bias].vector());
                (self.held[self.graph.resolve(*weight)].packed(), bias)
            }
            _ => unreachable!("only products are grouped"),
        };
        let needs =
            (id..id + count).fold(Needs::VALUES, |all, node| all.and(weights(node).0.needs()));
        self.kernels.activations(x, x.len() / ins, ins, needs, &mut activations);
        let input = activations.input(x);
        if let Op::ExpertLinear { .. } = self.graph.nodes[id].op {
            let [from, route] = self.graph.nodes[id].inputs[..] else {
                unreachable!("experts have rows and routes")
            };
            let routes = self.routes_of(route);
            let groups = routes.groups(self.routed(from));
            for (node, out) in (id..id + count).zip(&mut outs) {
                let (packed, bias) = weights(node);
                let width = self.graph.nodes[node].width;
                let len = routes.ids.len() * width;
                self.kernels.linear_experts(packed, input, &groups, &mut out[..len], width, bias);
            }
        } else {
            let mut jobs: Vec<Job<'_>> = (id..id + count)
                .zip(&mut outs)
                .map(|(node, out)| {
                    let (weights, bias) = weights(node);
                    let width = self.graph.nodes[node].width;
                    Job { weights, input, out: &mut out[..rows * width], out_stride: width, bias }
                })
                .collect();
            self.kernels.linear_many(&mut jobs);
        }
        self.activations = activations;
        for (node, out) in (id..id + count).zip(outs) {
            self.buffers[self.layout.buffers.of[node]] = out;
        }
    }

    /// Whether a value's rows lie in order of experts already. (With one expert a token their number does
    /// not tell.)
    fn routed(&self, node: usize) -> bool {
        let node = &self.graph.nodes[node];
        match node.op {
            Op::ExpertLinear { .. } => true,
            Op::ActivateMul(_) | Op::SwigluClamped { .. } => self.routed(node.inputs[0]),
            _ => false,
        }
    }

    fn routes_of(&self, node: usize) -> &Routes {
        self.routes
            .iter()
            .find(|routes| routes.node == node)
            .expect("routes come before their experts")
    }

    fn route(&mut self, id: usize, rows: usize) {
        let Op::Route { routing, select_bias } = &self.graph.nodes[id].op else {
            unreachable!("called for routers")
        };
        let experts = self.graph.nodes[self.graph.nodes[id].inputs[0]].width;
        let mut logits = self.input(id, 0, rows).to_vec();
        let k = routing.k;
        let mut routes = Routes::new(id, rows, k);
        let how = KernelRouting {
            k,
            score: match routing.score {
                Score::Softmax => RouteScore::Softmax,
                Score::Sigmoid => RouteScore::Sigmoid,
                Score::SoftmaxOfChosen => RouteScore::SoftmaxOfChosen,
            },
            select_bias: select_bias.map(|bias| self.held[bias].vector()),
            groups: routing.groups.map(|groups| RouteGroups {
                count: groups.count,
                keep: groups.keep,
                by: match groups.by {
                    GroupBy::Max => GroupScore::Max,
                    GroupBy::TopTwoSum => GroupScore::TopTwoSum,
                },
            }),
            renormalise: match routing.renormalise {
                Renormalise::Yes => KernelRenormalise::Yes,
                Renormalise::No => KernelRenormalise::No,
            },
            scale: routing.scale,
        };
        self.kernels.route(&mut logits, experts, &how, &mut routes.ids, &mut routes.weights);
        routes.sort(experts);
        self.routes.push(routes);
    }

    fn attend(
        &mut self,
        id: usize,
        a: &Attention,
        sinks: Option<usize>,
        index: usize,
        batch: &Batch,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let rows = batch.rows();
        let shape = self.shapes[index];
        let mut cache = mem::replace(&mut self.cache[index], AlignedBytes::zeroed(0)?);
        let own = a.value == op::ValueStore::Own;
        let values = if own { self.input(id, 2, rows) } else { &[] };
        let keys = self.input(id, 1, rows);
        self.kernels.kv_store(&shape, cache.as_mut_slice(), keys, values, &batch.slots);
        let params = Attend {
            heads: a.heads,
            scale: a.scale,
            window: match a.mask {
                op::Mask::Causal => None,
                op::Mask::Window(n) => Some(n),
            },
            softcap: a.softcap,
            mask: Mask::Causal,
            sinks: sinks.map(|sinks| self.held[sinks].vector()),
        };
        let sequences: Vec<Sequence<'_>> = batch
            .spans
            .iter()
            .map(|span| Sequence {
                pages: &span.pages,
                rows: span.rows.clone(),
                first_position: span.first_position,
            })
            .collect();
        let q = self.input(id, 0, rows);
        self.kernels.attend(&shape, &params, cache.as_slice(), q, &sequences, out);
        self.cache[index] = cache;
        Ok(())
    }

    /// Everything but products, attention and routing. `out` is the node's buffer, `len` what it fills.
    fn compute(
        &self,
        id: usize,
        rows: usize,
        batch: &Batch,
        out: &mut [f32],
        len: usize,
    ) -> Result<(), Error> {
        let node = &self.graph.nodes[id];
        let (k, width) = (&self.kernels, node.width);
        // Operations that write over their first input find it in their own buffer, or get a copy.
        if plan::in_place(&node.op) {
            let from = node.inputs[0];
            if self.layout.buffers.of[from] != self.layout.buffers.of[id] {
                out[..len].copy_from_slice(self.input(id, 0, rows));
            }
        }
        let out = &mut out[..len];
        let vector = |param: usize| self.held[param].vector();
        match &node.op {
            Op::Embed { table } => self.look_up(*table, &batch.ids, width, out)?,
            Op::EmbedPosition { table } => self.look_up(*table, &batch.positions, width, out)?,
            Op::RmsNorm { gain, eps, group } => {
                let gain = gain.map(vector);
                let shared = gain.filter(|gain| gain.len() == *group);
                k.rms_norm(self.input(id, 0, rows), shared, *eps, *group, out);
                if let Some(gain) = gain.filter(|gain| gain.len() != *group) {
                    multiply_rows(out, gain);
                }
            }
            Op::LayerNorm { gain, bias, eps, group } => {
                let (gain, bias) = (gain.map(vector), bias.map(vector));
                let x = self.input(id, 0, rows);
                if gain.is_none_or(|gain| gain.len() == *group) {
                    k.layer_norm(x, gain, bias, *eps, *group, out);
                } else {
                    k.layer_norm(x, None, None, *eps, *group, out);
                    gain.iter().for_each(|gain| multiply_rows(out, gain));
                    bias.iter().for_each(|bias| k.add_bias(out, bias));
                }
            }
            Op::HeadLinear { weight } => self.head_linear(id, *weight, rows, out),
            Op::Rope { rope, heads, first } => {
                let (rope, angles) = (&self.graph.ropes[*rope], &self.angles[*rope]);
                let used = rows * rope.dims / 2;
                let at = HeadRows {
                    row_stride: width,
                    first: 0,
                    heads: *heads,
                    head_dim: width / heads,
                };
                let style = match rope.style {
                    RopeStyle::Halves => KernelStyle::Halves,
                    RopeStyle::Interleaved => KernelStyle::Interleaved,
                };
                let how = KernelRope { style, first_dim: *first, dims: rope.dims };
                k.rope(out, at, how, &angles.cos[..used], &angles.sin[..used]);
            }
            Op::Activate(f) => k.activate(kind(*f), self.input(id, 0, rows), out),
            Op::ActivateMul(f) => {
                let at = GateRows { width, stride: width };
                let (gate, up) = (self.input(id, 0, rows), self.input(id, 1, rows));
                k.activate_mul_rows(kind(*f), at, gate, up, out);
            }
            Op::SwigluClamped { alpha, limit } => {
                let at = GateRows { width, stride: width };
                let clamp = SwigluClamp { alpha: *alpha, limit: *limit };
                k.swiglu_clamped(clamp, at, self.input(id, 0, rows), self.input(id, 1, rows), out);
            }
            Op::Softcap { cap } => k.softcap(out, *cap),
            Op::Add => k.add(out, self.input(id, 1, rows)),
            Op::Mul if self.graph.nodes[node.inputs[1]].width == width => {
                k.mul(out, self.input(id, 1, rows));
            }
            Op::Mul => {
                let factors = self.input(id, 1, rows);
                for (row, factor) in out.chunks_exact_mut(width).zip(factors) {
                    row.iter_mut().for_each(|x| *x *= factor);
                }
            }
            Op::Scale { factor } => k.scale(out, *factor),
            Op::Slice { start, len, group } => {
                let parts = self.input(id, 0, rows).chunks_exact(*group);
                for (out, part) in out.chunks_exact_mut(*len).zip(parts) {
                    out.copy_from_slice(&part[*start..start + len]);
                }
            }
            Op::Concat { parts } => self.concat(id, *parts, rows, out),
            Op::Combine => {
                let routes = self.routes_of(node.inputs[1]);
                let y = self.input(id, 0, rows);
                k.combine(y, Some(&routes.order), &routes.weights, routes.k, out);
            }
            Op::Wanted => {
                let x = self.input(id, 0, batch.rows());
                for (out, row) in out.chunks_exact_mut(width).zip(&batch.wanted) {
                    out.copy_from_slice(&x[*row as usize * width..][..width]);
                }
            }
            Op::Linear { .. } | Op::ExpertLinear { .. } | Op::Route { .. } | Op::Attend { .. } => {
                unreachable!("handled by step")
            }
        }
        Ok(())
    }

    /// Rows of a table in the file.
    fn look_up(
        &self,
        table: usize,
        at: &[u32],
        width: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        for (out, row) in out.chunks_exact_mut(width).zip(at) {
            self.file.rows(table, *row as usize..*row as usize + 1, out)?;
        }
        Ok(())
    }

    /// Each head through its own matrix: the heads are the experts, and every row goes to all of them.
    fn head_linear(&self, id: usize, weight: usize, rows: usize, out: &mut [f32]) {
        let [heads, outs, ins] = self.graph.params[weight].shape;
        let packed = self.held[weight].packed();
        let x = self.input(id, 0, rows);
        let mut activations = kernels::Activations::new();
        self.kernels.activations(x, rows * heads, ins, packed.needs(), &mut activations);
        let input: Input<'_> = activations.input(x);
        let lists: Vec<Vec<u32>> = (0..heads)
            .map(|head| (0..rows).map(|row| (row * heads + head) as u32).collect())
            .collect();
        let groups: Vec<Group<'_>> =
            lists.iter().enumerate().map(|(expert, rows)| Group { expert, rows }).collect();
        // Head by head comes out; row by row is wanted.
        let mut sorted = vec![0.0; out.len()];
        self.kernels.linear_experts(packed, input, &groups, &mut sorted, outs, None);
        for (at, part) in sorted.chunks_exact(outs).enumerate() {
            let (head, row) = (at / rows, at % rows);
            out[(row * heads + head) * outs..][..outs].copy_from_slice(part);
        }
    }

    fn concat(&self, id: usize, parts: usize, rows: usize, out: &mut [f32]) {
        let node = &self.graph.nodes[id];
        let width_of = |input: usize| self.graph.nodes[node.inputs[input]].width;
        let a = width_of(0) / parts;
        let b = node.width / parts - a;
        let (left, right) = (self.input(id, 0, rows), self.input(id, 1, rows));
        let shared = width_of(1) == b;
        for (i, out) in out.chunks_exact_mut(a + b).enumerate() {
            let from = if shared { i / parts } else { i };
            out[..a].copy_from_slice(&left[i * a..][..a]);
            out[a..].copy_from_slice(&right[from * b..][..b]);
        }
    }
}

fn multiply_rows(out: &mut [f32], gain: &[f32]) {
    for row in out.chunks_exact_mut(gain.len()) {
        row.iter_mut().zip(gain).for_each(|(x, gain)| *x *= gain);
    }
}

fn kind(f: Activation) -> KernelActivation {
    match f {
        Activation::Silu => KernelActivation::Silu,
        Activation::GeluTanh => KernelActivation::GeluTanh,
        Activation::GeluErf => KernelActivation::GeluErf,
        Activation::GeluQuick => KernelActivation::GeluQuick,
        Activation::Relu => KernelActivation::Relu,
        Activation::Relu2 => KernelActivation::Relu2,
        Activation::Sigmoid => KernelActivation::Sigmoid,
        Activation::Tanh => KernelActivation::Tanh,
    }
}
