//! The fast loops: one operation a file, one folder an instruction set, one choice at start-up.
//!
//! Everything is a method of [`Kernels`], a handle made of an instruction set ([`Isa`]), a pool of
//! threads ([`Pool`]) and that set's table of loops. Callers see safe functions on slices; all
//! `unsafe` stays inside.
//!
//! **The determinism law.** Every output element is a function of its own row and the weights, summed
//! in one fixed order on one instruction set: alone or in a batch, whole or in chunks, on one thread
//! or many, bit for bit. Work splits over outputs, rows and heads, never over the summed axis;
//! attention walks fixed blocks of the cache in order.
//!
//! `scalar` is the meaning of every operation; the other sets are tested against it.
#![allow(
    unsafe_code,
    reason = "vector loops and disjoint writes from several threads need it; nothing unsafe leaves"
)]

mod activation;
mod attend;
mod buffer;
#[cfg(test)]
mod conformance;
mod elementwise;
mod error;
mod isa;
mod kernels;
mod kv;
mod linear;
pub mod measure;
mod norm;
mod pool;
mod rope;
mod route;
mod scalar;
mod table;
mod vector;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use activation::{Activation, GateRows, SwigluClamp};
pub use attend::{Attend, Mask, Sequence};
pub use buffer::AlignedBytes;
pub use error::Error;
pub use isa::Isa;
pub use kernels::Kernels;
pub use kv::{KvFormat, KvShape, PAGE_TOKENS, Slot, ValueStore};
pub use linear::{Activations, Group, Input, Job, Needs, Packed, Packing};
pub use norm::HeadRows;
pub use pool::Pool;
pub use rope::{Rope, RopeStyle};
pub use route::{GroupScore, Renormalise, RouteGroups, RouteScore, Routing};

/// What the operations of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
