//! Linux: everything is in `/proc` and `/sys`.
//!
//! All reading goes through [`Root`], so that tests can show this code other machines.

mod cgroup;
mod cpu;
mod gpu;
mod memory;

use crate::{Machine, Os};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where `/proc` and `/sys` are looked for.
pub(crate) struct Root(PathBuf);

impl Root {
    /// The real ones.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for tests elsewhere"))]
    pub(crate) fn system() -> Self {
        Self(PathBuf::from("/"))
    }

    #[cfg(test)]
    pub(crate) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// A small text file, without the white space around it; `None` when it cannot be read.
    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(self.path(path)).ok()?;
        file.take(1 << 20).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file that holds one number.
    fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// The names in a folder, sorted; none when it cannot be read.
    fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .take(65_536)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// The last part of where a link points.
    fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = std::fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The machine these files describe.
pub(crate) fn machine(root: &Root) -> Machine {
    let limits = cgroup::limits(root);
    Machine {
        os: os(root),
        cpu: cpu::cpu(root, limits.cpu),
        memory: memory::memory(root, limits.memory),
        gpus: gpu::gpus(root),
    }
}

fn os(root: &Root) -> Os {
    let release = root.text("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let version = root.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    Os {
        name: name.map_or("Linux".to_owned(), |name| name.trim_matches('"').to_owned()),
        kernel: format!("Linux {version}").trim_end().to_owned(),
    }
}

/// `key: value` lines, as in `/proc/meminfo`, up to the first empty line.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().take_while(|line| !line.trim().is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests;
