//! How a model is named: `org/model[:quantization][@revision]`, an address, a registry, a path.
//!
//! Parsing is pure and looks at no disk: a path is what begins like one (`/`, `./`, `../`, `~`) or says
//! `file:`; everything else without a scheme is a name on the hub.

use std::{fmt, path::PathBuf};

use weights::{safe_relative_path, shown};

use crate::{Digest, Error, digest::is_commit};

/// Which model, from where, in which quantization and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// Where it comes from.
    pub place: Place,
    /// The quantization, variant or file that was asked for.
    pub quant: Option<String>,
    /// The branch, tag or commit that was asked for.
    pub revision: Option<String>,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A repository of the Hugging Face-compatible endpoint: `org/model`, or `model` alone.
    Hub {
        /// The repository.
        id: String,
    },
    /// One file at a plain address.
    Url {
        /// The address, without the fragment.
        url: String,
        /// What the file has to hash to; fetching needs it.
        sha256: Option<Digest>,
    },
    /// A file or folder of this computer.
    Local {
        /// Where it lies.
        path: PathBuf,
    },
    /// A model of the Ollama installation on this computer.
    Ollama {
        /// `host/namespace/model`, complete.
        model: String,
    },
    /// A model artifact in an OCI registry.
    Oci {
        /// Host, with its port if it is not the usual one.
        registry: String,
        /// The repository.
        repository: String,
    },
}

impl ModelName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<ModelName, Error> {
        let text = text.trim();
        parse(text).map_err(|why| Error::Name { name: shown(text), why })
    }

    /// The scheme of its source: `hf`, `https`, `file`, `ollama` or `oci`.
    pub fn scheme(&self) -> &'static str {
        match self.place {
            Place::Hub { .. } => "hf",
            Place::Url { .. } => "https",
            Place::Local { .. } => "file",
            Place::Ollama { .. } => "ollama",
            Place::Oci { .. } => "oci",
        }
    }

    /// The same model in another revision.
    pub fn at(&self, revision: impl Into<String>) -> ModelName {
        ModelName { revision: Some(revision.into()), ..self.clone() }
    }

    /// The revision that is meant when none is named.
    pub(crate) fn revision_or_default(&self) -> &str {
        self.revision.as_deref().unwrap_or(match self.place {
            Place::Oci { .. } | Place::Ollama { .. } => "latest",
            _ => "main",
        })
    }

    /// The model without quantization and revision, as policies match it: `hf:org/model`.
    pub fn source(&self) -> String {
        match &self.place {
            Place::Hub { id } => format!("hf:{id}"),
            Place::Url { url, .. } => url.clone(),
            Place::Local { path } => format!("dir:{}", path.display()),
            Place::Ollama { model } => format!("ollama:{model}"),
            Place::Oci { registry, repository } => format!("oci:{registry}/{repository}"),
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Hub { id } => f.write_str(id)?,
            Place::Url { url, sha256 } => {
                f.write_str(url)?;
                if let Some(sha256) = sha256 {
                    write!(f, "#sha256={}", sha256.hex())?;
                }
                return Ok(());
            }
            Place::Local { path } => write!(f, "{}", path.display())?,
            Place::Ollama { model } => write!(f, "ollama:{model}")?,
            Place::Oci { registry, repository } => write!(f, "oci://{registry}/{repository}")?,
        }
        if let Some(quant) = &self.quant {
            write!(f, ":{quant}")?;
        }
        match (&self.revision, &self.place) {
            (None, _) => Ok(()),
            (Some(tag), Place::Ollama { .. }) => write!(f, ":{tag}"),
            (Some(tag), Place::Oci { .. }) if !tag.starts_with("sha256:") => write!(f, ":{tag}"),
            (Some(revision), _) => write!(f, "@{revision}"),
        }
    }
}

type Parsed = Result<ModelName, String>;

fn parse(text: &str) -> Parsed {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > 4096 || text.chars().any(char::is_control) {
        return Err("it is too long or has control characters".to_owned());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            "hf" | "huggingface" => hub(rest),
            "https" | "http" => address(text, rest),
            "file" => local(rest),
            "ollama" => ollama(rest),
            "oci" | "docker" => oci(rest),
            _ => Err("its scheme is none of hf, https, file, ollama, oci".to_owned()),
        };
    }
    for (prefix, read) in
        [("hf:", hub as fn(&str) -> Parsed), ("ollama:", ollama), ("oci:", oci), ("file:", local)]
    {
        if let Some(rest) = text.strip_prefix(prefix) {
            return read(rest);
        }
    }
    let is_path =
        ["/", "./", "../", "~/", ".\\", "..\\", "\\"].iter().any(|start| text.starts_with(start))
            || matches!(text, "." | "..")
            || text.as_bytes().get(1..3).is_some_and(|next| next == b":\\" || next == b":/");
    if is_path {
        return local(text);
    }
    let rest = text
        .strip_prefix("hf.co/")
        .or_else(|| text.strip_prefix("huggingface.co/"))
        .unwrap_or(text);
    hub(rest)
}

