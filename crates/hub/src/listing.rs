//! What a source says a model consists of, at one commit.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::{Digest, Error, ModelName, transport::Answer};

/// A model at one commit: every file with size and hash, before anything is fetched.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The name it was asked for by.
    pub name: ModelName,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit: 40 hexadecimal digits. Of a source without commits, the first 40 of the sha256 of
    /// what it states (a manifest, a hash).
    pub commit: String,
    /// The files, sorted by path. All paths passed rule P1, and no two differ in case alone.
    pub files: Vec<ListedFile>,
    /// What else the source says.
    pub about: About,
}

/// One file of a [`Listing`].
#[derive(Debug, Clone)]
pub struct ListedFile {
    /// Its path, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub digest: Digest,
    /// How its bytes are had.
    pub(crate) origin: Bytes,
}

/// How the bytes of a file are had.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    /// From the network.
    Remote(Remote),
    /// From a file of this computer.
    Here(PathBuf),
    /// They came with the listing.
    Inline(Vec<u8>),
}

/// A file on a server.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) url: String,
    /// Which token goes with the request.
    pub(crate) secret: Secret,
    /// The commit the server has to confirm, where it speaks of commits.
    pub(crate) commit: Option<String>,
}

impl Remote {
    /// The address without its query.
    pub(crate) fn shown(&self) -> String {
        weights::shown(self.url.split('?').next().unwrap_or_default())
    }

    /// Turns an answer that is no success into what it means: a hub says of a file why not.
    pub(crate) fn understand(&self, answer: Answer, what: &str) -> Result<Answer, Error> {
        let is_gate = answer.first_header("x-error-code") == Some("GatedRepo");
        if let (Some(page), true, 401 | 403) =
            (self.url.split("/resolve/").next(), is_gate, answer.status)
        {
            let name = page.splitn(4, '/').nth(3).unwrap_or(page).to_owned();
            let said_by_server = answer.said.clone();
            return Err(Error::Gated {
                name,
                page: page.to_owned(),
                token: answer.token,
                said_by_server,
            });
        }
        answer.check(what)
    }
}

/// Which token goes with a request to the origin of its address.
#[derive(Debug, Clone)]
pub(crate) enum Secret {
    None,
    /// The endpoint's.
    Endpoint,
    /// One that a registry gave for this.
    Given(crate::Token),
}

/// What a source says about a model beside its files. All of it is a claim, none is checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// The name as the server spells it.
    pub id: Option<String>,
    /// Whether terms have to be accepted first: `auto` or `manual`.
    pub gated: Option<String>,
    /// Whether only its owner sees it.
    pub private: Option<bool>,
    /// Downloads of the last month.
    pub downloads: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// When it last changed, as stated.
    pub modified: Option<String>,
    /// What it is for.
    pub pipeline: Option<String>,
    /// The library it is made for.
    pub library: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// The front matter of the card as the server read it.
    pub card: Map<String, Value>,
    /// Licences that an artifact's manifest states (SPDX).
    pub licences: Vec<String>,
}

impl Listing {
    /// The file of that path.
    pub fn file(&self, path: &str) -> Option<&ListedFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Sorts the files and holds every path to rule P1, and all of them together.
    pub(crate) fn checked(mut self) -> Result<Listing, Error> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        weights::safe_relative_paths(self.files.iter().map(|file| file.path.as_str())).map_err(
            |source| Error::Path { place: format!("the listing of {}", self.name), source },
        )?;
        Ok(self)
    }
}
