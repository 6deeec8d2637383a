//! Attention over a paged cache: softmax(q·K)·V for ragged batches, without ever writing the scores.
//!
//! Idea: blocks of 32 tokens (one page) are walked in order with a running maximum and sum (the online
//! softmax of "FlashAttention", Dao et al. 2022). All query heads that share a key-value head, and in
//! a prompt several rows, use a block while it is in the nearest cache. Every 512 positions form a
//! *span* with its own running state; spans are merged in order. Spans are bound to positions, so
//! whether they ran on one thread or on many, whole prompt or chunks, the bits are the same.
//!
//! A row reads exactly the tokens it may see: what lies in the rest of a page has no influence.

mod state;

use std::ops::Range;
use std::sync::PoisonError;

pub(crate) use state::{LANES, State, padded};

use crate::buffer::SharedMut;
use crate::kv::{KvShape, PAGE_TOKENS};
use crate::{AlignedBytes, Kernels};

/// Blocks of 32 tokens in a span.
const SPAN_BLOCKS: usize = 16;
/// Tokens in a span.
const SPAN: usize = SPAN_BLOCKS * PAGE_TOKENS;
/// Query vectors (rows × heads) that share one walk over the keys.
pub(crate) const QUERIES_MAX: usize = 48;

/// Which tokens a row may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Those up to its own position.
    Causal,
    /// All of its sequence.
    Full,
}

/// How to attend.
#[derive(Debug, Clone, Copy)]
pub struct Attend<'a> {
    /// Query heads; a multiple of the cache's `kv_heads`.
    pub heads: usize,
    /// Factor on q·k.
    pub scale: f32,
    /// With `Some(w)`, only tokens nearer than `w` positions are seen, the row's own included.
    pub window: Option<usize>,
    /// With `Some(cap)`, scores become `cap · tanh(score / cap)`.
    pub softcap: Option<f32>,
    /// Which tokens are seen.
    pub mask: Mask,
    /// A learned score `[heads]` that takes its share of the softmax and gives nothing (attention
    /// sinks).
    pub sinks: Option<&'a [f32]>,
}

/// One sequence's rows in a ragged batch.
#[derive(Debug, Clone)]
pub struct Sequence<'a> {
    /// Its pages in the layer's cache, in order of position; the keys and values of the rows are
    /// already there.
    pub pages: &'a [u32],
    /// Its rows of `q` and `out`: consecutive positions.
    pub rows: Range<usize>,
    /// The position of the first of them.
    pub first_position: usize,
}