fn hub(text: &str) -> Parsed {
    let (text, revision) = split(text, '@');
    let (id, quant) = split(text, ':');
    check_id(id)?;
    if let Some(revision) = revision {
        check_revision(revision)?;
    }
    if let Some(quant) = quant {
        check_quant(quant)?;
    }
    Ok(ModelName {
        place: Place::Hub { id: id.to_owned() },
        quant: quant.map(str::to_owned),
        revision: revision.map(str::to_owned),
    })
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(left, right)| (left, Some(right)))
}

/// The rules of the hub itself: one or two components of letters, digits, `-`, `_`, `.`.
fn check_id(id: &str) -> Result<(), String> {
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 {
        return Err("a repository is `organisation/model`".to_owned());
    }
    for part in parts {
        let sound = (1..=96).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !part.starts_with(['-', '.'])
            && !part.ends_with(['-', '.'])
            && !part.contains("--")
            && !part.contains("..");
        if !sound {
            return Err(format!(
                "`{}` is not 1 to 96 letters, digits, `-`, `_` or `.` with none of `-` and `.` at an end or doubled",
                shown(part)
            ));
        }
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), String> {
    // It becomes a path below `refs`.
    safe_relative_path(revision).map(drop).map_err(|error| error.to_string())
}

fn check_quant(quant: &str) -> Result<(), String> {
    safe_relative_path(quant).map(drop).map_err(|error| error.to_string())
}

fn address(text: &str, rest: &str) -> Parsed {
    let (host, path) = rest.split_once('/').ok_or("it names no file")?;
    if host.contains('@') {
        return Err(
            "an address with a user or password in it would be written into lock files".to_owned()
        );
    }
    if matches!(host, "huggingface.co" | "www.huggingface.co" | "hf.co") {
        return page(path);
    }
    let (url, fragment) = split(text, '#');
    let sha256 = match fragment {
        None => None,
        Some(fragment) => Some(
            fragment
                .strip_prefix("sha256=")
                .and_then(|digits| {
                    Digest::parse_sha256(&format!("sha256:{}", digits.to_ascii_lowercase()))
                })
                .ok_or("what follows `#` is not `sha256=` and 64 hexadecimal digits")?,
        ),
    };
    let file = split(url, '?').0.rsplit('/').next().unwrap_or_default();
    safe_relative_path(file).map_err(|error| error.to_string())?;
    Ok(ModelName { place: Place::Url { url: url.to_owned(), sha256 }, quant: None, revision: None })
}

/// A page of the hub, as copied from a browser: `org/model[/(tree|blob|resolve)/revision[/file]]`.
fn page(path: &str) -> Parsed {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    let mut name = match parts.as_slice() {
        [model] => hub(model)?,
        [org, model, ..] => hub(&format!("{org}/{model}"))?,
        [] => return Err("it names no model".to_owned()),
    };
    if let [_, _, "tree" | "blob" | "resolve", revision, file @ ..] = parts.as_slice() {
        check_revision(revision)?;
        name.revision = Some((*revision).to_owned());
        if let [file] = file {
            check_quant(file)?;
            name.quant = Some((*file).to_owned());
        }
    } else if parts.len() > 2 {
        return Err("it is no page of a model or of one of its files".to_owned());
    }
    Ok(name)
}

fn local(text: &str) -> Parsed {
    if text.is_empty() {
        return Err("it names no file".to_owned());
    }
    let path = PathBuf::from(text);
    Ok(ModelName { place: Place::Local { path }, quant: None, revision: None })
}

fn ollama(text: &str) -> Parsed {
    let (model, tag) = split(text.trim_start_matches('/'), ':');
    let parts: Vec<&str> = model.split('/').collect();
    let whole = match parts.as_slice() {
        [model] => format!("registry.ollama.ai/library/{model}"),
        [space, model] => format!("registry.ollama.ai/{space}/{model}"),
        [_, _, _] => model.to_owned(),
        _ => return Err("an Ollama model is `[[host/]namespace/]model[:tag]`".to_owned()),
    };
    safe_relative_path(&whole).map_err(|error| error.to_string())?;
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    Ok(ModelName {
        place: Place::Ollama { model: whole },
        quant: None,
        revision: tag.map(str::to_owned),
    })
}

/// The grammar of tags in the OCI distribution specification.
fn check_tag(tag: &str) -> Result<(), String> {
    let sound = (1..=128).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !tag.starts_with(['-', '.']);
    if sound { Ok(()) } else { Err(format!("`{}` is no tag", shown(tag))) }
}

fn oci(text: &str) -> Parsed {
    let (text, digest) = split(text, '@');
    let (registry, rest) = text.split_once('/').ok_or("it is `registry/repository[:tag]`")?;
    let (repository, tag) = split(rest, ':');
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let sound_host = !host.is_empty()
        && registry.len() <= 255
        && registry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte));
    if !sound_host || !(registry.contains(['.', ':']) || registry == "localhost") {
        return Err("its registry is no host name".to_owned());
    }
    let sound = |part: &str| {
        (1..=128).contains(&part.len())
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
            })
            && !part.starts_with(['-', '_', '.'])
            && !part.ends_with(['-', '_', '.'])
    };
    if repository.is_empty() || repository.len() > 255 || !repository.split('/').all(sound) {
        return Err(format!("`{}` is no repository of a registry", shown(repository)));
    }
    let revision = match (digest, tag) {
        (Some(digest), _) => {
            Digest::parse_sha256(digest)
                .ok_or("what follows `@` is not `sha256:` and 64 digits")?;
            Some(digest.to_owned())
        }
        (None, Some(tag)) => {
            check_tag(tag)?;
            Some(tag.to_owned())
        }
        (None, None) => None,
    };
    let place =
        Place::Oci { registry: registry.to_ascii_lowercase(), repository: repository.to_owned() };
    Ok(ModelName { place, quant: None, revision })
}

