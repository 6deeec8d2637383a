//! Pulling: list, choose, check the room, fetch, verify, and only then show.

use std::path::{Path, PathBuf};

use crate::{
    Check, Digest, Error, Event, HeldRevision, Hub, ListedFile, Listing, ModelName, Observer,
    Outcome, Selection, Trust, WeightsKind,
    fetch::resumable,
    hub::read_bounded,
    listing::{About, Bytes},
    name::Place,
    progress::Meter,
    select,
    store::Repo,
    url::Url,
};

/// A model that is there, whole and verified.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The name it was asked for by.
    pub name: ModelName,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit it is.
    pub commit: String,
    /// The folder of its files.
    pub root: PathBuf,
    /// What to open: the first GGUF file, or the folder of safetensors.
    pub open: PathBuf,
    /// In which form its weights are.
    pub kind: WeightsKind,
    /// The quantization or variant, as its files are named.
    pub quant: Option<String>,
    /// Its files.
    pub files: Vec<PulledFile>,
    /// Bytes that came over the network for it now.
    pub fetched: u64,
}

/// A file of a [`Pulled`] model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledFile {
    /// Its path in the model.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub digest: Digest,
    /// Where it is opened.
    pub location: PathBuf,
    /// How it came to be there.
    pub outcome: Outcome,
}

impl Pulled {
    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Where the file of that path is opened.
    pub fn file(&self, path: &str) -> Option<&Path> {
        self.files.iter().find(|file| file.path == path).map(|file| file.location.as_path())
    }
}

impl Hub {
    /// Brings a model in. Offline, what is in the store is taken as it is.
    pub fn pull(&self, name: &ModelName, observer: &dyn Observer) -> Result<Pulled, Error> {
        let is_remote =
            matches!(name.place, Place::Hub { .. } | Place::Url { .. } | Place::Oci { .. });
        if is_remote && !self.is_online() {
            let offline = || Error::Offline { missing: name.to_string() };
            return self.find(name, Trust::Remembered)?.ok_or_else(offline);
        }
        let listing = self.listing(name)?;
        let selection = self.select(&listing)?;
        self.pull_listing(&listing, &selection, Trust::Remembered, observer)
    }

    /// Brings in what was chosen of a listing, and nothing the listing does not state.
    pub fn pull_listing(
        &self,
        listing: &Listing,
        selection: &Selection,
        trust: Trust,
        observer: &dyn Observer,
    ) -> Result<Pulled, Error> {
        let mut files: Vec<&ListedFile> = Vec::new();
        for path in &selection.files {
            let missing = || Error::MissingFile {
                named_by: listing.name.to_string(),
                file: weights::shown(path),
            };
            files.push(listing.file(path).ok_or_else(missing)?);
        }
        if let Place::Local { path } = &listing.name.place {
            return Ok(in_place(listing, selection, &files, path));
        }
        let repo = self.store().repo(&listing.name.place);
        let missing = self.check_space(&repo, listing, &files)?;
        repo.prepare()?;
        let _lock = repo.share()?;
        let bytes = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
        observer.hear(Event::Resolved {
            name: listing.name.to_string(),
            commit: listing.commit.clone(),
            files: files.len(),
            bytes,
            missing,
        });
        let meter = Meter::new(observer, bytes);
        let fetch = self.fetcher(&repo, &meter, trust);
        // Small ones first: what is wrong with a config or an index shows before the long wait.
        let mut order = files.clone();
        order.sort_by_key(|file| file.bytes);
        let mut outcomes = Vec::new();
        for file in order {
            let outcome = fetch.file(file, |remote| {
                self.client(&Url::parse(&remote.url)?, &remote.secret, || {
                    format!("{} of {}", file.path, listing.name)
                })
            })?;
            outcomes.push((file.path.as_str(), outcome));
        }
        // All is there and right; now it may be seen.
        let root = repo.snapshot(&listing.commit);
        let mut pulled = Vec::new();
        for file in &files {
            repo.link(&listing.commit, &file.path, &file.digest)?;
            let outcome = outcomes
                .iter()
                .find(|(path, _)| *path == file.path)
                .map_or(Outcome::Present, |(_, outcome)| *outcome);
            pulled.push(PulledFile {
                path: file.path.clone(),
                bytes: file.bytes,
                digest: file.digest,
                location: root.join(weights::safe_relative_path(&file.path)?),
                outcome,
            });
        }
        repo.set_reference(&listing.revision, &listing.commit)?;
        meter.end();
        let fetched = meter.fetched.into_inner();
        Ok(Pulled { fetched, ..assembled(listing, selection, root, pulled) })
    }

