//! A file or folder of this computer: used where it lies, hashed so that it can be pinned.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::Source;
use crate::{
    About, Digest, Error, Hub, ListedFile, Listing, ModelName, listing::Bytes, name::Place,
    store::walk,
};

pub(super) const SOURCE: Source = Source {
    scheme: "file",
    what: "a file or folder of this computer",
    form: "./models/my-model",
    list,
};

fn list(hub: &Hub, name: &ModelName) -> Result<Listing, Error> {
    let Place::Local { path } = &name.place else {
        return Err(Error::Name { name: name.to_string(), why: "not a path".to_owned() });
    };
    let there = fs::metadata(path).map_err(Error::io("open", path))?;
    let mut files = Vec::new();
    if there.is_dir() {
        let limits = hub.settings().limits;
        for inside in walk(path)? {
            // Version control is not part of a model.
            if inside.starts_with(".git/") || inside.starts_with(".cache/") {
                continue;
            }
            if files.len() >= limits.files {
                let what = format!("files of {}", path.display());
                return Err(Error::OverLimit {
                    what,
                    found: files.len() as u64 + 1,
                    max: limits.files as u64,
                });
            }
            let whole = path.join(&inside);
            if fs::metadata(&whole).is_ok_and(|there| there.is_file()) {
                files.push(listed(hub, inside, whole)?);
            }
        }
    } else if there.is_file() {
        let names = shards(path)?;
        for whole in names {
            let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push(listed(hub, name, whole)?);
        }
    } else {
        return Err(Error::Store { path: path.clone(), why: "neither a file nor a folder" });
    }
    let mut statement = String::new();
    for file in &files {
        _ = writeln!(statement, "{} {}", file.digest, file.path);
    }
    let commit = Digest::sha256_of(statement.as_bytes()).hex()[..40].to_owned();
    let revision = commit.clone();
    Listing { name: name.clone(), revision, commit, files, about: About::default() }.checked()
}

fn listed(hub: &Hub, path: String, whole: PathBuf) -> Result<ListedFile, Error> {
    let bytes = fs::metadata(&whole).map_err(Error::io("look at", &whole))?.len();
    let digest = hub.store().receipts().sha256(&whole)?;
    Ok(ListedFile { path, bytes, digest, origin: Bytes::Here(whole) })
}

/// The file, with its brothers when it is a shard of several.
fn shards(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parsed = || {
        let stem = name.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (set, _) = rest.rsplit_once('-')?;
        let count: u32 = (count.len() == 5).then(|| count.parse().ok())??;
        (1..=10_000).contains(&count).then(|| (set.to_owned(), count))
    };
    let Some((set, count)) = parsed() else { return Ok(vec![path.to_path_buf()]) };
    let all: Vec<PathBuf> = (1..=count)
        .map(|number| path.with_file_name(format!("{set}-{number:05}-of-{count:05}.gguf")))
        .collect();
    match all.iter().find(|shard| !shard.is_file()) {
        None => Ok(all),
        Some(missing) => {
            Err(Error::MissingFile { named_by: name, file: missing.display().to_string() })
        }
    }
}
