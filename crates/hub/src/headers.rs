//! The headers of remote weights, by range requests alone: enough to plan a model before it is
//! downloaded.
//!
//! The result is a skeleton: a folder with the model's small files whole, and its weight files at their
//! true length with nothing but their headers filled in (the rest is a hole that takes no room). So
//! everything that reads a checkpoint without touching a tensor works on it as it works on the model.
//! What a skeleton says is claimed by the server: a part of a file has no hash to be held to.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use weights::{gguf, safetensors};

use crate::{
    Error, Hub, ListedFile, Listing, Selection, Trust, WeightsKind,
    fetch::write_at,
    listing::{Bytes, Remote, Secret},
    pull::Pulled,
    store::{beside, folder, key_of, write_whole},
    transport::{Ask, Client},
    url::Url,
};

/// First bytes of a file that are asked for at once.
const HEAD: u64 = 1 << 20;
/// Small files up to this length are fetched whole.
const SMALL: u64 = 2 << 20;

/// A remote model without its tensors' values.
#[derive(Debug, Clone)]
pub struct Headers {
    /// What to open with `weights::Checkpoint::open`.
    pub open: PathBuf,
    /// The folder of the files.
    pub root: PathBuf,
    /// Bytes that came over the network for it.
    pub fetched: u64,
    /// Requests that were made for it.
    pub requests: usize,
    /// The model itself, when the store has it already: then nothing was asked.
    pub pulled: Option<Pulled>,
}

/// A file on a server that is read in parts.
#[derive(Debug)]
pub struct RemoteFile {
    url: Url,
    client: Arc<Client>,
    remote: Remote,
    path: String,
    bytes: u64,
    left: usize,
    requests: usize,
    fetched: u64,
}

