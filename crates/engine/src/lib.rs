//! Runs graphs for many sequences: backends, paged KV cache, scheduler, samplers.
//!
//! [`ModelFile`] understands a checkpoint as a model; a [`Backend`] prepares it; the [`Engine`]
//! turns requests into batches and logits into tokens; a [`Worker`] runs it on a thread of its own for
//! many callers. It speaks no JSON and reads no environment.

mod batch;
mod constraint;
mod cpu;
mod engine;
mod error;
mod executor;
mod file;
mod intake;
mod metrics;
mod pages;
mod policy;
mod reference;
mod request;
pub mod sampler;
mod scheduler;
mod speculate;
mod worker;

pub use batch::{Batch, Span};
pub use constraint::{Allowed, Constraint, ConstraintError};
pub use cpu::{Cpu, Precision};
pub use engine::{EachLogits, Engine, Settings};
pub use error::{Error, Whose};
pub use executor::{Backend, Capacity, Executor, Memory, Params, Progress};
pub use file::{ModelFile, is_unknown_architecture};
pub use metrics::Metrics;
pub use policy::{Policy, PrefixCache, Speculation};
pub use reference::Reference;
pub use request::{Event, FinishReason, Overflow, Priority, Request, RequestId, Tenant, Usage};
pub use worker::{Handle, Sink, State, Stream, Ticket, Worker};

/// Cosine and sine of a rotation, each times `attention`, as every backend must compute them: the
/// angle is rounded to `f32` as the reference implementations do, the rest is `f64`.
pub fn angles(position: u32, turns: f32, attention: f32) -> (f32, f32) {
    let angle = f64::from(position as f32 * turns);
    let (sin, cos) = angle.sin_cos();
    ((cos as f32) * attention, (sin as f32) * attention)
}
