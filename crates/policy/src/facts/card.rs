//! A model card's front matter, as hubs define it, and what its text shows.
//!
//! Source of the keys: the hub documentation's model card specification (`license`, `license_name`,
//! `license_link`, `base_model` as a string or a list, `base_model_relation`, `extra_gated_*`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a model card says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Card {
    /// `license`: one or several identifiers.
    pub license: Vec<String>,
    /// `license_name`, for `license: other`.
    pub license_name: Option<String>,
    /// `license_link`: an address or a file of the repository.
    pub license_link: Option<String>,
    /// `base_model`: what it was made from.
    pub base_model: Vec<String>,
    /// `base_model_relation`: `adapter`, `merge`, `quantized` or `finetune`.
    pub base_model_relation: Option<String>,
    /// `datasets`: identifiers of training data.
    pub datasets: Vec<String>,
    /// `tags`.
    pub tags: Vec<String>,
    /// `library_name`.
    pub library_name: Option<String>,
    /// `pipeline_tag`: the task.
    pub pipeline_tag: Option<String>,
    /// `extra_gated_prompt`: what people are asked to accept.
    pub gated_prompt: Option<String>,
    /// Whether `model-index` states results.
    pub results: bool,
    /// Identifiers of datasets `model-index` names for its results.
    pub result_datasets: Vec<String>,
    /// Whether `widget` shows outputs.
    pub sample_outputs: bool,
    /// The text below the front matter.
    pub body: String,
}

impl Card {
    /// Reads the front matter's keys (a YAML reader's or a hub's JSON `cardData`) and keeps the text.
    /// What is not of the expected kind counts as not said; nothing here fails.
    pub fn new(keys: &Map<String, Value>, body: &str) -> Self {
        let text =
            |key: &str| keys.get(key).and_then(Value::as_str).map(cut).filter(|t| !t.is_empty());
        let index = keys.get("model-index").and_then(Value::as_array);
        let results: Vec<&Value> = index
            .into_iter()
            .flatten()
            .filter_map(|model| model.get("results")?.as_array())
            .flatten()
            .take(MAX_ITEMS)
            .collect();
        let has_value = |result: &&Value| {
            let metrics = result.get("metrics").and_then(Value::as_array);
            metrics
                .is_some_and(|all| all.iter().any(|m| m.get("value").is_some_and(|v| !v.is_null())))
        };
        let dataset = |result: &&Value| -> Option<String> {
            let dataset = result.get("dataset")?;
            dataset.get("type").or_else(|| dataset.get("name"))?.as_str().map(cut)
        };
        let widgets = keys.get("widget").and_then(Value::as_array);
        Self {
            license: strings(keys.get("license")),
            license_name: text("license_name"),
            license_link: text("license_link"),
            base_model: strings(keys.get("base_model")),
            base_model_relation: text("base_model_relation"),
            datasets: strings(keys.get("datasets")),
            tags: strings(keys.get("tags")),
            library_name: text("library_name"),
            pipeline_tag: text("pipeline_tag"),
            gated_prompt: keys
                .get("extra_gated_prompt")
                .and_then(Value::as_str)
                .map(|prompt| head(prompt, MAX_BODY).to_owned())
                .filter(|prompt| !prompt.is_empty()),
            results: results.iter().any(has_value),
            result_datasets: results.iter().filter_map(dataset).collect(),
            sample_outputs: widgets
                .is_some_and(|all| all.iter().any(|w| w.get("output").is_some())),
            body: head(body, MAX_BODY).to_owned(),
        }
    }

    /// What it was made from: `base_model`, then tags of the form `base_model:quantized:org/name`.
    pub fn ancestors(&self) -> Vec<String> {
        let from_tag = |tag: &String| {
            let rest = tag.strip_prefix("base_model:")?;
            Some(rest.rsplit(':').next().unwrap_or(rest).to_owned())
        };
        let mut all: Vec<String> = self.base_model.iter().map(|id| repository(id)).collect();
        all.extend(self.tags.iter().filter_map(from_tag));
        all
    }

    /// SHA-256 in hex of what people are asked to accept, to log with who accepted it and when.
    pub fn gated_prompt_sha256(&self) -> Option<String> {
        self.gated_prompt.as_deref().map(crate::licence::sha256)
    }

    /// Identifiers of papers that tags name: `arxiv:2407.21783`.
    pub fn papers(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(|tag| tag.strip_prefix("arxiv:"))
    }

    /// `license:` tags that hubs derive; used where the front matter has no `license`.
    pub fn license_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(|tag| tag.strip_prefix("license:"))
    }
}

/// More entries of a list than this are not looked at.
const MAX_ITEMS: usize = 1000;
/// A longer name or address is cut.
const MAX_TEXT: usize = 2000;
/// More of a card's text than this is not looked at.
const MAX_BODY: usize = 1 << 20;

/// A string or a list of strings.
fn strings(value: Option<&Value>) -> Vec<String> {
    let all = match value {
        Some(Value::String(one)) => vec![cut(one)],
        Some(Value::Array(many)) => {
            many.iter().take(MAX_ITEMS).filter_map(Value::as_str).map(cut).collect()
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

fn cut(text: &str) -> String {
    head(text.trim(), MAX_TEXT).to_owned()
}

/// The first bytes of a text, cut between characters.
pub(super) fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `org/name` of an identifier or an address on a hub.
pub(super) fn repository(id: &str) -> String {
    let id = id.trim().trim_end_matches('/');
    let Some((_, rest)) = id.split_once("://") else { return id.to_owned() };
    let parts: Vec<&str> = rest.split('/').skip(1).take(2).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn card(value: Value) -> Card {
        let Value::Object(keys) = value else { panic!("an object") };
        Card::new(&keys, "")
    }

    #[test]
    fn one_or_many_and_anything_else() {
        let one = card(json!({"license": "mit", "base_model": "a/b"}));
        assert_eq!((one.license, one.base_model), (vec!["mit".into()], vec!["a/b".into()]));
        let many = card(json!({"license": ["mit", "apache-2.0"], "base_model": ["a/b", 3, null]}));
        assert_eq!(many.license.len(), 2);
        assert_eq!(many.base_model, ["a/b"]);
        assert_eq!(
            card(json!({"license": {"a": 1}, "tags": 7, "model-index": "x"})),
            Card::default()
        );
    }

    #[test]
    fn ancestors_come_from_keys_tags_and_addresses() {
        let card = card(json!({
            "base_model": "https://huggingface.co/Qwen/Qwen3-8B/",
            "tags": ["base_model:quantized:meta-llama/Llama-3.1-8B", "base_model:x/y", "gguf"],
        }));
        assert_eq!(card.ancestors(), ["Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B", "x/y"]);
    }

    #[test]
    fn results_count_only_with_a_value() {
        let none = json!({"model-index": [{"results": [{"metrics": [{"type": "acc"}]}]}]});
        assert!(!card(none).results);
        let some = json!({"model-index": [{"results": [
            {"dataset": {"type": "gsm8k"}, "metrics": [{"type": "acc", "value": 0.5}]}]}]});
        let some = card(some);
        assert!(some.results);
        assert_eq!(some.result_datasets, ["gsm8k"]);
    }
}
