//! What the CPU backend keeps of each parameter.

use std::{borrow::Cow, ops::Range};

use kernels::{Kernels, Packed};
use model::{Graph, Op};
use quant::Format;

use super::Precision;
use crate::{Error, ModelFile, Params, executor::Progress};

/// Rows are packed in pieces of about this many bytes, and their source pages released.
const PIECE_BYTES: usize = 16 << 20;

/// What is kept of a parameter.
#[derive(Debug)]
pub(super) enum Held {
    /// A matrix or stack, packed.
    Packed(Packed),
    /// A vector.
    Vector(Vec<f32>),
    /// Nothing: rows are looked up in the file as they are needed, or the numbers are another parameter's.
    Elsewhere,
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Held::Packed(packed) => packed.bytes(),
            Held::Vector(numbers) => 4 * numbers.len(),
            Held::Elsewhere => 0,
        }
    }

    pub(super) fn packed(&self) -> &Packed {
        match self {
            Held::Packed(packed) => packed,
            Held::Vector(_) | Held::Elsewhere => unreachable!("products read packed parameters"),
        }
    }

    pub(super) fn vector(&self) -> &[f32] {
        match self {
            Held::Vector(numbers) => numbers,
            Held::Packed(_) | Held::Elsewhere => unreachable!("gains and biases are vectors"),
        }
    }
}

/// How a parameter is to be kept, by the operations that read it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    Product,
    Vector,
}

fn uses(graph: &Graph) -> Vec<Use> {
    let mut uses = vec![Use::Nothing; graph.params.len()];
    for node in &graph.nodes {
        match &node.op {
            Op::Embed { .. } | Op::EmbedPosition { .. } => {}
            Op::Linear { weight, bias } | Op::ExpertLinear { weight, bias } => {
                uses[graph.resolve(*weight)] = Use::Product;
                bias.iter().for_each(|bias| uses[*bias] = Use::Vector);
            }
            Op::HeadLinear { weight } => uses[*weight] = Use::Product,
            op => Graph::params_of(op).into_iter().for_each(|param| uses[param] = Use::Vector),
        }
    }
    uses
}

/// What [`load`] will allocate.
pub(super) fn plan(
    kernels: &Kernels,
    file: &ModelFile,
    graph: &Graph,
    precision: Precision,
) -> Result<usize, Error> {
    let mut bytes = 0;
    for (id, used) in uses(graph).into_iter().enumerate() {
        let [experts, outs, ins] = graph.params[id].shape;
        bytes += match used {
            Use::Nothing => 0,
            Use::Product => {
                kernels.packed_bytes(precision.packed_as(file.format(id)), experts, outs, ins)?
            }
            Use::Vector => 4 * graph.params[id].elements(),
        };
    }
    Ok(bytes)
}

/// Reads and packs everything.
pub(super) fn load(
    kernels: &Kernels,
    file: &ModelFile,
    graph: &Graph,
    precision: Precision,
    progress: Progress<'_>,
) -> Result<Vec<Held>, Error> {
    let uses = uses(graph);
    let total = plan(kernels, file, graph, precision)? as u64;
    let mut done = 0;
    let mut held = Vec::with_capacity(uses.len());
    for (id, used) in uses.into_iter().enumerate() {
        let one = match used {
            Use::Nothing => Held::Elsewhere,
            Use::Product => Held::Packed(pack(kernels, file, graph, precision, id)?),
            Use::Vector => {
                let [experts, outs, _] = graph.params[id].shape;
                let mut numbers = vec![0.0; graph.params[id].elements()];
                file.rows(id, 0..experts * outs, &mut numbers)?;
                Held::Vector(numbers)
            }
        };
        done += one.bytes() as u64;
        progress(done, total);
        held.push(one);
    }
    Ok(held)
}

fn pack(
    kernels: &Kernels,
    file: &ModelFile,
    graph: &Graph,
    precision: Precision,
    id: usize,
) -> Result<Packed, Error> {
    let format = precision.packed_as(file.format(id));
    let widened = format != file.format(id);
    let [experts, outs, ins] = graph.params[id].shape;
    let mut packing = kernels.packer(format, experts, outs, ins)?;
    let row_bytes = format.bytes_for(ins).unwrap_or(1).max(1);
    // Whole panels, so that no panel is unpacked and packed again.
    let piece = (PIECE_BYTES / row_bytes).next_multiple_of(32).max(32);
    for expert in 0..experts {
        let mut row = 0;
        while row < outs {
            let end = outs.min(row + piece);
            let rows = expert * outs + row..expert * outs + end;
            let raw =
                if widened { widen(file, id, rows, ins, format)? } else { file.raw(id, rows)? };
            packing.put_rows(kernels, expert, row, &raw)?;
            row = end;
        }
    }
    file.release(id);
    Ok(packing.finish()?)
}

/// Rows decoded and written in a wider format, exactly.
fn widen(
    file: &ModelFile,
    id: usize,
    rows: Range<usize>,
    ins: usize,
    format: &'static Format,
) -> Result<Cow<'static, [u8]>, Error> {
    let mut numbers = vec![0.0; rows.len() * ins];
    file.rows(id, rows, &mut numbers)?;
    let mut bytes = vec![0; numbers.len() * format.bytes];
    let encoded = format.encode(&numbers, &mut bytes);
    let tensor = || file.model().graph.params[id].name.clone();
    encoded.map_err(|source| Error::Format { tensor: tensor(), source })?;
    Ok(Cow::Owned(bytes))
}
