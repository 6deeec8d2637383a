//! Reading `tokenizer.json`.
//!
//! The format is the `tokenizers` library's serialization. The vocabulary and the merges, which
//! are nearly all of such a file, are read as they stream by; the small parts become JSON values
//! and are taken apart by [`components`].

pub(super) mod components;
mod model;

use serde::Deserialize;
use serde_json::Value;

use super::added::{AddedToken, Matching};
use super::bpe::{Alphabet, Bpe};
use super::config::Config;
use super::findings::{Finding, FindingKind, Findings};
use super::normalize::Normalizer;
use super::parts::Assembly;
use super::pretokenize::PreTokenizer;
use super::unigram::{ByteFallback, Members, Unigram};
use super::vocab::{TokenKind, Vocab, too_large};
use super::words::WordPiece;
use super::{Model, Tokenizer, limits};
use crate::{Error, Result};
use model::{ModelFile, VocabFile};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedFile>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: ModelFile,
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the format has one flag per property")]
struct AddedFile {
    id: u64,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default = "yes")]
    normalized: bool,
    #[serde(default)]
    special: bool,
}

fn yes() -> bool {
    true
}

pub(super) fn broken(reason: impl std::fmt::Display) -> Error {
    Error::Tokenizer { what: "tokenizer.json", reason: reason.to_string() }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, and the `tokenizer_config.json` beside it where there is one.
    pub fn from_json(tokenizer: &[u8], config: Option<&[u8]>) -> Result<Self> {
        if tokenizer.len() > limits::FILE_BYTES {
            let what = "tokenizer.json, in bytes,";
            return Err(too_large(what, tokenizer.len() as u64, limits::FILE_BYTES));
        }
        let config = Config::read(config)?;
        let file: File = serde_json::from_slice(tokenizer).map_err(broken)?;
        let mut findings = Findings::default();
        let mut vocab = Vocab::default();
        let mut scores = Vec::new();
        for (id, text, score) in file.model.vocab.entries() {
            vocab.add(id, text, TokenKind::Normal, &mut findings)?;
            scores.push(score);
        }
        let added = added(file.added_tokens, &mut vocab, &mut findings)?;
        let kind = file.model.kind()?;
        let stated_unknown = file.model.unknown_id(&vocab)?.or(file.model.unknown(&vocab));
        let normalizer = components::normalizers(&file.normalizer)?;
        let mut pre_tokenizer = components::pre_tokenizers(&file.pre_tokenizer)?;
        let model = match kind {
            "BPE" => {
                let mut options = file.model.bpe_options(&vocab)?;
                let plain = options.continuing_prefix.is_empty() && options.word_suffix.is_empty();
                let mapped = matches!(pre_tokenizer.last(), Some(PreTokenizer::ByteLevel));
                if plain && mapped && !options.byte_fallback {
                    pre_tokenizer.pop();
                    options.alphabet = Alphabet::Bytes;
                }
                let merges = file.model.merges.iter();
                Model::Bpe(Bpe::new(&vocab, merges, options, &mut findings)?)
            }
            "Unigram" => {
                let unknown = file.model.unknown_id(&vocab)?;
                let fallback =
                    if file.model.byte_fallback { ByteFallback::Yes } else { ByteFallback::No };
                Model::Unigram(Unigram::new(&vocab, &scores, unknown, Members::All, fallback)?)
            }
            "WordPiece" => {
                let prefix = file.model.continuing_subword_prefix.as_deref().unwrap_or("##");
                Model::WordPiece(WordPiece {
                    unknown: file.model.unknown(&vocab),
                    prefix: prefix.to_owned(),
                    longest_word: file.model.max_input_chars_per_word.unwrap_or(100),
                    longest_token: longest(&vocab),
                })
            }
            "WordLevel" => Model::WordLevel { unknown: file.model.unknown(&vocab) },
            other => {
                return Err(unknown_part("model", other, "BPE, Unigram, WordLevel, WordPiece"));
            }
        };
        let decoder = components::decoder(&file.decoder)?;
        let template = components::template(&file.post_processor, &vocab)?;
        let mut specials = config.specials(&vocab);
        specials.unk = specials.unk.or(stated_unknown);
        let template = config.adjust(template, &specials);
        Assembly {
            vocab,
            added,
            normalizer,
            pre_tokenizer,
            model,
            decoder,
            template,
            specials,
            findings,
        }
        .finish()
    }
}

/// The longest token, in bytes; bounded, as WordPiece looks up every length below it.
pub(super) fn longest(vocab: &Vocab) -> usize {
    let longest = vocab.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
    longest.min(limits::PIECE_BYTES)
}

pub(super) fn unknown_part(part: &'static str, name: &str, known: &str) -> Error {
    let name = name.chars().take(80).collect();
    Error::UnknownTokenizerPart { part, name, known: known.to_owned() }
}

/// Gives added tokens their ids: the model's own where it has the text, else the file's.
fn added(
    files: Vec<AddedFile>,
    vocab: &mut Vocab,
    findings: &mut Findings,
) -> Result<Vec<AddedToken>> {
    let mut tokens = Vec::with_capacity(files.len());
    for file in files {
        if file.content.is_empty() {
            let detail = format!("the added token {} has no text", file.id);
            findings.add(Finding::new(FindingKind::UnusableToken, detail));
            continue;
        }
        let stated = u32::try_from(file.id)
            .map_err(|_| too_large("the id of an added token", file.id, limits::TOKENS))?;
        let id = match vocab.id(&file.content) {
            Some(id) if id != stated => {
                let detail = format!("{:?} is {id} and, as an added token, {stated}", file.content);
                findings.add(Finding::new(FindingKind::DuplicateToken, detail));
                id
            }
            Some(id) => id,
            None => {
                vocab.add(stated, &file.content, TokenKind::UserDefined, findings)?;
                stated
            }
        };
        let flags = [
            (file.lstrip, Matching::LSTRIP),
            (file.rstrip, Matching::RSTRIP),
            (file.single_word, Matching::SINGLE_WORD),
            (file.normalized, Matching::NORMALIZED),
        ];
        let set = flags.into_iter().filter(|flag| flag.0);
        let matching = set.fold(Matching::default(), |all, flag| all.with(flag.1));
        let token = AddedToken { id, text: file.content, special: file.special, matching };
        if token.is_marker() {
            vocab.set_marker(id);
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// The steps of a legacy byte-level vocabulary, for the other readers.
pub(super) fn gpt2_steps() -> Result<(Vec<Normalizer>, Vec<PreTokenizer>)> {
    let split = components::pre_tokenizers(&serde_json::json!({
        "type": "ByteLevel", "add_prefix_space": false, "use_regex": true
    }))?;
    let plain = split.into_iter().filter(|step| !matches!(step, PreTokenizer::ByteLevel));
    Ok((Vec::new(), plain.collect()))
}

impl VocabFile {
    /// Every token with its id and, in a unigram vocabulary, its score.
    fn entries(&self) -> impl Iterator<Item = (u32, &str, f64)> {
        self.0.iter().map(|(text, id, score)| (*id, text.as_ref(), *score))
    }
}
