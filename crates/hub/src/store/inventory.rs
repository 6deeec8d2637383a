//! What the store holds: models, revisions, files.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Check, Repo, Store, Trust, name_of};
use crate::{Digest, Error, digest::is_commit};

/// Folders and files of one model that are looked at, at most.
const ENTRIES_MAX: usize = 200_000;

/// A model in the store.
#[derive(Debug, Clone)]
pub struct HeldModel {
    /// Its name as one types it.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its revisions, by commit.
    pub revisions: Vec<HeldRevision>,
    /// Bytes of all its blobs, each once.
    pub bytes: u64,
    /// Bytes of interrupted downloads.
    pub incomplete_bytes: u64,
    pub(crate) key: String,
}

/// A commit of a model in the store.
#[derive(Debug, Clone)]
pub struct HeldRevision {
    /// The commit.
    pub commit: String,
    /// Branches and tags that stood at it when they were last looked up.
    pub references: Vec<String>,
    /// Its files, sorted by path.
    pub files: Vec<HeldFile>,
    /// Where they lie.
    pub folder: PathBuf,
    /// When it was first there.
    pub since: Option<SystemTime>,
}

/// A file of a revision in the store.
#[derive(Debug, Clone)]
pub struct HeldFile {
    /// Its path in the model.
    pub path: String,
    /// Its size; `None` when its bytes are missing.
    pub bytes: Option<u64>,
    /// Its hash as the name of its blob states it; `None` for a plain file (a store without links).
    pub digest: Option<Digest>,
    /// Where it is opened.
    pub location: PathBuf,
}

impl HeldRevision {
    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.bytes).sum()
    }

    /// The file of that path.
    pub fn file(&self, path: &str) -> Option<&HeldFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Store {
    /// Everything it holds, by name. What cannot be understood is left out: the cache is shared.
    pub fn list(&self) -> Result<Vec<HeldModel>, Error> {
        let mut out = Vec::new();
        for key in names(&self.cache)? {
            let is_folder =
                fs::symlink_metadata(self.cache.join(&key)).is_ok_and(|there| there.is_dir());
            if is_folder && let Some(name) = name_of(&key) {
                out.push(self.held(&key, name)?);
            }
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// One model of the store by the name of its folder.
    pub(crate) fn held(&self, key: &str, name: String) -> Result<HeldModel, Error> {
        let repo = Repo::named(&self.cache, key);
        let mut references: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in walk(&repo.dir().join("refs"))? {
            // A branch that cannot be read is a branch that is not known.
            if let Ok(Some(commit)) = repo.reference(&path) {
                references.entry(commit).or_default().push(path);
            }
        }
        let mut revisions = Vec::new();
        for commit in names(&repo.dir().join("snapshots"))? {
            let folder = repo.snapshot(&commit);
            if !is_commit(&commit)
                || !fs::symlink_metadata(&folder).is_ok_and(|there| there.is_dir())
            {
                continue;
            }
            let mut files = Vec::new();
            for path in walk(&folder)? {
                files.push(held_file(&repo, folder.join(&path), path)?);
            }
            let since = fs::metadata(&folder).and_then(|there| there.modified()).ok();
            let references = references.get(&commit).cloned().unwrap_or_default();
            revisions.push(HeldRevision { commit, references, files, folder, since });
        }
        let (mut bytes, mut incomplete_bytes) = (0, 0);
        for blob in names(&repo.blobs())? {
            let size = repo
                .resolve(&repo.blobs().join(&blob))
                .ok()
                .flatten()
                .and_then(|path| fs::metadata(path).ok())
                .map_or(0, |there| there.len());
            if blob.ends_with(".incomplete") { incomplete_bytes += size } else { bytes += size }
        }
        Ok(HeldModel {
            name,
            folder: repo.dir(),
            revisions,
            bytes,
            incomplete_bytes,
            key: key.to_owned(),
        })
    }

    /// Holds every file of a revision to the hash its blob is named by.
    ///
    /// A file whose name states no hash (a store without links) is skipped; one that leads out of the
    /// store is an error.
    pub fn verify(
        &self,
        revision: &HeldRevision,
        trust: Trust,
    ) -> Result<Vec<(String, Option<Check>)>, Error> {
        let mut out = Vec::new();
        for file in &revision.files {
            let check = match (&file.digest, file.bytes) {
                (Some(_), None) => Some(Check::WrongSize { found: 0 }),
                (Some(digest), Some(_)) => {
                    Some(self.receipts.check(&file.location, digest, None, trust)?)
                }
                (None, _) => None,
            };
            out.push((file.path.clone(), check));
        }
        Ok(out)
    }
}

fn held_file(repo: &Repo, location: PathBuf, path: String) -> Result<HeldFile, Error> {
    let digest = fs::read_link(&location)
        .ok()
        .and_then(|target| Digest::parse(target.file_name()?.to_str()?));
    // A link that leads out of the cache leads to nothing the store holds.
    let whole = match repo.resolve(&location) {
        Err(Error::Store { .. }) => None,
        other => other?,
    };
    let bytes = match whole {
        Some(whole) => Some(fs::metadata(&whole).map_err(Error::io("look at", whole))?.len()),
        None => None,
    };
    Ok(HeldFile { path, bytes, digest, location })
}

/// The names in a folder, sorted; none when it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(fault) => return Err(Error::io("list", folder)(fault)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        if out.len() >= ENTRIES_MAX {
            let what = format!("entries of {}", folder.display());
            return Err(Error::OverLimit {
                what,
                found: out.len() as u64 + 1,
                max: ENTRIES_MAX as u64,
            });
        }
        if let Ok(name) = entry.file_name().into_string() {
            out.push(name);
        }
    }
    out.sort();
    Ok(out)
}

/// The files below a folder as paths with `/`, sorted; links to folders are not followed.
pub(crate) fn walk(folder: &Path) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    let mut todo = vec![String::new()];
    while let Some(inside) = todo.pop() {
        for name in names(&folder.join(&inside))? {
            // What this crate is just about to rename into place.
            if name.ends_with(".freehold") {
                continue;
            }
            let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
            if path.split('/').count() > 16 || out.len() + todo.len() >= ENTRIES_MAX {
                return Err(Error::Store {
                    path: folder.to_path_buf(),
                    why: "deeper or wider than any model",
                });
            }
            if fs::symlink_metadata(folder.join(&path)).is_ok_and(|there| there.is_dir()) {
                todo.push(path);
            } else {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}
