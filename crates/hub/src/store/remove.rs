//! Removing models: branches first, then revisions, then the blobs nobody leads to any more.
//!
//! In this order a kill in between leaves a store that is whole. Nothing outside a model's own folder
//! is ever unlinked: links are removed, never followed.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    HeldModel, Repo, Store,
    inventory::{names, walk},
};
use crate::{Digest, Error};

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Commits.
    pub revisions: Vec<String>,
    /// Blobs and interrupted downloads.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Store {
    /// Removes a model, or one commit of it, with the blobs that no other commit uses.
    pub fn remove(&self, model: &HeldModel, commit: Option<&str>) -> Result<Removed, Error> {
        let repo = Repo::named(&self.cache, &model.key);
        check_inside(&repo)?;
        let lock = repo.alone()?;
        let mut removed = Removed::default();
        for revision in &model.revisions {
            if commit.is_some_and(|commit| commit != revision.commit) {
                continue;
            }
            for reference in &revision.references {
                remove_file(&repo.dir().join("refs").join(reference))?;
            }
            let folder = repo.snapshot(&revision.commit);
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
            removed.revisions.push(revision.commit.clone());
        }
        self.sweep(&repo, &mut removed)?;
        if commit.is_none() {
            fs::remove_dir_all(repo.dir()).map_err(Error::io("remove", repo.dir()))?;
            drop(lock);
            _ = fs::remove_dir_all(repo.locks());
        }
        Ok(removed)
    }

    /// Removes what no revision leads to, of all models: blobs and interrupted downloads.
    pub fn prune(&self) -> Result<Removed, Error> {
        let mut removed = Removed::default();
        for model in self.list()? {
            let repo = Repo::named(&self.cache, &model.key);
            check_inside(&repo)?;
            // A model that is being pulled has blobs that nothing leads to yet.
            let Ok(_lock) = repo.alone() else { continue };
            self.sweep(&repo, &mut removed)?;
        }
        Ok(removed)
    }

    fn sweep(&self, repo: &Repo, removed: &mut Removed) -> Result<(), Error> {
        let used = used_blobs(repo)?;
        for name in names(&repo.blobs())? {
            if used.contains(&name) {
                continue;
            }
            // A download that runs has the lock of its blob; it is left alone.
            let of = name.split('.').next().unwrap_or_default();
            if Digest::parse(of).is_some() && is_locked(repo, of) {
                continue;
            }
            let path = repo.blobs().join(&name);
            let there = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
            if there.is_dir() {
                continue;
            }
            self.receipts.forget(&there);
            remove_file(&path)?;
            removed.blobs += 1;
            removed.bytes += there.len();
        }
        Ok(())
    }
}

fn check_inside(repo: &Repo) -> Result<(), Error> {
    for folder in [repo.dir(), repo.blobs(), repo.dir().join("snapshots"), repo.dir().join("refs")]
    {
        if fs::symlink_metadata(&folder).is_ok_and(|there| !there.is_dir()) {
            return Err(Error::Store {
                path: folder,
                why: "a link where a folder of the store belongs",
            });
        }
    }
    Ok(())
}

/// Whether a download of this blob is under way.
fn is_locked(repo: &Repo, name: &str) -> bool {
    let path = repo.locks().join(format!("{name}.lock"));
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// Names of the blobs that some revision leads to.
fn used_blobs(repo: &Repo) -> Result<HashSet<String>, Error> {
    let mut used = HashSet::new();
    let snapshots = repo.dir().join("snapshots");
    for path in walk(&snapshots)? {
        let target: Option<PathBuf> = fs::read_link(snapshots.join(path)).ok();
        if let Some(name) =
            target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str())
        {
            used.insert(name.to_owned());
        }
    }
    Ok(used)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(fault))
        }
        _ => Ok(()),
    }
}
