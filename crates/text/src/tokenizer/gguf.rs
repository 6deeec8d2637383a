//! Vocabularies as GGUF files hold them, in the metadata keys `tokenizer.ggml.*`.
//!
//! The caller reads the keys; this crate does not know the file format. What such a file leaves
//! out (splitting patterns, Unicode normalization, how added tokens treat spaces) is filled in
//! from what the models' own tokenizer files say.

use super::added::{AddedToken, Matching};
use super::bpe::{Alphabet, Bpe, BpeOptions, UnusableMerges, WholePieces};
use super::charsmap::Charsmap;
use super::decode::{Decoder, Step, Tidy};
use super::findings::{Finding, FindingKind, Findings};
use super::json::longest;
use super::normalize::{Bert, Normalizer, SentencePiece, SpacePrefix};
use super::parts::Assembly;
use super::pattern::Pattern;
use super::pretokenize::{Behavior, CharClass, Invert, PreTokenizer};
use super::scheme::{Scheme, Trait, scheme, scheme_names};
use super::specials::{SpecialIds, corrected};
use super::spm::Spm;
use super::template::{Slot, Template};
use super::unigram::{ByteFallback, Members, Unigram};
use super::vocab::{TokenKind, Vocab, too_large};
use super::words::WordPiece;
use super::{Model, Tokenizer, limits};
use crate::{Error, Result};

/// The `tokenizer.ggml.*` keys of a GGUF file, as they stand there.
#[derive(Clone, Debug, Default)]
pub struct GgufVocab {
    /// `model`: `gpt2`, `llama`, `t5`, `bert`, `gemma4`.
    pub model: String,
    /// `pre`: how a `gpt2` vocabulary splits text.
    pub pre: Option<String>,
    /// `tokens`: `[vocab]`
    pub tokens: Vec<String>,
    /// `scores`: `[vocab]`
    pub scores: Option<Vec<f32>>,
    /// `token_type`: `[vocab]`
    pub types: Option<Vec<i32>>,
    /// `merges`: two tokens with a space between.
    pub merges: Option<Vec<String>>,
    /// `bos_token_id`
    pub bos: Option<u64>,
    /// `eos_token_id`
    pub eos: Option<u64>,
    /// `unknown_token_id`
    pub unk: Option<u64>,
    /// `seperator_token_id` (spelled so in the format)
    pub sep: Option<u64>,
    /// `padding_token_id`
    pub pad: Option<u64>,
    /// `cls_token_id`
    pub cls: Option<u64>,
    /// `mask_token_id`
    pub mask: Option<u64>,
    /// `eot_token_id`, `eom_token_id` and other ends of an answer.
    pub ends: Vec<u64>,
    /// `add_bos_token`
    pub add_bos: Option<bool>,
    /// `add_eos_token`
    pub add_eos: Option<bool>,
    /// `add_space_prefix`
    pub add_space_prefix: Option<bool>,
    /// `remove_extra_whitespaces`
    pub remove_extra_whitespaces: Option<bool>,
    /// `normalizer.lowercase`
    pub lowercase: Option<bool>,
    /// `precompiled_charsmap`
    pub precompiled_charsmap: Option<Vec<u8>>,
}

fn as_is(text: &str, _: TokenKind) -> String {
    text.to_owned()
}

fn broken(reason: String) -> Error {
    Error::Tokenizer { what: "the GGUF vocabulary", reason }
}

impl Tokenizer {
    /// Reads the vocabulary of a GGUF file.
    pub fn from_gguf(file: &GgufVocab) -> Result<Self> {
        let mut findings = Findings::default();
        let mut types = file.checked_types()?;
        for (kind, text) in types.iter_mut().zip(&file.tokens) {
            *kind = corrected(text, *kind, &mut findings);
        }
        let specials = file.special_ids()?;
        match file.model.as_str() {
            "gpt2" => file.byte_level(&types, specials, findings),
            "llama" => {
                let vocab = file.vocab(&types, &mut findings, as_is)?;
                file.sentence_piece(vocab, &types, specials, findings)
            }
            "gemma4" => {
                let vocab = file.vocab(&types, &mut findings, as_is)?;
                file.character_bpe(vocab, &types, specials, findings)
            }
            "t5" => {
                let vocab = file.vocab(&types, &mut findings, as_is)?;
                file.unigram(vocab, &types, specials, findings)
            }
            "bert" => file.word_piece(&types, specials, findings),
            other => {
                let known = "bert, gemma4, gpt2, llama, t5".to_owned();
                let name = other.chars().take(80).collect();
                Err(Error::UnknownTokenizerPart { part: "tokenizer.ggml.model", name, known })
            }
        }
    }
}

