//! Reading `tokenizer.model`, SentencePiece's own file: a protocol buffer.
//!
//! Only the fields that matter are read (`sentencepiece_model.proto`): the pieces with score and
//! type, the model type and special ids of the trainer, and the normalizer.

use super::added::{AddedToken, Matching};
use super::charsmap::Charsmap;
use super::config::Config;
use super::findings::Findings;
use super::gguf::sentence_piece_decoder;
use super::normalize::{Normalizer, SentencePiece, SpacePrefix};
use super::parts::Assembly;
use super::specials::{SpecialIds, corrected};
use super::spm::Spm;
use super::template::Template;
use super::unigram::{ByteFallback, Members, Unigram};
use super::vocab::{TokenKind, Vocab, too_large};
use super::{Model, Tokenizer, limits};
use crate::{Error, Result};

fn broken(reason: impl std::fmt::Display) -> Error {
    Error::Tokenizer { what: "tokenizer.model", reason: reason.to_string() }
}

/// What the file says.
#[expect(clippy::struct_excessive_bools, reason = "the format has one flag per property")]
struct File {
    pieces: Vec<(String, f32, TokenKind)>,
    model_type: u64,
    byte_fallback: bool,
    as_suffix: bool,
    /// unknown, begin, end, padding; negative for none
    ids: [i64; 4],
    charsmap: Vec<u8>,
    dummy_prefix: bool,
    collapse: bool,
    escape: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.model`, and the `tokenizer_config.json` beside it where there is one.
    pub fn from_sentencepiece(model: &[u8], config: Option<&[u8]>) -> Result<Self> {
        if model.len() > limits::FILE_BYTES {
            let what = "tokenizer.model, in bytes,";
            return Err(too_large(what, model.len() as u64, limits::FILE_BYTES));
        }
        let config = Config::read(config)?;
        let mut findings = Findings::default();
        let mut file = File::read(model)?;
        for (text, _, kind) in &mut file.pieces {
            *kind = corrected(text, *kind, &mut findings);
        }
        let mut vocab = Vocab::default();
        for (id, (text, _, kind)) in file.pieces.iter().enumerate() {
            vocab.add(id as u32, text, *kind, &mut findings)?;
        }
        let specials = file.specials(&config, &vocab)?;
        let scores: Vec<f32> = file.pieces.iter().map(|piece| piece.1).collect();
        let model = match file.model_type {
            1 => {
                let scores: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
                let bytes = if file.byte_fallback { ByteFallback::Yes } else { ByteFallback::No };
                Model::Unigram(Unigram::new(&vocab, &scores, specials.unk, Members::Text, bytes)?)
            }
            2 => Model::Spm(Spm::new(&vocab, &scores, specials.unk)?),
            other => {
                let part = "sentencepiece model type";
                let (name, known) = (other.to_string(), "1 (unigram), 2 (bpe)".to_owned());
                return Err(Error::UnknownTokenizerPart { part, name, known });
            }
        };
        let added = file.added(&config, &mut vocab, &mut findings)?;
        let legacy = config.flag("legacy").unwrap_or(true);
        let prefix = match (file.dummy_prefix, legacy) {
            (false, _) => SpacePrefix::Never,
            (true, true) => SpacePrefix::Always,
            (true, false) => SpacePrefix::First,
        };
        let normalizer = Normalizer::SentencePiece(SentencePiece {
            charsmap: Charsmap::read(&file.charsmap)?,
            collapse: file.collapse,
            prefix,
            as_suffix: file.as_suffix,
            escape: file.escape,
        });
        let begins = config.flag("add_bos_token").unwrap_or(specials.bos.is_some());
        let ends = config.flag("add_eos_token").unwrap_or(specials.bos.is_none());
        let template = Template::around_with(
            Vec::from_iter(specials.bos.filter(|_| begins)),
            Vec::from_iter(specials.eos.filter(|_| ends)),
        );
        Assembly {
            vocab,
            added,
            normalizer: vec![normalizer],
            pre_tokenizer: Vec::new(),
            model,
            decoder: sentence_piece_decoder(file.dummy_prefix && !file.as_suffix),
            template,
            specials,
            findings,
        }
        .finish()
    }
}

impl File {
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut file = Self {
            pieces: Vec::new(),
            model_type: 1,
            byte_fallback: false,
            as_suffix: false,
            ids: [0, 1, 2, -1],
            charsmap: Vec::new(),
            dummy_prefix: true,
            collapse: true,
            escape: true,
        };
        each_field(bytes, |number, value| {
            match (number, value) {
                (1, Field::Bytes(piece)) => {
                    if file.pieces.len() >= limits::TOKENS {
                        let found = file.pieces.len() as u64 + 1;
                        return Err(too_large("the list of pieces", found, limits::TOKENS));
                    }
                    file.pieces.push(read_piece(piece, file.pieces.len())?);
                }
                (2, Field::Bytes(trainer)) => file.read_trainer(trainer)?,
                (3, Field::Bytes(normalizer)) => file.read_normalizer(normalizer)?,
                _ => {}
            }
            Ok(())
        })?;
        if file.pieces.is_empty() {
            return Err(broken("it has no pieces"));
        }
        Ok(file)
    }

    fn read_trainer(&mut self, bytes: &[u8]) -> Result<()> {
        each_field(bytes, |number, value| {
            let Field::Number(value) = value else { return Ok(()) };
            match number {
                3 => self.model_type = value,
                24 => self.as_suffix = value != 0,
                35 => self.byte_fallback = value != 0,
                // a negative 32-bit number is written as the 64-bit one
                40..=43 => self.ids[number as usize - 40] = value as i64,
                _ => {}
            }
            Ok(())
        })
    }

    fn read_normalizer(&mut self, bytes: &[u8]) -> Result<()> {
        each_field(bytes, |number, value| {
            match (number, value) {
                (2, Field::Bytes(map)) => self.charsmap = map.to_vec(),
                (3, Field::Number(value)) => self.dummy_prefix = value != 0,
                (4, Field::Number(value)) => self.collapse = value != 0,
                (5, Field::Number(value)) => self.escape = value != 0,
                _ => {}
            }
            Ok(())
        })
    }

    /// The trainer's ids, and over them the configuration's names.
    fn specials(&self, config: &Config, vocab: &Vocab) -> Result<SpecialIds> {
        let size = vocab.len();
        let check = |what: &'static str, id: i64| match usize::try_from(id) {
            Err(_) => Ok(None),
            Ok(id) if id < size => Ok(Some(id as u32)),
            Ok(id) => Err(Error::IdOutOfVocabulary { what, id: id as u64, size }),
        };
        let [unk, bos, eos, pad] = self.ids;
        let mut specials = config.specials(vocab);
        let stated = vocab.iter().find(|&(id, _)| vocab.kind(id) == Some(TokenKind::Unknown));
        specials.unk = stated.map(|(id, _)| id).or(check("unk_id", unk)?);
        specials.bos = specials.bos.or(check("bos_id", bos)?);
        specials.eos = specials.eos.or(check("eos_id", eos)?);
        specials.pad = specials.pad.or(check("pad_id", pad)?);
        Ok(specials)
    }

    fn added(
        &self,
        config: &Config,
        vocab: &mut Vocab,
        findings: &mut Findings,
    ) -> Result<Vec<AddedToken>> {
        let mut added = Vec::new();
        for (id, (text, _, kind)) in self.pieces.iter().enumerate() {
            if matches!(kind, TokenKind::Control | TokenKind::Unknown | TokenKind::UserDefined) {
                let special = *kind != TokenKind::UserDefined;
                let (id, text, matching) = (id as u32, text.clone(), Matching::default());
                added.push(AddedToken { id, text, special, matching });
            }
        }
        for (id, token) in config.added_tokens() {
            let Some(text) = token["content"].as_str().filter(|text| !text.is_empty()) else {
                continue;
            };
            let id = u32::try_from(id)
                .map_err(|_| too_large("the id of an added token", id, limits::TOKENS))?;
            let special = token["special"].as_bool().unwrap_or(false);
            let flags = [("lstrip", Matching::LSTRIP), ("rstrip", Matching::RSTRIP)];
            let matching = flags
                .into_iter()
                .filter(|flag| token[flag.0].as_bool() == Some(true))
                .fold(Matching::default(), |all, flag| all.with(flag.1));
            match added.iter_mut().find(|known| known.id == id && known.text == text) {
                Some(known) => known.matching = matching,
                None => {
                    let kind = if special { TokenKind::Control } else { TokenKind::UserDefined };
                    vocab.add(id, text, kind, findings)?;
                    added.push(AddedToken { id, text: text.to_owned(), special, matching });
                }
            }
        }
        Ok(added)
    }
}

fn read_piece(bytes: &[u8], id: usize) -> Result<(String, f32, TokenKind)> {
    let (mut text, mut score, mut kind) = (String::new(), 0.0, TokenKind::Normal);
    each_field(bytes, |number, value| {
        match (number, value) {
            (1, Field::Bytes(piece)) => {
                let piece = std::str::from_utf8(piece);
                piece
                    .map_err(|_| broken(format!("piece {id} is not UTF-8")))?
                    .clone_into(&mut text);
            }
            (2, Field::Fixed32(bits)) => score = f32::from_bits(bits),
            (3, Field::Number(number)) => {
                let known = i64::try_from(number).ok().and_then(TokenKind::from_number);
                let unknown = || broken(format!("piece {id} has the unknown type {number}"));
                kind = known.ok_or_else(unknown)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((text, score, kind))
}

enum Field<'a> {
    Number(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    Other,
}

/// Calls `found` with number and value of each field of a message.
fn each_field<'a>(
    mut bytes: &'a [u8],
    mut found: impl FnMut(u64, Field<'a>) -> Result<()>,
) -> Result<()> {
    let short = || broken("it ends in the middle of a field");
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => {
                bytes = bytes.get(8..).ok_or_else(short)?;
                Field::Other
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| short())?;
                let (field, rest) = bytes.split_at_checked(length).ok_or_else(short)?;
                bytes = rest;
                Field::Bytes(field)
            }
            5 => {
                let (field, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
                bytes = rest;
                Field::Fixed32(u32::from_le_bytes(*field))
            }
            kind => return Err(broken(format!("a field of the unknown wire type {kind}"))),
        };
        found(tag >> 3, field)?;
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) =
            bytes.split_first().ok_or_else(|| broken("it ends in the middle of a number"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(broken("a number longer than ten bytes"))
}