impl Kernels {
    /// Attention of `q` `[rows, heads, key_dim]` over `cache` `[pages, page_bytes]` into `out`
    /// `[rows, heads, value_dim]`, for the rows of every sequence; other rows of `out` stay.
    ///
    /// Panics when lengths, pages or row ranges do not fit together, or two sequences share a row.
    pub fn attend(
        &self,
        shape: &KvShape,
        params: &Attend<'_>,
        cache: &[u8],
        q: &[f32],
        seqs: &[Sequence<'_>],
        out: &mut [f32],
    ) {
        check(shape, params, cache, q, seqs, out);
        let plan = Plan::new(shape, params, seqs);
        let call = Call { shape, params, cache, q, out: SharedMut::new(out), plan };
        let tasks = call.plan.tasks;
        if tasks < 4 * self.threads() && self.threads() > 1 && call.plan.spans_max > 1 {
            self.attend_split(&call);
        } else {
            self.pool.run_on(tasks, &|thread, task| {
                self.attend_whole(&call, &call.plan.task(task), thread);
            });
        }
    }

    /// All spans of a task, one after another.
    fn attend_whole(&self, call: &Call<'_, '_>, task: &Task<'_>, thread: usize) {
        let (queries, dims) = (task.queries(), call.shape.value_dim);
        let floats = State::floats(queries, dims);
        let mut scratch = self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = grown(&mut scratch, 2 * floats + call.work_floats(queries));
        let (total, rest) = scratch.split_at_mut(floats);
        let (part, work) = rest.split_at_mut(floats);
        let mut total = State::carve(total, queries, dims);
        total.reset();
        for span in task.spans(call.params) {
            let mut part = State::carve(part, queries, dims);
            self.attend_span(call, task, span, &mut part, work);
            total.merge(&part);
        }
        call.finish(task, &mut total);
    }

    /// Every span of every task a part of its own, then the merges.
    fn attend_split(&self, call: &Call<'_, '_>) {
        let plan = &call.plan;
        let dims = call.shape.value_dim;
        let floats = State::floats(plan.queries_max, dims);
        let mut partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner);
        let partials = SharedMut::new(grown(&mut partials, plan.tasks * plan.spans_max * floats));
        self.pool.run_on(plan.tasks * plan.spans_max, &|thread, part| {
            let (task, span) = (plan.task(part / plan.spans_max), part % plan.spans_max);
            if !task.spans(call.params).contains(&span) {
                return;
            }
            let queries = task.queries();
            let mut scratch = self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let work = grown(&mut scratch, call.work_floats(queries));
            // SAFETY: every part has its own range.
            let state = unsafe { partials.part(part * floats..(part + 1) * floats) };
            self.attend_span(call, &task, span, &mut State::carve(state, queries, dims), work);
        });
        self.pool.run(plan.tasks, &|index| {
            let task = plan.task(index);
            let mut spans = task.spans(call.params);
            let start = index * plan.spans_max * floats;
            // SAFETY: every task has its own range.
            let states = unsafe { partials.part(start..start + plan.spans_max * floats) };
            let first = spans.next().expect("a row sees at least itself");
            let (before, rest) = states.split_at_mut((first + 1) * floats);
            let mut total = State::carve(&mut before[first * floats..], task.queries(), dims);
            for (state, _) in rest.chunks_exact_mut(floats).zip(spans) {
                total.merge(&State::carve(state, task.queries(), dims));
            }
            call.finish(&task, &mut total);
        });
    }

    fn attend_span(
        &self,
        call: &Call<'_, '_>,
        task: &Task<'_>,
        span: usize,
        state: &mut State<'_>,
        work: &mut [f32],
    ) {
        let (shape, params) = (call.shape, call.params);
        let (q, work) = work.split_at_mut(task.queries() * shape.key_dim);
        for (i, to) in q.chunks_exact_mut(shape.key_dim).enumerate() {
            let (row, head) =
                (task.rows.start + i / task.heads.len(), task.heads.start + i % task.heads.len());
            let from = &call.q[(row * params.heads + head) * shape.key_dim..][..shape.key_dim];
            for (to, x) in to.iter_mut().zip(from) {
                *to = x * params.scale;
            }
        }
        state.reset();
        let span = Span {
            shape,
            softcap: params.softcap,
            cache: call.cache,
            pages: task.pages,
            kv_head: task.kv_head,
            q,
            group: task.heads.len(),
            rows: task.rows.len(),
            window: params.window,
            mask: params.mask,
            first_position: task.first_position,
            end_position: task.end_position,
            tokens: span * SPAN..(span + 1) * SPAN,
        };
        // SAFETY: the table's instructions are present.
        unsafe { (self.table.attend_span)(&span, state, work) }
    }
}

/// One span of one task: what an instruction set's loop is given.
pub(crate) struct Span<'a> {
    pub(crate) shape: &'a KvShape,
    pub(crate) softcap: Option<f32>,
    cache: &'a [u8],
    pages: &'a [u32],
    kv_head: usize,
    /// `[rows, group, key_dim]`, already scaled.
    pub(crate) q: &'a [f32],
    /// Query heads in the task.
    pub(crate) group: usize,
    pub(crate) rows: usize,
    window: Option<usize>,
    mask: Mask,
    first_position: usize,
    end_position: usize,
    /// The positions of the span; rows may see fewer.
    tokens: Range<usize>,
}

