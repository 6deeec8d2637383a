//! What a step of a model reads and computes: the graph, its formats and the kernels' packed bytes,
//! no weight read.
//!
//! A step reads every packed matrix once, of a stack of experts those its rows choose (chosen evenly,
//! `k` of `E` for each row, `E (1 - (1 - k/E)^rows)` of them are met), and each sequence's cache as far
//! as its masks see. Products of block formats are eight-bit operations, of BF16 and FP8 BF16
//! operations, all else F32; a multiplication with its addition counts as two. Activations stay in
//! the caches and are not counted.

use engine::{ModelFile, Params};
use kernels::{Kernels, KvFormat, KvShape, PAGE_TOKENS};
use machine::{Cost, Work};
use model::{
    Graph, Model, Op,
    op::{Mask, ValueStore},
    schedule,
};
use quant::Format;

/// How a parameter is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Rows are looked up in the file, or the numbers are another parameter's.
    Elsewhere,
    /// Packed for products.
    Product,
    /// As F32.
    Vector,
}

/// The weights of a model in given formats: bytes and arithmetic of every product.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    products: Vec<Product>,
    /// Bytes of packed matrices and vectors in memory.
    pub(crate) memory: u64,
    /// Bytes a file with these formats takes for its tensors.
    pub(crate) file: u64,
    /// Numbers in all parameters, tied ones once.
    params: u64,
    /// Formats of the products.
    pub(crate) formats: Vec<&'static Format>,
}

/// One product in the graph.
#[derive(Clone, Copy, Debug)]
struct Product {
    bytes: u64,
    /// Multiplications for one row of the batch.
    macs: u64,
    format: &'static Format,
    /// `(experts, chosen for each row)`, where they are routed.
    routed: Option<(u64, u64)>,
    /// Only for rows whose logits are wanted.
    wanted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int8,
    Bf16,
    F32,
}

impl Kind {
    fn of(format: &Format) -> Self {
        match format.name {
            "BF16" => Kind::Bf16,
            name if name.starts_with("F8_") => Kind::Bf16,
            _ if format.block > 1 => Kind::Int8,
            _ => Kind::F32,
        }
    }
}

impl Weights {
    /// The weights as the file has them.
    pub(crate) fn of_file(file: &ModelFile, kernels: &Kernels) -> anyhow::Result<Self> {
        let mut weights = Self::with(file.model(), kernels, &|id, _| file.format(id))?;
        weights.file = file.checkpoint().tensor_bytes();
        Ok(weights)
    }

    /// The weights with every matrix in `format`; where its rows are no whole number of blocks, in the
    /// first of Q8_0 and F16 that fits. Vectors are F32.
    pub(crate) fn in_format(
        model: &Model,
        kernels: &Kernels,
        format: &'static Format,
    ) -> anyhow::Result<Self> {
        Self::with(model, kernels, &|_, ins| fitting(format, ins))
    }

    fn with(
        model: &Model,
        kernels: &Kernels,
        format_of: &dyn Fn(usize, usize) -> &'static Format,
    ) -> anyhow::Result<Self> {
        let graph = &model.graph;
        let mut weights =
            Weights { products: vec![], memory: 0, file: 0, params: 0, formats: vec![] };
        let mut packed = vec![0_u64; graph.params.len()];
        for (id, used) in uses(graph).into_iter().enumerate() {
            let param = &graph.params[id];
            let [experts, outs, ins] = param.shape;
            if param.tied_to.is_none() {
                let elements = param.elements() as u64;
                let matrix = outs > 1 && used != Use::Vector;
                let format = if matrix { format_of(id, ins) } else { &quant::F32 };
                let row = format.bytes_for(ins).unwrap_or(4 * ins) as u64;
                weights.file += row * (experts * outs) as u64;
                weights.params += elements;
            }
            match used {
                Use::Elsewhere => {}
                Use::Product => {
                    packed[id] =
                        kernels.packed_bytes(format_of(id, ins), experts, outs, ins)? as u64;
                    weights.memory += packed[id];
                }
                Use::Vector => weights.memory += 4 * param.elements() as u64,
            }
        }
        let wanted_from = graph.nodes.iter().position(|node| node.op == Op::Wanted);
        for (at, node) in graph.nodes.iter().enumerate() {
            let (weight, routed) = match &node.op {
                Op::Linear { weight, .. } | Op::HeadLinear { weight } => (*weight, false),
                Op::ExpertLinear { weight, .. } => (*weight, true),
                _ => continue,
            };
            let id = graph.resolve(weight);
            let param = &graph.params[id];
            let elements = param.elements() as u64;
            let (experts, chosen) = (param.shape[0] as u64, node.rows_per_token as u64);
            weights.products.push(Product {
                bytes: packed[id],
                macs: if routed { elements / experts.max(1) * chosen } else { elements },
                format: format_of(id, param.shape[2]),
                routed: routed.then_some((experts, chosen)),
                wanted: wanted_from.is_some_and(|from| at >= from),
            });
        }
        for product in &weights.products {
            if !weights.formats.contains(&product.format) {
                weights.formats.push(product.format);
            }
        }
        Ok(weights)
    }

