//! The store: a Hugging Face cache, as `huggingface_hub` lays it out, and nothing beside it.
//!
//! ```text
//! models--org--name/blobs/<hash>                  the bytes, named by sha256 (large) or git sha1 (small)
//! models--org--name/snapshots/<commit>/<path>     relative links to them
//! models--org--name/refs/<branch>                 the commit a branch stood at
//! .locks/models--org--name/<hash>.lock            held (flock) while that blob is written
//! ```
//!
//! So what transformers, vLLM or llama.cpp downloaded is found here, and what is pulled here is found
//! by them. Models of other sources lie in the same layout under names no hub repository can have
//! (`models--oci--ghcr.io--org--model`). What was verified is remembered elsewhere, in [`Receipts`].
//! Nothing is believed about the folder: a link where a folder belongs is refused, not followed.

mod copy;
mod inventory;
mod receipts;
mod remove;

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

pub use copy::CopyTo;
pub(crate) use copy::copy_file;
pub(crate) use inventory::walk;
pub use inventory::{HeldFile, HeldModel, HeldRevision};
pub use receipts::{Check, Trust};
pub(crate) use receipts::{Receipts, sha256_of_file};
pub use remove::Removed;
use weights::safe_relative_path;

use crate::{Digest, Error, digest::is_commit, name::Place};

/// The store. Holds no lock and no open file.
#[derive(Debug, Clone)]
pub struct Store {
    cache: PathBuf,
    receipts: Receipts,
}

/// One model's folder in the store.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    cache: PathBuf,
    key: String,
}

