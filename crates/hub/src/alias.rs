//! Short names a person gave to models: `aliases.toml` in Freehold's own folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use weights::shown;

use crate::{Error, ModelName, hub::read_bounded, lock::line_of, store::write_whole};

/// See the module.
#[derive(Debug, Clone)]
pub struct Aliases {
    path: PathBuf,
    names: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    alias: BTreeMap<String, String>,
}

impl Aliases {
    /// Reads them; none if there is no file.
    pub fn load(home: &Path) -> Result<Aliases, Error> {
        let path = home.join("aliases.toml");
        let bytes = match read_bounded(&path, 1 << 20) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Vec::new()
            }
            other => other?,
        };
        let fault = |why: String| Error::File { path: path.clone(), why };
        let text = String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".to_owned()))?;
        let written: Written =
            toml::from_str(&text).map_err(|error| fault(line_of(&text, &error)))?;
        for (alias, target) in &written.alias {
            check(alias).map_err(&fault)?;
            ModelName::parse(target).map_err(|error| fault(format!("{alias}: {error}")))?;
        }
        Ok(Aliases { path, names: written.alias })
    }

    /// All of them with what they stand for, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().map(|(alias, target)| (alias.as_str(), target.as_str()))
    }

    /// Gives a name to a model and writes it down.
    pub fn set(&mut self, alias: &str, target: &ModelName) -> Result<(), Error> {
        check(alias).map_err(|why| Error::Name { name: shown(alias), why })?;
        self.names.insert(alias.to_owned(), target.to_string());
        self.save()
    }

    /// Takes a name away; whether there was one.
    pub fn remove(&mut self, alias: &str) -> Result<bool, Error> {
        let was = self.names.remove(alias).is_some();
        if was {
            self.save()?;
        }
        Ok(was)
    }

    /// Reads a name; `alias[:quantization][@revision]` stands for its model with these.
    pub fn resolve(&self, text: &str) -> Result<ModelName, Error> {
        let text = text.trim();
        let end = text.find([':', '@']).unwrap_or(text.len());
        let (alias, rest) = text.split_at(end);
        let Some(target) = self.names.get(alias).filter(|_| !rest.starts_with("://")) else {
            return ModelName::parse(text);
        };
        let mut name = ModelName::parse(target)?;
        if !rest.is_empty() {
            // What a name may end with is the same for all of them.
            let ending = ModelName::parse(&format!("hf://alias{rest}"))?;
            name.quant = ending.quant.or(name.quant);
            name.revision = ending.revision.or(name.revision);
        }
        Ok(name)
    }

    fn save(&self) -> Result<(), Error> {
        let fault = |error: toml::ser::Error| Error::File {
            path: self.path.clone(),
            why: error.to_string(),
        };
        let text = toml::to_string(&Written { alias: self.names.clone() }).map_err(fault)?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        }
        write_whole(&self.path, text.as_bytes())
    }
}

fn check(alias: &str) -> Result<(), String> {
    let sound = (1..=64).contains(&alias.len())
        && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !alias.starts_with(['.', '-'])
        && !["hf", "oci", "ollama", "file", "https", "http", "docker"].contains(&alias);
    if sound {
        Ok(())
    } else {
        Err("an alias is 1 to 64 letters, digits, `-`, `_` or `.`, and no scheme".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_kept_and_resolved() {
        let room = tempfile::tempdir().unwrap();
        let mut aliases = Aliases::load(room.path()).unwrap();
        aliases.set("small", &ModelName::parse("Qwen/Qwen3-0.6B-GGUF:Q8_0").unwrap()).unwrap();
        let aliases = Aliases::load(room.path()).unwrap();
        assert_eq!(aliases.resolve("small").unwrap().to_string(), "Qwen/Qwen3-0.6B-GGUF:Q8_0");
        assert_eq!(
            aliases.resolve("small:F16@v1").unwrap().to_string(),
            "Qwen/Qwen3-0.6B-GGUF:F16@v1"
        );
        assert_eq!(aliases.resolve("gpt2").unwrap().to_string(), "gpt2");
        for bad in ["", "a/b", "hf", "../x", "-x", "a b"] {
            assert!(aliases.clone().set(bad, &ModelName::parse("a/b").unwrap()).is_err(), "{bad}");
        }
        assert!(aliases.clone().remove("small").unwrap());
        fs::write(room.path().join("aliases.toml"), "[alias]\nx = \"a/../b\"\n").unwrap();
        assert!(Aliases::load(room.path()).is_err());
    }
}