impl<'a> Span<'a> {
    /// The positions of this span that a row sees; may be empty.
    pub(crate) fn visible(&self, row: usize) -> Range<usize> {
        let seen = visible(self.mask, self.window, self.first_position + row, self.end_position);
        let start = seen.start.max(self.tokens.start);
        start..seen.end.min(self.tokens.end).max(start)
    }

    /// The blocks of this span that rows see; some at the start may be seen by none.
    pub(crate) fn blocks(&self) -> Range<usize> {
        let (first, last) = (self.visible(0), self.visible(self.rows - 1));
        let end = first.end.max(last.end);
        first.start / PAGE_TOKENS..end.div_ceil(PAGE_TOKENS)
    }

    /// This head's keys and values in a block.
    pub(crate) fn block(&self, block: usize) -> (&'a [u8], &'a [u8]) {
        let start = self.pages[block] as usize * self.shape.page_bytes()
            + self.kv_head * self.shape.head_bytes();
        self.cache[start..start + self.shape.head_bytes()].split_at(self.shape.key_bytes())
    }
}

/// What all tasks of a call share.
struct Call<'a, 'o> {
    shape: &'a KvShape,
    params: &'a Attend<'a>,
    cache: &'a [u8],
    q: &'a [f32],
    out: SharedMut<'o, f32>,
    plan: Plan<'a>,
}

impl Call<'_, '_> {
    /// Floats of working memory for a span: scaled queries, scores, one block of keys and values.
    fn work_floats(&self, queries: usize) -> usize {
        let (keys, values) = (self.shape.key_dim, self.shape.value_dim);
        queries * (keys + PAGE_TOKENS) + PAGE_TOKENS * (keys + padded(values))
    }

    fn finish(&self, task: &Task<'_>, total: &mut State<'_>) {
        let (heads, dims) = (self.params.heads, self.shape.value_dim);
        for row in 0..task.rows.len() {
            for (g, head) in task.heads.clone().enumerate() {
                let at = ((task.rows.start + row) * heads + head) * dims;
                // SAFETY: every (row, head) belongs to one task.
                let out = unsafe { self.out.part(at..at + dims) };
                total.finish(row * task.heads.len() + g, self.params.sinks.map(|s| s[head]), out);
            }
        }
    }
}

/// How a call is cut into tasks: (sequence, block of rows, key-value head, heads of its group).
struct Plan<'a> {
    seqs: &'a [Sequence<'a>],
    kv_heads: usize,
    group: usize,
    /// Heads of a group in a task.
    task_heads: usize,
    /// Rows in a task.
    task_rows: usize,
    mask: Mask,
    tasks: usize,
    queries_max: usize,
    spans_max: usize,
}

struct Task<'a> {
    pages: &'a [u32],
    rows: Range<usize>,
    first_position: usize,
    end_position: usize,
    kv_head: usize,
    heads: Range<usize>,
}

impl<'a> Plan<'a> {
    fn new(shape: &KvShape, params: &Attend<'_>, seqs: &'a [Sequence<'a>]) -> Self {
        let group = params.heads / shape.kv_heads;
        let task_heads = group.min(QUERIES_MAX);
        let task_rows = (QUERIES_MAX / group).max(1);
        let mut plan = Plan {
            seqs,
            kv_heads: shape.kv_heads,
            group,
            task_heads,
            task_rows,
            mask: params.mask,
            tasks: 0,
            queries_max: task_heads * task_rows,
            spans_max: seqs
                .iter()
                .map(|s| (s.first_position + s.rows.len()).div_ceil(SPAN))
                .max()
                .unwrap_or(0),
        };
        plan.tasks = seqs.iter().map(|s| plan.tasks_of(s)).sum();
        plan
    }

    fn tasks_of(&self, seq: &Sequence<'_>) -> usize {
        seq.rows.len().div_ceil(self.task_rows)
            * self.kv_heads
            * self.group.div_ceil(self.task_heads)
    }

    fn task(&self, mut index: usize) -> Task<'a> {
        let mut seqs = self.seqs.iter();
        let mut seq = seqs.next().expect("a task belongs to a sequence");
        while index >= self.tasks_of(seq) {
            index -= self.tasks_of(seq);
            seq = seqs.next().expect("a task belongs to a sequence");
        }
        let parts = self.group.div_ceil(self.task_heads);
        let (part, rest) = (index % parts, index / parts);
        // Row blocks fastest: neighbours share keys.
        let blocks = seq.rows.len().div_ceil(self.task_rows);
        let (block, kv_head) = (rest % blocks, rest / blocks);
        let skip = block * self.task_rows;
        let rows =
            seq.rows.start + skip..(seq.rows.start + skip + self.task_rows).min(seq.rows.end);
        let end_position = match self.mask {
            Mask::Causal => seq.first_position + skip + rows.len(),
            Mask::Full => seq.first_position + seq.rows.len(),
        };
        let head = kv_head * self.group;
        Task {
            pages: seq.pages,
            rows,
            first_position: seq.first_position + skip,
            end_position,
            kv_head,
            heads: head + part * self.task_heads
                ..head + ((part + 1) * self.task_heads).min(self.group),
        }
    }
}

