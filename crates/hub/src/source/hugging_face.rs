//! Hugging Face-compatible servers: the hub itself, its mirrors, and what speaks its protocol.
//!
//! A revision is resolved to a commit first, and everything after that asks by commit, so a branch that
//! moves in the middle changes nothing. The tree of a commit states every file's size and hash: the
//! sha256 of large files (LFS, Xet), the git sha1 of small ones. Protocol: the hub's OpenAPI pages and
//! the behaviour of `huggingface_hub`.

use serde::Deserialize;
use serde_json::{Map, Value};
use weights::shown;

use super::Source;
use crate::{
    About, Digest, Error, Hub, ListedFile, Listing, ModelName,
    digest::is_commit,
    error::TokenUse,
    listing::{Bytes, Remote, Secret},
    name::Place,
    transport::{Answer, Ask},
    url::{Url, encode_path, encode_query},
};

pub(super) const SOURCE: Source = Source {
    scheme: "hf",
    what: "a repository of Hugging Face or a server that speaks its protocol",
    form: "org/model:Q4_K_M@main",
    list,
};

#[derive(Deserialize)]
struct Revision {
    sha: Option<String>,
    #[serde(flatten)]
    about: Stated,
}

/// What the server says of a model; every field a claim, and none is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stated {
    id: Option<String>,
    #[serde(default)]
    gated: Value,
    private: Option<bool>,
    downloads: Option<u64>,
    likes: Option<u64>,
    last_modified: Option<String>,
    #[serde(rename = "pipeline_tag")]
    pipeline: Option<String>,
    #[serde(rename = "library_name")]
    library: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    card_data: Value,
    #[serde(default)]
    safetensors: Value,
    #[serde(default)]
    gguf: Value,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Stated {
    fn about(self) -> About {
        About {
            id: self.id,
            gated: match self.gated {
                Value::String(kind) => Some(kind),
                Value::Bool(true) => Some("yes".to_owned()),
                _ => None,
            },
            private: self.private,
            downloads: self.downloads,
            likes: self.likes,
            modified: self.last_modified,
            pipeline: self.pipeline,
            library: self.library,
            tags: self.tags,
            card: object(self.card_data),
            licences: Vec::new(),
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn list(hub: &Hub, name: &ModelName) -> Result<Listing, Error> {
    let Place::Hub { id } = &name.place else {
        return Err(Error::Name {
            name: name.to_string(),
            why: "not a repository of a hub".to_owned(),
        });
    };
    let revision = name.revision_or_default().to_owned();
    let answer = revision_of(hub, name, id, &revision)?;
    let answer: Revision = answer.json()?;
    let endpoint = &hub.settings().endpoint;
    let commit = answer.sha.unwrap_or_default();
    if !is_commit(&commit) {
        let why = format!("the commit is `{}`, expected 40 hexadecimal digits", shown(&commit));
        return Err(Error::Answer { url: format!("{endpoint}/api/models/{id}"), why });
    }
    if is_commit(&revision) && revision != commit {
        let why = format!("asked for commit {revision}, answered about {commit}");
        return Err(Error::Answer { url: format!("{endpoint}/api/models/{id}"), why });
    }
    let files = tree(hub, name, id, &commit)?;
    Listing { name: name.clone(), revision, commit, files, about: answer.about.about() }.checked()
}

fn revision_of(hub: &Hub, name: &ModelName, id: &str, revision: &str) -> Result<Answer, Error> {
    let endpoint = &hub.settings().endpoint;
    let url = Url::parse(&format!(
        "{endpoint}/api/models/{}/revision/{}",
        encode_path(id),
        encode_query(revision)
    ))?;
    let client = hub.client(&url, &Secret::Endpoint, || name.to_string())?;
    understood(client.send(&Ask::get(&url))?, name, id, endpoint)
}

/// The commit a name stands at now.
pub(crate) fn head(hub: &Hub, name: &ModelName, id: &str, revision: &str) -> Result<String, Error> {
    let answer: Revision = revision_of(hub, name, id, revision)?.json()?;
    let commit = answer.sha.unwrap_or_default();
    if is_commit(&commit) {
        Ok(commit)
    } else {
        Err(Error::Answer {
            url: name.to_string(),
            why: format!("the commit is `{}`", shown(&commit)),
        })
    }
}

/// Turns what the hub answers about a repository into what it means.
fn understood(answer: Answer, name: &ModelName, id: &str, endpoint: &str) -> Result<Answer, Error> {
    let code = answer.header("x-error-code").unwrap_or_default();
    let (status, token, said_by_server) = (answer.status, answer.token, answer.said.clone());
    let page = format!("{endpoint}/{id}");
    match (status, code) {
        (401 | 403, "GatedRepo") => {
            Err(Error::Gated { name: id.to_owned(), page, token, said_by_server })
        }
        (403, _) if said_by_server.to_ascii_lowercase().contains("gated") => {
            Err(Error::Gated { name: id.to_owned(), page, token, said_by_server })
        }
        (404, "RevisionNotFound") => Err(Error::NoSuchRevision {
            name: id.to_owned(),
            revision: shown(name.revision_or_default()),
        }),
        // Without a token the hub says 401 of private models and of those that do not exist alike.
        (401, _) if token == TokenUse::Sent || code != "RepoNotFound" => {
            let host = answer.url.origin().host.clone();
            Err(Error::Denied { host, what: id.to_owned(), status, token, said_by_server })
        }
        (401 | 404, _) => Err(Error::NotFound { what: id.to_owned(), place: endpoint.to_owned() }),
        _ => answer.check(id),
    }
}

/// Every file of a commit.
fn tree(hub: &Hub, name: &ModelName, id: &str, commit: &str) -> Result<Vec<ListedFile>, Error> {
    let endpoint = &hub.settings().endpoint;
    let limits = hub.settings().limits;
    let first = format!(
        "{endpoint}/api/models/{}/tree/{commit}?recursive=true&expand=false&limit=1000",
        encode_path(id)
    );
    let mut url = Url::parse(&first)?;
    let client = hub.client(&url, &Secret::Endpoint, || name.to_string())?;
    let mut files = Vec::new();
    for _ in 0..limits.pages {
        let answer = understood(client.send(&Ask::get(&url))?, name, id, endpoint)?;
        let next = answer.header("link").and_then(next_of).map(str::to_owned);
        let shown_url = answer.url.to_string();
        let page: Vec<TreeEntry> = answer.json()?;
        for entry in page {
            if entry.kind != "file" {
                continue;
            }
            if files.len() >= limits.files {
                let what = format!("files of {id}");
                return Err(Error::OverLimit {
                    what,
                    found: files.len() as u64 + 1,
                    max: limits.files as u64,
                });
            }
            files.push(listed(entry, endpoint, id, commit, limits.file_bytes, &shown_url)?);
        }
        let Some(next) = next else { return Ok(files) };
        let next = url.join(&next)?;
        if next.origin() != url.origin() {
            let why = "the next page of a listing is on another host";
            return Err(Error::Redirect { from: url.to_string(), to: next.to_string(), why });
        }
        url = next;
    }
    Err(Error::OverLimit {
        what: format!("pages of the listing of {id}"),
        found: limits.pages as u64 + 1,
        max: limits.pages as u64,
    })
}

fn listed(
    entry: TreeEntry,
    endpoint: &str,
    id: &str,
    commit: &str,
    max: u64,
    page: &str,
) -> Result<ListedFile, Error> {
    // The path first: everything after it goes into addresses and messages.
    weights::safe_relative_path(&entry.path)
        .map_err(|source| Error::Path { place: format!("the listing of {id}"), source })?;
    let (hash, bytes) = match (&entry.lfs, &entry.oid) {
        (Some(lfs), _) => (lfs.oid.strip_prefix("sha256:").unwrap_or(&lfs.oid), lfs.size),
        (None, Some(oid)) => (oid.as_str(), entry.size),
        (None, None) => ("", entry.size),
    };
    let digest = Digest::parse(hash)
        .filter(|digest| entry.lfs.is_none() || matches!(digest, Digest::Sha256(_)))
        .ok_or_else(|| Error::Answer {
            url: page.to_owned(),
            why: format!(
                "the hash of {} is `{}`, expected 40 or 64 hexadecimal digits",
                entry.path,
                shown(hash)
            ),
        })?;
    if bytes > max {
        return Err(Error::OverLimit {
            what: format!("bytes of {}", entry.path),
            found: bytes,
            max,
        });
    }
    let url =
        format!("{endpoint}/{}/resolve/{commit}/{}", encode_path(id), encode_path(&entry.path));
    let remote = Remote { url, secret: Secret::Endpoint, commit: Some(commit.to_owned()) };
    Ok(ListedFile { path: entry.path, bytes, digest, origin: Bytes::Remote(remote) })
}

/// The address of `rel="next"` in a `Link` header.
pub(super) fn next_of(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (address, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        rest.split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
            .then_some(address)
    })
}

/// What to look for on the hub.
#[derive(Debug, Clone, Default)]
pub struct SearchQuery {
    /// Words of the name.
    pub words: String,
    /// Tags all of which a model must have, such as `gguf` or `license:apache-2.0`.
    pub tags: Vec<String>,
    /// Only of this organisation.
    pub author: Option<String>,
    /// Only for this task, such as `text-generation`.
    pub pipeline: Option<String>,
    /// How they are ordered, greatest first.
    pub sort: Sort,
    /// How many at most; up to 1000.
    pub limit: usize,
}

/// The order of a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By downloads of the last month.
    #[default]
    Downloads,
    /// By likes.
    Likes,
    /// By the day of the last change.
    Modified,
    /// By what is talked about now.
    Trending,
}

/// A model that a search found. All of it is claimed by the server; none is checked.
#[derive(Debug, Clone)]
pub struct Found {
    /// The repository.
    pub id: String,
    /// What else the server says.
    pub about: About,
    /// Parameters, as the server counted them in safetensors or GGUF headers.
    pub parameters: Option<u64>,
    /// The architecture, as GGUF states it.
    pub architecture: Option<String>,
    /// Licence identifiers stated by tags or card.
    pub licences: Vec<String>,
    /// Base models stated by tags.
    pub base_models: Vec<String>,
    /// Quantizations its GGUF files are named by.
    pub quants: Vec<String>,
}

pub(crate) fn search(hub: &Hub, query: &SearchQuery) -> Result<Vec<Found>, Error> {
    let endpoint = &hub.settings().endpoint;
    let limits = hub.settings().limits;
    let wanted = query.limit.clamp(1, 1000);
    let mut text = format!(
        "{endpoint}/api/models?search={}&limit={}",
        encode_query(&query.words),
        wanted.min(100)
    );
    let mut add = |key: &str, value: &str| {
        text.push('&');
        text.push_str(key);
        text.push('=');
        text.push_str(&encode_query(value));
    };
    query.tags.iter().for_each(|tag| add("filter", tag));
    if let Some(author) = &query.author {
        add("author", author);
    }
    if let Some(pipeline) = &query.pipeline {
        add("pipeline_tag", pipeline);
    }
    let sort = match query.sort {
        Sort::Downloads => "downloads",
        Sort::Likes => "likes",
        Sort::Modified => "lastModified",
        Sort::Trending => "trendingScore",
    };
    add("sort", sort);
    add("direction", "-1");
    for field in [
        "downloads",
        "likes",
        "tags",
        "gated",
        "pipeline_tag",
        "library_name",
        "lastModified",
        "private",
        "cardData",
        "safetensors",
        "gguf",
        "siblings",
    ] {
        add("expand[]", field);
    }
    let mut url = Url::parse(&text)?;
    let client = hub.client(&url, &Secret::Endpoint, || {
        format!("the result of the search for `{}`", shown(&query.words))
    })?;
    let mut out: Vec<Found> = Vec::new();
    for _ in 0..limits.pages {
        let answer = client.send(&Ask::get(&url))?.check("the search")?;
        let next = answer.header("link").and_then(next_of).map(str::to_owned);
        let page: Vec<Stated> = answer.json()?;
        out.extend(page.into_iter().filter_map(found));
        match next {
            Some(next) if out.len() < wanted => {
                let next = url.join(&next)?;
                if next.origin() != url.origin() {
                    let why = "the next page of a search is on another host";
                    return Err(Error::Redirect {
                        from: url.to_string(),
                        to: next.to_string(),
                        why,
                    });
                }
                url = next;
            }
            _ => break,
        }
    }
    out.truncate(wanted);
    Ok(out)
}

/// One result; one whose name is none (homoglyphs, escapes) is left out.
fn found(stated: Stated) -> Option<Found> {
    let id = stated.id.clone()?;
    ModelName::parse(&format!("hf://{id}")).ok()?;
    let number = |value: &Value| value.get("total").and_then(Value::as_u64);
    let parameters = number(&stated.safetensors).or_else(|| number(&stated.gguf));
    let architecture = stated.gguf.get("architecture").and_then(Value::as_str).map(shown);
    let tagged = |prefix: &str| -> Vec<String> {
        stated.tags.iter().filter_map(|tag| tag.strip_prefix(prefix)).map(shown).collect()
    };
    let mut licences = tagged("license:");
    if licences.is_empty()
        && let Some(licence) = stated.card_data.get("license").and_then(Value::as_str)
    {
        licences.push(shown(licence));
    }
    let mut base_models: Vec<String> = tagged("base_model:")
        .into_iter()
        .map(|tag| tag.rsplit(':').next().unwrap_or_default().to_owned())
        .collect();
    base_models.dedup();
    let mut quants: Vec<String> = stated
        .siblings
        .iter()
        .filter(|file| crate::select::has_extension(&file.rfilename, "gguf"))
        .filter_map(|file| crate::select::quant_of(&file.rfilename))
        .collect();
    quants.sort();
    quants.dedup();
    Some(Found {
        id,
        parameters,
        architecture,
        licences,
        base_models,
        quants,
        about: stated.about(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_the_link() {
        assert_eq!(next_of("<https://h/x?cursor=1>; rel=\"next\""), Some("https://h/x?cursor=1"));
        assert_eq!(next_of("</a>; rel=\"prev\", </b>; foo; rel=\"next\""), Some("/b"));
        assert_eq!(next_of("garbage"), None);
    }

    #[test]
    fn s15_a_name_that_only_looks_like_one_is_not_shown() {
        let stated =
            |id: &str| serde_json::from_value::<Stated>(serde_json::json!({ "id": id })).unwrap();
        assert!(found(stated("Qwen/Qwen3")).is_some());
        for id in ["Qwеn/Qwen3", "a/b\u{1b}[2J", "a/\u{202e}b", "../x", "a/b/c"] {
            assert!(found(stated(id)).is_none(), "{id}");
        }
    }
}
