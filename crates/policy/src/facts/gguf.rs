//! What a GGUF header says of a model's licence and origin.
//!
//! Source of the keys: ggml's `docs/gguf.md` (`general.license`, `general.license.name`,
//! `general.license.link`, `general.base_model.{n}.*`, `general.source.*`).

use serde::{Deserialize, Serialize};

use super::card::repository;

/// The keys of a GGUF header that policy reads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GgufFacts {
    /// `general.license`: an SPDX expression or a hub's identifier.
    pub license: Option<String>,
    /// `general.license.name`.
    pub license_name: Option<String>,
    /// `general.license.link`.
    pub license_link: Option<String>,
    /// `org/name` of `general.base_model.{n}.repo_url`, else its `organization/name`.
    pub base_models: Vec<String>,
    /// `org/name` of `general.source.repo_url` or `general.source.huggingface.repository`.
    pub source: Option<String>,
}

impl GgufFacts {
    /// Reads the header's string values; other keys are passed over.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut facts = Self::default();
        let mut bases: std::collections::BTreeMap<u32, [Option<String>; 3]> =
            std::collections::BTreeMap::default();
        for (key, value) in keys {
            let value = super::card::head(value.trim(), 2000);
            let set = || (!value.is_empty()).then(|| value.to_owned());
            match key {
                "general.license" => facts.license = set(),
                "general.license.name" => facts.license_name = set(),
                "general.license.link" => facts.license_link = set(),
                "general.source.repo_url" | "general.source.huggingface.repository" => {
                    facts.source = set().map(|id| repository(&id));
                }
                _ => {
                    let Some((number, field)) = key
                        .strip_prefix("general.base_model.")
                        .and_then(|rest| rest.split_once('.'))
                    else {
                        continue;
                    };
                    let Some(slot) =
                        ["repo_url", "organization", "name"].iter().position(|f| *f == field)
                    else {
                        continue;
                    };
                    if let Ok(number) = number.parse()
                        && bases.len() < 1000
                    {
                        bases.entry(number).or_default()[slot] = set();
                    }
                }
            }
        }
        facts.base_models = bases
            .into_values()
            .filter_map(|[url, organization, name]| {
                url.map(|url| repository(&url)).or_else(|| {
                    Some(format!("{}/{}", organization?.replace(' ', "-"), name?.replace(' ', "-")))
                })
            })
            .collect();
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_and_ancestors_are_found() {
        let facts = GgufFacts::new([
            ("general.license", "llama3.1"),
            ("general.base_model.0.name", "Llama 3.1 8B Instruct"),
            ("general.base_model.0.organization", "Meta Llama"),
            ("general.base_model.1.repo_url", "https://huggingface.co/Qwen/Qwen2.5-7B"),
            ("general.base_model.x.repo_url", "https://huggingface.co/no/no"),
            ("general.architecture", "llama"),
        ]);
        assert_eq!(facts.license.as_deref(), Some("llama3.1"));
        assert_eq!(facts.base_models, ["Meta-Llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2.5-7B"]);
    }
}