impl Task<'_> {
    fn queries(&self) -> usize {
        self.rows.len() * self.heads.len()
    }

    /// The spans that any of its rows sees.
    fn spans(&self, params: &Attend<'_>) -> Range<usize> {
        let seen = |position| visible(params.mask, params.window, position, self.end_position);
        let (first, last) =
            (seen(self.first_position), seen(self.first_position + self.rows.len() - 1));
        first.start / SPAN..last.end.div_ceil(SPAN)
    }
}

fn visible(mask: Mask, window: Option<usize>, position: usize, end: usize) -> Range<usize> {
    let window = window.unwrap_or(usize::MAX);
    let start = (position + 1).saturating_sub(window);
    match mask {
        Mask::Causal => start..position + 1,
        Mask::Full => start..end.min(position.saturating_add(window)),
    }
}

fn grown(buffer: &mut AlignedBytes, floats: usize) -> &mut [f32] {
    if buffer.len() < 4 * floats {
        *buffer = AlignedBytes::zeroed((4 * floats).next_power_of_two())
            .expect("scratch of attention fits in memory");
    }
    &mut buffer.as_mut_f32()[..floats]
}

fn check(
    shape: &KvShape,
    params: &Attend<'_>,
    cache: &[u8],
    q: &[f32],
    seqs: &[Sequence<'_>],
    out: &[f32],
) {
    shape.check();
    assert!(
        params.heads > 0 && params.heads.is_multiple_of(shape.kv_heads),
        "{} heads do not share {} key-value heads evenly",
        params.heads,
        shape.kv_heads
    );
    assert!(params.window != Some(0), "a window of no tokens");
    assert!(params.sinks.is_none_or(|s| s.len() == params.heads), "sinks are [heads]");
    let rows = q.len() / (params.heads * shape.key_dim);
    assert_eq!(q.len(), rows * params.heads * shape.key_dim, "q is [rows, heads, key_dim]");
    assert_eq!(out.len(), rows * params.heads * shape.value_dim, "out is [rows, heads, value_dim]");
    let pages = cache.len() / shape.page_bytes();
    for (i, seq) in seqs.iter().enumerate() {
        assert!(
            seq.rows.start <= seq.rows.end && seq.rows.end <= rows,
            "rows {:?} of {rows}",
            seq.rows
        );
        let blocks = (seq.first_position + seq.rows.len()).div_ceil(PAGE_TOKENS);
        assert!(blocks <= seq.pages.len(), "{} pages where {blocks} are needed", seq.pages.len());
        assert!(
            seq.pages[..blocks].iter().all(|p| (*p as usize) < pages),
            "a page lies outside the cache"
        );
        let apart = |other: &Sequence<'_>| {
            other.rows.start >= seq.rows.end || seq.rows.start >= other.rows.end
        };
        assert!(
            seqs[..i].iter().all(|other| apart(other) || seq.rows.is_empty()),
            "two sequences share a row"
        );
    }
}

#[cfg(test)]
mod tests;