/// Whether `revision` names one commit for ever.
pub(crate) fn is_pinned(revision: &str) -> bool {
    is_commit(revision) || Digest::parse_sha256(revision).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ModelName {
        ModelName::parse(text).unwrap()
    }

    #[test]
    fn names_of_the_hub() {
        let full = name("Qwen/Qwen3-0.6B-GGUF:Q8_0@refs/pr/1");
        assert_eq!(full.place, Place::Hub { id: "Qwen/Qwen3-0.6B-GGUF".into() });
        assert_eq!(
            (full.quant.as_deref(), full.revision.as_deref()),
            (Some("Q8_0"), Some("refs/pr/1"))
        );
        for text in [
            "hf://a/b",
            "hf:a/b",
            "hf.co/a/b",
            "https://huggingface.co/a/b",
            "https://hf.co/a/b?x=1",
        ] {
            assert_eq!(name(text).place, Place::Hub { id: "a/b".into() }, "{text}");
        }
        let file = name("https://huggingface.co/a/b/blob/main/q/x.gguf");
        assert_eq!(
            (file.quant.as_deref(), file.revision.as_deref()),
            (Some("q/x.gguf"), Some("main"))
        );
        assert_eq!(name("gpt2").place, Place::Hub { id: "gpt2".into() });
        assert_eq!(full.to_string(), "Qwen/Qwen3-0.6B-GGUF:Q8_0@refs/pr/1");
        assert_eq!(full.source(), "hf:Qwen/Qwen3-0.6B-GGUF");
    }

    #[test]
    fn names_of_other_places() {
        let digits = "a".repeat(64);
        let url = format!("https://example.org/m.gguf#sha256={digits}");
        assert!(matches!(name(&url).place, Place::Url { sha256: Some(_), .. }));
        assert_eq!(name(&url).to_string(), url);
        assert_eq!(name("./x").place, Place::Local { path: "./x".into() });
        assert_eq!(name("/x/y.gguf").scheme(), "file");
        let model = name("ollama:qwen3:4b");
        assert_eq!(model.place, Place::Ollama { model: "registry.ollama.ai/library/qwen3".into() });
        assert_eq!(model.revision.as_deref(), Some("4b"));
        let oci = name("oci://ghcr.io/org/m:1.0");
        assert_eq!(
            oci.place,
            Place::Oci { registry: "ghcr.io".into(), repository: "org/m".into() }
        );
        assert_eq!(oci.to_string(), "oci://ghcr.io/org/m:1.0");
        let pinned = name(&format!("oci://localhost:5000/m@sha256:{digits}"));
        assert!(is_pinned(pinned.revision_or_default()));
    }

    #[test]
    fn h1_names_that_could_leave_the_store_are_refused() {
        for text in [
            "",
            "a/b/c",
            "a/..",
            "../../etc@main/../x",
            "a/b@../../x",
            "a/b@/abs",
            "a/b:../x",
            "a/-b",
            "a--x/b",
            "a/b\0",
            "ftp://x/y",
            "https://user:pass@example.org/x",
            "https://example.org/",
            "https://example.org/x#sha256=12",
            "https://example.org/..",
            "ollama:../../x",
            "ollama:x:../y",
            "oci://nohost/x",
            "oci://ghcr.io/../x",
            "oci://ghcr.io/x@sha256:zz",
        ] {
            assert!(
                ModelName::parse(text).is_err() || text.starts_with("../"),
                "`{text}` passes as {:?}",
                ModelName::parse(text)
            );
        }
    }
}
