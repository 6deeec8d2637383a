//! What the hub serves, and how it misbehaves.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _, sync::Arc};

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::registry::Artifact;

/// Bytes of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// These.
    Bytes(Arc<Vec<u8>>),
    /// So many, made of a pattern that repeats at an odd length: large and cheap, and a piece in the
    /// wrong place is a wrong piece.
    Pattern {
        /// How many.
        bytes: u64,
        /// What repeats.
        pattern: Arc<Vec<u8>>,
    },
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Content {
        Content::Bytes(Arc::new(bytes))
    }
}

impl Content {
    /// A large file; other seeds give other bytes.
    pub fn large(bytes: u64, seed: u64) -> Content {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut pattern: Vec<u8> = (0..131_101).flat_map(|_| next().to_le_bytes()).collect();
        pattern.truncate(1_048_573);
        Content::Pattern { bytes, pattern: Arc::new(pattern) }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Pattern { bytes, .. } => *bytes,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some bytes from `at`: at least one, at most `most`.
    pub(super) fn piece(&self, at: u64, most: u64) -> Cow<'_, [u8]> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match self {
            Content::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Cow::Borrowed(&bytes[at..at.saturating_add(most).min(bytes.len())])
            }
            Content::Pattern { pattern, .. } => {
                let at = usize::try_from(at % pattern.len() as u64).unwrap_or(0);
                Cow::Borrowed(&pattern[at..at.saturating_add(most).min(pattern.len())])
            }
        }
    }

    fn each(&self, mut hear: impl FnMut(&[u8])) {
        let mut at = 0;
        while at < self.len() {
            let piece = self.piece(at, self.len() - at);
            hear(&piece);
            at += piece.len() as u64;
        }
    }

    /// All of them.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.each(|piece| out.extend_from_slice(piece));
        out
    }

    /// Its sha256, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        self.each(|piece| hasher.update(piece));
        hex(&hasher.finalize())
    }

    /// The sha1 git names it by.
    pub fn git(&self) -> String {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {}\0", self.len()));
        self.each(|piece| hasher.update(piece));
        hex(&hasher.finalize())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        _ = write!(out, "{byte:02x}");
        out
    })
}

/// Who may read a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gate {
    /// Everybody.
    #[default]
    Open,
    /// Who has a token and was let in.
    Gated,
    /// Who has a token; others are told it does not exist.
    Private,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) sha256: String,
    pub(super) git: String,
    pub(super) is_large: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Small,
    Large,
}

impl Entry {
    pub(super) fn oid(&self) -> &str {
        match self.is_large {
            Kind::Small => &self.git,
            Kind::Large => &self.sha256,
        }
    }
}

/// A model: files by commit, branches, and a gate.
#[derive(Debug, Clone)]
pub struct Repo {
    /// `organisation/model`.
    pub id: String,
    /// Who may read it.
    pub gate: Gate,
    /// The front matter of its card as the server states it.
    pub card: Value,
    pub(super) commits: Vec<(String, BTreeMap<String, Entry>)>,
    pub(super) branches: BTreeMap<String, String>,
}

impl Repo {
    /// A model without files, with the branch `main`.
    pub fn new(id: &str) -> Repo {
        let mut repo = Repo {
            id: id.to_owned(),
            gate: Gate::Open,
            card: json!({}),
            commits: vec![(String::new(), BTreeMap::new())],
            branches: BTreeMap::new(),
        };
        repo.name_commit();
        repo
    }

    /// With a file that git itself holds.
    #[must_use]
    pub fn small(self, path: &str, bytes: impl AsRef<[u8]>) -> Repo {
        self.entry(path, Content::from(bytes.as_ref().to_vec()), Kind::Small)
    }

    /// With a file that is served from elsewhere, named by its sha256.
    #[must_use]
    pub fn large(self, path: &str, content: Content) -> Repo {
        self.entry(path, content, Kind::Large)
    }

