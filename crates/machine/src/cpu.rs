//! The processor, and how much of it this process may use.

use crate::Bytes;
use serde::Serialize;

/// The processor.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// As it calls itself; empty where it does not say.
    pub name: String,
    /// `GenuineIntel`, `AuthenticAMD`, `ARM` …; empty where it does not say.
    pub vendor: String,
    /// Which design exactly: family, model and stepping, or implementer and part.
    pub signature: String,
    /// The version of its microcode.
    pub microcode: Option<String>,
    /// `x86_64`, `aarch64` …
    pub architecture: &'static str,
    /// Sockets.
    pub packages: usize,
    /// Cores that are on, in all sockets.
    pub cores: usize,
    /// Hardware threads that are on.
    pub threads: usize,
    /// Cores of which this process may use at least one hardware thread.
    pub usable_cores: usize,
    /// Hardware threads this process may use (its affinity mask).
    pub usable_threads: usize,
    /// Processor time a container grants, in threads; `None` without such a limit.
    pub quota: Option<f64>,
    /// Memory nodes.
    pub numa_nodes: usize,
    /// Whether it is a guest of a virtual machine; `None` where that cannot be seen.
    pub virtual_machine: Option<bool>,
    /// Caches, nearest first.
    pub caches: Vec<Cache>,
    /// Instruction sets that processor and system both support.
    pub instruction_sets: Vec<&'static str>,
}

/// Caches of one level and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// 1 is nearest.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// The size of one.
    pub size: Bytes,
    /// How many hardware threads share one.
    pub shared_by: usize,
    /// How many there are.
    pub count: usize,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    /// Data alone.
    Data,
    /// Instructions alone.
    Instruction,
    /// Both.
    Unified,
}

impl Cpu {
    /// How many threads to compute with unless the user says otherwise: one per usable core (two
    /// on one core share its arithmetic), no more than a container's quota; at least one.
    pub fn default_threads(&self) -> usize {
        let quota = self.quota.map_or(usize::MAX, |quota| quota.floor().max(1.0) as usize);
        self.usable_cores.min(quota).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_threads_heed_cores_and_quota() {
        let cpu = |usable_cores, quota| Cpu { usable_cores, quota, ..Cpu::default() };
        assert_eq!(cpu(8, None).default_threads(), 8);
        assert_eq!(cpu(8, Some(3.5)).default_threads(), 3);
        assert_eq!(cpu(8, Some(0.2)).default_threads(), 1);
        assert_eq!(cpu(0, None).default_threads(), 1);
    }
}