    /// Bits a weight takes in the file, all tensors counted.
    pub(crate) fn bits_per_weight(&self) -> f64 {
        8.0 * self.file as f64 / self.params.max(1) as f64
    }

    /// What one step costs.
    pub(crate) fn step(&self, model: &Model, step: &Step) -> Cost {
        let mut cost = Cost::default();
        for product in &self.products {
            let (bytes, ops) = product.step(step);
            cost.weight_bytes_read += bytes;
            match Kind::of(product.format) {
                Kind::Int8 => cost.int8_ops += ops,
                Kind::Bf16 => cost.bf16_ops += ops,
                Kind::F32 => cost.f32_ops += ops,
            }
        }
        cost.f32_ops += attention_ops(&model.graph, step);
        cost.kv_bytes_read = kv_bytes(&model.graph, step) * step.sequences as u64;
        cost
    }

    /// The same step by the loops that do it: what [`machine::Rates`] foretell from.
    pub(crate) fn work(&self, model: &Model, step: &Step) -> Work<'static> {
        let graph = &model.graph;
        let mut work = Work {
            cache: kv_name(step.kv),
            cache_bytes: kv_bytes(graph, step) * step.sequences as u64,
            attention_ops: attention_ops(graph, step),
            ..Work::default()
        };
        for product in &self.products {
            let (bytes, ops) = product.step(step);
            if bytes == 0 {
                continue;
            }
            let format = product.format.name;
            match work.products.iter_mut().find(|(name, ..)| *name == format) {
                Some((_, all_bytes, all_ops)) => {
                    *all_bytes += bytes;
                    *all_ops += ops;
                }
                None => work.products.push((format, bytes, ops)),
            }
        }
        let scheduled = schedule::products_together(graph);
        let mut before: Option<&model::graph::Node> = None;
        for node in &scheduled.nodes {
            match &node.op {
                Op::Linear { .. } | Op::ExpertLinear { .. } | Op::HeadLinear { .. } => {
                    let same = before.is_some_and(|before| {
                        schedule::together(&before.op, &node.op) && before.inputs == node.inputs
                    });
                    work.regions += u64::from(!same);
                }
                Op::Attend { .. } => work.regions += 1,
                _ => work.small += 1,
            }
            let rows = step.sequences * step.rows * node.rows_per_token;
            work.activation_bytes += 4 * (rows * node.width) as u64;
            before = Some(node);
        }
        // After the wanted rows are taken, only those go on.
        let after = |node: &&model::graph::Node| node.op != Op::Wanted;
        let late = scheduled.nodes.iter().skip_while(after).skip(1);
        let spared = (step.sequences * step.rows).saturating_sub(step.wanted);
        for node in late {
            work.activation_bytes -= 4 * (spared * node.rows_per_token * node.width) as u64;
        }
        work
    }
}

impl Product {
    /// Bytes of weights read and operations done in a step.
    fn step(&self, step: &Step) -> (u64, u64) {
        let rows = if self.wanted { step.wanted } else { step.sequences * step.rows };
        if rows == 0 {
            return (0, 0);
        }
        let bytes = match self.routed {
            None => self.bytes,
            Some((experts, chosen)) => met(self.bytes, experts, chosen, rows),
        };
        (bytes, 2 * self.macs * rows as u64)
    }
}

/// A cache format's name.
pub(crate) fn kv_name(format: KvFormat) -> &'static str {
    match format {
        KvFormat::F32 => "f32",
        KvFormat::F16 => "f16",
        KvFormat::Q8_0 => "q8_0",
    }
}

