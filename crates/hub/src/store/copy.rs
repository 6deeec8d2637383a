//! Taking a model elsewhere: as plain files, or into another cache.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use weights::safe_relative_path;

use super::{HeldModel, HeldRevision, Repo, Store, beside, folder, sync_folder};
use crate::{Digest, Error};

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyTo {
    /// A folder of plain files, as any tool reads them.
    Folder(PathBuf),
    /// Another Hugging Face cache, with its branches.
    Cache(PathBuf),
}

impl Store {
    /// Copies a revision, hashing every byte on the way; returns the bytes copied.
    pub fn copy(
        &self,
        model: &HeldModel,
        revision: &HeldRevision,
        to: &CopyTo,
    ) -> Result<u64, Error> {
        let mut bytes = 0;
        match to {
            CopyTo::Folder(target) => {
                fs::create_dir_all(target).map_err(Error::io("create the folder", target))?;
                for file in &revision.files {
                    let relative = safe_relative_path(&file.path)?;
                    folder(target, relative.parent().unwrap_or(Path::new("")))?;
                    bytes += copy_file(
                        &file.location,
                        &target.join(relative),
                        file.digest.as_ref(),
                        &file.path,
                    )?;
                }
            }
            CopyTo::Cache(cache) => {
                let repo = Repo::named(cache, &model.key);
                repo.prepare()?;
                for file in &revision.files {
                    let digest = match file.digest {
                        Some(digest) => digest,
                        None => super::sha256_of_file(&file.location)?,
                    };
                    let blob = repo.blob(&digest);
                    if !blob.is_file() {
                        bytes += copy_file(&file.location, &blob, Some(&digest), &file.path)?;
                    }
                }
                for file in &revision.files {
                    let digest = match file.digest {
                        Some(digest) => digest,
                        None => super::sha256_of_file(&file.location)?,
                    };
                    repo.link(&revision.commit, &file.path, &digest)?;
                }
                for reference in &revision.references {
                    repo.set_reference(reference, &revision.commit)?;
                }
            }
        }
        Ok(bytes)
    }
}

/// Copies through the hash: what does not hash to `digest` never gets its name.
pub(crate) fn copy_file(
    from: &Path,
    to: &Path,
    digest: Option<&Digest>,
    what: &str,
) -> Result<u64, Error> {
    let fresh = beside(to);
    let done = copy_through(from, &fresh, digest, what).and_then(|bytes| {
        fs::rename(&fresh, to).map_err(Error::io("put in its place", to))?;
        sync_folder(to);
        Ok(bytes)
    });
    if done.is_err() {
        _ = fs::remove_file(&fresh);
    }
    done
}

fn copy_through(from: &Path, to: &Path, digest: Option<&Digest>, what: &str) -> Result<u64, Error> {
    let mut source = File::open(from).map_err(Error::io("open", from))?;
    let length = source.metadata().map_err(Error::io("look at", from))?.len();
    let mut target = File::create_new(to).map_err(Error::io("create", to))?;
    let mut hasher = digest.map(|digest| digest.hasher(length));
    let mut piece = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = source.read(&mut piece).map_err(Error::io("read", from))?;
        if count == 0 {
            break;
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(&piece[..count]);
        }
        target.write_all(&piece[..count]).map_err(Error::io("write", to))?;
        bytes += count as u64;
    }
    if let (Some(hasher), Some(&expected)) = (hasher, digest) {
        let found = hasher.finish();
        if found != expected {
            return Err(Error::Mismatch { file: what.to_owned(), expected, found });
        }
    }
    target.sync_all().map_err(Error::io("write", to))?;
    Ok(bytes)
}
