//! What `tokenizer_config.json` says about special tokens.

use serde_json::Value;

use super::limits;
use super::specials::SpecialIds;
use super::template::Template;
use super::vocab::{Vocab, too_large};
use crate::{Error, Result};

/// The configuration; empty where there is no file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config(Value);

impl Config {
    pub(crate) fn read(json: Option<&[u8]>) -> Result<Self> {
        let Some(json) = json else { return Ok(Self::default()) };
        let what = "tokenizer_config.json";
        if json.len() > limits::FILE_BYTES {
            let what = "tokenizer_config.json, in bytes,";
            return Err(too_large(what, json.len() as u64, limits::FILE_BYTES));
        }
        serde_json::from_slice(json)
            .map(Self)
            .map_err(|error| Error::Tokenizer { what, reason: error.to_string() })
    }

    /// A token by its role: a text, or an object with `content`.
    fn token(&self, role: &str) -> Option<&str> {
        let value = self.0.get(role)?;
        value.as_str().or_else(|| value.get("content")?.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// The special tokens it names, by id.
    pub(crate) fn specials(&self, vocab: &Vocab) -> SpecialIds {
        let id = |role: &str| vocab.id(self.token(role)?);
        SpecialIds {
            bos: id("bos_token"),
            eos: id("eos_token"),
            pad: id("pad_token"),
            unk: id("unk_token"),
            sep: id("sep_token"),
            cls: id("cls_token"),
            mask: id("mask_token"),
            ends: Vec::new(),
        }
    }

    /// Tokens given by id: text, whether special, and how matched.
    pub(crate) fn added_tokens(&self) -> impl Iterator<Item = (u64, &Value)> {
        let map = self.0.get("added_tokens_decoder").and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(id, token)| Some((id.parse().ok()?, token)))
    }

    /// Llama-like tokenizer classes put their begin and end token where these switches say,
    /// whatever the file's own template has; other classes leave the template alone.
    pub(crate) fn adjust(&self, template: Template, specials: &SpecialIds) -> Template {
        const CLASSES: [&str; 6] = [
            "LlamaTokenizer",
            "LlamaTokenizerFast",
            "CodeLlamaTokenizer",
            "CodeLlamaTokenizerFast",
            "GemmaTokenizer",
            "GemmaTokenizerFast",
        ];
        let class = self.0.get("tokenizer_class").and_then(Value::as_str).unwrap_or("");
        let (bos, eos) = (self.flag("add_bos_token"), self.flag("add_eos_token"));
        if !CLASSES.contains(&class) || (bos.is_none() && eos.is_none()) {
            return template;
        }
        let (before, after) = template.around();
        let side = |wanted: Option<bool>, token: Option<u32>, stated: &[u32]| match (wanted, token)
        {
            (Some(true), Some(id)) => vec![id],
            (Some(false), _) => Vec::new(),
            _ => stated.to_vec(),
        };
        Template::around_with(side(bos, specials.bos, before), side(eos, specials.eos, after))
    }
}