/// Operations of attention in a step.
fn attention_ops(graph: &Graph, step: &Step) -> u64 {
    let seen: u64 = (step.depth..step.depth + step.rows)
        .map(|depth| model::plan::attention_macs(graph, depth))
        .sum();
    2 * seen * step.sequences as u64
}

/// A step of the engine: `sequences` alike, each with `rows` new tokens after `depth` earlier ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Sequences in the batch.
    pub(crate) sequences: usize,
    /// New tokens of each.
    pub(crate) rows: usize,
    /// Tokens each has in the cache already.
    pub(crate) depth: usize,
    /// Rows whose logits are wanted.
    pub(crate) wanted: usize,
    /// How the cache keeps numbers.
    pub(crate) kv: KvFormat,
}

/// Two costs together.
pub(crate) fn sum(a: Cost, b: Cost) -> Cost {
    Cost {
        weight_bytes_read: a.weight_bytes_read + b.weight_bytes_read,
        kv_bytes_read: a.kv_bytes_read + b.kv_bytes_read,
        other_bytes: a.other_bytes + b.other_bytes,
        int8_ops: a.int8_ops + b.int8_ops,
        bf16_ops: a.bf16_ops + b.bf16_ops,
        f32_ops: a.f32_ops + b.f32_ops,
    }
}

/// All operations of a cost.
pub(crate) fn operations(cost: &Cost) -> u64 {
    cost.int8_ops + cost.bf16_ops + cost.f32_ops
}

/// A format whose blocks fill rows of `ins`.
fn fitting(format: &'static Format, ins: usize) -> &'static Format {
    let fits = |format: &Format| ins.is_multiple_of(format.block);
    [format, &quant::Q8_0].into_iter().find(|format| fits(format)).unwrap_or(&quant::F16)
}

/// Bytes of the experts that `rows` rows meet.
fn met(bytes: u64, experts: u64, chosen: u64, rows: usize) -> u64 {
    let missed = 1.0 - chosen.min(experts) as f64 / experts.max(1) as f64;
    let share = 1.0 - missed.powi(i32::try_from(rows).unwrap_or(i32::MAX));
    (bytes as f64 * share) as u64
}

/// Bytes of one sequence's cache that a step reads in all layers.
fn kv_bytes(graph: &Graph, step: &Step) -> u64 {
    let tokens = step.depth + step.rows;
    let bytes = |a: &model::op::Attention| {
        let seen = match a.mask {
            Mask::Causal => tokens,
            Mask::Window(window) => tokens.min(window + step.rows - 1),
        };
        let shape = KvShape {
            kv_heads: a.kv_heads,
            key_dim: a.key_dim,
            value_dim: a.value_dim,
            format: step.kv,
            value: match a.value {
                ValueStore::PrefixOfKey => kernels::ValueStore::PrefixOfKey,
                ValueStore::Own => kernels::ValueStore::Own,
            },
        };
        (shape.page_bytes() * seen / PAGE_TOKENS) as u64
    };
    graph.attentions().map(bytes).sum()
}

fn uses(graph: &Graph) -> Vec<Use> {
    let mut uses = vec![Use::Elsewhere; graph.params.len()];
    for node in &graph.nodes {
        match &node.op {
            Op::Embed { .. } | Op::EmbedPosition { .. } => {}
            Op::Linear { weight, bias } | Op::ExpertLinear { weight, bias } => {
                uses[graph.resolve(*weight)] = Use::Product;
                if let Some(bias) = bias {
                    uses[*bias] = Use::Vector;
                }
            }
            Op::HeadLinear { weight } => uses[*weight] = Use::Product,
            op => Graph::params_of(op).into_iter().for_each(|param| uses[param] = Use::Vector),
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_meet_more_and_more_experts() {
        assert_eq!(met(1000, 8, 2, 1), 250);
        assert!(met(1000, 8, 2, 4) > 600 && met(1000, 8, 2, 4) < 750);
        assert!(met(1000, 8, 2, 512) >= 999);
        assert_eq!(met(1000, 4, 4, 1), 1000);
    }

    #[test]
    fn a_row_that_blocks_do_not_fill_takes_the_next_format() {
        assert_eq!(fitting(&quant::Q4_K, 2048).name, "Q4_K");
        assert_eq!(fitting(&quant::Q4_K, 288).name, "Q8_0");
        assert_eq!(fitting(&quant::Q4_K, 100).name, "F16");
    }
}
