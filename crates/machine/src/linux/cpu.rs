//! The processor from `/proc/cpuinfo` and `/sys/devices/system/cpu`.

use super::{Root, value_of};
use crate::{Bytes, Cache, CacheKind, Cpu, instruction_sets};
use std::collections::{BTreeMap, BTreeSet};

const CPUS: &str = "/sys/devices/system/cpu";

pub(super) fn cpu(root: &Root, quota: Option<f64>) -> Cpu {
    let info = root.text("/proc/cpuinfo").unwrap_or_default();
    let status = root.text("/proc/self/status").unwrap_or_default();
    let online =
        root.text(format!("{CPUS}/online")).map_or_else(BTreeSet::new, |list| id_list(&list));
    let online = if online.is_empty() { processors(&info) } else { online };
    let allowed = value_of(&status, "Cpus_allowed_list").map(id_list).unwrap_or_default();
    let usable: BTreeSet<usize> = if allowed.is_empty() {
        online.clone()
    } else {
        online.intersection(&allowed).copied().collect()
    };
    let cores = |threads: &BTreeSet<usize>| {
        threads.iter().map(|&id| core_of(root, id)).collect::<BTreeSet<_>>().len()
    };
    let packages: BTreeSet<_> = online.iter().map(|&id| core_of(root, id).0).collect();
    let flags = value_of(&info, "flags").unwrap_or_default();
    Cpu {
        name: name(&info),
        vendor: vendor(&info),
        signature: signature(&info),
        microcode: value_of(&info, "microcode").map(str::to_owned),
        architecture: std::env::consts::ARCH,
        packages: packages.len().max(1),
        cores: cores(&online).max(1),
        threads: online.len().max(1),
        usable_cores: cores(&usable).max(1),
        usable_threads: usable.len().max(1),
        quota,
        numa_nodes: numa_nodes(root),
        virtual_machine: (!flags.is_empty())
            .then(|| flags.split_whitespace().any(|flag| flag == "hypervisor")),
        caches: caches(root, &online),
        instruction_sets: instruction_sets(),
    }
}

/// Socket and core of a hardware thread; a core of its own where that is not stated.
fn core_of(root: &Root, id: usize) -> (u64, u64) {
    let topology = format!("{CPUS}/cpu{id}/topology");
    let package = root.number(format!("{topology}/physical_package_id")).unwrap_or(0);
    let first_sibling = root
        .text(format!("{topology}/thread_siblings_list"))
        .and_then(|list| id_list(&list).first().copied());
    (package, first_sibling.unwrap_or(id) as u64)
}

fn numa_nodes(root: &Root) -> usize {
    let is_node = |name: &String| {
        name.strip_prefix("node").is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()))
    };
    root.names("/sys/devices/system/node").iter().filter(|name| is_node(name)).count().max(1)
}

/// A cache appears once under every thread that shares it: counted once by its list of sharers.
fn caches(root: &Root, online: &BTreeSet<usize>) -> Vec<Cache> {
    let mut found: BTreeMap<(u32, CacheKind, u64), BTreeMap<String, usize>> = BTreeMap::new();
    for id in online {
        for index in 0..16 {
            let at = format!("{CPUS}/cpu{id}/cache/index{index}");
            let Some(level) = root.number(format!("{at}/level")) else { break };
            let kind = match root.text(format!("{at}/type")).as_deref() {
                Some("Data") => CacheKind::Data,
                Some("Instruction") => CacheKind::Instruction,
                _ => CacheKind::Unified,
            };
            let size = root.text(format!("{at}/size")).and_then(|size| size.parse::<Bytes>().ok());
            let sharers =
                root.text(format!("{at}/shared_cpu_list")).unwrap_or_else(|| id.to_string());
            let count = id_list(&sharers).len().max(1);
            let key = (level as u32, kind, size.unwrap_or_default().0);
            found.entry(key).or_default().insert(sharers, count);
        }
    }
    let cache =
        |((level, kind, size), copies): ((u32, CacheKind, u64), BTreeMap<String, usize>)| Cache {
            level,
            kind,
            size: Bytes(size),
            shared_by: copies.values().copied().max().unwrap_or(1),
            count: copies.len(),
        };
    found.into_iter().map(cache).collect()
}

fn name(info: &str) -> String {
    let stated = ["model name", "Model", "cpu model", "cpu", "Hardware"];
    if let Some(name) = stated.iter().find_map(|key| value_of(info, key)) {
        return name.to_owned();
    }
    let part = (value_of(info, "CPU implementer"), value_of(info, "CPU part"));
    let known = [
        (("0x41", "0xd08"), "Arm Cortex-A72"),
        (("0x41", "0xd0b"), "Arm Cortex-A76"),
        (("0x41", "0xd0c"), "Arm Neoverse N1"),
        (("0x41", "0xd40"), "Arm Neoverse V1"),
        (("0x41", "0xd49"), "Arm Neoverse N2"),
        (("0x41", "0xd4f"), "Arm Neoverse V2"),
        (("0xc0", "0xac3"), "Ampere-1"),
    ];
    let name = known.iter().find(|((i, p), _)| part == (Some(*i), Some(*p))).map(|(_, name)| *name);
    name.unwrap_or_default().to_owned()
}

fn vendor(info: &str) -> String {
    if let Some(vendor) = value_of(info, "vendor_id") {
        return vendor.to_owned();
    }
    match value_of(info, "CPU implementer") {
        Some("0x41") => "ARM",
        Some("0x61") => "Apple",
        Some("0xc0") => "Ampere",
        Some("0x51") => "Qualcomm",
        Some(other) => other,
        None => "",
    }
    .to_owned()
}

fn signature(info: &str) -> String {
    let fields = [
        ("cpu family", "family"),
        ("model", "model"),
        ("stepping", "stepping"),
        ("CPU implementer", "implementer"),
        ("CPU variant", "variant"),
        ("CPU part", "part"),
        ("CPU revision", "revision"),
    ];
    let stated = |&(key, label): &(&str, &str)| value_of(info, key).map(|v| format!("{label} {v}"));
    fields.iter().filter_map(stated).collect::<Vec<_>>().join(" ")
}

/// The threads `/proc/cpuinfo` lists, where `/sys` is hidden.
fn processors(info: &str) -> BTreeSet<usize> {
    let id = |line: &str| {
        line.strip_prefix("processor")?.trim_start().strip_prefix(':')?.trim().parse().ok()
    };
    info.lines().filter_map(id).collect()
}

/// `0-3,8,10-11` as a set; parts that make no sense are passed over.
fn id_list(text: &str) -> BTreeSet<usize> {
    const MOST: usize = 65_536;
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<usize>().ok()?);
        Some(first..last.min(MOST) + 1)
    };
    text.split(',').filter_map(part).flatten().collect()
}
