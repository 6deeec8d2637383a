//! What this computer is and what a plan costs on it.
//!
//! - [`Machine::detect`]: processor, instruction sets, caches, memory, graphics processors, system,
//!   with the limits a container or an affinity mask sets; read from what the system states.
//! - [`Limits`]: what the machine was measured to do: bytes read and operations done per second.
//! - [`predict`]: the least time a [`Cost`] can take within those limits, and which one binds.
//! - [`Rates`]: what the program's own loops reach, and how long a step takes by that.
//! - [`economy`]: what owning a machine costs beside a price a token.
//! - [`Bytes`]: sizes as people read them, exact for programs.
//!
//! Nothing here loads a model, and nothing here fails because a system hides a fact: what is not
//! stated is `None`, zero or empty, and printed as such.

mod bytes;
mod cpu;
mod disk;
pub mod economy;
mod error;
mod gpu;
mod isa;
mod kept;
mod limits;
#[cfg(any(target_os = "linux", test))]
mod linux;
mod memory;
mod os;
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
mod predict;
mod probe;
mod rates;
mod report;

pub use bytes::Bytes;
pub use cpu::{Cache, CacheKind, Cpu};
pub use disk::{Space, space};
pub use error::Error;
pub use gpu::Gpu;
pub use isa::instruction_sets;
pub use limits::Limits;
pub use memory::{HugePages, Memory, MemoryLimit};
pub use os::Os;
pub use predict::{Bound, Cost, Prediction, predict};
pub use probe::{KernelProbe, Probe};
pub use rates::{Overhead, Rate, RateProbe, Rates, Work};

use serde::Serialize;

/// This computer, as far as it tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// The operating system.
    pub os: Os,
    /// The processor.
    pub cpu: Cpu,
    /// The memory.
    pub memory: Memory,
    /// Graphics processors and other accelerators seen on the bus, usable or not.
    pub gpus: Vec<Gpu>,
}

impl Machine {
    /// Looks at this computer: some milliseconds, no measurement.
    pub fn detect() -> Self {
        #[cfg(target_os = "linux")]
        return linux::machine(&linux::Root::system());
        #[cfg(not(target_os = "linux"))]
        return portable::machine();
    }
}
