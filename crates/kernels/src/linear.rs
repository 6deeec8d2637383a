//! Matrix multiplication with packed weights: `[rows, ins]` times `[outs, ins]` gives `[rows, outs]`.
//!
//! One row (generation) must stream the weights at the speed of memory; many rows (a prompt) must keep
//! the multipliers busy. Both read one packed layout and add in one order, so a row's result has the
//! same bits alone or among others. Weights are unpacked in registers on the way; where that is dear and
//! rows are many, a chunk of columns is unpacked once for all of them, into the nearest cache. Between
//! chunks a sum rests in the output, unrounded, so the order is the same either way.
//!
//! Tried: chunks for what is read as it lies. Outputs lie a power of two apart and fall into the same
//! sets of the caches, so fetching them again for every chunk cost more than a panel that stays in the
//! second cache (-5 to -10 %).

pub(crate) mod activations;
pub(crate) mod layout;
mod pack;
mod packed;

use std::ops::Range;

use crate::Kernels;
use crate::buffer::SharedMut;
use activations::Block;
use layout::{BLOCK, Expanded, FLOAT_CHUNK, Kind, Layout, PANEL};

pub use activations::{Activations, Input, Needs};
pub use packed::{Packed, Packing};

/// Rows in a tile: with 32 outputs each, as many sums as fit a register file of 32.
pub(crate) const TILE: usize = 6;
/// Blocks unpacked at a time: 768 columns of a panel, 27 to 36 KiB.
const CHUNK_EXPANDED: usize = 24;
/// Rows that pass over all panels of a part before the next rows do: their chunk stays in the second cache.
const ROWS_AT_ONCE: usize = 42 * TILE;

/// The loops of one instruction set. Callers have checked all lengths: `x` and `sums` have the same
/// length (1 to [`TILE`]), rows of `x` are equally long, and what is said to be there is there.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    /// Makes blocks of values.
    pub(crate) quantize: unsafe fn(x: &[f32], out: &mut [Block]),
    /// `(layout, panel, first_block, out)`: unpacks some blocks of a panel.
    pub(crate) expand: unsafe fn(Layout, &[u8], usize, &mut [Expanded]),
    /// Unpacked blocks times some rows.
    pub(crate) expanded: ExpandedLoop,
    /// Blocks as they lie, from the first of the units on, times some rows.
    pub(crate) packed: PackedLoop,
    /// From how many rows on it pays to unpack.
    pub(crate) expand_from: fn(Layout) -> usize,
    /// A chunk of columns of a float panel, from the first of the units on, times some rows.
    pub(crate) float: FloatLoop,
}

type ExpandedLoop = unsafe fn(Kind, &[Expanded], &[&[Block]], &mut [&mut Sums], Start);
type PackedLoop = unsafe fn(Layout, Units<'_>, &[&[Block]], &mut [&mut Sums], Start);
type FloatLoop = unsafe fn(Layout, Units<'_>, &[&[f32]], &mut [&mut Sums], Start);

/// The sums of one activation row with the 32 rows of a panel.
pub(crate) type Sums = [f32; PANEL];

/// Whole units of a panel, and where they are to be expected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Units<'a> {
    /// In memory: worth fetching ahead.
    Far(&'a [u8]),
    /// In a cache: a tile of rows has just been over them.
    Near(&'a [u8]),
}

/// Whether sums begin at a chunk or were begun before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Zero,
    Continue,
}

/// One matrix of [`Kernels::linear_many`].
#[derive(Debug)]
pub struct Job<'a> {
    /// The matrix `[outs, ins]`.
    pub weights: &'a Packed,
    /// The rows `[rows, ins]`.
    pub input: Input<'a>,
    /// Where `[rows, outs]` goes, rows `out_stride` apart.
    pub out: &'a mut [f32],
    /// At least `outs`.
    pub out_stride: usize,
    /// Added to every row, `[outs]`.
    pub bias: Option<&'a [f32]>,
}

/// Rows that one expert of a stack takes, in [`Kernels::linear_experts`].
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Which matrix of the stack.
    pub expert: usize,
    /// Which rows of the input.
    pub rows: &'a [u32],
}

