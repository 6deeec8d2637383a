//! What was verified is remembered, so that a 40 GB file is hashed once and not at every start.
//!
//! A receipt says: the file with this device and inode number had this hash when it had this size and
//! this time of change. It lies outside the cache, whose layout belongs to all its users. A file that
//! was written to has another time, a file that was replaced another inode; the check can be forced.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::{Digest, Error, digest::Hasher, store::write_whole};

/// Whether an earlier verification counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It counts as long as inode, size and time of change are the same.
    Remembered,
    /// Every byte is hashed again.
    Nothing,
}

/// How a file was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Its bytes were hashed now and are right.
    Hashed,
    /// They were hashed earlier, and the file has not changed since.
    Remembered,
    /// Its bytes hash to something else.
    Wrong {
        /// To what.
        found: Digest,
    },
    /// It has another size.
    WrongSize {
        /// Its size.
        found: u64,
    },
}

impl Check {
    /// Whether the file is as it should be.
    pub fn is_right(self) -> bool {
        matches!(self, Check::Hashed | Check::Remembered)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Receipts {
    folder: PathBuf,
}

impl Receipts {
    pub(crate) fn new(folder: PathBuf) -> Receipts {
        Receipts { folder }
    }

    /// Holds a file to its hash. `bytes` is the size it has to have, where that is known.
    pub(crate) fn check(
        &self,
        path: &Path,
        digest: &Digest,
        bytes: Option<u64>,
        trust: Trust,
    ) -> Result<Check, Error> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let before = file.metadata().map_err(Error::io("look at", path))?;
        if !before.is_file() {
            return Err(Error::Store { path: path.to_path_buf(), why: "not a regular file" });
        }
        if bytes.is_some_and(|bytes| bytes != before.len()) {
            return Ok(Check::WrongSize { found: before.len() });
        }
        if trust == Trust::Remembered && self.remembers(&before, digest) {
            return Ok(Check::Remembered);
        }
        let found = hash(&mut file, path, digest.hasher(before.len()))?;
        if found != *digest {
            self.forget(&before);
            return Ok(Check::Wrong { found });
        }
        let after = file.metadata().map_err(Error::io("look at", path))?;
        if stamp(&after) == stamp(&before) {
            self.remember(&before, digest);
        }
        Ok(Check::Hashed)
    }

    /// Notes that the open file was verified just now. A receipt that cannot be written is only
    /// work done again later.
    pub(crate) fn remember(&self, file: &Metadata, digest: &Digest) {
        let (Some(name), Some(stamp)) = (identity(file), stamp(file)) else { return };
        if fs::create_dir_all(&self.folder).is_ok() {
            _ = write_whole(&self.folder.join(name), format!("{digest} {stamp}\n").as_bytes());
        }
    }

    /// The sha256 of a file of this computer, remembered as long as it does not change.
    pub(crate) fn sha256(&self, path: &Path) -> Result<Digest, Error> {
        let before = fs::metadata(path).map_err(Error::io("look at", path))?;
        if let Some(digest) = self.recall(&before) {
            return Ok(digest);
        }
        let digest = sha256_of_file(path)?;
        let after = fs::metadata(path).map_err(Error::io("look at", path))?;
        if stamp(&after) == stamp(&before) {
            self.remember(&before, &digest);
        }
        Ok(digest)
    }

    fn recall(&self, file: &Metadata) -> Option<Digest> {
        let (name, stamp) = (identity(file)?, stamp(file)?);
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        let (digest, held) = text.trim_end().split_once(' ')?;
        (held == stamp).then(|| Digest::parse_sha256(digest))?
    }

    fn remembers(&self, file: &Metadata, digest: &Digest) -> bool {
        let (Some(name), Some(stamp)) = (identity(file), stamp(file)) else { return false };
        fs::read_to_string(self.folder.join(name))
            .is_ok_and(|text| text == format!("{digest} {stamp}\n"))
    }

    pub(crate) fn forget(&self, file: &Metadata) {
        if let Some(name) = identity(file) {
            _ = fs::remove_file(self.folder.join(name));
        }
    }
}

fn hash(file: &mut File, path: &Path, mut hasher: Hasher) -> Result<Digest, Error> {
    let mut piece = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut piece).map_err(Error::io("read", path))?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&piece[..count]);
    }
}

/// The sha256 of a file.
pub(crate) fn sha256_of_file(path: &Path) -> Result<Digest, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    hash(&mut file, path, Hasher::sha256())
}

/// Device and inode number; without such numbers nothing is remembered.
fn identity(file: &Metadata) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let name = format!("{:x}-{:x}", file.dev(), file.ino());
        (file.ino() != 0).then_some(name)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

fn stamp(file: &Metadata) -> Option<String> {
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", file.len(), changed.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_receipt_holds_until_the_file_changes() {
        let room = tempfile::tempdir().unwrap();
        let receipts = Receipts::new(room.path().join("verified"));
        let path = room.path().join("file");
        fs::write(&path, b"hello").unwrap();
        let digest = Digest::sha256_of(b"hello");
        let check = |trust| receipts.check(&path, &digest, Some(5), trust).unwrap();
        assert_eq!(check(Trust::Remembered), Check::Hashed);
        assert_eq!(check(Trust::Remembered), Check::Remembered);
        assert_eq!(check(Trust::Nothing), Check::Hashed);

        // Same size, other bytes, other time.
        let time = SystemTime::now() + Duration::from_secs(5);
        fs::write(&path, b"jello").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert!(matches!(check(Trust::Remembered), Check::Wrong { .. }));
        // Another file in its place, with the old time.
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"hello!").unwrap();
        assert_eq!(check(Trust::Remembered), Check::WrongSize { found: 6 });
        // Bytes changed and the time put back: remembered, until it is forced.
        fs::write(&path, b"hello").unwrap();
        assert!(check(Trust::Remembered).is_right());
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, b"HELLO").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert!(matches!(check(Trust::Nothing), Check::Wrong { .. }));
        assert!(
            matches!(check(Trust::Remembered), Check::Wrong { .. }),
            "a wrong file's receipt is gone"
        );
    }
}
