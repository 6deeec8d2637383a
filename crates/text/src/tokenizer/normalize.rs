//! What happens to a text before it is split: Unicode forms, replacements, prefixes.
//!
//! The kinds are those of `tokenizer.json`; [`Normalizer::SentencePiece`] is the one of a
//! `tokenizer.model` and of GGUF vocabularies of that make.

use std::borrow::Cow;

use unicode_categories::UnicodeCategories;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

use super::charsmap::Charsmap;
use super::pattern::Pattern;
use crate::Result;

/// One step.
#[derive(Debug)]
pub(crate) enum Normalizer {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Lowercase,
    Nmt,
    StripAccents,
    Strip {
        left: bool,
        right: bool,
    },
    Prepend(String),
    Replace {
        pattern: Pattern,
        with: String,
    },
    Precompiled(Charsmap),
    /// Each byte as the character that stands for it in byte-level vocabularies.
    ByteLevel,
    Bert(Bert),
    SentencePiece(SentencePiece),
}

/// What BERT does before splitting.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the format has one flag per property")]
pub(crate) struct Bert {
    pub(crate) clean: bool,
    pub(crate) spaced_cjk: bool,
    pub(crate) strip_accents: bool,
    pub(crate) lowercase: bool,
}

/// What SentencePiece does before merging.
#[derive(Clone, Debug)]
pub(crate) struct SentencePiece {
    pub(crate) charsmap: Option<Charsmap>,
    /// Spaces at the ends go and runs of them become one.
    pub(crate) collapse: bool,
    /// Where a space is put before the text.
    pub(crate) prefix: SpacePrefix,
    /// The space is put after the text instead.
    pub(crate) as_suffix: bool,
    /// Spaces are written `▁`.
    pub(crate) escape: bool,
}

/// Where SentencePiece's dummy space goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpacePrefix {
    Never,
    /// Before the whole text only.
    First,
    /// Before each stretch of text between control tokens.
    Always,
}

impl Normalizer {
    /// Applies the step; `at_start` when `text` begins where the whole text begins.
    pub(crate) fn apply<'a>(&self, text: Cow<'a, str>, at_start: bool) -> Result<Cow<'a, str>> {
        Ok(match self {
            Self::Nfc if is_nfc_quick(text.chars()) == IsNormalized::Yes => text,
            Self::Nfkc if is_nfkc_quick(text.chars()) == IsNormalized::Yes => text,
            Self::Nfc => text.nfc().collect(),
            Self::Nfkc => text.nfkc().collect(),
            Self::Nfd | Self::Nfkd if text.is_ascii() => text,
            Self::Nfd => text.nfd().collect(),
            Self::Nfkd => text.nfkd().collect(),
            Self::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
            Self::Nmt => nmt(&text).into(),
            Self::StripAccents => text.chars().filter(|&c| !is_combining_mark(c)).collect(),
            Self::Strip { left, right } => {
                let mut kept: &str = &text;
                kept = if *left { kept.trim_start() } else { kept };
                kept = if *right { kept.trim_end() } else { kept };
                kept.to_owned().into()
            }
            Self::Prepend(_) if text.is_empty() => text,
            Self::Prepend(prefix) => format!("{prefix}{text}").into(),
            Self::Replace { pattern, with } => replace(text, pattern, with)?,
            Self::Precompiled(map) => match map.apply_graphemes(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(mapped) => mapped.into(),
            },
            Self::ByteLevel => text.bytes().map(super::bytes::to_char).collect(),
            Self::Bert(bert) => bert.apply(&text).into(),
            Self::SentencePiece(step) => step.apply(text, at_start),
        })
    }
}

fn replace<'a>(text: Cow<'a, str>, pattern: &Pattern, with: &str) -> Result<Cow<'a, str>> {
    let mut out = String::new();
    let mut from = 0;
    pattern.each_match(&text, |start, end| {
        out.push_str(&text[from..start]);
        out.push_str(with);
        from = end;
    })?;
    if from == 0 {
        return Ok(text);
    }
    out.push_str(&text[from..]);
    Ok(out.into())
}

fn nmt(text: &str) -> String {
    let dropped =
        |c: &char| !matches!(u32::from(*c), 0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0x8f | 0x9f);
    let spaced = |c: char| match u32::from(c) {
        0x9
        | 0xa
        | 0xc
        | 0xd
        | 0x1680
        | 0x200b..=0x200f
        | 0x2028
        | 0x2029
        | 0x2581
        | 0xfeff
        | 0xfffd => ' ',
        _ => c,
    };
    text.chars().filter(dropped).map(spaced).collect()
}

impl Bert {
    fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\0' | '\u{fffd}' if self.clean => {}
                '\t' | '\n' | '\r' if self.clean => out.push(' '),
                c if self.clean && c.is_other() => {}
                c if self.clean && c.is_whitespace() => out.push(' '),
                c if self.spaced_cjk && is_cjk(c) => out.extend([' ', c, ' ']),
                c => out.push(c),
            }
        }
        if self.strip_accents && !out.is_ascii() {
            out = out.nfd().filter(|c| !c.is_mark_nonspacing()).collect();
        }
        if self.lowercase {
            out = out.chars().flat_map(char::to_lowercase).collect();
        }
        out
    }
}

/// The blocks BERT calls Chinese characters.
fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x4e00..=0x9fff | 0x3400..=0x4dbf | 0x2_0000..=0x2_a6df | 0x2_a700..=0x2_b73f
        | 0x2_b740..=0x2_b81f | 0x2_b920..=0x2_ceaf | 0xf900..=0xfaff | 0x2_f800..=0x2_fa1f)
}

impl SentencePiece {
    fn apply<'a>(&self, text: Cow<'a, str>, at_start: bool) -> Cow<'a, str> {
        let mapped = match &self.charsmap {
            Some(map) => match map.apply(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(mapped) => mapped.into(),
            },
            None => text,
        };
        let body: Cow<'_, str> = if self.collapse { collapsed(&mapped).into() } else { mapped };
        if body.is_empty() {
            return body;
        }
        let prefixed = match self.prefix {
            SpacePrefix::Never => false,
            SpacePrefix::First => at_start,
            SpacePrefix::Always => true,
        };
        let escapes = self.escape && body.contains(' ');
        if !prefixed && !escapes {
            return body;
        }
        let space = if self.escape { "▁" } else { " " };
        let mut out = String::with_capacity(body.len() * 5 / 4 + 3);
        if prefixed && !self.as_suffix {
            out.push_str(space);
        }
        for (i, part) in body.split(' ').enumerate() {
            if i > 0 {
                out.push_str(space);
            }
            out.push_str(part);
        }
        if prefixed && self.as_suffix {
            out.push_str(space);
        }
        out.into()
    }
}

fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}
