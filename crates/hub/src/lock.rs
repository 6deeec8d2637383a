//! `freehold.lock`: the same bytes on another machine, or an error.
//!
//! A locked model names its source, the commit, and every file with size and sha256, of small files
//! too, for git's sha1 is not what one pins on today; and the hash of the chat template, which decides
//! what a conversation becomes. The file is TOML, written whole, and read strictly: what is not known
//! is an error, never ignored.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use weights::{Checkpoint, shown};

use crate::{
    Digest, Error, Hub, Listing, ModelName, Observer, Pulled, Trust,
    hub::{read_bounded, sha256_hex},
    name::{Place, is_pinned},
    pull::listing_of,
    select,
    store::{sha256_of_file, write_whole},
};

/// Bytes of a lock file, at most.
const BYTES_MAX: u64 = 64 << 20;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// The version of the format: 1.
    version: u32,
    /// The locked models, by name.
    #[serde(default, rename = "model")]
    pub models: Vec<Locked>,
}

/// One locked model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The name as it was asked for, quantization included.
    pub name: String,
    /// Where it comes from: `hf`, `https`, `oci`, `ollama` or `file`.
    pub source: String,
    /// The server, of a hub model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The branch or tag it stood for then.
    pub revision: String,
    /// The commit.
    pub commit: String,
    /// sha256 of the chat template, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_sha256: Option<String>,
    /// Every file.
    #[serde(rename = "file")]
    pub files: Vec<LockedFile>,
}

/// One file of a locked model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// Its path in the model.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its sha256.
    pub sha256: String,
    /// The sha1 git names it by, of a small file of a hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
}

impl LockFile {
    /// An empty one.
    pub fn new() -> LockFile {
        LockFile { version: 1, models: Vec::new() }
    }

