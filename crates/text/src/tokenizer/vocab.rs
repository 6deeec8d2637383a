//! The tokens of a model by id and by text.

use hashbrown::{HashMap, HashSet};

use super::added::is_marked;
use super::findings::{Finding, FindingKind, Findings};
use super::limits;
use crate::{Error, Result};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Ordinary text.
    Normal,
    /// Stands for text the vocabulary has no token for.
    Unknown,
    /// Steers the model and is no text: begin, end, roles.
    Control,
    /// Text that is always one token.
    UserDefined,
    /// In the file, never produced.
    Unused,
    /// One byte, written `<0xHH>`.
    Byte,
}

impl TokenKind {
    /// The kind with this number in GGUF and SentencePiece files.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

/// Ids to tokens and back. Ids may have gaps.
#[derive(Debug, Default)]
pub(crate) struct Vocab {
    texts: Vec<Option<Box<str>>>,
    kinds: Vec<TokenKind>,
    ids: HashMap<Box<str>, u32>,
    markers: HashSet<u32>,
}

impl Vocab {
    /// Adds a token. A text twice keeps both ids; looking it up gives the later one.
    pub(crate) fn add(
        &mut self,
        id: u32,
        text: &str,
        kind: TokenKind,
        findings: &mut Findings,
    ) -> Result<()> {
        if id as usize >= limits::TOKENS {
            return Err(too_large("a token id", u64::from(id), limits::TOKENS));
        }
        if text.len() > limits::TOKEN_BYTES {
            return Err(too_large("a token, in bytes,", text.len() as u64, limits::TOKEN_BYTES));
        }
        let slot = id as usize;
        if slot >= self.texts.len() {
            self.texts.resize(slot + 1, None);
            self.kinds.resize(slot + 1, TokenKind::Normal);
        }
        match &self.texts[slot] {
            Some(before) if **before == *text => {}
            // the first text stays: its row of the embedding was trained under that name
            Some(before) => findings.add(Finding::new(
                FindingKind::ReusedId,
                format!("id {id} is both {before:?} and {text:?}"),
            )),
            None => self.texts[slot] = Some(text.into()),
        }
        if let Some(&other) = self.ids.get(text).filter(|&&other| other != id) {
            findings.add(Finding::new(
                FindingKind::DuplicateToken,
                format!("{text:?} has the ids {other} and {id}"),
            ));
        }
        self.kinds[slot] = kind;
        let marked = match kind {
            TokenKind::Control | TokenKind::Unknown => true,
            TokenKind::UserDefined => is_marked(text),
            _ => false,
        };
        if marked {
            self.set_marker(id);
        }
        self.ids.insert(text.into(), id);
        Ok(())
    }

    pub(crate) fn set_kind(&mut self, id: u32, kind: TokenKind) {
        if let Some(slot) = self.kinds.get_mut(id as usize) {
            *slot = kind;
        }
    }

    /// Keeps a model from producing the token out of ordinary text.
    pub(crate) fn set_marker(&mut self, id: u32) {
        self.markers.insert(id);
    }

    /// The id a model may give a text: that of a token that is no marker. Markers come from the
    /// added tokens alone, or a user could write them in a way those do not see.
    pub(crate) fn spoken(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|id| !self.is_marker(*id))
    }

    pub(crate) fn is_marker(&self, id: u32) -> bool {
        self.markers.contains(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        self.texts.get(id as usize)?.as_deref()
    }

    pub(crate) fn kind(&self, id: u32) -> Option<TokenKind> {
        self.text(id)?;
        self.kinds.get(id as usize).copied()
    }

    /// Every id with its text, in order of id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.texts.iter().enumerate().filter_map(|(id, text)| Some((id as u32, text.as_deref()?)))
    }

    /// The ids of the tokens `<0x00>` to `<0xFF>`.
    pub(crate) fn byte_tokens(&self) -> Box<[Option<u32>; 256]> {
        let mut table = Box::new([None; 256]);
        for byte in 0..=255u8 {
            let written = self.id(&format!("<0x{byte:02X}>"));
            table[byte as usize] = written;
        }
        table
    }
}

pub(crate) fn too_large(what: &'static str, found: u64, limit: usize) -> Error {
    Error::TokenizerTooLarge { what, found, limit: limit as u64 }
}