impl RemoteFile {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Requests made so far.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Reads up to `length` bytes from `offset`; fewer at the end of the file. One request each, and
    /// only so many of them.
    pub fn read_at(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let end = offset.saturating_add(length).min(self.bytes);
        if offset >= end {
            return Ok(Vec::new());
        }
        if self.left == 0 {
            let what = format!("requests for parts of {}", self.path);
            return Err(Error::OverLimit {
                what,
                found: self.requests as u64 + 1,
                max: self.requests as u64,
            });
        }
        self.left -= 1;
        self.requests += 1;
        let given = match &self.remote.secret {
            Secret::Given(token) => Some(token.bearer()),
            _ => None,
        };
        let whole = offset == 0 && end == self.bytes;
        let range = (!whole).then_some(offset..end);
        let ask = Ask { range, authorization: given.as_deref(), ..Ask::get(&self.url) };
        let answer = self.remote.understand(self.client.send(&ask)?, &self.path)?;
        let disagrees = |what, listed: String, served: &str| Error::Disagrees {
            file: self.path.clone(),
            what,
            listed,
            served: weights::shown(served),
        };
        if let (Some(commit), Some(found)) =
            (&self.remote.commit, answer.first_header("x-repo-commit"))
            && found != commit
        {
            return Err(disagrees("the commit is", commit.clone(), found));
        }
        match answer.status {
            200 if whole => {}
            206 => {
                let expected = format!("bytes {offset}-{}/{}", end - 1, self.bytes);
                let found = answer.header("content-range").unwrap_or_default();
                if found != expected {
                    return Err(disagrees("the range is", expected, found));
                }
            }
            _ => {
                let why = "the server gives no parts of files, so the header cannot be had alone"
                    .to_owned();
                return Err(Error::Unsupported {
                    what: format!("reading parts of {}", self.path),
                    why,
                });
            }
        }
        let bytes = answer.bytes(end - offset)?;
        if bytes.len() as u64 != end - offset {
            return Err(Error::Length {
                file: self.path.clone(),
                expected: end - offset,
                found: bytes.len() as u64,
            });
        }
        self.fetched += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Hub {
    /// A file of a listing that can be read in parts.
    pub fn remote(&self, listing: &Listing, path: &str) -> Result<RemoteFile, Error> {
        let missing = || Error::NotFound {
            what: format!("`{}`", weights::shown(path)),
            place: listing.name.to_string(),
        };
        let file = listing.file(path).ok_or_else(missing)?;
        let Bytes::Remote(remote) = &file.origin else {
            let why = "it is on this computer".to_owned();
            return Err(Error::Unsupported {
                what: format!("reading parts of {}", file.path),
                why,
            });
        };
        let url = Url::parse(&remote.url)?;
        let client = self.client(&url, &remote.secret, || {
            format!("the header of {} of {}", file.path, listing.name)
        })?;
        Ok(RemoteFile {
            url,
            client,
            remote: remote.clone(),
            path: file.path.clone(),
            bytes: file.bytes,
            left: self.settings().limits.header_requests,
            requests: 0,
            fetched: 0,
        })
    }

    /// The skeleton of what was chosen of a listing: headers, configs, card, licence, templates, and
    /// the tokenizer if it is small. What was fetched before is not asked for again; what the store
    /// has whole is used as it is.
    pub fn headers(&self, listing: &Listing, selection: &Selection) -> Result<Headers, Error> {
        let mut here = listing.name.clone();
        here.revision = Some(listing.commit.clone());
        here.quant.clone_from(&listing.name.quant);
        if let Ok(Some(pulled)) = self.find(&here, Trust::Remembered) {
            let (open, root) = (pulled.open.clone(), pulled.root.clone());
            return Ok(Headers { open, root, fetched: 0, requests: 0, pulled: Some(pulled) });
        }
        let home = &self.settings().home;
        let inside = Path::new("headers").join(key_of(&listing.name.place)).join(&listing.commit);
        fs::create_dir_all(home).map_err(Error::io("create the folder", home))?;
        folder(home, &inside)?;
        let root = home.join(inside);
        let (mut fetched, mut requests) = (0, 0);
        for path in &selection.files {
            let missing = || Error::MissingFile {
                named_by: listing.name.to_string(),
                file: weights::shown(path),
            };
            let file = listing.file(path).ok_or_else(missing)?;
            let relative = weights::safe_relative_path(path)?;
            folder(&root, relative.parent().unwrap_or(Path::new("")))?;
            let target = root.join(relative);
            if fs::symlink_metadata(&target)
                .is_ok_and(|there| there.is_file() && there.len() == file.bytes)
            {
                continue;
            }
            let is_weights = crate::select::has_extension(path, "gguf")
                || crate::select::has_extension(path, "safetensors");
            if is_weights && matches!(file.origin, Bytes::Remote(_)) {
                let mut remote = self.remote(listing, path)?;
                let head = match selection.kind {
                    WeightsKind::Gguf if crate::select::has_extension(path, "gguf") => {
                        gguf_head(&mut remote)?
                    }
                    _ => safetensors_head(&mut remote)?,
                };
                write_sparse(&target, &head, file)?;
                fetched += remote.fetched;
                requests += remote.requests;
            } else if file.bytes <= SMALL {
                let bytes = self.read(listing, path, SMALL)?;
                write_whole(&target, &bytes)?;
                fetched += bytes.len() as u64;
                requests += 1;
            }
        }
        let open = match selection.kind {
            WeightsKind::Safetensors => root.clone(),
            WeightsKind::Gguf => root.join(&selection.open),
        };
        Ok(Headers { open, root, fetched, requests, pulled: None })
    }
}

/// The first bytes of a GGUF file, as many as its header takes.
fn gguf_head(remote: &mut RemoteFile) -> Result<Vec<u8>, Error> {
    let limits = weights::Limits::DEFAULT;
    let mut head = remote.read_at(0, HEAD)?;
    loop {
        match gguf::parse(&head, remote.bytes(), &limits) {
            Ok(header) => {
                let end = usize::try_from(header.data_start).unwrap_or(usize::MAX).min(head.len());
                head.truncate(end);
                return Ok(head);
            }
            Err(weights::Error::Truncated { .. })
                if (head.len() as u64) < remote.bytes()
                    && (head.len() as u64) < limits.gguf_header_bytes =>
            {
                // Only what is not there yet; twice as much each time.
                let more = remote.read_at(head.len() as u64, head.len() as u64)?;
                head.extend(more);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

fn safetensors_head(remote: &mut RemoteFile) -> Result<Vec<u8>, Error> {
    let limits = weights::Limits::DEFAULT;
    let mut head = remote.read_at(0, HEAD)?;
    let end = safetensors::header_bytes(&head, remote.bytes(), &limits)?;
    if (head.len() as u64) < end {
        let more = remote.read_at(head.len() as u64, end - head.len() as u64)?;
        head.extend(more);
    }
    head.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    safetensors::parse(&head, remote.bytes(), &limits)?;
    Ok(head)
}

/// A file of the true length with only its head written: the rest takes no room.
fn write_sparse(path: &Path, head: &[u8], listed: &ListedFile) -> Result<(), Error> {
    let fresh = beside(path);
    let write = || -> std::io::Result<()> {
        let file = File::create_new(&fresh)?;
        file.set_len(listed.bytes)?;
        write_at(&file, head, 0)?;
        drop(file);
        fs::rename(&fresh, path)
    };
    write().map_err(|fault| {
        _ = fs::remove_file(&fresh);
        Error::io("write", path)(fault)
    })
}
