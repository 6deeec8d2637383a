//! From tokens back to text.
//!
//! Each token gives bytes, and the bytes of all tokens joined are the text; only a step or two
//! looks at the joined text (a space at the very beginning goes). That keeps streaming exact:
//! what arrives token by token is what decoding all of them gives. Bytes that are no UTF-8
//! become U+FFFD as `String::from_utf8_lossy` has it.

use super::bytes;
use super::pattern::Pattern;
use super::vocab::TokenKind;

/// How a tokenizer decodes.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Applied to each token.
    pub(crate) steps: Vec<Step>,
    /// Characters taken off the beginning of the joined text: which, and at most how many.
    pub(crate) strip_start: Option<(char, usize)>,
    /// Applied to the whole text; only then a text cannot be streamed.
    pub(crate) whole: Vec<(Pattern, String)>,
    /// Joined by spaces: vocabularies of words without a decoder of their own.
    pub(crate) joiner: Joiner,
}

/// What stands between tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Joiner {
    #[default]
    Nothing,
    Space,
}

/// One step on one token.
#[derive(Debug)]
pub(crate) enum Step {
    /// Characters of the byte-level alphabet to bytes.
    ByteLevel,
    /// `<0xHH>` to one byte.
    ByteFallback,
    Replace {
        pattern: Pattern,
        with: String,
    },
    /// The mark of a word's beginning to a space, none before the first word.
    Metaspace {
        mark: char,
        first: FirstMark,
    },
    /// Takes characters off each token.
    Strip {
        of: char,
        start: usize,
        stop: usize,
    },
    /// Tokens with the prefix continue a word, others begin one after a space.
    WordPiece {
        prefix: String,
        tidy: Tidy,
    },
    /// The suffix ends a word: a space, but none after the last.
    WordSuffix(String),
}

/// What becomes of the mark before the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstMark {
    Dropped,
    Space,
}

/// Whether spaces before punctuation go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tidy {
    No,
    Yes,
}

/// Where in a text a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Later,
}

impl Decoder {
    /// Appends the bytes of one token.
    pub(crate) fn token(&self, text: &str, kind: Added, place: Place, out: &mut Vec<u8>) {
        let mut text = std::borrow::Cow::Borrowed(text);
        if self.joiner == Joiner::Space && place == Place::Later {
            out.push(b' ');
        }
        for step in &self.steps {
            match step {
                Step::ByteLevel => {
                    let read = if kind == Added::Yes { None } else { bytes::from_token(&text) };
                    if let Some(read) = read {
                        out.extend(read);
                        return;
                    }
                }
                Step::ByteFallback => {
                    if let Some(byte) = bytes::from_hex_token(&text) {
                        out.push(byte);
                        return;
                    }
                }
                Step::Replace { pattern, with } => text = replaced(&text, pattern, with).into(),
                Step::Metaspace { mark, first } => {
                    let kept = |c: char| match c {
                        c if c != *mark => Some(c),
                        _ if place == Place::First && *first == FirstMark::Dropped => None,
                        _ => Some(' '),
                    };
                    text = text.chars().filter_map(kept).collect();
                }
                Step::Strip { of, start, stop } => {
                    let mut kept: &str = &text;
                    for _ in 0..*start {
                        kept = kept.strip_prefix(*of).unwrap_or(kept);
                    }
                    for _ in 0..*stop {
                        kept = kept.strip_suffix(*of).unwrap_or(kept);
                    }
                    text = kept.to_owned().into();
                }
                Step::WordPiece { prefix, tidy } => {
                    let joined = match (place, text.strip_prefix(prefix.as_str())) {
                        (Place::First, _) => text.to_string(),
                        (Place::Later, Some(rest)) => rest.to_owned(),
                        (Place::Later, None) => format!(" {text}"),
                    };
                    text = if *tidy == Tidy::Yes { tidied(&joined) } else { joined }.into();
                }
                Step::WordSuffix(suffix) => text = text.replace(suffix.as_str(), " ").into(),
            }
        }
        out.extend(text.as_bytes());
    }

    /// Whether a space at the end of the last token goes.
    pub(crate) fn drops_last_space(&self, last: &str) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::WordSuffix(s) if last.ends_with(s.as_str())))
    }

    /// Whether text can be given out before all tokens are known.
    pub(crate) fn streams(&self) -> bool {
        self.whole.is_empty() && !self.steps.iter().any(|s| matches!(s, Step::WordSuffix(_)))
    }

    /// The steps that look at the joined text.
    pub(crate) fn finish(&self, text: String) -> String {
        let mut text = text;
        for (pattern, with) in &self.whole {
            text = replaced(&text, pattern, with);
        }
        text
    }
}

/// Whether a token is an added one, whose text stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    No,
    Yes,
}

impl Added {
    pub(crate) fn from_kind(kind: Option<TokenKind>) -> Self {
        match kind {
            Some(TokenKind::Control | TokenKind::UserDefined) => Self::Yes,
            _ => Self::No,
        }
    }
}

fn replaced(text: &str, pattern: &Pattern, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    // A token is short; a pattern that exceeds its budget on one leaves the rest as it is.
    let _ = pattern.each_match(text, |start, end| {
        out.push_str(&text[from..start]);
        out.push_str(with);
        from = end;
    });
    out.push_str(&text[from..]);
    out
}

/// Takes back the spaces that splitting at punctuation introduced.
fn tidied(text: &str) -> String {
    const SPACED: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    SPACED.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Turns a stream of bytes into text as `from_utf8_lossy` would turn the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Utf8Stream {
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes bytes in and gives out all text that no later byte can change.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.pending.extend(bytes);
        let mut rest: &[u8] = &self.pending;
        let left = loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    break 0;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(good));
                    let Some(length) = error.error_len() else { break bad.len() };
                    out.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        };
        self.pending.drain(..self.pending.len() - left);
    }

    /// The end: an unfinished code point becomes U+FFFD.
    pub(crate) fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.pending).is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t9_a_stream_of_any_bytes_is_the_lossy_whole() {
        let mut state = 7u64;
        for round in 0..2_000 {
            let mut bytes = Vec::new();
            for _ in 0..round % 23 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let byte = (state >> 33) as u8;
                // mostly lead and continuation bytes, so that sequences break everywhere
                bytes.push(if byte.is_multiple_of(3) { byte } else { 0x80 | byte });
            }
            for step in 1..4 {
                let (mut stream, mut text) = (Utf8Stream::default(), String::new());
                bytes.chunks(step).for_each(|chunk| stream.push(chunk, &mut text));
                stream.finish(&mut text);
                assert_eq!(text, String::from_utf8_lossy(&bytes), "{bytes:x?}");
            }
        }
    }
}