impl Store {
    /// The Hugging Face cache at `cache`; what was verified is remembered under `home`.
    pub fn new(cache: impl Into<PathBuf>, home: &Path) -> Store {
        Store { cache: cache.into(), receipts: Receipts::new(home.join("verified")) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    pub(crate) fn repo(&self, place: &Place) -> Repo {
        Repo { cache: self.cache.clone(), key: key_of(place) }
    }
}

/// The name of a model's folder.
pub(crate) fn key_of(place: &Place) -> String {
    let part = |text: &str| text.replace("--", "-%2D").replace(':', "%3A");
    let whole = |scheme: &str, path: &str| {
        let parts: Vec<String> = path.split('/').map(part).collect();
        format!("models--{scheme}--{}", parts.join("--"))
    };
    match place {
        Place::Hub { id } => format!("models--{}", id.replace('/', "--")),
        Place::Oci { registry, repository } => whole("oci", &format!("{registry}/{repository}")),
        Place::Ollama { model } => whole("ollama", model),
        Place::Url { url, .. } => {
            let plain = url.split(['?', '#']).next().unwrap_or_default();
            let rest = plain.split_once("://").map_or(plain, |(_, rest)| rest);
            // Any address has a name of bounded length: host, file, and a hash of all of it.
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let file: String =
                path.rsplit('/').next().unwrap_or_default().chars().take(80).collect();
            let hash = &Digest::sha256_of(url.as_bytes()).hex()[..16];
            whole("https", &format!("{host}/{file}/{hash}"))
        }
        Place::Local { path } => {
            whole("file", &Digest::sha256_of(path.as_os_str().as_encoded_bytes()).hex()[..16])
        }
    }
}

/// The name a folder of the store stands for, as a person would type it.
pub(crate) fn name_of(key: &str) -> Option<String> {
    let rest = key.strip_prefix("models--")?;
    let parts: Vec<String> =
        rest.split("--").map(|part| part.replace("-%2D", "--").replace("%3A", ":")).collect();
    Some(match parts.as_slice() {
        [scheme, path @ ..] if path.len() >= 2 && scheme == "oci" => {
            format!("oci://{}", path.join("/"))
        }
        [scheme, path @ ..] if path.len() >= 2 && scheme == "ollama" => {
            format!("ollama:{}", path.join("/"))
        }
        [scheme, host, file, _] if scheme == "https" => format!("https://{host}/…/{file}"),
        _ => parts.join("/"),
    })
}

impl Repo {
    pub(crate) fn named(cache: &Path, key: &str) -> Repo {
        Repo { cache: cache.to_path_buf(), key: key.to_owned() }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.cache.join(&self.key)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.dir().join("blobs")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.dir().join("snapshots").join(commit)
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.cache.join(".locks").join(&self.key)
    }

    /// Makes the folders a pull writes to.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.cache).map_err(Error::io("create the folder", &self.cache))?;
        tag_cache(&self.cache);
        folder(&self.cache, Path::new(&self.key).join("blobs").as_path())?;
        folder(&self.cache, Path::new(".locks").join(&self.key).as_path())
    }

    /// The commit a branch or tag stood at when it was last pulled.
    pub(crate) fn reference(&self, revision: &str) -> Result<Option<String>, Error> {
        if is_commit(revision) {
            return Ok(Some(revision.to_owned()));
        }
        let relative = safe_relative_path(revision)?;
        let path = self.dir().join("refs").join(relative);
        match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim().to_owned();
                let why = "a branch stands at a commit of 40 hexadecimal digits, and this file holds none";
                if is_commit(&text) { Ok(Some(text)) } else { Err(Error::Store { path, why }) }
            }
            Err(fault)
                if matches!(
                    fault.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
                ) =>
            {
                Ok(None)
            }
            Err(fault) => Err(Error::io("read the branch", path)(fault)),
        }
    }

    /// Remembers where a branch or tag stands.
    pub(crate) fn set_reference(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if revision == commit
            || self.reference(revision).is_ok_and(|held| held.as_deref() == Some(commit))
        {
            return Ok(());
        }
        let relative = Path::new("refs").join(safe_relative_path(revision)?);
        let parent = relative.parent().unwrap_or(Path::new("refs"));
        folder(&self.cache, &Path::new(&self.key).join(parent))?;
        write_whole(&self.dir().join(relative), commit.as_bytes())
    }

    /// Makes `path` of the snapshot lead to the blob.
    pub(crate) fn link(&self, commit: &str, path: &str, digest: &Digest) -> Result<(), Error> {
        let relative = safe_relative_path(path)?;
        let inside = Path::new("snapshots").join(commit).join(&relative);
        let parent = inside.parent().unwrap_or(Path::new("snapshots"));
        folder(&self.cache, &Path::new(&self.key).join(parent))?;
        let link = self.dir().join(&inside);
        let mut target = PathBuf::new();
        for _ in parent.components() {
            target.push("..");
        }
        target.push("blobs");
        target.push(digest.hex());
        if fs::read_link(&link).is_ok_and(|held| held == target) {
            return Ok(());
        }
        if fs::symlink_metadata(&link).is_ok_and(|there| there.is_dir()) {
            return Err(Error::Store { path: link, why: "a folder lies where a file belongs" });
        }
        let fresh = beside(&link);
        place_link(&target, &self.blob(digest), &fresh)
            .map_err(Error::io("create the link", &fresh))?;
        fs::rename(&fresh, &link).map_err(|fault| {
            _ = fs::remove_file(&fresh);
            Error::io("put the link in its place at", &link)(fault)
        })
    }

    /// What a file of a snapshot leads to: a regular file inside the cache, or nothing.
    pub(crate) fn resolve(&self, path: &Path) -> Result<Option<PathBuf>, Error> {
        let there = match fs::symlink_metadata(path) {
            Ok(there) => there,
            Err(fault)
                if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(fault) => return Err(Error::io("look at", path)(fault)),
        };
        if there.is_file() {
            return Ok(Some(path.to_path_buf()));
        }
        if !there.is_symlink() {
            return Err(Error::Store {
                path: path.to_path_buf(),
                why: "neither a file nor a link",
            });
        }
        let whole = match fs::canonicalize(path) {
            Ok(whole) => whole,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(Error::io("follow the link", path)(fault)),
        };
        let cache = fs::canonicalize(&self.cache).map_err(Error::io("look at", &self.cache))?;
        if !whole.starts_with(&cache) {
            return Err(Error::Store {
                path: path.to_path_buf(),
                why: "the link leads out of the cache",
            });
        }
        if !whole.is_file() {
            return Err(Error::Store {
                path: path.to_path_buf(),
                why: "the link leads to no regular file",
            });
        }
        Ok(Some(whole))
    }

    /// Takes the lock of a blob, telling through `waiting` if another process has it.
    pub(crate) fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<Lock, Error> {
        let (file, path) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(Error::io("take the lock", path))?;
            }
            Err(fs::TryLockError::Error(fault)) => {
                return Err(Error::io("take the lock", path)(fault));
            }
        }
        Ok(Lock { _file: file })
    }

    /// Says that a pull is under way, as any number of them may.
    pub(crate) fn share(&self) -> Result<Lock, Error> {
        let (file, path) = self.lock_file("freehold")?;
        file.lock_shared().map_err(Error::io("take the lock", path))?;
        Ok(Lock { _file: file })
    }

    /// Makes sure that no pull is under way and none begins.
    pub(crate) fn alone(&self) -> Result<Lock, Error> {
        let (file, path) = self.lock_file("freehold")?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(Error::Busy { name: name_of(&self.key).unwrap_or_default() })
            }
            Err(fs::TryLockError::Error(fault)) => Err(Error::io("take the lock", path)(fault)),
        }
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), Error> {
        folder(&self.cache, Path::new(".locks").join(&self.key).as_path())?;
        let path = self.locks().join(format!("{name}.lock"));
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        Ok((open.map_err(Error::io("open the lock", &path))?, path))
    }
}

