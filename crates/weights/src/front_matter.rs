//! The YAML block at the head of a model card.
//!
//! YAML can grow without bound from a few bytes (aliases), nest without bound, and name one key
//! twice; all three are refused by the parser's budget. What comes out is a small JSON tree.

use serde_json::{Map, Value};

use crate::{Error, Limits, error::shown};

/// What a model card's front matter says, as stated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrontMatter {
    /// All keys.
    pub keys: Map<String, Value>,
}

impl FrontMatter {
    /// A key that holds a string.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    /// A key that holds a string or a list of strings.
    pub fn list(&self, key: &str) -> Vec<&str> {
        match self.keys.get(key) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads the front matter at the head of a model card; `None` when it has none.
///
/// `head` is the start of the file, at least one byte longer than the bound where the file is.
pub fn front_matter(head: &[u8], limits: &Limits) -> Result<Option<FrontMatter>, Error> {
    let fault = |why: String| Error::FrontMatter { why };
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let Some(rest) = head.strip_prefix(b"---\n").or_else(|| head.strip_prefix(b"---\r\n")) else {
        return Ok(None);
    };
    let end =
        end_of_block(rest).ok_or_else(|| fault("it has no end within its bound".to_owned()))?;
    let block = &rest[..end];
    if block.len() > limits.front_matter_bytes {
        return Err(fault(format!(
            "{} bytes, at most {} allowed",
            block.len(),
            limits.front_matter_bytes
        )));
    }
    let text = std::str::from_utf8(block).map_err(|_| fault("it is not valid UTF-8".to_owned()))?;
    if text.trim().is_empty() {
        return Ok(Some(FrontMatter::default()));
    }
    let parsed: Value =
        serde_saphyr::from_str_with_options(text, options(limits)).map_err(|error| {
            fault(shown(error.to_string().lines().next().unwrap_or("not valid YAML")))
        })?;
    match parsed {
        Value::Object(keys) => Ok(Some(FrontMatter { keys })),
        Value::Null => Ok(Some(FrontMatter::default())),
        _ => Err(fault("it is no list of keys".to_owned())),
    }
}

/// Where the line with the closing `---` begins.
fn end_of_block(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if line.trim_ascii_end() == b"---" {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn options(limits: &Limits) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: 32,
            max_nodes: 16_384,
            max_events: 65_536,
            max_anchors: 64,
            max_aliases: 64,
            max_merge_keys: 64,
            max_total_scalar_bytes: limits.front_matter_bytes,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        with_snippet: false,
    }
}
