//! Graphics processors and accelerators, as the bus shows them.

use crate::Bytes;
use serde::Serialize;

/// A graphics processor or accelerator. That it is seen does not mean that Freehold can use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// As its driver calls it, else vendor and device number.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// The driver that has it, if any.
    pub driver: Option<String>,
    /// Its own memory, where the driver says.
    pub memory: Option<Bytes>,
    /// Its place on the bus.
    pub bus: String,
}
