//! The way in: settings, store, network.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Aliases, Digest, Error, Found, HeldModel, HubSettings, ListedFile, Listing, ModelName,
    SearchQuery, Selection, Silent, Store, Token, Trust,
    digest::is_commit,
    fetch::{Fetch, hash_of},
    listing::{Bytes, Secret},
    name::Place,
    progress::Meter,
    select, source,
    store::{key_of, name_of},
    transport::{Ask, Client, Transport},
    url::{Origin, Url},
};

/// Bytes free where a path lies or would lie; `None` where that is not known.
pub type SpaceFn = fn(&Path) -> Option<u64>;

/// See the module.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    store: Store,
    transport: Option<Transport>,
    token: Option<Token>,
    clients: Mutex<HashMap<(Origin, Whose), Arc<Client>>>,
    pub(crate) space: SpaceFn,
}

/// Whose token a client carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Nobody,
    Endpoint,
}

/// How a branch of a model in the store stands to the server.
#[derive(Debug)]
pub struct Outdated {
    /// The model.
    pub name: String,
    /// The branch or tag.
    pub reference: String,
    /// The commit it stood at when it was pulled.
    pub held: String,
    /// The commit it stands at now, or why that could not be found out.
    pub latest: Result<String, Error>,
}

impl Outdated {
    /// Whether there is something newer.
    pub fn is_outdated(&self) -> bool {
        self.latest.as_ref().is_ok_and(|latest| *latest != self.held)
    }
}

impl Hub {
    /// A hub by these settings. Opens no connection; reads the token's and the authorities' file if
    /// there are any.
    pub fn new(settings: HubSettings) -> Result<Hub, Error> {
        let store = Store::new(&settings.cache, &settings.home);
        let transport = match Transport::new(&settings) {
            Ok(transport) => Some(transport),
            Err(Error::Offline { .. }) => None,
            Err(fault) => return Err(fault),
        };
        let mut token = settings.token.clone();
        if token.is_none()
            && transport.is_some()
            && let Some(path) = &settings.token_file
        {
            token = read_token(path)?;
        }
        let clients = Mutex::default();
        let space = |path: &Path| machine::space(path).ok().map(|space| space.free.0);
        Ok(Hub { settings, store, transport, token, clients, space })
    }

    /// The same, asking `space` how much room there is.
    pub fn with_space(self, space: SpaceFn) -> Hub {
        Hub { space, ..self }
    }

    /// What it was told.
    pub fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads a name, an alias among them.
    pub fn name(&self, text: &str) -> Result<ModelName, Error> {
        Aliases::load(&self.settings.home)?.resolve(text)
    }

    /// What a model consists of, at the commit its revision stands at now. Fetches no file.
    pub fn listing(&self, name: &ModelName) -> Result<Listing, Error> {
        (source::source_of(name)?.list)(self, name)
    }

    /// The files of a listing that are needed: what [`select`] chooses by the name's quantization,
    /// and of sharded safetensors exactly the shards that the index names (which is fetched for that).
    pub fn select(&self, listing: &Listing) -> Result<Selection, Error> {
        let mut selection = select::select(listing, listing.name.quant.as_deref())?;
        if crate::select::has_extension(&selection.open, "json") {
            let limits = weights::Limits::DEFAULT;
            let text = self.read(listing, &selection.open, limits.index_bytes)?;
            select::follow_index(listing, &mut selection, &text, &limits)?;
        }
        Ok(selection)
    }

    /// The bytes of one small file of a listing, hashed: from the store, else from the source.
    pub fn read(&self, listing: &Listing, path: &str, max: u64) -> Result<Vec<u8>, Error> {
        let missing = || Error::NotFound {
            what: format!("`{}`", weights::shown(path)),
            place: listing.name.to_string(),
        };
        let file = listing.file(path).ok_or_else(missing)?;
        let max = max.min(self.settings.limits.text_bytes);
        if file.bytes > max {
            return Err(Error::OverLimit {
                what: format!("bytes of {}", file.path),
                found: file.bytes,
                max,
            });
        }
        let held = self.store.repo(&listing.name.place);
        let blob = held.resolve(&held.blob(&file.digest))?;
        let bytes = match (blob, &file.origin) {
            (Some(blob), _) => read_bounded(&blob, max)?,
            (None, Bytes::Here(path)) => read_bounded(path, max)?,
            (None, Bytes::Inline(bytes)) => bytes.clone(),
            (None, Bytes::Remote(remote)) => {
                let url = Url::parse(&remote.url)?;
                let client = self.client(&url, &remote.secret, || {
                    format!("{} of {}", file.path, listing.name)
                })?;
                let given = match &remote.secret {
                    Secret::Given(token) => Some(token.bearer()),
                    _ => None,
                };
                let ask = Ask { authorization: given.as_deref(), ..Ask::get(&url) };
                remote.understand(client.send(&ask)?, &file.path)?.bytes(file.bytes.max(1))?
            }
        };
        let found = hash_of(&file.digest, &bytes);
        if found == file.digest {
            Ok(bytes)
        } else {
            Err(Error::Mismatch { file: file.path.clone(), expected: file.digest, found })
        }
    }

