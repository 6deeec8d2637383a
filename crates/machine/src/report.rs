//! The machine and its limits as people read them.

use crate::{Bytes, CacheKind, Limits, Machine};
use std::fmt;

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = &self.cpu;
        let name = if cpu.name.is_empty() { "unknown" } else { &cpu.name };
        writeln!(f, "system   {} ({})", self.os.name, self.os.kernel)?;
        let guest = if cpu.virtual_machine == Some(true) { ", virtual machine" } else { "" };
        writeln!(f, "cpu      {name}, {}{guest}", cpu.architecture)?;
        write!(f, "cores    {} with {} threads", cpu.cores, cpu.threads)?;
        if cpu.usable_threads < cpu.threads {
            write!(f, ", {} threads usable here", cpu.usable_threads)?;
        }
        if let Some(quota) = cpu.quota {
            write!(f, ", time of {quota:.2} threads granted")?;
        }
        writeln!(f, "; {} by default", cpu.default_threads())?;
        let caches: Vec<String> = cpu.caches.iter().map(ToString::to_string).collect();
        if !caches.is_empty() {
            writeln!(f, "caches   {}", caches.join(", "))?;
        }
        writeln!(f, "isa      {}", cpu.instruction_sets.join(" "))?;
        let memory = &self.memory;
        write!(f, "memory   {} of {} available", memory.available, memory.total)?;
        if let Some(limit) = &memory.limit {
            write!(f, ", container limit {} with {} left", limit.limit, limit.left())?;
        }
        if memory.swap_total > Bytes::ZERO {
            write!(f, ", swap {} of {} free", memory.swap_free, memory.swap_total)?;
        }
        if let Some(mode) = &memory.huge_pages.transparent {
            write!(f, ", huge pages {mode}")?;
        }
        writeln!(f)?;
        for gpu in &self.gpus {
            let driver = gpu.driver.as_deref().unwrap_or("none");
            write!(f, "gpu      {}, driver {driver}", gpu.name)?;
            if let Some(memory) = gpu.memory {
                write!(f, ", {memory}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for crate::Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CacheKind::Data => "d",
            CacheKind::Instruction => "i",
            CacheKind::Unified => "",
        };
        write!(f, "L{}{kind} {} x {}", self.level, self.count, self.size)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let giga = |x: f64| x / 1e9;
        writeln!(
            f,
            "reading  {:.1} GB/s with one thread, {:.1} GB/s with {}",
            giga(self.read_bytes_per_s_one_thread),
            giga(self.read_bytes_per_s),
            self.threads
        )?;
        writeln!(
            f,
            "compute  int8 {:.0}, bf16 {:.0}, f32 {:.0} GOP/s ({}, threads: {})",
            giga(self.int8_ops_per_s),
            giga(self.bf16_ops_per_s),
            giga(self.f32_ops_per_s),
            self.isa,
            self.threads
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::Machine;

    #[test]
    fn every_line_has_a_label_and_json_holds_exact_numbers() {
        let machine = Machine::detect();
        let text = machine.to_string();
        assert!(text.lines().all(|line| line.len() > 9 && line.as_bytes()[8] == b' '), "{text}");
        let json = serde_json::to_value(&machine).unwrap();
        assert_eq!(json["memory"]["total"], machine.memory.total.get());
        assert_eq!(json["cpu"]["cores"], machine.cpu.cores);
    }
}
