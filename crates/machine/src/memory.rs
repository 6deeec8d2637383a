//! The memory: what is there, what is free, and what a container leaves of it.

use crate::{Bytes, Error};
use serde::Serialize;

/// The memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// All of it.
    pub total: Bytes,
    /// What new programs can have without swapping: free memory and reclaimable caches.
    pub available: Bytes,
    /// Swap space.
    pub swap_total: Bytes,
    /// Swap space not in use.
    pub swap_free: Bytes,
    /// The tightest limit a container sets.
    pub limit: Option<MemoryLimit>,
    /// Huge pages.
    pub huge_pages: HugePages,
}

/// A container's limit on memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryLimit {
    /// What the container's processes may have together.
    pub limit: Bytes,
    /// What they have, without caches that can be dropped.
    pub used: Bytes,
}

impl MemoryLimit {
    /// What is left.
    pub fn left(&self) -> Bytes {
        self.limit.saturating_sub(self.used)
    }
}

/// Huge pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HugePages {
    /// Whether the system uses them by itself: `always`, `madvise`, `never`; `None` if unknown.
    pub transparent: Option<String>,
    /// The size of a reserved one.
    pub size: Bytes,
    /// How many are reserved.
    pub total: u64,
    /// How many of these are free.
    pub free: u64,
}

impl Memory {
    /// What this process can have: what is available, or less where a container says so.
    pub fn free(&self) -> Bytes {
        let left = self.limit.as_ref().map_or(Bytes(u64::MAX), MemoryLimit::left);
        self.available.min(left)
    }

    /// Refuses what does not fit, with the numbers and what sets the limit.
    pub fn check(&self, needed: Bytes) -> Result<(), Error> {
        let free = self.free();
        if needed <= free {
            return Ok(());
        }
        let because = match &self.limit {
            Some(limit) if limit.left() < self.available => {
                format!(
                    "a container limits memory to {}, of which {} is in use",
                    limit.limit, limit.used
                )
            }
            _ => format!("the machine has {}", self.total),
        };
        Err(Error::Memory { needed, free, because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_limit_counts_and_is_named() {
        let mut memory =
            Memory { total: Bytes::gib(16), available: Bytes::gib(10), ..Memory::default() };
        assert!(memory.check(Bytes::gib(10)).is_ok());
        let error = memory.check(Bytes(Bytes::gib(10).0 + 1)).unwrap_err().to_string();
        assert!(error.contains("the machine has 16.0 GiB"), "{error}");
        memory.limit = Some(MemoryLimit { limit: Bytes::gib(4), used: Bytes::gib(1) });
        assert_eq!(memory.free(), Bytes::gib(3));
        let error = memory.check(Bytes::gib(5)).unwrap_err().to_string();
        assert!(error.contains("3.00 GiB (3221225472 bytes) free (a container"), "{error}");
        memory.limit = Some(MemoryLimit { limit: Bytes::gib(4), used: Bytes::gib(9) });
        assert_eq!(memory.free(), Bytes::ZERO);
    }
}