impl GgufVocab {
    /// The kind of each token, from `types` or, in files without, from its text.
    fn checked_types(&self) -> Result<Vec<TokenKind>> {
        let expected = self.tokens.len();
        if expected > limits::TOKENS {
            return Err(too_large("the list of tokens", expected as u64, limits::TOKENS));
        }
        if expected == 0 {
            return Err(broken("it has no tokens".to_owned()));
        }
        if let Some(found) = self.scores.as_ref().map(Vec::len).filter(|&n| n != expected) {
            return Err(Error::VocabularyMismatch { what: "scores", found, expected });
        }
        let Some(types) = &self.types else {
            return Ok(self.tokens.iter().map(|text| guessed_kind(text)).collect());
        };
        if types.len() != expected {
            let found = types.len();
            return Err(Error::VocabularyMismatch { what: "token types", found, expected });
        }
        let kind = |(id, &number): (usize, &i32)| match number {
            0 => Ok(TokenKind::Normal), // undefined
            _ => TokenKind::from_number(i64::from(number))
                .ok_or_else(|| broken(format!("token {id} has the unknown type {number}"))),
        };
        types.iter().enumerate().map(kind).collect()
    }

    fn special_ids(&self) -> Result<SpecialIds> {
        let size = self.tokens.len();
        let check = |what: &'static str, id: Option<u64>| match id {
            // writers put −1 where a model has none
            None | Some(0xffff_ffff | u64::MAX) => Ok(None),
            Some(id) => match u32::try_from(id).ok().filter(|&id| (id as usize) < size) {
                Some(id) => Ok(Some(id)),
                None => Err(Error::IdOutOfVocabulary { what, id, size }),
            },
        };
        let mut specials = SpecialIds {
            bos: check("bos_token_id", self.bos)?,
            eos: check("eos_token_id", self.eos)?,
            pad: check("padding_token_id", self.pad)?,
            unk: check("unknown_token_id", self.unk)?,
            sep: check("seperator_token_id", self.sep)?,
            cls: check("cls_token_id", self.cls)?,
            mask: check("mask_token_id", self.mask)?,
            ends: Vec::new(),
        };
        for &id in &self.ends {
            if let Some(id) = check("eot_token_id", Some(id))? {
                specials.add_end(id);
            }
        }
        Ok(specials)
    }

    fn vocab(
        &self,
        types: &[TokenKind],
        findings: &mut Findings,
        write: impl Fn(&str, TokenKind) -> String,
    ) -> Result<Vocab> {
        let mut vocab = Vocab::default();
        for (id, (text, &kind)) in self.tokens.iter().zip(types).enumerate() {
            vocab.add(id as u32, &write(text, kind), kind, findings)?;
        }
        Ok(vocab)
    }

    /// Control, unknown and user-defined tokens, which are cut out of a text.
    fn added(&self, types: &[TokenKind], matching: impl Fn(u32) -> Matching) -> Vec<AddedToken> {
        let cut = |&(_, (text, kind)): &(usize, (&String, &TokenKind))| {
            let wanted = [TokenKind::Control, TokenKind::Unknown, TokenKind::UserDefined];
            wanted.contains(kind) && !text.is_empty()
        };
        let token = |(id, (text, &kind)): (usize, (&String, &TokenKind))| AddedToken {
            id: id as u32,
            text: text.clone(),
            special: kind != TokenKind::UserDefined,
            matching: matching(id as u32),
        };
        self.tokens.iter().zip(types).enumerate().filter(cut).map(token).collect()
    }

    fn template(&self, specials: &SpecialIds, begins: bool, ends: bool) -> Template {
        let wanted = |stated: Option<bool>, default: bool| stated.unwrap_or(default);
        let bos = specials.bos.filter(|_| wanted(self.add_bos, begins));
        let eos = specials.eos.filter(|_| wanted(self.add_eos, ends));
        Template::around_with(Vec::from_iter(bos), Vec::from_iter(eos))
    }

    fn pairs(&self) -> Result<Vec<(&str, &str)>> {
        let merges = self.merges.as_deref().unwrap_or_default();
        let mut pairs = Vec::with_capacity(merges.len().min(limits::MERGES));
        for (rank, merge) in merges.iter().enumerate() {
            // A token may begin with a space, but none is one.
            let first = merge.chars().next().map_or(0, char::len_utf8);
            let pair = merge.get(first..).and_then(|rest| {
                let at = first + rest.find(' ')?;
                Some((&merge[..at], &merge[at + 1..]))
            });
            let missing = || broken(format!("merge {rank} is {merge:?}, not two tokens"));
            pairs.push(pair.ok_or_else(missing)?);
        }
        Ok(pairs)
    }

    fn byte_level(
        &self,
        types: &[TokenKind],
        specials: SpecialIds,
        mut findings: Findings,
    ) -> Result<Tokenizer> {
        let scheme = self.scheme(&mut findings)?;
        let vocab = self.vocab(types, &mut findings, as_is)?;
        if self.merges.is_none() {
            return Err(broken("a gpt2 vocabulary without merges".to_owned()));
        }
        let whole = scheme.has(Trait::WholePieces).then_some(WholePieces::Take);
        let options = BpeOptions {
            alphabet: Alphabet::Bytes,
            whole_pieces: whole.unwrap_or_default(),
            unusable_merges: UnusableMerges::Finding,
            ..BpeOptions::default()
        };
        let model = Bpe::new(&vocab, self.pairs()?.into_iter(), options, &mut findings)?;
        let composed = scheme.has(Trait::Composed).then_some(Normalizer::Nfc);
        let splits: Result<Vec<PreTokenizer>> = scheme
            .patterns
            .iter()
            .map(|source| {
                let (what, invert) = (Behavior::Isolated, Invert::No);
                Ok(PreTokenizer::Split { pattern: Pattern::regex(source)?, what, invert })
            })
            .collect();
        Assembly {
            added: self.added(types, |_| Matching::default()),
            normalizer: Vec::from_iter(composed),
            pre_tokenizer: splits?,
            model: Model::Bpe(model),
            decoder: Decoder { steps: vec![Step::ByteLevel], ..Decoder::default() },
            template: self.template(&specials, scheme.has(Trait::Begins), false),
            vocab,
            specials,
            findings,
        }
        .finish()
    }

    fn scheme(&self, findings: &mut Findings) -> Result<&'static Scheme> {
        let name = self.pre.as_deref().unwrap_or("default");
        if self.pre.is_none() {
            let detail = "the file names no splitting scheme; `default` is used".to_owned();
            findings.add(Finding::new(FindingKind::GuessedScheme, detail));
        }
        scheme(name).ok_or_else(|| Error::UnknownTokenizerPart {
            part: "splitting scheme (tokenizer.ggml.pre)",
            name: name.chars().take(80).collect(),
            known: scheme_names().join(", "),
        })
    }

    fn sentence_piece(
        &self,
        vocab: Vocab,
        types: &[TokenKind],
        specials: SpecialIds,
        findings: Findings,
    ) -> Result<Tokenizer> {
        let Some(scores) = &self.scores else {
            return Err(broken("a llama vocabulary without scores".to_owned()));
        };
        let model = Spm::new(&vocab, scores, specials.unk)?;
        let prefixed = self.add_space_prefix.unwrap_or(true);
        let normalizer = Normalizer::SentencePiece(SentencePiece {
            charsmap: self.charsmap()?,
            collapse: self.remove_extra_whitespaces.unwrap_or(false),
            prefix: if prefixed { SpacePrefix::Always } else { SpacePrefix::Never },
            as_suffix: false,
            escape: true,
        });
        let phi3 =
            vocab.id("<|endoftext|>") == Some(32_000) && vocab.id("<|assistant|>") == Some(32_001);
        let keeps = ["<unk>", "<s>", "<|endoftext|>"].map(|text| vocab.id(text));
        // Phi-3's tokens but these take the white space behind them along; the file cannot say so.
        let matching = |id| {
            let strips = phi3 && !keeps.contains(&Some(id));
            if strips { Matching::RSTRIP } else { Matching::default() }
        };
        Assembly {
            added: self.added(types, matching),
            normalizer: vec![normalizer],
            pre_tokenizer: Vec::new(),
            model: Model::Spm(model),
            decoder: sentence_piece_decoder(prefixed),
            template: self.template(&specials, true, false),
            vocab,
            specials,
            findings,
        }
        .finish()
    }

    fn charsmap(&self) -> Result<Option<Charsmap>> {
        Charsmap::read(self.precompiled_charsmap.as_deref().unwrap_or_default())
    }

    /// Merges over characters with byte tokens for the rest (Gemma 4).
    fn character_bpe(
        &self,
        vocab: Vocab,
        types: &[TokenKind],
        specials: SpecialIds,
        mut findings: Findings,
    ) -> Result<Tokenizer> {
        let options = BpeOptions {
            unknown: specials.unk,
            fuse_unknown: true,
            byte_fallback: true,
            unusable_merges: UnusableMerges::Finding,
            ..BpeOptions::default()
        };
        let model = Bpe::new(&vocab, self.pairs()?.into_iter(), options, &mut findings)?;
        let prefixed = self.add_space_prefix.unwrap_or(false);
        let normalizer = Normalizer::SentencePiece(SentencePiece {
            charsmap: None,
            collapse: false,
            prefix: if prefixed { SpacePrefix::Always } else { SpacePrefix::Never },
            as_suffix: false,
            escape: true,
        });
        Assembly {
            added: self.added(types, |_| Matching::default()),
            normalizer: vec![normalizer],
            pre_tokenizer: Vec::new(),
            model: Model::Bpe(model),
            decoder: sentence_piece_decoder(prefixed),
            template: self.template(&specials, true, false),
            vocab,
            specials,
            findings,
        }
        .finish()
    }

    fn unigram(
        &self,
        vocab: Vocab,
        types: &[TokenKind],
        specials: SpecialIds,
        findings: Findings,
    ) -> Result<Tokenizer> {
        let Some(scores) = &self.scores else {
            return Err(broken("a t5 vocabulary without scores".to_owned()));
        };
        let scores: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
        let bytes =
            if types.contains(&TokenKind::Byte) { ByteFallback::Yes } else { ByteFallback::No };
        let model = Unigram::new(&vocab, &scores, specials.unk, Members::Text, bytes)?;
        let prefixed = self.add_space_prefix.unwrap_or(true);
        let normalizer = Normalizer::SentencePiece(SentencePiece {
            charsmap: self.charsmap()?,
            collapse: self.remove_extra_whitespaces.unwrap_or(true),
            prefix: if prefixed { SpacePrefix::Always } else { SpacePrefix::Never },
            as_suffix: false,
            escape: true,
        });
        Assembly {
            added: self.added(types, |_| Matching::default()),
            normalizer: vec![normalizer],
            pre_tokenizer: Vec::new(),
            model: Model::Unigram(model),
            decoder: sentence_piece_decoder(prefixed),
            template: self.template(&specials, false, true),
            vocab,
            specials,
            findings,
        }
        .finish()
    }

    /// BERT. These files write `▁word` for what begins a word and `ing` for what continues one;
    /// the models' own vocabularies write `word` and `##ing`, and so do we.
    fn word_piece(
        &self,
        types: &[TokenKind],
        specials: SpecialIds,
        mut findings: Findings,
    ) -> Result<Tokenizer> {
        let write = |text: &str, kind: TokenKind| match text.strip_prefix('▁') {
            _ if kind != TokenKind::Normal && kind != TokenKind::Unused => text.to_owned(),
            Some(begin) => begin.to_owned(),
            None => format!("##{text}"),
        };
        let vocab = self.vocab(types, &mut findings, write)?;
        let lowercase = self.lowercase.unwrap_or(true);
        let normalizer = Normalizer::Bert(Bert {
            clean: true,
            spaced_cjk: true,
            strip_accents: lowercase,
            lowercase,
        });
        let chars = |class, what| PreTokenizer::Chars { class, what };
        let model = WordPiece {
            unknown: specials.unk.or_else(|| vocab.id("[UNK]")),
            prefix: "##".to_owned(),
            longest_word: 100,
            longest_token: longest(&vocab),
        };
        let first = specials.cls.or(specials.bos).filter(|_| self.add_bos.unwrap_or(true));
        let last = specials.sep.or(specials.eos).filter(|_| self.add_eos.unwrap_or(true));
        let tokens = |id: Option<u32>, kind| Slot::Tokens { ids: Vec::from_iter(id), kind };
        let single = [tokens(first, 0), Slot::First { kind: 0 }, tokens(last, 0)];
        let mut pair = single.to_vec();
        pair.extend([Slot::Second { kind: 1 }, tokens(last, 1)]);
        let step = Step::WordPiece { prefix: "##".to_owned(), tidy: Tidy::Yes };
        Assembly {
            added: self.added(types, |_| Matching::default()),
            normalizer: vec![normalizer],
            pre_tokenizer: vec![
                chars(CharClass::Whitespace, Behavior::Removed),
                chars(CharClass::Punctuation, Behavior::Isolated),
            ],
            model: Model::WordPiece(model),
            decoder: Decoder { steps: vec![step], ..Decoder::default() },
            template: Template::new(&single, Some(pair)),
            vocab,
            specials,
            findings,
        }
        .finish()
    }
}

/// `▁` to a space, byte tokens to bytes, and the space put before the text off again.
pub(crate) fn sentence_piece_decoder(prefixed: bool) -> Decoder {
    let spaces = Step::Replace { pattern: Pattern::literal("▁"), with: " ".to_owned() };
    Decoder {
        steps: vec![spaces, Step::ByteFallback],
        strip_start: prefixed.then_some((' ', 1)),
        ..Decoder::default()
    }
}

/// The kind of a token in a file without types.
fn guessed_kind(text: &str) -> TokenKind {
    if super::bytes::from_hex_token(text).is_some() {
        return TokenKind::Byte;
    }
    match text {
        "<unk>" => TokenKind::Unknown,
        "<s>" | "</s>" => TokenKind::Control,
        _ if text.starts_with("<|") && text.ends_with("|>") => TokenKind::Control,
        _ => TokenKind::Normal,
    }
}