    /// Reads one; a file that is not there is an empty one.
    pub fn read(path: &Path) -> Result<LockFile, Error> {
        let bytes = match read_bounded(path, BYTES_MAX) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(LockFile::new());
            }
            other => other?,
        };
        let fault = |why: String| Error::File { path: path.to_path_buf(), why };
        let text = String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".to_owned()))?;
        let file: LockFile =
            toml::from_str(&text).map_err(|error| fault(line_of(&text, &error)))?;
        if file.version != 1 {
            return Err(fault(format!("version {} is not known, expected 1", file.version)));
        }
        for model in &file.models {
            model.check().map_err(|why| fault(format!("{}: {why}", shown(&model.name))))?;
        }
        Ok(file)
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let fault = |error: toml::ser::Error| Error::File {
            path: path.to_path_buf(),
            why: error.to_string(),
        };
        let text = toml::to_string(self).map_err(fault)?;
        let head = "# Written by freehold. Pins models to their bytes: `freehold pull --locked`.\n";
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
        }
        write_whole(path, format!("{head}{text}").as_bytes())
    }

    /// The entry of a name.
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Puts an entry in, in the place of an older one of the same name.
    pub fn set(&mut self, model: Locked) {
        self.models.retain(|held| held.name != model.name);
        self.models.push(model);
        self.models.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Where a TOML error is, and what: with its line.
pub(crate) fn line_of(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    let message = shown(error.message());
    line.map_or_else(|| message.clone(), |line| format!("line {line}: {message}"))
}

impl Locked {
    fn check(&self) -> Result<(), String> {
        ModelName::parse(&self.name).map_err(|fault| fault.to_string())?;
        if !is_pinned(&self.commit) {
            return Err(format!("`{}` is no commit", shown(&self.commit)));
        }
        weights::safe_relative_paths(self.files.iter().map(|file| file.path.as_str()))
            .map_err(|fault| fault.to_string())?;
        for file in &self.files {
            let sound = matches!(Digest::parse(&file.sha256), Some(Digest::Sha256(_)))
                && file
                    .git
                    .as_deref()
                    .is_none_or(|git| matches!(Digest::parse(git), Some(Digest::Git(_))));
            if !sound {
                return Err(format!("the hashes of {} are none", file.path));
            }
        }
        Ok(())
    }

    fn broken(
        &self,
        what: impl Into<String>,
        locked: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Locked {
            name: self.name.clone(),
            what: what.into(),
            locked: locked.into(),
            found: found.into(),
        }
    }

    /// Holds a listing to what is locked.
    fn check_listing(&self, listing: &Listing) -> Result<(), Error> {
        if listing.commit != self.commit {
            return Err(self.broken("the commit", &self.commit, &listing.commit));
        }
        for file in &self.files {
            let Some(listed) = listing.file(&file.path) else {
                return Err(self.broken(
                    &file.path,
                    format!("{} bytes", file.bytes),
                    "no such file",
                ));
            };
            if listed.bytes != file.bytes {
                return Err(self.broken(
                    format!("the size of {}", file.path),
                    file.bytes.to_string(),
                    listed.bytes.to_string(),
                ));
            }
            let locked = match listed.digest {
                Digest::Sha256(_) => Some(&file.sha256),
                Digest::Git(_) => file.git.as_ref(),
            };
            if let Some(locked) = locked.filter(|locked| **locked != listed.digest.hex()) {
                return Err(self.broken(
                    format!("the hash of {}", file.path),
                    locked,
                    listed.digest.hex(),
                ));
            }
        }
        Ok(())
    }

    /// Holds the bytes to what is locked.
    fn check_bytes(&self, pulled: &Pulled) -> Result<(), Error> {
        for file in &self.files {
            let Some(there) = pulled.files.iter().find(|there| there.path == file.path) else {
                return Err(self.broken(
                    &file.path,
                    format!("{} bytes", file.bytes),
                    "no such file",
                ));
            };
            let found = match there.digest {
                // Verified on the way in, or by its receipt.
                Digest::Sha256(_) => there.digest.hex(),
                Digest::Git(_) => sha256_of_file(&there.location)?.hex(),
            };
            if found != file.sha256 {
                return Err(self.broken(format!("the hash of {}", file.path), &file.sha256, found));
            }
        }
        let template = template_sha256(pulled)?;
        if template != self.template_sha256 {
            let none = || "none".to_owned();
            return Err(self.broken(
                "the chat template",
                self.template_sha256.clone().unwrap_or_else(none),
                template.unwrap_or_else(none),
            ));
        }
        Ok(())
    }
}

impl Hub {
    /// What would pin a pulled model.
    pub fn lock(&self, pulled: &Pulled) -> Result<Locked, Error> {
        let mut files = Vec::new();
        for file in &pulled.files {
            let (sha256, git) = match file.digest {
                Digest::Sha256(_) => (file.digest.hex(), None),
                Digest::Git(_) => (sha256_of_file(&file.location)?.hex(), Some(file.digest.hex())),
            };
            files.push(LockedFile { path: file.path.clone(), bytes: file.bytes, sha256, git });
        }
        let is_hub = matches!(pulled.name.place, Place::Hub { .. });
        Ok(Locked {
            name: pulled.name.to_string(),
            source: pulled.name.scheme().to_owned(),
            endpoint: is_hub.then(|| self.settings().endpoint.clone()),
            revision: pulled.revision.clone(),
            commit: pulled.commit.clone(),
            template_sha256: template_sha256(pulled)?,
            files,
        })
    }

    /// Brings in exactly what is locked, from the store if it is there, else from its source.
    pub fn pull_locked(&self, locked: &Locked, observer: &dyn Observer) -> Result<Pulled, Error> {
        locked.check().map_err(|why| Error::Name { name: shown(&locked.name), why })?;
        let name = ModelName::parse(&locked.name)?;
        let held = self.held(&name).ok();
        let revision = held.as_ref().and_then(|held| {
            held.revisions.iter().find(|revision| revision.commit == locked.commit)
        });
        let has_all =
            |listing: &Listing| locked.files.iter().all(|file| listing.file(&file.path).is_some());
        let mut listing = match revision.map(|revision| listing_of(&name, revision)).filter(has_all)
        {
            Some(listing) => listing,
            // Asked for by commit, where there are commits.
            None if matches!(name.place, Place::Hub { .. }) => {
                self.listing(&name.at(locked.commit.clone()))?
            }
            None => self.listing(&name)?,
        };
        locked.check_listing(&listing)?;
        listing.name = name.clone();
        listing.revision.clone_from(&locked.commit);
        // Exactly the locked files, whatever would be chosen today.
        listing.files.retain(|file| locked.files.iter().any(|locked| locked.path == file.path));
        let mut selection = select::select(&listing, name.quant.as_deref())?;
        selection.files = listing.files.iter().map(|file| file.path.clone()).collect();
        let pulled = self.pull_listing(&listing, &selection, Trust::Remembered, observer)?;
        locked.check_bytes(&pulled)?;
        Ok(pulled)
    }
}

/// The sha256 of a model's chat template, wherever it has it.
fn template_sha256(pulled: &Pulled) -> Result<Option<String>, Error> {
    let max = weights::Limits::DEFAULT.tokenizer_config_bytes;
    if let Some(path) = pulled.file("chat_template.jinja") {
        let bytes = read_bounded(path, max)?;
        return Ok(Some(Digest::sha256_of(&bytes).hex()));
    }
    for name in ["chat_template.json", "tokenizer_config.json"] {
        let Some(path) = pulled.file(name) else { continue };
        let bounds = weights::json::Bounds::new(max, &weights::Limits::DEFAULT);
        let config = weights::json::parse_object(&read_bounded(path, max)?, bounds)?;
        match config.get("chat_template") {
            None | Some(serde_json::Value::Null) => {}
            Some(serde_json::Value::String(text)) => return Ok(Some(sha256_hex(text))),
            Some(other) => return Ok(Some(sha256_hex(&other.to_string()))),
        }
    }
    if pulled.kind == crate::WeightsKind::Gguf {
        let checkpoint = Checkpoint::open(&pulled.open)?;
        if let Some(gguf) = checkpoint.metadata().gguf()
            && gguf.has("tokenizer.chat_template")
        {
            return Ok(Some(sha256_hex(gguf.str("tokenizer.chat_template")?)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Locked {
        Locked {
            name: "a/b:Q8_0".into(),
            source: "hf".into(),
            endpoint: Some("https://huggingface.co".into()),
            revision: "main".into(),
            commit: "0".repeat(40),
            template_sha256: None,
            files: vec![LockedFile {
                path: "m.gguf".into(),
                bytes: 5,
                sha256: "a".repeat(64),
                git: None,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("freehold.lock");
        assert_eq!(LockFile::read(&path).unwrap(), LockFile::new());
        let mut file = LockFile::new();
        file.set(locked());
        file.set(Locked { revision: "v1".into(), ..locked() });
        file.write(&path).unwrap();
        let again = LockFile::read(&path).unwrap();
        assert_eq!(again, file);
        assert_eq!(again.get("a/b:Q8_0").unwrap().revision, "v1");
    }

    #[test]
    fn i11_a_lock_file_that_is_not_understood_is_an_error_with_its_line() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("freehold.lock");
        let mut good = LockFile::new();
        good.set(locked());
        good.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("version = 1", "version = 2"),
            ("bytes = 5", "bytes = 5\nextra = 1"),
            ("bytes = 5", "bytes = -5"),
            ("m.gguf", "../m.gguf"),
            (&"0".repeat(40), "main"),
            (&"a".repeat(64), "abc"),
            ("a/b:Q8_0", "a/../b"),
        ] {
            fs::write(&path, text.replace(from, to)).unwrap();
            let fault = LockFile::read(&path).unwrap_err();
            assert!(fault.is_refusal(), "{from} -> {to}: {fault}");
        }
        fs::write(&path, "version = 1\n\n[[model]]\nname = 3\n").unwrap();
        assert!(LockFile::read(&path).unwrap_err().to_string().contains("line 4"));
    }
}
