//! What runs a graph: the seam between the engine and its backends.
//!
//! A backend prepares a model once ([`Backend::load`]: packs weights the way it wants, owns its
//! buffers) and then runs one ragged batch a step. No pointer of any device crosses this seam.

use std::{ops::Range, sync::Arc};

use kernels::KvFormat;

use crate::{Error, ModelFile, batch::Batch};

/// How much a prepared model must be able to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Rows of a step's batch, at most.
    pub rows: usize,
    /// Rows of a step whose logits are wanted, at most.
    pub wanted: usize,
    /// Pages of the cache, each of [`kernels::PAGE_TOKENS`] tokens, for every layer.
    pub pages: usize,
    /// How the cache keeps numbers.
    pub kv: KvFormat,
}

/// What a prepared model takes, in bytes, by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Packed weights and vectors.
    pub weights: usize,
    /// The cache of keys and values.
    pub kv_cache: usize,
    /// Buffers for a step.
    pub activations: usize,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.weights + self.kv_cache + self.activations
    }
}

/// Told how far loading has come: bytes done of bytes in all.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// A way of running graphs.
pub trait Backend {
    /// What `load` would allocate, to the byte, without reading a weight.
    fn plan(&self, file: &ModelFile, capacity: &Capacity) -> Result<Memory, Error>;

    /// Prepares a model: weights in the layout the backend wants, cache and buffers allocated.
    fn load(
        &self,
        file: Arc<ModelFile>,
        capacity: &Capacity,
        progress: Progress<'_>,
    ) -> Result<Box<dyn Executor>, Error>;
}

/// A prepared model.
pub trait Executor: Send {
    /// Runs one step: appends the rows' keys and values to the cache and gives logits `[wanted, vocab]`.
    fn run(&mut self, batch: &Batch) -> Result<&[f32], Error>;

    /// What was allocated.
    fn memory(&self) -> Memory;

    /// In a few words: the backend, its instruction set, its threads.
    fn describe(&self) -> String;

    /// Threads of this machine's processor it was given; tokens are chosen on no more.
    fn threads(&self) -> usize {
        1
    }
}

/// The numbers of a graph's parameters, by row, however the checkpoint keeps them.
/// Rows of a stack `[experts, out, in]` are counted through, expert by expert.
pub trait Params {
    /// The format `raw` rows come in.
    fn format(&self, param: usize) -> &'static quant::Format;
    /// Rows as they are stored, in that format.
    fn raw(&self, param: usize, rows: Range<usize>) -> Result<std::borrow::Cow<'_, [u8]>, Error>;
    /// Rows as numbers, `out` `[rows, in]`.
    fn rows(&self, param: usize, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error>;
    /// Says that rows read so far won't be needed soon, so that their pages may leave memory.
    fn release(&self, param: usize);
}