/// A blob's lock, until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Creates `relative` below `root`, component by component; anything but folders is refused.
pub(crate) fn folder(root: &Path, relative: &Path) -> Result<(), Error> {
    let mut path = root.to_path_buf();
    for part in relative.components() {
        path.push(part);
        let check = |there: &fs::Metadata| {
            if there.is_dir() {
                return Ok(());
            }
            let why = if there.is_symlink() {
                "a link where a folder of the store belongs"
            } else {
                "a file where a folder of the store belongs"
            };
            Err(Error::Store { path: path.clone(), why })
        };
        match fs::symlink_metadata(&path) {
            Ok(there) => check(&there)?,
            Err(fault) if fault.kind() == ErrorKind::NotFound => match fs::create_dir(&path) {
                Ok(()) => {}
                // Another process was faster.
                Err(fault) if fault.kind() == ErrorKind::AlreadyExists => {
                    let there = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
                    check(&there)?;
                }
                Err(fault) => return Err(Error::io("create the folder", path)(fault)),
            },
            Err(fault) => return Err(Error::io("look at", path)(fault)),
        }
    }
    Ok(())
}

/// A name beside `path` that no other process or thread uses.
pub(crate) fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names may be as long as the file system allows.
    let start: String = name.chars().take(40).collect();
    path.with_file_name(format!(".{start}.{}-{count}.freehold", std::process::id()))
}

/// Writes a small file whole: beside, to the disk, renamed.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fresh = beside(path);
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        sync_folder(path);
        Ok(())
    };
    write().map_err(|fault| {
        _ = fs::remove_file(&fresh);
        Error::io("write", path)(fault)
    })
}

/// Makes a rename last; where folders cannot be synced there is nothing to do.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        _ = folder.sync_all();
    }
}

/// Tells backup programs that this can be had again (bford.info/cachedir).
fn tag_cache(cache: &Path) {
    if let Ok(mut file) = File::create_new(cache.join("CACHEDIR.TAG")) {
        _ = file.write_all(b"Signature: 8a477f597d28d172789f06886806bc55\n# Models that can be downloaded again.\n");
    }
}

#[cfg(unix)]
fn place_link(target: &Path, _blob: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Without links a copy stands in, as `huggingface_hub` does it.
#[cfg(not(unix))]
fn place_link(_target: &Path, blob: &Path, link: &Path) -> std::io::Result<()> {
    fs::hard_link(blob, link).or_else(|_| fs::copy(blob, link).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelName;

    #[test]
    fn folders_are_named_as_python_names_them_and_never_alike() {
        let key = |text: &str| key_of(&ModelName::parse(text).unwrap().place);
        assert_eq!(key("org/m-1.5_x"), "models--org--m-1.5_x");
        assert_eq!(key("gpt2"), "models--gpt2");
        assert_eq!(key("oci://localhost:5000/a/b"), "models--oci--localhost%3A5000--a--b");
        assert_ne!(key("oci://r.io/a--b"), key("oci://r.io/a/b"));
        assert_eq!(name_of("models--org--m"), Some("org/m".into()));
        assert_eq!(name_of(&key("oci://r.io:1/a--b/c")), Some("oci://r.io:1/a--b/c".into()));
        assert_eq!(name_of("datasets--x"), None);
    }

    #[test]
    fn h8_a_link_in_the_place_of_a_folder_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let store = Store::new(room.path().join("cache"), room.path());
        let repo = store.repo(&Place::Hub { id: "a/b".into() });
        let outside = room.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        repo.prepare().unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, repo.dir().join("snapshots")).unwrap();
            let digest = Digest::sha256_of(b"x");
            let fault = repo.link(&"a".repeat(40), "x/config.json", &digest).unwrap_err();
            assert!(matches!(fault, Error::Store { .. }), "{fault}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
            // A blob that leads out of the cache is nothing the store holds.
            fs::write(outside.join("secret"), b"x").unwrap();
            std::os::unix::fs::symlink(outside.join("secret"), repo.blob(&digest)).unwrap();
            assert!(matches!(repo.resolve(&repo.blob(&digest)), Err(Error::Store { .. })));
        }
    }

    #[test]
    fn branches_are_files_with_a_commit() {
        let room = tempfile::tempdir().unwrap();
        let repo = Store::new(room.path(), room.path()).repo(&Place::Hub { id: "a/b".into() });
        repo.prepare().unwrap();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(repo.reference("refs/pr/1").unwrap(), None);
        repo.set_reference("refs/pr/1", commit).unwrap();
        assert_eq!(fs::read_to_string(repo.dir().join("refs/refs/pr/1")).unwrap(), commit);
        assert_eq!(repo.reference("refs/pr/1").unwrap().as_deref(), Some(commit));
        fs::write(repo.dir().join("refs/main"), "../../../../etc").unwrap();
        assert!(matches!(repo.reference("main"), Err(Error::Store { .. })));
        assert!(repo.reference("../main").is_err());
    }
}
