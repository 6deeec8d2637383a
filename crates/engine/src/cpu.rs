//! The CPU backend: packed weights, quantized activations, paged attention, through the `kernels` crate.
//!
//! A step walks the graph once. Products of one input run as one parallel region over activations
//! prepared once; attention reads pages in place; nothing is allocated per step beyond what the
//! capacity foresaw. What each row computes depends on that row alone (see the determinism law in
//! `kernels`).

mod held;
mod routes;
mod step;

use std::sync::Arc;

use kernels::{Activations, AlignedBytes, Isa, Kernels, KvFormat, KvShape, PAGE_TOKENS};
use model::{
    Graph, Op,
    op::{Attention, ValueStore},
    plan::{self, Buffers},
    schedule,
};

use crate::{Backend, Batch, Capacity, Error, Executor, Memory, ModelFile, executor::Progress};
use held::Held;
use routes::Routes;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    isa: Isa,
    threads: usize,
    precision: Precision,
}

/// How exactly products with block formats are computed. Float formats are exact either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Weights stay in their blocks and activations are rounded to 8 bits for each 32: what every fast
    /// engine does.
    #[default]
    Fast,
    /// Weights are widened (MXFP4 to BF16, the rest to F32) and activations stay F32: what the reference
    /// computes, for more memory.
    Exact,
}

impl Precision {
    /// What weights of a format are widened to before packing.
    fn packed_as(self, format: &'static quant::Format) -> &'static quant::Format {
        match self {
            Precision::Exact if format.name == quant::MXFP4.name => &quant::BF16,
            Precision::Exact if format.block > 1 => &quant::F32,
            _ => format,
        }
    }
}

impl Cpu {
    /// This instruction set on so many threads, the caller's included; fast.
    pub fn new(isa: Isa, threads: usize) -> Self {
        Cpu { isa, threads, precision: Precision::Fast }
    }

    /// The same with another precision.
    pub fn with(self, precision: Precision) -> Self {
        Cpu { precision, ..self }
    }
}

impl Backend for Cpu {
    fn plan(&self, file: &ModelFile, capacity: &Capacity) -> Result<Memory, Error> {
        // Planning needs the layouts of this instruction set, not its threads.
        let kernels = Kernels::new(self.isa, 1)?;
        let graph = schedule::products_together(&file.model().graph);
        let weights = held::plan(&kernels, file, &graph, self.precision)?;
        Ok(Memory {
            weights,
            kv_cache: kv_shapes(&graph, capacity.kv).map(|s| s.page_bytes() * capacity.pages).sum(),
            activations: Layout::new(&graph).bytes(&graph, capacity),
        })
    }

    fn load(
        &self,
        file: Arc<ModelFile>,
        capacity: &Capacity,
        progress: Progress<'_>,
    ) -> Result<Box<dyn Executor>, Error> {
        let kernels = Kernels::new(self.isa, self.threads)?;
        let graph = schedule::products_together(&file.model().graph);
        let held = held::load(&kernels, &file, &graph, self.precision, progress)?;
        let shapes: Vec<KvShape> = kv_shapes(&graph, capacity.kv).collect();
        let cache =
            shapes.iter().map(|shape| AlignedBytes::zeroed(shape.page_bytes() * capacity.pages));
        let cache = cache.collect::<Result<Vec<_>, _>>()?;
        let layout = Layout::new(&graph);
        let buffers = (0..layout.buffers.widths.len())
            .map(|buffer| vec![0.0; layout.buffer_len(buffer, capacity)])
            .collect();
        let (rows, ins) = layout.widest_input(&graph, capacity);
        Ok(Box::new(Running {
            activations: Activations::with_capacity(rows, ins),
            angles: Angles::of(&graph, capacity),
            routes: vec![],
            capacity: *capacity,
            kernels,
            file,
            graph,
            held,
            shapes,
            cache,
            layout,
            buffers,
        }))
    }
}

/// The cache of every attention, in graph order.
fn kv_shapes(graph: &Graph, format: KvFormat) -> impl Iterator<Item = KvShape> + '_ {
    graph.attentions().map(move |a: &Attention| KvShape {
        kv_heads: a.kv_heads,
        key_dim: a.key_dim,
        value_dim: a.value_dim,
        format,
        value: match a.value {
            ValueStore::Own => kernels::ValueStore::Own,
            ValueStore::PrefixOfKey => kernels::ValueStore::PrefixOfKey,
        },
    })
}

/// Which buffer holds what, and how much of it there is.
#[derive(Debug)]
struct Layout {
    buffers: Buffers,
    /// Index of the node from which rows are the wanted ones.
    wanted_from: usize,
}

