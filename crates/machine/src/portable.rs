//! Other systems than Linux, with the `sysinfo` crate's help: the same facts, less of them.

use crate::{Bytes, Cpu, Machine, Memory, Os, Space, instruction_sets};
use std::path::Path;
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

/// The machine as the system's own interfaces describe it.
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "built in tests so as not to rot"))]
pub(crate) fn machine() -> Machine {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(what).ok();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    let first = cpus.first();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = System::physical_core_count().unwrap_or(threads).max(1);
    Machine {
        os: Os {
            name: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            kernel: System::kernel_version().unwrap_or_default(),
        },
        cpu: Cpu {
            name: first.map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default(),
            vendor: first.map(|cpu| cpu.vendor_id().to_owned()).unwrap_or_default(),
            architecture: std::env::consts::ARCH,
            packages: 1,
            cores,
            threads: cpus.len().max(threads),
            usable_cores: cores.min(threads),
            usable_threads: threads,
            numa_nodes: 1,
            instruction_sets: instruction_sets(),
            ..Cpu::default()
        },
        memory: system.as_ref().map(memory).unwrap_or_default(),
        gpus: Vec::new(),
    }
}

fn memory(system: &System) -> Memory {
    Memory {
        total: Bytes(system.total_memory()),
        available: Bytes(system.available_memory()),
        swap_total: Bytes(system.total_swap()),
        swap_free: Bytes(system.free_swap()),
        ..Memory::default()
    }
}

/// Room on the disk whose mount point is the longest beginning of `path`.
#[cfg_attr(unix, allow(dead_code, reason = "built in tests so as not to rot"))]
pub(crate) fn space(path: &Path) -> Option<Space> {
    let disks = Disks::new_with_refreshed_list().ok()?;
    let holds = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
    let disk = holds.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(Space { free: Bytes(disk.available_space()), total: Bytes(disk.total_space()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_agrees_with_the_system() {
        let (fallback, machine) = (machine(), Machine::detect());
        assert_eq!(fallback.memory.total, machine.memory.total);
        assert!(fallback.cpu.usable_threads >= 1 && fallback.cpu.cores >= 1);
        let here = std::env::current_dir().unwrap();
        if let Some(space) = space(&here) {
            assert!(space.free <= space.total);
        }
    }
}