    /// What a name means in the store alone, verified: no network, nothing written.
    ///
    /// `None` if the store does not have it, or not whole.
    pub fn find(&self, name: &ModelName, trust: Trust) -> Result<Option<Pulled>, Error> {
        if let Place::Local { path } = &name.place {
            let listing = self.listing(name)?;
            let selection = self.select(&listing)?;
            let files: Vec<&ListedFile> =
                selection.files.iter().filter_map(|path| listing.file(path)).collect();
            return Ok(Some(in_place(&listing, &selection, &files, path)));
        }
        let repo = self.store().repo(&name.place);
        let commit = match &name.place {
            // Its name has no branch; whatever commit it has is the one of its hash.
            Place::Url { sha256: Some(digest), .. } => Some(digest.hex()[..40].to_owned()),
            _ => match repo.reference(name.revision_or_default())? {
                None if name.revision_or_default().starts_with("sha256:") => {
                    name.revision_or_default().get(7..47).map(str::to_owned)
                }
                held => held,
            },
        };
        let Some(commit) = commit else { return Ok(None) };
        let Ok(model) = self.held(name) else { return Ok(None) };
        let Some(revision) = model.revisions.iter().find(|revision| revision.commit == commit)
        else {
            return Ok(None);
        };
        let listing = listing_of(name, revision);
        let mut selection = match select::select(&listing, name.quant.as_deref()) {
            Ok(selection) => selection,
            Err(
                Error::NoSuchQuant { .. }
                | Error::NoWeights { .. }
                | Error::MissingFile { .. }
                | Error::OnlyPickle { .. },
            ) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        if crate::select::has_extension(&selection.open, "json") {
            let limits = weights::Limits::DEFAULT;
            let text = read_bounded(
                &revision.folder.join(weights::safe_relative_path(&selection.open)?),
                limits.index_bytes,
            )?;
            match select::follow_index(&listing, &mut selection, &text, &limits) {
                Err(Error::MissingFile { .. }) => return Ok(None),
                other => other?,
            }
        }
        let mut files = Vec::new();
        for path in &selection.files {
            let (Some(file), Some(held)) = (listing.file(path), revision.file(path)) else {
                return Ok(None);
            };
            let Some(digest) = held.digest else { continue };
            match self.store().receipts().check(&held.location, &digest, None, trust)? {
                Check::Hashed | Check::Remembered => {}
                Check::Wrong { found } => {
                    return Err(Error::Mismatch { file: path.clone(), expected: digest, found });
                }
                Check::WrongSize { found } => {
                    return Err(Error::Length { file: path.clone(), expected: file.bytes, found });
                }
            }
            let location = held.location.clone();
            files.push(PulledFile {
                path: path.clone(),
                bytes: file.bytes,
                digest,
                location,
                outcome: Outcome::Present,
            });
        }
        Ok(Some(assembled(&listing, &selection, revision.folder.clone(), files)))
    }

    /// Bytes that have to come; an error if there is no room for them.
    fn check_space(
        &self,
        repo: &Repo,
        listing: &Listing,
        files: &[&ListedFile],
    ) -> Result<u64, Error> {
        let (mut missing, mut room) = (0_u64, 0_u64);
        for file in files {
            if repo.resolve(&repo.blob(&file.digest))?.is_none() {
                missing = missing.saturating_add(file.bytes.saturating_sub(resumable(repo, file)));
                // An interrupted file has its length and may have holes: what is not there needs room.
                let is_remote = matches!(file.origin, Bytes::Remote(_));
                room = room.saturating_add(if is_remote {
                    file.bytes.saturating_sub(resumable(repo, file))
                } else {
                    file.bytes
                });
            }
        }
        let need = room.saturating_add(self.settings().limits.spare_bytes);
        match (self.space)(&self.settings().cache) {
            Some(have) if room > 0 && have < need => {
                let place = self.settings().cache.clone();
                Err(Error::Space { place, need, have })
            }
            _ => {
                debug_assert!(listing.files.len() >= files.len());
                Ok(missing)
            }
        }
    }
}

/// What the store has of a commit, as if it had been listed.
pub(crate) fn listing_of(name: &ModelName, revision: &HeldRevision) -> Listing {
    let files = revision
        .files
        .iter()
        .filter_map(|file| {
            Some(ListedFile {
                path: file.path.clone(),
                bytes: file.bytes?,
                // A store without links states no hash; what is done with it asks for none.
                digest: file.digest.unwrap_or(Digest::Git([0; 20])),
                origin: Bytes::Here(file.location.clone()),
            })
        })
        .collect();
    Listing {
        name: name.clone(),
        revision: name.revision_or_default().to_owned(),
        commit: revision.commit.clone(),
        files,
        about: About::default(),
    }
}

fn assembled(
    listing: &Listing,
    selection: &Selection,
    root: PathBuf,
    files: Vec<PulledFile>,
) -> Pulled {
    let open = match selection.kind {
        // A folder stands for its index, unless what is meant is one of several in it.
        WeightsKind::Safetensors
            if selection.open == "model.safetensors.index.json"
                || selection.open == "model.safetensors" =>
        {
            root.clone()
        }
        _ => root.join(&selection.open),
    };
    Pulled {
        name: listing.name.clone(),
        revision: listing.revision.clone(),
        commit: listing.commit.clone(),
        root,
        open,
        kind: selection.kind,
        quant: selection.quant.clone(),
        files,
        fetched: 0,
    }
}

/// A model of this computer stays where it lies.
fn in_place(
    listing: &Listing,
    selection: &Selection,
    files: &[&ListedFile],
    path: &Path,
) -> Pulled {
    let root = if path.is_dir() {
        path.to_path_buf()
    } else {
        path.parent().unwrap_or(Path::new(".")).to_path_buf()
    };
    let files = files
        .iter()
        .filter_map(|file| match &file.origin {
            Bytes::Here(location) => Some(PulledFile {
                path: file.path.clone(),
                bytes: file.bytes,
                digest: file.digest,
                location: location.clone(),
                outcome: Outcome::Present,
            }),
            _ => None,
        })
        .collect();
    let mut pulled = assembled(listing, selection, root, files);
    if path.is_file() {
        pulled.open = path.to_path_buf();
    }
    pulled
}
