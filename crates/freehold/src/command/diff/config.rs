//! Settings, key by key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use weights::Checkpoint;

/// A setting that differs; `None` where a side lacks it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) a: Option<Value>,
    pub(super) b: Option<Value>,
}

/// All settings that differ, in order of their names. A GGUF's vocabulary and templates are compared
/// elsewhere.
pub(super) fn changes(a: &Checkpoint, b: &Checkpoint, notes: &mut Vec<String>) -> Vec<Change> {
    if a.container() != b.container() {
        let (a, b) = (a.container(), b.container());
        notes.push(format!("configurations are not compared: one is of {a}, the other of {b}"));
        return vec![];
    }
    between(&a.metadata().config, &b.metadata().config)
}

fn between(a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<Change> {
    let (mut flat_a, mut flat_b) = (BTreeMap::new(), BTreeMap::new());
    flatten("", a, &mut flat_a);
    flatten("", b, &mut flat_b);
    let mut changes = vec![];
    for (key, value) in &flat_a {
        let other = flat_b.get(key);
        if other != Some(value) {
            changes.push(Change {
                key: key.clone(),
                a: Some((*value).clone()),
                b: other.copied().cloned(),
            });
        }
    }
    for (key, value) in flat_b.iter().filter(|(key, _)| !flat_a.contains_key(*key)) {
        changes.push(Change { key: key.clone(), a: None, b: Some((*value).clone()) });
    }
    changes.sort_by(|x, y| x.key.cmp(&y.key));
    changes
}

/// Objects within objects become `outer.inner`. (Their depth is bounded where they are read.)
fn flatten<'v>(prefix: &str, map: &'v Map<String, Value>, out: &mut BTreeMap<String, &'v Value>) {
    const ELSEWHERE: [&str; 5] = [
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type",
        "tokenizer.chat_template",
    ];
    for (key, value) in map {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&name, inner, out),
            _ if ELSEWHERE.iter().any(|known| name.starts_with(known)) => {}
            _ => drop(out.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changed_added_and_removed_settings_are_named() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let a = map(
            json!({"x": 1, "same": [1, 2], "rope": {"type": "linear", "factor": 2.0}, "old": null}),
        );
        let b = map(
            json!({"x": 2, "same": [1, 2], "rope": {"type": "yarn", "factor": 2.0}, "new": true}),
        );
        let changes = between(&a, &b);
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["new", "old", "rope.type", "x"]);
        assert_eq!(changes[0].a, None);
        assert_eq!(changes[3].b, Some(json!(2)));
        assert!(between(&a, &a).is_empty());
    }
}
