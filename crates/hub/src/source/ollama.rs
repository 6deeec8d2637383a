//! An Ollama installation on this computer, read and never written.
//!
//! `manifests/<host>/<namespace>/<model>/<tag>` lists layers, `blobs/sha256-<digits>` has them. Only
//! hashes of the very form are followed (CVE-2024-37032). The weights are GGUF and come into the store by
//! a second name for the same bytes where the file system allows it.

use std::fs;

use weights::shown;

use super::{Source, manifest::Manifest};
use crate::{
    About, Digest, Error, Hub, ListedFile, Listing, ModelName, listing::Bytes, name::Place,
};

pub(super) const SOURCE: Source = Source {
    scheme: "ollama",
    what: "a model of the Ollama installation on this computer",
    form: "ollama:qwen3:4b",
    list,
};

fn list(hub: &Hub, name: &ModelName) -> Result<Listing, Error> {
    let Place::Ollama { model } = &name.place else {
        return Err(Error::Name {
            name: name.to_string(),
            why: "not a model of Ollama".to_owned(),
        });
    };
    let limits = hub.settings().limits;
    let root = hub.settings().ollama.as_deref().ok_or(Error::Setting {
        what: "OLLAMA_MODELS",
        why: "no folder of an Ollama installation is known".to_owned(),
    })?;
    let tag = name.revision_or_default().to_owned();
    let path = root.join("manifests").join(weights::safe_relative_path(model)?).join(&tag);
    let there = fs::metadata(&path).map_err(|_| Error::NotFound {
        what: format!("{model}:{tag}"),
        place: root.display().to_string(),
    })?;
    if !there.is_file() || there.len() > limits.text_bytes {
        return Err(Error::Store { path, why: "no manifest: not a file, or too large for one" });
    }
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let place = path.display().to_string();
    let manifest = Manifest::parse(&bytes, &place, &limits)?;
    let mut files: Vec<ListedFile> = Vec::new();
    let base = model.rsplit('/').next().unwrap_or(model);
    for layer in &manifest.layers {
        let layer = layer.check(&place, &limits)?;
        let kind = layer
            .media_type
            .strip_prefix("application/vnd.ollama.image.")
            .unwrap_or(&layer.media_type);
        let path = match kind {
            "model" => numbered(&files, &format!("{base}-{tag}"), ".gguf"),
            "projector" => numbered(&files, &format!("mmproj-{base}-{tag}"), ".gguf"),
            "license" => numbered(&files, "LICENSE", ""),
            "params" => "ollama-params.json".to_owned(),
            "template" => "ollama-template.txt".to_owned(),
            "system" => "ollama-system.txt".to_owned(),
            // Adapters, messages and the like belong to what is run, not to the model.
            "adapter" | "messages" | "prompt" | "embed" => continue,
            other => {
                let what = format!("a layer of the kind `{}`", shown(other));
                return Err(Error::Unsupported {
                    what,
                    why: "it is not part of an Ollama model as known here".to_owned(),
                });
            }
        };
        let blob = root.join("blobs").join(format!("sha256-{}", layer.digest.hex()));
        let held = fs::metadata(&blob).map_err(|_| Error::MissingFile {
            named_by: place.clone(),
            file: layer.digest.to_string(),
        })?;
        if !held.is_file() || held.len() != layer.bytes {
            return Err(Error::Length {
                file: blob.display().to_string(),
                expected: layer.bytes,
                found: held.len(),
            });
        }
        files.push(ListedFile {
            path,
            bytes: layer.bytes,
            digest: layer.digest,
            origin: Bytes::Here(blob),
        });
    }
    let commit = Digest::sha256_of(&bytes).hex()[..40].to_owned();
    Listing { name: name.clone(), revision: tag, commit, files, about: About::default() }.checked()
}

/// `stem` and `end`, with a number in between if the name is taken.
fn numbered(files: &[ListedFile], stem: &str, end: &str) -> String {
    let taken = |name: &str| files.iter().any(|file| file.path == name);
    let first = format!("{stem}{end}");
    if !taken(&first) {
        return first;
    }
    (2..=files.len() + 1)
        .map(|number| format!("{stem}.{number}{end}"))
        .find(|name| !taken(name))
        .unwrap_or(first)
}