/// Which rows of the input a task takes.
#[derive(Clone, Copy)]
enum Rows<'a> {
    First(usize),
    Listed(&'a [u32]),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Rows::First(count) => *count,
            Rows::Listed(rows) => rows.len(),
        }
    }

    fn at(&self, i: usize) -> usize {
        match self {
            Rows::First(_) => i,
            Rows::Listed(rows) => rows[i] as usize,
        }
    }
}

/// One matrix, the rows it multiplies and where the products go.
#[derive(Clone, Copy)]
struct Task<'a> {
    weights: &'a Packed,
    expert: usize,
    input: Input<'a>,
    rows: Rows<'a>,
    out: SharedMut<'a, f32>,
    out_first: usize,
    out_stride: usize,
    bias: Option<&'a [f32]>,
}

impl Kernels {
    /// `out = x · weightsᵀ + bias`: `[rows, ins]` by `[outs, ins]` to `[rows, outs]`, rows of `out`
    /// `out_stride` apart (what lies between is left alone). Panics when shapes contradict each other,
    /// or when the weights need codes that the input does not carry.
    pub fn linear(
        &self,
        weights: &Packed,
        x: Input<'_>,
        out: &mut [f32],
        out_stride: usize,
        bias: Option<&[f32]>,
    ) {
        self.linear_many(&mut [Job { weights, input: x, out, out_stride, bias }]);
    }

