//! What is known of a model before it is judged. Whoever does the reading (hub, program) fills these;
//! nothing here is trusted: names are cut and cleaned when shown, texts and lists are bounded.

mod card;
mod gguf;

pub use card::Card;
pub use gguf::GgufFacts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is known of one model repository, folder or file at one revision.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// Its name, such as `meta-llama/Llama-3.1-8B-Instruct`; a path for what has no name.
    pub id: String,
    /// The commit, where the source has one.
    pub revision: Option<String>,
    /// The model card, where there is one.
    pub card: Option<Card>,
    /// What a GGUF file's header says.
    pub gguf: Option<GgufFacts>,
    /// The texts of the licence files of the repository.
    pub texts: Vec<LicenceText>,
    /// The files, as listed.
    pub files: Vec<FileFact>,
    /// Names of branches and tags, where known.
    pub refs: Vec<String>,
    /// Whether its publisher asks people to accept terms before they download.
    pub gated: Gated,
    /// `config.json`'s first architecture or GGUF's `general.architecture`.
    pub architecture: Option<String>,
    /// How many tokens its vocabulary has.
    pub vocabulary: Option<u64>,
    /// Whether it takes pictures, sound or video beside text; `None` where nobody looked.
    pub multimodal: Option<bool>,
}

/// The text of a file that looks like a licence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LicenceText {
    /// Its path in the repository.
    pub path: String,
    /// Its text; only the first [`LicenceText::MAX_BYTES`] are looked at.
    pub text: String,
}

impl LicenceText {
    /// A licence is no longer than this; the longest known one is 40 kB.
    pub const MAX_BYTES: usize = 1 << 18;

    /// Whether a path is that of a licence's text: `LICENSE`, `LICENSE-MODEL.txt`, `COPYING`,
    /// `docs/licence.md`. For whoever decides which files to fetch.
    pub fn is_licence_path(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let text = ["", ".md", ".txt", ".rst", ".html"];
        let stem = text.iter().rev().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let ends_like_code = [".py", ".json", ".yaml", ".yml", ".pdf", ".toml"];
        !ends_like_code.iter().any(|end| name.ends_with(end))
            && path.matches('/').count() <= 2
            && (stem.contains("license") || stem.contains("licence") || stem == "copying")
    }
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileFact {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hex, where known.
    pub sha256: Option<String>,
}

/// Whether a publisher asks people to accept terms before they download.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gated {
    /// Nobody looked.
    #[default]
    Unknown,
    /// Free to fetch.
    No,
    /// Accepting is enough.
    Auto,
    /// A person approves.
    Manual,
}

/// Facts of other repositories by name: the ancestors of a model, as far as they are at hand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shelf {
    facts: BTreeMap<String, Facts>,
}

impl Shelf {
    /// Nothing at hand.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a repository's facts on the shelf, found by [`Facts::id`] whatever the case of letters.
    pub fn put(&mut self, facts: Facts) {
        self.facts.insert(facts.id.to_ascii_lowercase(), facts);
    }

    /// The facts of a repository, where they are at hand.
    pub fn get(&self, id: &str) -> Option<&Facts> {
        self.facts.get(&id.to_ascii_lowercase())
    }
}

impl FromIterator<Facts> for Shelf {
    fn from_iter<I: IntoIterator<Item = Facts>>(all: I) -> Self {
        let mut shelf = Self::new();
        all.into_iter().for_each(|facts| shelf.put(facts));
        shelf
    }
}

impl Facts {
    /// The models this one says it was made from: card first, then GGUF's base models and the repository
    /// it was converted from, without doubles.
    pub fn ancestors(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let card = self.card.iter().flat_map(Card::ancestors);
        let gguf = self.gguf.iter().flat_map(|gguf| gguf.base_models.iter().cloned());
        let source = self.gguf.iter().filter_map(|gguf| gguf.source.clone());
        for id in card.chain(gguf).chain(source) {
            let same = |known: &String| known.eq_ignore_ascii_case(&id);
            if !id.is_empty() && !id.eq_ignore_ascii_case(&self.id) && !all.iter().any(same) {
                all.push(id);
            }
        }
        all.truncate(Self::MAX_ANCESTORS);
        all
    }

    /// More direct ancestors than this are not looked at; the widest merges name some tens.
    pub const MAX_ANCESTORS: usize = 64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_paths() {
        for yes in [
            "LICENSE",
            "LICENSE.txt",
            "License.md",
            "LICENSE-MODEL",
            "COPYING",
            "docs/LICENCE.md",
            "LICENSE_MODEL.txt",
            "MODEL_LICENSE",
        ] {
            assert!(LicenceText::is_licence_path(yes), "{yes}");
        }
        for no in [
            "README.md",
            "license.py",
            "a/b/c/d/LICENSE",
            "config.json",
            "licenses.json",
            "USE_POLICY.md",
        ] {
            assert!(!LicenceText::is_licence_path(no), "{no}");
        }
    }

    #[test]
    fn a_model_is_not_its_own_ancestor() {
        let card =
            Card { base_model: vec!["A/B".into(), "c/d".into(), "C/D".into()], ..Card::default() };
        let facts = Facts { id: "a/b".into(), card: Some(card), ..Facts::default() };
        assert_eq!(facts.ancestors(), ["c/d"]);
    }
}
