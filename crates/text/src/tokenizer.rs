//! Text to ids and back.
//!
//! One type reads every tokenizer in use: `tokenizer.json`, `tokenizer.model` (SentencePiece),
//! the vocabulary inside a GGUF file, and the older `vocab.json` + `merges.txt` and `vocab.txt`.
//! All of them become the same five stages: added tokens are cut out, the rest is normalized,
//! split into pieces, and each piece goes through a model; a decoder leads back.
//!
//! The stages are our own and not the `tokenizers` library's, which the tests hold them against
//! token for token, for three reasons: that library keeps quiet when a splitting pattern runs
//! out of budget and then splits differently, it panics on some broken files, and it cannot
//! keep special tokens as text in one stretch of a prompt (a user's) and not in another.

mod added;
mod bpe;
mod bytes;
mod charsmap;
mod config;
mod cuts;
mod decode;
mod findings;
mod gguf;
mod json;
mod legacy;
pub mod limits;
mod merge;
mod normalize;
mod parts;
mod pattern;
mod pretokenize;
mod scheme;
mod sentencepiece;
mod specials;
mod spm;
mod template;
mod unigram;
mod vocab;
mod words;

use std::borrow::Cow;
use std::ops::Range;

pub use findings::{Finding, FindingKind};
pub use gguf::GgufVocab;
pub use scheme::scheme_names;
pub use specials::SpecialIds;
pub use vocab::TokenKind;

use added::{AddedTokens, Stretch};
use decode::Added;
pub(crate) use decode::{Decoder, Place, Utf8Stream};
use findings::Findings;
use merge::Symbol;
use normalize::Normalizer;
use pretokenize::{Pieces, PreTokenizer};
use template::Template;
use vocab::Vocab;

use crate::{Error, Result};

/// What becomes of special tokens written in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// They become their ids: the text is a template's own, or a file's.
    Parse,
    /// They stay text: a user wrote it.
    AsText,
}

/// What is put around a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing.
    Bare,
    /// What the model's own tokenizer puts around a text (often a begin token), always.
    Full,
    /// The same, but nothing that is there already: a rendered chat template mostly begins with
    /// the begin token itself, and two of them are a prompt no model was trained on.
    Once,
}

/// What becomes of special tokens when decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// Written out.
    Keep,
    /// Left out.
    Skip,
}

/// A stretch of a prompt and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether special tokens in it are meant.
    pub special: Special,
}

/// Two texts encoded for a model that compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPair {
    /// `[tokens]`
    pub ids: Vec<u32>,
    /// `[tokens]`, which segment each token belongs to.
    pub types: Vec<u32>,
}

/// A tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    added: AddedTokens,
    normalizer: Vec<Normalizer>,
    splitter: Vec<PreTokenizer>,
    model: Model,
    decoder: Decoder,
    template: Template,
    specials: SpecialIds,
    findings: Findings,
}

#[derive(Debug)]
enum Model {
    Bpe(bpe::Bpe),
    Spm(spm::Spm),
    Unigram(unigram::Unigram),
    WordPiece(words::WordPiece),
    WordLevel { unknown: Option<u32> },
}

