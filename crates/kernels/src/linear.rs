//! Matrix multiplication with packed weights: `[rows, ins]` times `[outs, ins]` gives `[rows, outs]`.
//!
//! One row (generation) must stream the weights at the speed of memory; many rows (a prompt) must keep
//! the multipliers busy. Both read one packed layout and add in one order, so a row's result has the
//! same bits alone or among others. Few rows unpack weights in registers on the way; many rows unpack a
//! panel's chunk of columns once, into the nearest cache, and pass over it in tiles of rows. The order
//! of sums is that of the chunks either way: between chunks a sum rests in the output, unrounded.

pub(crate) mod activations;
pub(crate) mod layout;
mod pack;
mod packed;

use std::ops::Range;

use crate::Kernels;
use crate::buffer::SharedMut;
use activations::Block;
use layout::{BLOCK, Expanded, FLOAT_CHUNK, Kind, Layout, PANEL, Sums};

pub use activations::{Activations, Input, Needs};
pub use packed::{Packed, Packing};

/// Rows in a tile: with 32 outputs each, as many sums as fit a register file of 32.
pub(crate) const TILE: usize = 6;
/// Blocks unpacked at a time: 512 columns of a panel, 18 to 24 KiB.
const CHUNK_BLOCKS: usize = 16;
/// Rows that pass over all panels of a part before the next rows do: their chunk stays in the second cache.
const ROWS_AT_ONCE: usize = 42 * TILE;

/// The loops of one instruction set. Callers have checked all lengths: `x` and `sums` have the same
/// length (at most [`TILE`], or `direct_rows`), rows of `x` are equally long, and panels hold as much.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    /// Makes blocks of values.
    pub(crate) quantize: unsafe fn(x: &[f32], out: &mut [Block]),
    /// Unpacks blocks `first_block …` of a panel.
    pub(crate) expand:
        unsafe fn(layout: Layout, panel: &[u8], first_block: usize, out: &mut [Expanded]),
    /// Adds unpacked blocks of some rows to their sums.
    pub(crate) tile: unsafe fn(kind: Kind, weights: &[Expanded], x: &[&[Block]], sums: &mut [Sums]),
    /// Adds all blocks of at most `direct_rows` rows to their sums.
    pub(crate) direct: unsafe fn(layout: Layout, panel: &[u8], x: &[&[Block]], sums: &mut [Sums]),
    pub(crate) direct_rows: usize,
    /// Adds one chunk of columns of a float panel to the sums of some rows.
    pub(crate) float: unsafe fn(layout: Layout, panel: &[u8], x: &[&[f32]], sums: &mut [Sums]),
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
        let rows = task.rows.len();
        let linear = &self.table.linear;
        match task.weights.layout.kind() {
            None => float_panels(linear, task, panels),
            Some(_) if rows <= linear.direct_rows => {
                for panel in panels {
                    direct_panel(linear, task, panel);
                }
            }
            Some(kind) => code_panels(linear, task, kind, panels),
        }
    }
}

/// Few rows of codes: one pass over the panel as it lies.
fn direct_panel(linear: &Linear, task: &Task<'_>, panel: usize) {
    let mut x: [&[Block]; TILE] = [&[]; TILE];
    let mut sums = [Sums::ZERO; TILE];
    let rows = task.rows.len();
    for (i, x) in x.iter_mut().enumerate().take(rows) {
        *x = task.input.blocks(task.rows.at(i));
    }
    let bytes = task.weights.panel(task.expert, panel);
    // SAFETY: the table's instructions exist here; lengths agree (`check`).
    unsafe { (linear.direct)(task.weights.layout, bytes, &x[..rows], &mut sums[..rows]) };
    task.put(panel, 0, &sums[..rows], Stage::Only);
}