    /// Models of the endpoint by words and filters.
    pub fn search(&self, query: &SearchQuery) -> Result<Vec<Found>, Error> {
        source::search(self, query)
    }

    /// A model of the store.
    pub fn held(&self, name: &ModelName) -> Result<HeldModel, Error> {
        let key = key_of(&name.place);
        let model = self.store.held(&key, name_of(&key).unwrap_or_else(|| name.to_string()))?;
        if model.revisions.is_empty() && model.incomplete_bytes == 0 && model.bytes == 0 {
            return Err(Error::NotHeld { name: name.to_string() });
        }
        Ok(model)
    }

    /// How every branch of every hub model in the store stands to the server.
    pub fn outdated(&self) -> Result<Vec<Outdated>, Error> {
        let mut out = Vec::new();
        for model in self.store.list()? {
            let Ok(name @ ModelName { place: Place::Hub { .. }, .. }) =
                ModelName::parse(&model.name)
            else {
                continue;
            };
            let Place::Hub { id } = &name.place else { continue };
            for revision in &model.revisions {
                for reference in
                    revision.references.iter().filter(|reference| !is_commit(reference))
                {
                    let latest = source::hub_head(self, &name.at(reference.clone()), id, reference);
                    if let Err(fault @ Error::Offline { .. }) = latest {
                        return Err(fault);
                    }
                    out.push(Outdated {
                        name: model.name.clone(),
                        reference: reference.clone(),
                        held: revision.commit.clone(),
                        latest,
                    });
                }
            }
        }
        Ok(out)
    }

    /// The way to one origin; offline there is none, and `missing` is what cannot be had.
    pub(crate) fn client(
        &self,
        url: &Url,
        secret: &Secret,
        missing: impl FnOnce() -> String,
    ) -> Result<Arc<Client>, Error> {
        let Some(transport) = &self.transport else {
            return Err(Error::Offline { missing: missing() });
        };
        let endpoint = Url::parse(&format!("{}/", self.settings.endpoint))
            .map_err(|fault| Error::Setting { what: "HF_ENDPOINT", why: fault.to_string() })?;
        // The endpoint's token is for the endpoint, whoever asks.
        let whose = match secret {
            Secret::Endpoint if endpoint.origin() == url.origin() => Whose::Endpoint,
            _ => Whose::Nobody,
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry((url.origin().clone(), whose)).or_insert_with(|| {
            let token = self.token.clone().filter(|_| whose == Whose::Endpoint);
            Arc::new(transport.client(url.origin(), token))
        });
        Ok(client.clone())
    }

    /// Fetches one file of a listing into the store and gives its place there.
    pub fn fetch(&self, listing: &Listing, path: &str) -> Result<PathBuf, Error> {
        let missing = || Error::NotFound {
            what: format!("`{}`", weights::shown(path)),
            place: listing.name.to_string(),
        };
        let file: &ListedFile = listing.file(path).ok_or_else(missing)?;
        let repo = self.store.repo(&listing.name.place);
        repo.prepare()?;
        let _lock = repo.share()?;
        let meter = Meter::new(&Silent, file.bytes);
        self.fetcher(&repo, &meter, Trust::Remembered).file(file, |remote| {
            self.client(&Url::parse(&remote.url)?, &remote.secret, || file.path.clone())
        })?;
        repo.link(&listing.commit, &file.path, &file.digest)?;
        Ok(repo.snapshot(&listing.commit).join(weights::safe_relative_path(&file.path)?))
    }

    pub(crate) fn fetcher<'a>(
        &'a self,
        repo: &'a crate::store::Repo,
        meter: &'a Meter<'a>,
        trust: Trust,
    ) -> Fetch<'a> {
        Fetch {
            repo,
            receipts: self.store.receipts(),
            meter,
            limits: &self.settings.limits,
            connections: self.settings.connections,
            trust,
        }
    }

    /// Whether sockets may be opened.
    pub fn is_online(&self) -> bool {
        self.transport.is_some()
    }
}

fn read_token(path: &Path) -> Result<Option<Token>, Error> {
    match read_bounded(path, 8192) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(None),
        Ok(bytes) => Token::new(&String::from_utf8_lossy(&bytes)).map(Some),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A small file, whole.
pub(crate) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let mut out = Vec::new();
    file.take(max + 1).read_to_end(&mut out).map_err(Error::io("read", path))?;
    if out.len() as u64 > max {
        return Err(Error::OverLimit {
            what: format!("bytes of {}", path.display()),
            found: out.len() as u64,
            max,
        });
    }
    Ok(out)
}

/// The sha256 of text, for what a lock file says of a template.
pub(crate) fn sha256_hex(text: &str) -> String {
    Digest::sha256_of(text.as_bytes()).hex()
}
