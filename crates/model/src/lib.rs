//! What models compute, and nothing about how.
//!
//! A family ([`family::FAMILIES`]) reads its configuration from [`facts::Facts`] and draws a
//! [`Graph`] through [`Net`]. Everything else is a reading of that graph: a backend runs it,
//! [`plan`] adds up what it costs, a rewrite adapts or differentiates it. This crate never sees a
//! weight's bytes, a device or a clock.

pub mod draw;
pub mod error;
pub mod facts;
pub mod family;
pub mod graph;
pub mod names;
pub mod net;
pub mod op;
pub mod plan;
pub mod rope;
pub mod schedule;
pub mod source;

pub use error::Error;
pub use facts::{Dialect, Facts};
pub use family::{Family, Model, build};
pub use graph::{Graph, Node, NodeId, Param, ParamId};
pub use net::{Flat, Heads, Net, Routed, Routes, Scope, Weight};
pub use op::Op;
pub use rope::{Rope, RopeStyle};
pub use source::{Rows, Source};
