//! Where a model comes from and under which terms, as its files state it; nothing is judged here.

use serde::Serialize;
use serde_json::{Map, Value};
use weights::{Checkpoint, Folder};

/// Base models beyond this many are not listed.
const BASES_MAX: u64 = 64;

/// What the files state.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct About {
    pub(super) name: Option<String>,
    pub(super) author: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) description: Option<String>,
    /// An SPDX name or what the hub uses for one.
    pub(super) licence: Option<String>,
    pub(super) licence_name: Option<String>,
    pub(super) licence_link: Option<String>,
    /// Licence and notice files beside the weights.
    pub(super) licence_files: Vec<String>,
    pub(super) base_models: Vec<String>,
    /// `quantized`, `finetune`, `merge`, `adapter`.
    pub(super) base_model_relation: Option<String>,
    pub(super) quantized_by: Option<String>,
    pub(super) source: Option<String>,
    pub(super) languages: Vec<String>,
    pub(super) tags: Vec<String>,
}

/// Reads it from GGUF keys, or from the front matter of a folder's README.
pub(super) fn of(checkpoint: &Checkpoint) -> About {
    let metadata = checkpoint.metadata();
    if metadata.gguf().is_some() {
        return of_keys(&metadata.config);
    }
    let mut about = metadata.folder().map(of_folder).unwrap_or_default();
    let stated = metadata.safetensors();
    for (key, place) in [("license", &mut about.licence), ("quantized_by", &mut about.quantized_by)]
    {
        if place.is_none() {
            *place = stated.get(key).cloned();
        }
    }
    about
}

/// The model's kind as the files name it.
pub(super) fn architecture(checkpoint: &Checkpoint) -> Option<String> {
    let config = &checkpoint.metadata().config;
    ["general.architecture", "model_type"].iter().find_map(|key| text(config, key))
}

fn of_keys(keys: &Map<String, Value>) -> About {
    let get = |key: &str| text(keys, &format!("general.{key}"));
    About {
        name: get("name"),
        author: get("author"),
        organization: get("organization"),
        description: get("description"),
        licence: get("license"),
        licence_name: get("license.name"),
        licence_link: get("license.link"),
        licence_files: vec![],
        base_models: bases(keys),
        base_model_relation: None,
        quantized_by: get("quantized_by"),
        source: ["source.repo_url", "repo_url", "source.url", "url"].into_iter().find_map(get),
        languages: list(keys, "general.languages"),
        tags: list(keys, "general.tags"),
    }
}

/// `general.base_model.N.*`: the repository where there is one, else organization and name.
fn bases(keys: &Map<String, Value>) -> Vec<String> {
    let count = keys.get("general.base_model.count").and_then(Value::as_u64).unwrap_or(0);
    let base = |at: u64| {
        let get = |key: &str| text(keys, &format!("general.base_model.{at}.{key}"));
        let named = [get("organization"), get("name"), get("version")].into_iter().flatten();
        let named = named.collect::<Vec<_>>().join(" ");
        match (named.is_empty(), get("repo_url").or_else(|| get("url"))) {
            (true, url) => url,
            (false, Some(url)) => Some(format!("{named} ({url})")),
            (false, None) => Some(named),
        }
    };
    (0..count.min(BASES_MAX)).filter_map(base).collect()
}

fn of_folder(folder: &Folder) -> About {
    let file = |path: std::path::PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
    let licence_files = folder.licences().into_iter().filter_map(file).collect();
    let name = text(folder.config(), "_name_or_path").filter(|name| !name.is_empty());
    let Some(card) = folder.card() else {
        return About { name, licence_files, ..About::default() };
    };
    let get = |key: &str| text(&card.keys, key);
    About {
        name: get("model_name").or(name),
        author: get("model_creator"),
        licence: list(&card.keys, "license").into_iter().reduce(|all, one| all + ", " + &one),
        licence_name: get("license_name"),
        licence_link: get("license_link"),
        licence_files,
        base_models: list(&card.keys, "base_model"),
        base_model_relation: get("base_model_relation"),
        quantized_by: get("quantized_by"),
        languages: list(&card.keys, "language"),
        tags: list(&card.keys, "tags"),
        ..About::default()
    }
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A string, or a list of strings.
fn list(map: &Map<String, Value>, key: &str) -> Vec<String> {
    match map.get(key) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_gguf_are_given_as_stated() {
        let Value::Object(keys) = json!({
            "general.name": "Tiny", "general.license": "apache-2.0", "general.quantized_by": "somebody",
            "general.base_model.count": 2,
            "general.base_model.0.name": "Big", "general.base_model.0.organization": "Org",
            "general.base_model.0.repo_url": "https://example.org/big",
            "general.base_model.1.repo_url": "https://example.org/other",
            "general.tags": ["a", "b"], "general.languages": "en",
        }) else {
            unreachable!()
        };
        let about = of_keys(&keys);
        assert_eq!(about.licence.as_deref(), Some("apache-2.0"));
        assert_eq!(
            about.base_models,
            ["Org Big (https://example.org/big)", "https://example.org/other"]
        );
        assert_eq!((about.tags.len(), about.languages), (2, vec!["en".to_owned()]));
    }

    #[test]
    fn a_lying_count_of_base_models_ends() {
        let Value::Object(keys) = json!({ "general.base_model.count": u64::MAX }) else {
            unreachable!()
        };
        assert!(of_keys(&keys).base_models.is_empty());
    }
}