impl Tokenizer {
    /// The ids of a text, with nothing around it.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>> {
        self.encode_parts(&[Part { text, special }], Frame::Bare)
    }

    /// The ids of a text with what the model's own tokenizer puts around it.
    pub fn encode_framed(&self, text: &str, special: Special, frame: Frame) -> Result<Vec<u32>> {
        self.encode_parts(&[Part { text, special }], frame)
    }

    /// The ids of a prompt put together from parts.
    ///
    /// The parts are encoded as the one text they form, so words may run across their borders;
    /// but no special token that touches an [`Special::AsText`] part is recognised.
    pub fn encode_parts(&self, parts: &[Part<'_>], frame: Frame) -> Result<Vec<u32>> {
        let (text, shielded) = joined(parts)?;
        let mut ids = Vec::with_capacity(text.len() / 4 + 4);
        self.encode_text(&text, &shielded, &mut ids)?;
        Ok(match frame {
            Frame::Bare => ids,
            Frame::Full => self.template.frame(ids),
            Frame::Once => self.template.frame_once(ids),
        })
    }

    /// The ids of two texts as one sequence, for models that compare them.
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<EncodedPair> {
        let first = self.encode(first, Special::AsText)?;
        let second = self.encode(second, Special::AsText)?;
        let (ids, types) = self.template.pair(&first, &second);
        Ok(EncodedPair { ids, types })
    }

    /// The text of some ids. Bytes that are no UTF-8 become U+FFFD; ids outside the vocabulary
    /// are left out.
    pub fn decode(&self, ids: &[u32], specials: Specials) -> String {
        let mut stream = Utf8Stream::default();
        let (mut text, mut bytes) = (String::new(), Vec::new());
        let mut place = Place::First;
        let mut last = "";
        for &id in ids {
            bytes.clear();
            if !self.decode_token(id, specials, &mut place, &mut bytes) {
                continue;
            }
            last = self.vocab.text(id).unwrap_or("");
            stream.push(&bytes, &mut text);
        }
        stream.finish(&mut text);
        if self.decoder.drops_last_space(last) && text.ends_with(' ') {
            text.pop();
        }
        if let Some((of, count)) = self.decoder.strip_start {
            let taken = text.chars().take(count).take_while(|&c| c == of);
            let taken: usize = taken.map(char::len_utf8).sum();
            text.drain(..taken);
        }
        self.decoder.finish(text)
    }

    /// The bytes a token stands for in the middle of a text; `None` outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let text = self.vocab.text(id)?;
        let mut bytes = Vec::new();
        let added = Added::from_kind(self.vocab.kind(id));
        self.decoder.token(text, added, Place::Later, &mut bytes);
        Some(bytes)
    }

    /// A token as it is written in the vocabulary.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.vocab.text(id)
    }

    /// The id of a token as it is written in the vocabulary.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.vocab.id(token)
    }

    /// The number of ids: one more than the highest.
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// Compares the ids with the rows of a model's embedding: fewer rows than ids is an error,
    /// more are padding.
    pub fn check_rows(&self, rows: usize) -> Result<()> {
        if rows < self.vocab.len() {
            let (found, expected) = (rows, self.vocab.len());
            return Err(Error::VocabularyMismatch { what: "the embedding", found, expected });
        }
        Ok(())
    }

    /// The ids with a meaning of their own.
    pub fn specials(&self) -> &SpecialIds {
        &self.specials
    }

    /// What a token is for.
    pub fn kind(&self, id: u32) -> Option<TokenKind> {
        self.vocab.kind(id)
    }

    /// Whether decoding with [`Specials::Skip`] leaves the token out.
    pub fn is_special(&self, id: u32) -> bool {
        matches!(self.vocab.kind(id), Some(TokenKind::Control | TokenKind::Unknown))
    }

    /// Whether the token steers the model and is no text.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocab.kind(id) == Some(TokenKind::Control)
    }

    /// Whether an answer ends with this token.
    pub fn is_end(&self, id: u32) -> bool {
        self.specials.ends.contains(&id)
    }

    /// What the model's own tokenizer puts before and after a text.
    pub fn frame(&self) -> (&[u32], &[u32]) {
        self.template.around()
    }

    /// What is odd about this tokenizer.
    pub fn findings(&self) -> &[Finding] {
        self.findings.kept()
    }

    /// How many oddities there are, those not kept included.
    pub fn findings_total(&self) -> usize {
        self.findings.total()
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Appends the bytes of a token at `place` and moves `place` on; false if it is left out.
    pub(crate) fn decode_token(
        &self,
        id: u32,
        specials: Specials,
        place: &mut Place,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(text) = self.vocab.text(id) else { return false };
        if specials == Specials::Skip && self.is_special(id) {
            return false;
        }
        self.decoder.token(text, Added::from_kind(self.vocab.kind(id)), *place, out);
        *place = Place::Later;
        true
    }

    fn encode_text(&self, text: &str, shielded: &[Range<usize>], out: &mut Vec<u32>) -> Result<()> {
        let mut scratch = Vec::new();
        let mut stretches = Vec::new();
        self.added.split(text, shielded, &mut stretches);
        for stretch in stretches {
            let range = match stretch {
                Stretch::Token(id) => {
                    out.push(id);
                    continue;
                }
                Stretch::Text(range) => range,
            };
            let at_start = range.start == 0;
            let normalized = self.normalized(&text[range.clone()], at_start)?;
            if !self.added.any_normalized() {
                self.encode_stretch(&normalized, at_start, &mut scratch, out)?;
                continue;
            }
            let shields = self.moved(&text[range.clone()], &normalized, range.start, shielded)?;
            let mut inner = Vec::new();
            self.added.split_normalized(&normalized, &shields, &mut inner);
            for stretch in inner {
                match stretch {
                    Stretch::Token(id) => out.push(id),
                    Stretch::Text(part) => {
                        let first = at_start && part.start == 0;
                        self.encode_stretch(&normalized[part], first, &mut scratch, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn normalized<'a>(&self, text: &'a str, at_start: bool) -> Result<Cow<'a, str>> {
        self.normalizer
            .iter()
            .try_fold(Cow::Borrowed(text), |text, step| step.apply(text, at_start))
    }

    /// Where the shielded ranges of a text lie once it is normalized. `base` is where `text`
    /// begins in the whole.
    fn moved(
        &self,
        text: &str,
        normalized: &str,
        base: usize,
        shielded: &[Range<usize>],
    ) -> Result<Vec<Range<usize>>> {
        const WORK: usize = 1 << 26;
        let end = base + text.len();
        let inside = shielded.iter().filter(|shield| shield.start < end && shield.end > base);
        let inside: Vec<Range<usize>> = inside
            .map(|shield| shield.start.max(base) - base..shield.end.min(end) - base)
            .collect();
        if inside.is_empty() || text == normalized {
            return Ok(inside);
        }
        if inside.len().saturating_mul(text.len()) > WORK {
            return Ok(std::iter::once(0..normalized.len()).collect());
        }
        let at = |offset: usize| -> Result<usize> {
            Ok(self.normalized(&text[..offset], base == 0)?.len())
        };
        inside.into_iter().map(|shield| Ok(at(shield.start)?..at(shield.end)?)).collect()
    }

    fn encode_stretch(
        &self,
        text: &str,
        at_start: bool,
        scratch: &mut Vec<Symbol>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let mut pieces = Pieces::new(Cow::Borrowed(text), at_start);
        for step in &self.splitter {
            step.apply(&mut pieces)?;
        }
        for range in &pieces.ranges {
            let piece = &pieces.text[range.clone()];
            match &self.model {
                Model::Bpe(model) => model.encode(piece, &self.vocab, scratch, out),
                Model::Spm(model) => model.encode(piece, scratch, out)?,
                Model::Unigram(model) => model.encode(piece, out)?,
                Model::WordPiece(model) => model.encode(piece, &self.vocab, out)?,
                Model::WordLevel { unknown } => {
                    words::encode_word(piece, &self.vocab, *unknown, out)?;
                }
            }
        }
        Ok(())
    }
}

/// The text parts form, and the ranges of it a user wrote.
fn joined<'a>(parts: &[Part<'a>]) -> Result<(Cow<'a, str>, Vec<Range<usize>>)> {
    let total: usize = parts.iter().map(|part| part.text.len()).sum();
    if total > limits::TEXT_BYTES {
        let (found, limit) = (total as u64, limits::TEXT_BYTES as u64);
        return Err(Error::TokenizerTooLarge { what: "the text, in bytes,", found, limit });
    }
    let mut shielded: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for part in parts {
        let range = at..at + part.text.len();
        at = range.end;
        match shielded.last_mut() {
            _ if part.special == Special::Parse || range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => shielded.push(range),
        }
    }
    let text = match parts {
        [only] => Cow::Borrowed(only.text),
        _ => parts.iter().map(|part| part.text).collect::<Vec<_>>().concat().into(),
    };
    Ok((text, shielded))
}