    /// Several matrices in one parallel region: q, k and v, or gate and up.
    pub fn linear_many(&self, jobs: &mut [Job<'_>]) {
        const FEW: usize = 8;
        for jobs in jobs.chunks_mut(FEW) {
            let mut tasks = [const { None }; FEW];
            for (task, job) in tasks.iter_mut().zip(jobs) {
                assert_eq!(
                    job.weights.experts(),
                    1,
                    "a stack of experts is multiplied by `linear_experts`"
                );
                check(job.weights, job.input, job.input.rows, job.out, job.out_stride);
                check_bias(job.bias, job.weights.outs());
                *task = Some(Task {
                    weights: job.weights,
                    expert: 0,
                    input: job.input,
                    rows: Rows::First(job.input.rows),
                    out: SharedMut::new(job.out),
                    out_first: 0,
                    out_stride: job.out_stride,
                    bias: job.bias,
                });
            }
            self.multiply(&|| tasks.iter().flatten().copied());
        }
    }

    /// Each group's rows of `x` through its expert of the stack `[experts, outs, ins]`, with that expert's
    /// row of `bias`, `[experts, outs]`. Rows of `out` follow the groups' rows, one after another. A row's
    /// result has the same bits in whatever company it comes.
    pub fn linear_experts(
        &self,
        weights: &Packed,
        x: Input<'_>,
        groups: &[Group<'_>],
        out: &mut [f32],
        out_stride: usize,
        bias: Option<&[f32]>,
    ) {
        let rows = groups.iter().map(|g| g.rows.len()).sum();
        check(weights, x, rows, out, out_stride);
        check_bias(bias, weights.experts() * weights.outs());
        for group in groups {
            assert!(
                group.expert < weights.experts(),
                "expert {} of {}",
                group.expert,
                weights.experts()
            );
            assert!(
                group.rows.iter().all(|r| (*r as usize) < x.rows),
                "a group's row is not in the input"
            );
        }
        let out = SharedMut::new(out);
        self.multiply(&|| {
            let mut out_first = 0;
            groups.iter().map(move |group| {
                let task = Task {
                    weights,
                    expert: group.expert,
                    input: x,
                    rows: Rows::Listed(group.rows),
                    out,
                    out_first,
                    out_stride,
                    bias: bias.map(|bias| &bias[group.expert * weights.outs()..][..weights.outs()]),
                };
                out_first += group.rows.len();
                task
            })
        });
    }

    /// Runs all panels of all tasks, spread over the threads in contiguous runs of panels. Tasks are
    /// listed anew by every part, so that no list of them is allocated.
    fn multiply<'a, I: Iterator<Item = Task<'a>>>(&self, tasks: &(dyn Fn() -> I + Sync)) {
        let live = || tasks().filter(|task| task.rows.len() > 0);
        let total: usize = live().map(|task| task.weights.panels()).sum();
        let parts = total.min(self.threads() * 16);
        self.pool.run(parts, &|part| {
            let range = total * part / parts..total * (part + 1) / parts;
            let mut first = 0;
            for task in live() {
                let end = first + task.weights.panels();
                if end > range.start && first < range.end {
                    self.panels(&task, range.start.max(first) - first..range.end.min(end) - first);
                }
                first = end;
            }
        });
    }

    /// Some panels of one task.
    fn panels(&self, task: &Task<'_>, panels: Range<usize>) {
        let linear = &self.table.linear;
        let layout = task.weights.layout;
        match layout.kind() {
            None => float_panels(linear, task, panels),
            Some(kind) if task.rows.len() >= (linear.expand_from)(layout) => {
                expanded_panels(linear, task, kind, panels);
            }
            Some(_) => packed_panels(linear, task, panels),
        }
    }
}

/// Codes that are unpacked on the way: every tile of rows takes a panel in one go.
fn packed_panels(linear: &Linear, task: &Task<'_>, panels: Range<usize>) {
    let layout = task.weights.layout;
    let stage = Stage { first: true, last: true };
    for rows in steps(0..task.rows.len(), ROWS_AT_ONCE) {
        for panel in panels.clone() {
            let units = task.weights.panel(task.expert, panel);
            for tile in steps(rows.clone(), TILE) {
                task.tile(panel, tile.clone(), stage, |sums, start| {
                    let mut x: [&[Block]; TILE] = [&[]; TILE];
                    for (x, i) in x.iter_mut().zip(tile.clone()) {
                        *x = task.input.blocks(task.rows.at(i));
                    }
                    let near = tile.start > rows.start;
                    let units = if near { Units::Near(units) } else { Units::Far(units) };
                    // SAFETY: the table's instructions exist here; the panel is as long as the rows.
                    unsafe { (linear.packed)(layout, units, &x[..tile.len()], sums, start) }
                });
            }
        }
    }
}

/// Codes that are unpacked once for all rows.
#[allow(clippy::large_stack_arrays, reason = "36 KiB; a kernel allocates nothing")]
fn expanded_panels(linear: &Linear, task: &Task<'_>, kind: Kind, panels: Range<usize>) {
    let mut scratch = [Expanded::ZERO; CHUNK_EXPANDED];
    let blocks = task.weights.ins() / BLOCK;
    for rows in steps(0..task.rows.len(), ROWS_AT_ONCE) {
        for chunk in steps(0..blocks, CHUNK_EXPANDED) {
            let stage = Stage { first: chunk.start == 0, last: chunk.end == blocks };
            let scratch = &mut scratch[..chunk.len()];
            for panel in panels.clone() {
                let bytes = task.weights.panel(task.expert, panel);
                // SAFETY: the table's instructions exist here; the panel holds these blocks.
                unsafe { (linear.expand)(task.weights.layout, bytes, chunk.start, scratch) };
                for tile in steps(rows.clone(), TILE) {
                    task.tile(panel, tile.clone(), stage, |sums, start| {
                        let mut x: [&[Block]; TILE] = [&[]; TILE];
                        for (x, i) in x.iter_mut().zip(tile.clone()) {
                            *x = &task.input.blocks(task.rows.at(i))[chunk.clone()];
                        }
                        // SAFETY: as above; every row has as many blocks as were unpacked.
                        unsafe { (linear.expanded)(kind, scratch, &x[..tile.len()], sums, start) }
                    });
                }
            }
        }
    }
}

/// Float weights, in chunks of columns.
fn float_panels(linear: &Linear, task: &Task<'_>, panels: Range<usize>) {
    let layout = task.weights.layout;
    let ins = task.weights.ins();
    for rows in steps(0..task.rows.len(), ROWS_AT_ONCE) {
        for panel in panels.clone() {
            let bytes = task.weights.panel(task.expert, panel);
            for chunk in steps(0..ins, FLOAT_CHUNK) {
                let stage = Stage { first: chunk.start == 0, last: chunk.end == ins };
                let units = &bytes[chunk.start / layout.unit() * layout.unit_bytes()..];
                for tile in steps(rows.clone(), TILE) {
                    task.tile(panel, tile.clone(), stage, |sums, start| {
                        let mut x: [&[f32]; TILE] = [&[]; TILE];
                        for (x, i) in x.iter_mut().zip(tile.clone()) {
                            *x = &task.input.row(task.rows.at(i))[chunk.clone()];
                        }
                        let near = tile.start > rows.start;
                        let units = if near { Units::Near(units) } else { Units::Far(units) };
                        // SAFETY: the table's instructions exist here; the panel holds these columns.
                        unsafe { (linear.float)(layout, units, &x[..tile.len()], sums, start) }
                    });
                }
            }
        }
    }
}

/// Where a chunk of columns stands among the chunks of its row.
#[derive(Clone, Copy)]
struct Stage {
    first: bool,
    last: bool,
}

impl Task<'_> {
    /// Calls `run` with the outputs of a tile of rows in a panel, to continue or to begin; the bias is
    /// added once the last chunk is in.
    fn tile(
        &self,
        panel: usize,
        rows: Range<usize>,
        stage: Stage,
        run: impl FnOnce(&mut [&mut Sums], Start),
    ) {
        let start = if stage.first { Start::Zero } else { Start::Continue };
        let outs = PANEL.min(self.weights.outs() - panel * PANEL);
        let out = |i: usize| {
            let first = (self.out_first + rows.start + i) * self.out_stride + panel * PANEL;
            // SAFETY: a panel of a task belongs to one part, and tasks write different rows or buffers.
            unsafe { self.out.part(first..first + outs) }
        };
        let mut edge = [[0.0; PANEL]; TILE];
        let mut edges = edge.iter_mut();
        let whole = outs == PANEL;
        let mut sums: [&mut Sums; TILE] = std::array::from_fn(|i| {
            let edge = edges.next().expect("as many as rows in a tile");
            if i >= rows.len() {
                return edge;
            }
            if whole {
                return out(i).try_into().expect("a whole panel");
            }
            edge[..outs].copy_from_slice(out(i));
            edge
        });
        run(&mut sums[..rows.len()], start);
        let bias = self.bias.filter(|_| stage.last).map(|bias| &bias[panel * PANEL..][..outs]);
        for (i, sums) in sums.iter_mut().enumerate().take(rows.len()) {
            if let Some(bias) = bias {
                for (sum, bias) in sums.iter_mut().zip(bias) {
                    *sum += bias;
                }
            }
            if !whole {
                out(i).copy_from_slice(&sums[..outs]);
            }
        }
    }
}

/// `range` in steps of `step`, the last one shorter.
fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |start| start..end.min(start + step))
}

fn check(weights: &Packed, x: Input<'_>, rows: usize, out: &[f32], out_stride: usize) {
    assert_eq!(x.ins, weights.ins(), "the input's rows are not as long as the weights' rows");
    assert!(
        x.needs().contains(weights.needs()),
        "{} weights need codes of the input",
        weights.format()
    );
    assert!(
        out_stride >= weights.outs(),
        "outputs of {} overlap at stride {out_stride}",
        weights.outs()
    );
    let needed = rows.checked_sub(1).map_or(0, |before| before * out_stride + weights.outs());
    assert!(out.len() >= needed, "{} outputs do not fit in {}", needed, out.len());
}

fn check_bias(bias: Option<&[f32]>, expected: usize) {
    if let Some(bias) = bias {
        assert_eq!(bias.len(), expected, "bias");
    }
}

#[cfg(test)]
mod tests;