    /// With a gate.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Repo {
        self.gate = gate;
        self
    }

    /// Begins another commit with the same files, to which `main` moves.
    #[must_use]
    pub fn commit(mut self) -> Repo {
        let files = self.commits.last().map(|(_, files)| files.clone()).unwrap_or_default();
        self.commits.push((String::new(), files));
        self.name_commit();
        self
    }

    /// With a branch or tag at the last commit.
    #[must_use]
    pub fn branch(mut self, name: &str) -> Repo {
        self.branches.insert(name.to_owned(), self.head());
        self
    }

    /// Moves a branch to a commit.
    pub fn point(&mut self, branch: &str, commit: &str) {
        self.branches.insert(branch.to_owned(), commit.to_owned());
    }

    /// The last commit.
    pub fn head(&self) -> String {
        self.commits.last().map(|(commit, _)| commit.clone()).unwrap_or_default()
    }

    /// Where a branch, a tag or a commit stands.
    pub fn at(&self, revision: &str) -> Option<String> {
        let named = self.branches.get(revision).cloned();
        named.or_else(|| {
            self.commits
                .iter()
                .map(|(commit, _)| commit)
                .find(|commit| *commit == revision)
                .cloned()
        })
    }

    pub(super) fn files(&self, commit: &str) -> Option<&BTreeMap<String, Entry>> {
        self.commits.iter().find(|(held, _)| held == commit).map(|(_, files)| files)
    }

    fn entry(mut self, path: &str, content: Content, kind: Kind) -> Repo {
        let entry = Entry { sha256: content.sha256(), git: content.git(), content, is_large: kind };
        if let Some((_, files)) = self.commits.last_mut() {
            files.insert(path.to_owned(), entry);
        }
        self.name_commit();
        self
    }

    /// A commit is named by what is in it, and by how many came before.
    fn name_commit(&mut self) {
        let count = self.commits.len();
        let Some((name, files)) = self.commits.last_mut() else { return };
        let mut hasher = Sha1::new();
        hasher.update(format!("{} {count}\n", self.id));
        for (path, entry) in files {
            hasher.update(format!("{path} {}\n", entry.sha256));
        }
        *name = hex(&hasher.finalize());
        self.branches.insert("main".to_owned(), name.clone());
    }
}

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variants say")]
pub enum Quirk {
    /// The listing has this entry too.
    TreeEntry(Value),
    /// The listing has so many files more.
    TreeFlood(usize),
    /// The listing never ends.
    EndlessPages,
    /// The listing has so many entries on a page.
    PageSize(usize),
    /// The commit of every revision is said to be this.
    Sha(String),
    /// The branch moves to this commit as soon as it was asked for.
    MoveMain { repo: String, to: String },
    /// `X-Repo-Commit` of every file.
    RepoCommit(String),
    /// `ETag` and `X-Linked-Etag` of every file.
    Etag(String),
    /// `X-Linked-Size` of every file.
    LinkedSize(String),
    /// `ETag` of the CDN, which has nothing to do with a hash.
    CdnTag(String),
    /// One byte of the file is another.
    Flip { path: String, at: u64 },
    /// Other bytes under the same name.
    Swap { path: String, bytes: Vec<u8> },
    /// `Content-Length` of the file.
    Length { path: String, stated: Option<u64> },
    /// A page of text where the file should be.
    Html { path: String },
    /// The file is said to be elsewhere.
    Redirect { path: String, to: String },
    /// `Content-Encoding` of every answer.
    Encoding(String),
    /// Ranges are not known here.
    IgnoreRange,
    /// The connection is cut after so many bytes of a file, so many times.
    Cut { after: u64, times: usize },
    /// Requests whose target has this in it fail, so many times.
    Fail { target: String, status: u16, times: usize, retry_after: Option<u64> },
    /// A header of so many bytes.
    BigHeader(usize),
    /// Errors repeat the token that was sent.
    EchoToken,
    /// Files come at so many bytes per second.
    Rate(u64),
    /// An address of the CDN is good for so many requests.
    AddressGoodFor(usize),
    /// `urls`, sizes or digests of OCI manifests are not the truth.
    ManifestIs(Vec<u8>),
}

/// Everything it serves.
#[derive(Debug, Default)]
pub struct World {
    pub(super) repos: BTreeMap<String, Repo>,
    /// How it misbehaves.
    pub quirks: Vec<Quirk>,
    /// The one token that is good.
    pub token: Option<String>,
    /// Plain files, by path.
    pub plain: BTreeMap<String, Content>,
    /// Artifacts of its registry, by repository and tag.
    pub artifacts: BTreeMap<(String, String), Artifact>,
    pub(super) handed: BTreeMap<String, usize>,
}

impl World {
    /// Puts a model there, in the place of one of the same name.
    pub fn add(&mut self, repo: Repo) {
        self.repos.insert(repo.id.clone(), repo);
    }

    /// A model that is there.
    pub fn repo(&self, id: &str) -> Option<&Repo> {
        self.repos.get(id)
    }

    /// Takes a model away.
    pub fn remove(&mut self, id: &str) -> Option<Repo> {
        self.repos.remove(id)
    }

    /// The first quirk that `find` knows.
    pub(super) fn quirk<T>(&self, find: impl Fn(&Quirk) -> Option<T>) -> Option<T> {
        self.quirks.iter().find_map(find)
    }
}
