//! One file at a plain address, with the hash a person was given for it.

use super::Source;
use crate::{
    About, Error, Hub, ListedFile, Listing, ModelName,
    listing::{Bytes, Remote, Secret},
    name::Place,
    transport::Ask,
    url::Url,
};

pub(super) const SOURCE: Source = Source {
    scheme: "https",
    what: "one file at a plain address, with its sha256",
    form: "https://example.org/model.gguf#sha256=HASH",
    list,
};

fn list(hub: &Hub, name: &ModelName) -> Result<Listing, Error> {
    let Place::Url { url, sha256 } = &name.place else {
        return Err(Error::Name { name: name.to_string(), why: "not an address".to_owned() });
    };
    let url = Url::parse(url)?;
    let digest = sha256.ok_or_else(|| Error::NoHash { url: url.to_string() })?;
    let client = hub.client(&url, &Secret::None, || name.to_string())?;
    // A range of one byte tells the size wherever ranges are known, and the plain answer elsewhere.
    let ask = Ask { range: Some(0..1), ..Ask::get(&url) };
    let answer = client.send(&ask)?.check(&name.to_string())?;
    let total = || answer.header("content-range")?.rsplit('/').next()?.parse().ok();
    let bytes: u64 = match answer.status {
        206 => total(),
        _ => answer.length(),
    }
    .ok_or_else(|| Error::Answer {
        url: url.to_string(),
        why: "the server does not say how long the file is".to_owned(),
    })?;
    let max = hub.settings().limits.file_bytes;
    if bytes > max {
        return Err(Error::OverLimit { what: format!("bytes of {url}"), found: bytes, max });
    }
    let plain = url.as_str().split('?').next().unwrap_or_default();
    let path = plain.rsplit('/').next().unwrap_or_default().to_owned();
    let remote = Remote { url: url.as_str().to_owned(), secret: Secret::None, commit: None };
    let file = ListedFile { path, bytes, digest, origin: Bytes::Remote(remote) };
    let commit = digest.hex()[..40].to_owned();
    Listing {
        name: name.clone(),
        revision: commit.clone(),
        commit,
        files: vec![file],
        about: About::default(),
    }
    .checked()
}
