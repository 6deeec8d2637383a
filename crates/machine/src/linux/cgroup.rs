//! What a container allows: the limits of this process's control groups, of both generations.
//!
//! A group's limit binds all groups below it, so every folder from the process's own up to the
//! mount is asked and the tightest answer counts. Inside a container the path in
//! `/proc/self/cgroup` is often the host's and does not exist; the mount itself then is the group.
//! Source: the kernel's `admin-guide/cgroup-v1` and `cgroup-v2`.

use super::Root;
use crate::{Bytes, MemoryLimit};
use std::path::{Path, PathBuf};

/// Of the tightest groups.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// Processor time, in threads.
    pub(super) cpu: Option<f64>,
    /// Memory.
    pub(super) memory: Option<MemoryLimit>,
}

pub(super) fn limits(root: &Root) -> Limits {
    let groups = root.text("/proc/self/cgroup").unwrap_or_default();
    let mounts = root.text("/proc/self/mountinfo").unwrap_or_default();
    let mut limits = Limits::default();
    for mount in mounts.lines().filter_map(Mount::parse) {
        for folder in mount.folders(&groups) {
            if mount.holds("cpu") {
                let quota =
                    if mount.second { quota_2(root, &folder) } else { quota_1(root, &folder) };
                limits.cpu = [limits.cpu, quota].into_iter().flatten().reduce(f64::min);
            }
            if mount.holds("memory") {
                let found =
                    if mount.second { memory_2(root, &folder) } else { memory_1(root, &folder) };
                let both = [limits.memory.take(), found].into_iter().flatten();
                limits.memory = both.min_by_key(MemoryLimit::left);
            }
        }
    }
    limits
}

/// A mounted hierarchy of groups.
struct Mount<'a> {
    /// The group that is mounted.
    root: &'a str,
    point: &'a str,
    second: bool,
    controllers: &'a str,
}

impl<'a> Mount<'a> {
    /// A line of `mountinfo`: id, parent, device, root, mount point, options, tags…, `-`, type,
    /// source, further options.
    fn parse(line: &'a str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut kind = kind.split(' ');
        let (root, point) = (place.next()?, place.next()?);
        let second = match kind.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        Some(Self { root, point, second, controllers: kind.nth(1).unwrap_or_default() })
    }

    fn holds(&self, controller: &str) -> bool {
        self.second || self.controllers.split(',').any(|name| name == controller)
    }

    /// The folders of the process's group and those above it, up to the mount.
    fn folders(&self, groups: &str) -> Vec<PathBuf> {
        let group = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let own = if self.second {
                controllers.is_empty()
            } else {
                !controllers.is_empty()
                    && controllers.split(',').all(|name| self.controllers_name(name))
            };
            own.then_some(path)
        });
        let point = Path::new(self.point);
        let below = group.unwrap_or("/");
        let below = below.strip_prefix(self.root).unwrap_or(below).trim_start_matches('/');
        let own = if below.split('/').any(|part| part == "..") {
            point.to_owned()
        } else {
            point.join(below)
        };
        own.ancestors().take_while(|folder| folder.starts_with(point)).map(Path::to_owned).collect()
    }

    fn controllers_name(&self, name: &str) -> bool {
        self.controllers.split(',').any(|own| own == name)
    }
}

/// `cpu.max`: `200000 100000` is two threads' time, `max 100000` no limit.
fn quota_2(root: &Root, folder: &Path) -> Option<f64> {
    let text = root.text(folder.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    threads(quota.parse().ok()?, period.parse().ok()?)
}

fn quota_1(root: &Root, folder: &Path) -> Option<f64> {
    // Minus one, which does not parse as this type, is no limit.
    let quota = root.number(folder.join("cpu.cfs_quota_us"))?;
    threads(quota as f64, root.number(folder.join("cpu.cfs_period_us"))? as f64)
}

fn threads(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn memory_2(root: &Root, folder: &Path) -> Option<MemoryLimit> {
    let limit = ["memory.max", "memory.high"]
        .iter()
        .filter_map(|name| root.number(folder.join(name)))
        .min()?;
    let used = root.number(folder.join("memory.current")).unwrap_or(0);
    let caches = droppable(root, folder, ["inactive_file", "active_file"]);
    Some(MemoryLimit { limit: Bytes(limit), used: Bytes(used.saturating_sub(caches)) })
}

fn memory_1(root: &Root, folder: &Path) -> Option<MemoryLimit> {
    let limit = root.number(folder.join("memory.limit_in_bytes"))?;
    // "No limit" is the largest multiple of a page.
    if limit >= i64::MAX as u64 / 2 {
        return None;
    }
    let used = root.number(folder.join("memory.usage_in_bytes")).unwrap_or(0);
    let caches = droppable(root, folder, ["total_inactive_file", "total_active_file"]);
    Some(MemoryLimit { limit: Bytes(limit), used: Bytes(used.saturating_sub(caches)) })
}

/// Pages of files: the kernel gives them up before it refuses memory.
fn droppable(root: &Root, folder: &Path, names: [&str; 2]) -> u64 {
    let stat = root.text(folder.join("memory.stat")).unwrap_or_default();
    let value = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        names.contains(&name).then(|| value.parse::<u64>().ok())?
    };
    stat.lines().filter_map(value).fold(0, u64::saturating_add)
}
