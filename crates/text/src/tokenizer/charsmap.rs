//! Precompiled character maps of SentencePiece: a double-array trie and the replacements.
//!
//! Layout (sentencepiece `normalizer.cc`): the size of the trie in bytes as a little-endian
//! `u32`, the trie's units (`u32` each), then the replacement texts, each ended by a NUL. The
//! trie is darts-clone's: a unit holds a label, the offset to its children and a leaf flag.
//! It comes from a model file, so every step looks up its unit instead of trusting the offset.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::{Error, Result};

/// A character map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charsmap {
    units: Vec<u32>,
    texts: String,
}

impl Charsmap {
    /// Reads a map; an empty blob is no map.
    pub(crate) fn read(blob: &[u8]) -> Result<Option<Self>> {
        let broken = |reason: String| Error::Tokenizer { what: "precompiled charsmap", reason };
        let Some((size, rest)) = blob.split_first_chunk::<4>() else {
            return if blob.is_empty() {
                Ok(None)
            } else {
                Err(broken(format!("{} bytes, its header has 4", blob.len())))
            };
        };
        let size = u32::from_le_bytes(*size) as usize;
        if size > rest.len() || !size.is_multiple_of(4) {
            return Err(broken(format!("a trie of {size} bytes in a blob of {}", blob.len())));
        }
        let (trie, texts) = rest.split_at(size);
        let units = trie
            .chunks_exact(4)
            .map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]))
            .collect();
        let texts = std::str::from_utf8(texts)
            .map_err(|error| broken(format!("its texts are not UTF-8: {error}")))?;
        Ok(Some(Self { units, texts: texts.to_owned() }))
    }

    /// The longest prefix of `text` in the map: its length in bytes and its replacement.
    fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        let offset = |unit: u32| ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
        let mut best = None;
        let mut at = offset(*self.units.first()?);
        for (read, &byte) in text.iter().enumerate() {
            if byte == 0 {
                break;
            }
            at ^= byte as usize;
            let Some(&unit) = self.units.get(at) else { break };
            if unit & ((1 << 31) | 0xff) != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if (unit >> 8) & 1 == 1 {
                let value = self.units.get(at).map(|unit| (unit & ((1 << 31) - 1)) as usize);
                if let Some(found) = value.and_then(|value| self.texts.get(value..)) {
                    best = Some((read + 1, found.split('\0').next().unwrap_or("")));
                }
            }
        }
        best
    }

    /// Replaces as SentencePiece does: the longest entry at each position.
    pub(crate) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let step = match self.longest(rest.as_bytes()) {
                Some((length, found)) if rest.is_char_boundary(length) => {
                    out.push_str(found);
                    length
                }
                _ => {
                    out.push(c);
                    c.len_utf8()
                }
            };
            rest = &rest[step..];
        }
        if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
    }

    /// Replaces as the `tokenizers` library does in a `tokenizer.json`: a grapheme under six
    /// bytes as a whole if any entry begins it, else each character of it.
    pub(crate) fn apply_graphemes<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::with_capacity(text.len());
        for grapheme in text.graphemes(true) {
            let whole = if grapheme.len() < 6 { self.first(grapheme) } else { None };
            if let Some(found) = whole {
                out.push_str(found);
                continue;
            }
            for (at, c) in grapheme.char_indices() {
                match self.first(&grapheme[at..at + c.len_utf8()]) {
                    Some(found) => out.push_str(found),
                    None => out.push(c),
                }
            }
        }
        if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
    }

    /// The replacement of the shortest entry that begins `text`: what that library takes.
    fn first(&self, text: &str) -> Option<&str> {
        (1..=text.len()).find_map(|end| {
            self.longest(&text.as_bytes()[..end]).filter(|(n, _)| *n == end).map(|(_, t)| t)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_broken_maps_are_refused_or_harmless() {
        assert_eq!(Charsmap::read(&[]).unwrap(), None);
        assert!(Charsmap::read(&[1, 2]).is_err());
        assert!(Charsmap::read(&[255, 255, 255, 255, 0]).is_err());
        assert!(Charsmap::read(&[4, 0, 0, 0, 1, 2, 3, 4, 0xff]).is_err());
        let mut state = 1u32;
        for _ in 0..200 {
            let mut blob = 400u32.to_le_bytes().to_vec();
            for _ in 0..100 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                blob.extend(state.to_le_bytes());
            }
            blob.extend(b"ab\0c\0");
            let map = Charsmap::read(&blob).unwrap().unwrap();
            for text in ["hello wörld", "\u{1}\u{2}ab", "日本"] {
                let _ = (map.apply(text), map.apply_graphemes(text));
            }
        }
    }
}
