//! Tokenizers token by token, templates line by line.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use similar::TextDiff;
use text::{template::RenderRequest, template::Specials, tokenizer::Tokenizer};
use weights::{Checkpoint, FolderFile};

use crate::chat;

/// Changed tokens and merges beyond this many are counted, not listed.
const LISTED: usize = 1000;

/// How two tokenizers differ.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tokenizers {
    pub(super) vocab_a: Option<usize>,
    pub(super) vocab_b: Option<usize>,
    /// Ids that stand for another text or kind; `None` where a side lacks the id. The first thousand.
    pub(super) changed: Vec<Token>,
    pub(super) changed_count: usize,
    pub(super) merges: Option<Merges>,
}

#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) id: u32,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Merges {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) only_in_a: usize,
    pub(super) only_in_b: usize,
    /// The first rank at which they differ.
    pub(super) first_difference: Option<usize>,
}

impl Tokenizers {
    /// Whether nothing differs.
    pub(super) fn same(&self) -> bool {
        self.vocab_a == self.vocab_b
            && self.changed_count == 0
            && self.merges.as_ref().is_none_or(|merges| merges.first_difference.is_none())
    }
}

/// Compares both tokenizers; one that cannot be read becomes a note.
pub(super) fn tokenizers(a: &Checkpoint, b: &Checkpoint, notes: &mut Vec<String>) -> Tokenizers {
    let mut read = |side: &Checkpoint, name: &str| match crate::tokenizer::of(side) {
        Ok(tokenizer) => Some(tokenizer),
        Err(error) => {
            notes.push(format!("the tokenizer of {name} is not compared: {error:#}"));
            None
        }
    };
    let (tokens_a, tokens_b) = (read(a, "A"), read(b, "B"));
    let vocab = |side: &Option<Tokenizer>| side.as_ref().map(Tokenizer::vocab_size);
    let mut found = Tokenizers {
        vocab_a: vocab(&tokens_a),
        vocab_b: vocab(&tokens_b),
        ..Tokenizers::default()
    };
    if let (Some(tokens_a), Some(tokens_b)) = (tokens_a, tokens_b) {
        for id in 0..tokens_a.vocab_size().max(tokens_b.vocab_size()) as u32 {
            let (text_a, text_b) = (tokens_a.token_text(id), tokens_b.token_text(id));
            if text_a == text_b && tokens_a.kind(id) == tokens_b.kind(id) {
                continue;
            }
            found.changed_count += 1;
            if found.changed.len() < LISTED {
                let [a, b] = [text_a, text_b].map(|text| text.map(str::to_owned));
                found.changed.push(Token { id, a, b });
            }
        }
        found.merges = merges(a).zip(merges(b)).map(|(a, b)| compare(&a, &b));
    }
    found
}

fn compare(a: &[String], b: &[String]) -> Merges {
    let (set_a, set_b): (HashSet<_>, HashSet<_>) = (a.iter().collect(), b.iter().collect());
    let first = a.iter().zip(b).position(|(a, b)| a != b);
    Merges {
        a: a.len(),
        b: b.len(),
        only_in_a: set_a.difference(&set_b).count(),
        only_in_b: set_b.difference(&set_a).count(),
        first_difference: first.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len()))),
    }
}

/// The merges of byte pair encoding as the files list them.
fn merges(side: &Checkpoint) -> Option<Vec<String>> {
    let metadata = side.metadata();
    if let Some(keys) = metadata.gguf() {
        let lines = keys.array_bytes("tokenizer.ggml.merges").ok()?;
        return Some(
            lines.into_iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
        );
    }
    let json = metadata.folder()?.bytes(FolderFile::Tokenizer).ok()??;
    let parsed: TokenizerJson = serde_json::from_slice(&json).ok()?;
    let written = |merge| match merge {
        Merge::Line(line) => line,
        Merge::Pair(left, right) => format!("{left} {right}"),
    };
    Some(parsed.model.merges?.into_iter().map(written).collect())
}

#[derive(Deserialize)]
struct TokenizerJson {
    model: ModelJson,
}

#[derive(Deserialize)]
struct ModelJson {
    merges: Option<Vec<Merge>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair(String, String),
}

/// A template that differs.
#[derive(Debug, Serialize)]
pub(super) struct TemplateChange {
    pub(super) name: String,
    /// In the unified format.
    pub(super) diff: String,
}

/// Compares the templates by name.
pub(super) fn templates(
    a: &Checkpoint,
    b: &Checkpoint,
    notes: &mut Vec<String>,
) -> Vec<TemplateChange> {
    let (set_a, set_b) = match (chat::templates(a), chat::templates(b)) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(error), _) | (_, Err(error)) => {
            notes.push(format!("the templates are not compared: {error:#}"));
            return vec![];
        }
    };
    let names: BTreeSet<String> = set_a.names().chain(set_b.names()).map(str::to_owned).collect();
    let mut changes = vec![];
    for name in names {
        let mut source = |set: &text::template::TemplateSet| {
            if !set.names().any(|own| own == name) {
                return String::new();
            }
            match set.template(Some(&name), &RenderRequest::default(), Specials::new()) {
                Ok(template) => template.source().to_owned(),
                Err(error) => {
                    notes.push(format!("template {name} cannot be read: {error}"));
                    String::new()
                }
            }
        };
        let (old, new) = (source(&set_a), source(&set_b));
        if old != new {
            let diff = TextDiff::from_lines(&old, &new);
            let diff =
                diff.unified_diff().header(&format!("A {name}"), &format!("B {name}")).to_string();
            changes.push(TemplateChange { name, diff });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_are_compared_by_rank() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (a, b) = (list(&["a b", "c d", "e f"]), list(&["a b", "e f"]));
        let found = compare(&a, &b);
        let expected = Merges { a: 3, b: 2, only_in_a: 1, only_in_b: 0, first_difference: Some(1) };
        assert_eq!(found, expected);
        assert_eq!(compare(&a, &a).first_difference, None);
        assert_eq!(compare(&a, &a[..2]).first_difference, Some(2));
    }
}
