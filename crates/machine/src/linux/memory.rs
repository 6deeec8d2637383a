//! The memory from `/proc/meminfo`.

use super::{Root, value_of};
use crate::{Bytes, HugePages, Memory, MemoryLimit};

pub(super) fn memory(root: &Root, limit: Option<MemoryLimit>) -> Memory {
    let info = root.text("/proc/meminfo").unwrap_or_default();
    let size = |key| {
        let kib = value_of(&info, key)?.strip_suffix("kB")?.trim().parse().ok()?;
        Some(Bytes::kib(kib))
    };
    let count = |key| value_of(&info, key).and_then(|count| count.parse().ok()).unwrap_or(0);
    let total = size("MemTotal").unwrap_or_default();
    // Kernels before 3.14 do not estimate what is available.
    let available = size("MemAvailable")
        .or_else(|| Some(size("MemFree")? + size("Cached")? + size("Buffers")?))
        .unwrap_or_default();
    Memory {
        total,
        available: available.min(total),
        swap_total: size("SwapTotal").unwrap_or_default(),
        swap_free: size("SwapFree").unwrap_or_default(),
        limit,
        huge_pages: HugePages {
            transparent: root
                .text("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|choices| chosen(&choices)),
            size: size("Hugepagesize").unwrap_or_default(),
            total: count("HugePages_Total"),
            free: count("HugePages_Free"),
        },
    }
}

/// The choice in brackets: `always [madvise] never`.
fn chosen(choices: &str) -> Option<String> {
    let (_, rest) = choices.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}