/// Many rows of codes: chunks of columns are unpacked once for all rows.
fn code_panels(linear: &Linear, task: &Task<'_>, kind: Kind, panels: Range<usize>) {
    let mut scratch = [Expanded::ZERO; CHUNK_BLOCKS];
    let blocks = task.weights.ins() / BLOCK;
    for rows in steps(0..task.rows.len(), ROWS_AT_ONCE) {
        for chunk in steps(0..blocks, CHUNK_BLOCKS) {
            let stage = Stage::of(&chunk, blocks);
            let scratch = &mut scratch[..chunk.len()];
            for panel in panels.clone() {
                let bytes = task.weights.panel(task.expert, panel);
                // SAFETY: the table's instructions exist here; the panel holds these blocks.
                unsafe { (linear.expand)(task.weights.layout, bytes, chunk.start, scratch) };
                for tile in steps(rows.clone(), TILE) {
                    let mut x: [&[Block]; TILE] = [&[]; TILE];
                    let mut sums = [Sums::ZERO; TILE];
                    for (x, i) in x.iter_mut().zip(tile.clone()) {
                        *x = &task.input.blocks(task.rows.at(i))[chunk.clone()];
                    }
                    let sums = &mut sums[..tile.len()];
                    task.take(panel, tile.start, sums, stage);
                    // SAFETY: as above; every row has as many blocks as were unpacked.
                    unsafe { (linear.tile)(kind, scratch, &x[..tile.len()], sums) };
                    task.put(panel, tile.start, sums, stage);
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
                let stage = Stage::of(&chunk, ins);
                let bytes = &bytes[chunk.start / layout.unit() * layout.unit_bytes()..];
                for tile in steps(rows.clone(), TILE) {
                    let mut x: [&[f32]; TILE] = [&[]; TILE];
                    let mut sums = [Sums::ZERO; TILE];
                    for (x, i) in x.iter_mut().zip(tile.clone()) {
                        *x = &task.input.row(task.rows.at(i))[chunk.clone()];
                    }
                    let sums = &mut sums[..tile.len()];
                    task.take(panel, tile.start, sums, stage);
                    // SAFETY: the table's instructions exist here; the panel holds these columns.
                    unsafe { (linear.float)(layout, bytes, &x[..tile.len()], sums) };
                    task.put(panel, tile.start, sums, stage);
                }
            }
        }
    }
}

/// Where a chunk of columns stands among the chunks of its row.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Only,
    First,
    Middle,
    Last,
}

impl Stage {
    fn of(chunk: &Range<usize>, end: usize) -> Stage {
        match (chunk.start == 0, chunk.end == end) {
            (true, true) => Stage::Only,
            (true, false) => Stage::First,
            (false, false) => Stage::Middle,
            (false, true) => Stage::Last,
        }
    }
}

impl Task<'_> {
    /// The outputs of a panel for the `i`th row.
    fn outs(&self, panel: usize, i: usize) -> &mut [f32] {
        let first = (self.out_first + i) * self.out_stride + panel * PANEL;
        let count = PANEL.min(self.weights.outs() - panel * PANEL);
        // SAFETY: a panel of a task belongs to one part, and tasks write different rows or buffers.
        unsafe { self.out.part(first..first + count) }
    }

    /// The sums so far of some rows; untouched zeros at the first chunk.
    fn take(&self, panel: usize, first: usize, sums: &mut [Sums], stage: Stage) {
        if matches!(stage, Stage::Middle | Stage::Last) {
            for (i, sums) in sums.iter_mut().enumerate() {
                let outs = self.outs(panel, first + i);
                match <&[f32; PANEL]>::try_from(&*outs) {
                    Ok(outs) => sums.0 = *outs,
                    Err(_) => sums.0[..outs.len()].copy_from_slice(outs),
                }
            }
        }
    }

    /// Leaves the sums of some rows in the output, with the bias once all chunks are in.
    fn put(&self, panel: usize, first: usize, sums: &[Sums], stage: Stage) {
        let bias = self.bias.filter(|_| matches!(stage, Stage::Only | Stage::Last));
        for (i, sums) in sums.iter().enumerate() {
            let outs = self.outs(panel, first + i);
            match <&mut [f32; PANEL]>::try_from(&mut *outs) {
                Ok(outs) => *outs = sums.0,
                Err(_) => outs.copy_from_slice(&sums.0[..outs.len()]),
            }
            if let Some(bias) = bias {
                for (out, bias) in outs.iter_mut().zip(&bias[panel * PANEL..]) {
                    *out += bias;
                }
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
