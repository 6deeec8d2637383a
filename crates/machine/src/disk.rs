//! Room on the file system that holds a path.

use crate::{Bytes, Error};
use serde::Serialize;
use std::path::Path;

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// What this user may still write.
    pub free: Bytes,
    /// Its size.
    pub total: Bytes,
}

/// Room where `path` lies, or would lie: the nearest folder above it that exists counts.
pub fn space(path: &Path) -> Result<Space, Error> {
    let fail =
        |source| Error::Io { action: "ask for the free space at", path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(fail)?;
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    of_existing(there).map_err(fail)
}

#[cfg(unix)]
fn of_existing(path: &Path) -> std::io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| Bytes(blocks.saturating_mul(stat.f_frsize));
    Ok(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
}

#[cfg(not(unix))]
fn of_existing(path: &Path) -> std::io::Result<Space> {
    crate::portable::space(path)
        .ok_or_else(|| std::io::Error::other("no disk is known to hold this path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_here_and_where_nothing_is_yet() {
        let here = space(Path::new(".")).unwrap();
        assert!(here.total > Bytes::mib(1) && here.free <= here.total);
        let later = space(Path::new("./no/such/folder/yet")).unwrap();
        assert_eq!(later.total, here.total);
    }
}
