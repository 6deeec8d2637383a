//! Runs graphs for many sequences: backends, paged KV cache, scheduler, samplers.
//!
//! [`ModelFile`] understands a checkpoint as a model; a [`Backend`] prepares it; the [`Engine`]
//! turns requests into batches and logits into tokens. It speaks no JSON and reads no environment.

mod batch;
mod cpu;
mod engine;
mod error;
mod executor;
mod file;
mod pages;
mod reference;
mod request;
pub mod sampler;

pub use batch::{Batch, Span};
pub use cpu::{Cpu, Precision};
pub use engine::{EachLogits, Engine, Settings};
pub use error::Error;
pub use executor::{Backend, Capacity, Executor, Memory, Params, Progress};
pub use file::{ModelFile, is_unknown_architecture};
pub use reference::Reference;
pub use request::{Event, FinishReason, Overflow, Request, RequestId, SessionId, Usage};

/// Cosine and sine of a rotation, each times `attention`, as every backend must compute them: the
/// angle is rounded to `f32` as the reference implementations do, the rest is `f64`.
pub fn angles(position: u32, turns: f32, attention: f32) -> (f32, f32) {
    let angle = f64::from(position as f32 * turns);
    let (sin, cos) = angle.sin_cos();
    ((cos as f32) * attention, (sin as f32) * attention)
}