impl Layout {
    fn new(graph: &Graph) -> Self {
        let wanted_from = graph.nodes.iter().position(|node| node.op == Op::Wanted);
        Layout {
            buffers: plan::buffers(graph),
            wanted_from: wanted_from.unwrap_or(graph.nodes.len()),
        }
    }

    fn buffer_len(&self, buffer: usize, capacity: &Capacity) -> usize {
        let all = self.buffers.widths[buffer] * capacity.rows;
        all.max(self.buffers.wanted_widths[buffer] * capacity.wanted)
    }

    /// Rows of a node in a batch.
    fn rows(&self, node: usize, batch: &Batch) -> usize {
        if node >= self.wanted_from { batch.wanted.len() } else { batch.rows() }
    }

    /// Rows and entries of the widest input of a product, as codes.
    fn widest_input(&self, graph: &Graph, capacity: &Capacity) -> (usize, usize) {
        let inputs = graph.nodes.iter().enumerate().filter_map(|(id, node)| {
            let ins = match &node.op {
                Op::Linear { weight, .. }
                | Op::HeadLinear { weight }
                | Op::ExpertLinear { weight, .. } => graph.params[*weight].shape[2],
                _ => return None,
            };
            let rows = if id >= self.wanted_from { capacity.wanted } else { capacity.rows };
            let from = &graph.nodes[node.inputs[0]];
            Some((rows * from.width * from.rows_per_token / ins, ins))
        });
        inputs.max_by_key(|(rows, ins)| Activations::bytes(*rows, *ins)).unwrap_or((1, 32))
    }

    fn bytes(&self, graph: &Graph, capacity: &Capacity) -> usize {
        let buffers: usize =
            (0..self.buffers.widths.len()).map(|b| 4 * self.buffer_len(b, capacity)).sum();
        let (rows, ins) = self.widest_input(graph, capacity);
        let angles: usize = graph.ropes.iter().map(|r| 4 * capacity.rows * r.dims).sum();
        buffers + Activations::bytes(rows, ins) + angles
    }
}

/// Cosines and sines of one rotation for a step's rows: `[rows, dims / 2]` each.
#[derive(Debug)]
struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// Room for those of every rotation.
    fn of(graph: &Graph, capacity: &Capacity) -> Vec<Angles> {
        let table = |dims: usize| vec![0.0; capacity.rows * dims / 2];
        graph.ropes.iter().map(|r| Angles { cos: table(r.dims), sin: table(r.dims) }).collect()
    }
}

/// A prepared model.
struct Running {
    kernels: Kernels,
    file: Arc<ModelFile>,
    graph: Graph,
    held: Vec<Held>,
    shapes: Vec<KvShape>,
    cache: Vec<AlignedBytes>,
    layout: Layout,
    buffers: Vec<Vec<f32>>,
    activations: Activations,
    angles: Vec<Angles>,
    /// Where each [`Op::Route`] of this step sent its rows.
    routes: Vec<Routes>,
    capacity: Capacity,
}

impl Executor for Running {
    fn run(&mut self, batch: &Batch) -> Result<&[f32], Error> {
        let over = batch.rows() > self.capacity.rows || batch.wanted.len() > self.capacity.wanted;
        if over {
            return Err(Error::Setting {
                name: "batch",
                found: format!("{} rows, {} wanted", batch.rows(), batch.wanted.len()),
                expected: format!("at most {} and {}", self.capacity.rows, self.capacity.wanted),
            });
        }
        self.step(batch)?;
        let Some((last, buffer)) = self.graph.nodes.last().zip(self.layout.buffers.of.last())
        else {
            return Ok(&[]);
        };
        Ok(&self.buffers[*buffer][..batch.wanted.len() * last.width])
    }

    fn memory(&self) -> Memory {
        let buffers: usize = self.buffers.iter().map(|b| 4 * b.len()).sum();
        let angles: usize = self.angles.iter().map(|a| 4 * (a.cos.len() + a.sin.len())).sum();
        let (rows, ins) = self.layout.widest_input(&self.graph, &self.capacity);
        Memory {
            weights: self.held.iter().map(Held::bytes).sum(),
            kv_cache: self.cache.iter().map(AlignedBytes::len).sum(),
            activations: buffers + angles + Activations::bytes(rows, ins),
        }
    }

    fn threads(&self) -> usize {
        self.kernels.threads()
    }

    fn describe(&self) -> String {
        let pages = self.capacity.pages;
        format!(
            "CPU, {}, {} threads, {} tokens of cache",
            self.kernels.isa(),
            self.kernels.threads(),
            pages * PAGE_TOKENS
        )
    }
}
