//! The ids with a meaning of their own, and which of them end an answer.

use serde_json::Value;

use super::Tokenizer;
use super::findings::{Finding, FindingKind, Findings};
use super::vocab::{TokenKind, Vocab};
use crate::{Error, Result};

/// Special ids, as far as the model names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
    /// Fills up a batch.
    pub pad: Option<u32>,
    /// Stands for text without a token.
    pub unk: Option<u32>,
    /// Separates two texts.
    pub sep: Option<u32>,
    /// Stands for a whole text (BERT).
    pub cls: Option<u32>,
    /// Stands for a token to be guessed.
    pub mask: Option<u32>,
    /// Every token an answer may end with, `eos` included: end of turn, end of message.
    pub ends: Vec<u32>,
}

/// Names under which models end a turn, when their files do not say so.
const END_NAMES: [&str; 19] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|eot|>",
    "<|user|>",
    "<|observation|>",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
    "<|END_OF_TURN_TOKEN|>",
];

/// Marks of a turn that some converters write as ordinary tokens.
const TURN_MARKS: [&str; 12] = [
    "<start_of_turn>",
    "<end_of_turn>",
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
];

/// The kind of a token, control for the marks of a turn whatever the file says.
pub(crate) fn corrected(text: &str, stated: TokenKind, findings: &mut Findings) -> TokenKind {
    if !matches!(stated, TokenKind::Normal | TokenKind::UserDefined) || !TURN_MARKS.contains(&text)
    {
        return stated;
    }
    if stated == TokenKind::Normal {
        let detail = format!("{text:?} is listed as ordinary text");
        findings.add(Finding::new(FindingKind::MistypedMark, detail));
    }
    TokenKind::Control
}

impl SpecialIds {
    /// Adds an end, once.
    pub(crate) fn add_end(&mut self, id: u32) {
        if !self.ends.contains(&id) {
            self.ends.push(id);
        }
    }

    /// Adds `eos` and the control tokens that end a turn under one of the names in use.
    pub(crate) fn find_ends(&mut self, vocab: &Vocab) {
        if let Some(eos) = self.eos {
            self.add_end(eos);
        }
        // Where answers end with <|return|>, <|end|> only ends a message before the answer.
        let harmony = vocab.id("<|return|>").is_some() && vocab.id("<|channel|>").is_some();
        for name in END_NAMES {
            let roles = matches!(name, "<|user|>" | "<|observation|>");
            if (harmony && name == "<|end|>") || (roles && vocab.id("[gMASK]").is_none()) {
                continue;
            }
            let id = vocab.id(name).filter(|&id| vocab.kind(id) == Some(TokenKind::Control));
            if let Some(id) = id {
                self.add_end(id);
            }
        }
    }
}

impl Tokenizer {
    /// Takes the end tokens of a `generation_config.json` (or of a `config.json`) in.
    pub fn add_generation_config(&mut self, json: &[u8]) -> Result<()> {
        let what = "generation_config.json";
        let config: Value = serde_json::from_slice(json)
            .map_err(|error| Error::Tokenizer { what, reason: error.to_string() })?;
        let ids = match &config["eos_token_id"] {
            Value::Array(ids) => ids.clone(),
            one => vec![one.clone()],
        };
        for id in ids.iter().filter_map(Value::as_u64) {
            self.add_end(id)?;
        }
        Ok(())
    }

    /// Makes a token one that ends an answer.
    pub fn add_end(&mut self, id: u64) -> Result<()> {
        let size = self.vocab.len();
        let known = u32::try_from(id).ok().filter(|&id| (id as usize) < size);
        let id = known.ok_or(Error::IdOutOfVocabulary { what: "the end token", id, size })?;
        self.specials.add_end(id);
        Ok(())
    }
}
