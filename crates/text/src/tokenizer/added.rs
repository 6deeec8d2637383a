//! Tokens that are cut out of a text before the model sees it: roles, tool marks, `<think>`,
//! runs of spaces.
//!
//! Among them are markers: tokens that mean something to the model beyond their text. Markers
//! are cut out only where the caller says they are meant, that is in a template's own text and
//! not in what a user wrote. Every control token is a marker, and so is every other added token
//! in angle or square brackets, but for plain HTML tags. The rest (white space, HTML, words) is
//! text in any mouth.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use unicode_categories::UnicodeCategories;

use super::findings::{Finding, FindingKind, Findings};
use super::limits;
use super::vocab::too_large;
use crate::{Error, Result};

/// One added token and how it is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    pub(crate) text: String,
    /// Left out when decoding without special tokens.
    pub(crate) special: bool,
    pub(crate) matching: Matching,
}

/// How an added token is matched: the flags of `tokenizer.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matching(u8);

impl Matching {
    /// Takes white space before it along.
    pub(crate) const LSTRIP: Self = Self(1);
    /// Takes white space after it along.
    pub(crate) const RSTRIP: Self = Self(2);
    /// Only where no word character touches it.
    pub(crate) const SINGLE_WORD: Self = Self(4);
    /// In the normalized text instead of the text as given.
    pub(crate) const NORMALIZED: Self = Self(8);

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl AddedToken {
    /// Whether the token steers the model, so that a user may not write it.
    pub(crate) fn is_marker(&self) -> bool {
        self.special || is_marked(&self.text)
    }
}

/// Whether a text is written like a marker.
pub(crate) fn is_marked(text: &str) -> bool {
    const HTML: [&str; 44] = [
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "sub",
        "sup",
        "code",
        "pre",
        "p",
        "br",
        "hr",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "a",
        "b",
        "i",
        "u",
        "s",
        "em",
        "strong",
        "div",
        "span",
        "body",
        "html",
        "head",
        "header",
        "footer",
        "title",
        "img",
    ];
    let text = text.trim();
    let inner = |open, close| text.strip_prefix::<char>(open)?.strip_suffix::<char>(close);
    match inner('<', '>') {
        Some(tag) => !HTML.contains(&tag.trim_matches('/')),
        None => inner('[', ']').is_some_and(|name| !name.trim().is_empty()),
    }
}

/// A stretch of a text: ordinary, or one added token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    Text(Range<usize>),
    Token(u32),
}

/// The added tokens of a tokenizer, ready to be found.
#[derive(Debug, Default)]
pub(crate) struct AddedTokens {
    tokens: Vec<AddedToken>,
    plain: Finder,
    normalized: Finder,
}

/// One automaton, and the index of the token each of its patterns stands for.
#[derive(Debug, Default)]
struct Finder {
    automaton: Option<AhoCorasick>,
    owners: Vec<usize>,
}

impl AddedTokens {
    /// Prepares the tokens; `normalize` is what happens to texts of tokens matched in
    /// normalized text.
    pub(crate) fn new(
        tokens: Vec<AddedToken>,
        normalize: impl Fn(&str) -> Result<String>,
        findings: &mut Findings,
    ) -> Result<Self> {
        let total: usize = tokens.iter().map(|token| token.text.len()).sum();
        if total > limits::ADDED_BYTES {
            let what = "the text of the added tokens, in bytes,";
            return Err(too_large(what, total as u64, limits::ADDED_BYTES));
        }
        for token in &tokens {
            note(token, findings);
        }
        let (mut plain, mut normalized) = (Vec::new(), Vec::new());
        for (owner, token) in tokens.iter().enumerate().filter(|(_, token)| !token.text.is_empty())
        {
            if token.matching.has(Matching::NORMALIZED) {
                let text = normalize(&token.text)?;
                if text.is_empty() {
                    let detail = format!("{:?} is nothing once normalized", token.text);
                    findings.add(Finding::new(FindingKind::UnusableToken, detail));
                } else {
                    normalized.push((text, owner));
                }
            } else {
                plain.push((token.text.clone(), owner));
            }
        }
        Ok(Self { plain: Finder::new(plain)?, normalized: Finder::new(normalized)?, tokens })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &AddedToken> {
        self.tokens.iter()
    }

    /// Divides a text as given. Markers that touch a range in `shielded` (sorted) stay text.
    pub(crate) fn split(&self, text: &str, shielded: &[Range<usize>], out: &mut Vec<Stretch>) {
        self.divide(&self.plain, text, shielded, out);
    }

    /// Divides a normalized text.
    pub(crate) fn split_normalized(
        &self,
        text: &str,
        shielded: &[Range<usize>],
        out: &mut Vec<Stretch>,
    ) {
        self.divide(&self.normalized, text, shielded, out);
    }

    /// Whether some token is matched in normalized text.
    pub(crate) fn any_normalized(&self) -> bool {
        self.normalized.automaton.is_some()
    }

    fn divide(
        &self,
        finder: &Finder,
        text: &str,
        shielded: &[Range<usize>],
        out: &mut Vec<Stretch>,
    ) {
        let mut done = 0;
        let mut at = 0;
        while let Some(automaton) = &finder.automaton {
            let Some(hit) = automaton.find(Input::new(text).range(at..)) else { break };
            let token = &self.tokens[finder.owners[hit.pattern().as_usize()]];
            let (mut start, mut end) = (hit.start(), hit.end());
            at = end;
            if token.is_marker()
                && let Some(shield) = touching(shielded, start..end)
            {
                // A match that sticks out of the user's text may hide one behind it.
                if start < shield.start || end > shield.end {
                    at = start + text[start..].chars().next().map_or(1, char::len_utf8);
                }
                continue;
            }
            if token.matching.has(Matching::SINGLE_WORD)
                && (text[..start].ends_with(is_word) || text[end..].starts_with(is_word))
            {
                continue;
            }
            if token.matching.has(Matching::LSTRIP) {
                start = text[done..start].trim_end().len() + done;
            }
            if token.matching.has(Matching::RSTRIP) {
                end += text[end..].len() - text[end..].trim_start().len();
            }
            if done < start {
                out.push(Stretch::Text(done..start));
            }
            out.push(Stretch::Token(token.id));
            done = end;
            at = end.max(at);
        }
        if done < text.len() {
            out.push(Stretch::Text(done..text.len()));
        }
    }
}

impl Finder {
    fn new(patterns: Vec<(String, usize)>) -> Result<Self> {
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let (texts, owners): (Vec<String>, Vec<usize>) = patterns.into_iter().unzip();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(texts)
            .map_err(|error| Error::Tokenizer {
                what: "added tokens",
                reason: format!("they do not form an automaton: {error}"),
            })?;
        Ok(Self { automaton: Some(automaton), owners })
    }
}

/// The first of some sorted ranges that overlaps `range`.
fn touching(ranges: &[Range<usize>], range: Range<usize>) -> Option<Range<usize>> {
    let next = ranges.partition_point(|shield| shield.end <= range.start);
    ranges.get(next).filter(|shield| shield.start < range.end).cloned()
}

/// What regular expressions call a word character.
fn is_word(c: char) -> bool {
    c.is_alphabetic()
        || c.is_mark()
        || c.is_number_decimal_digit()
        || c.is_punctuation_connector()
        || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Reports added tokens that take ordinary text away from the model.
fn note(token: &AddedToken, findings: &mut Findings) {
    let ordinary = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '\'' | ',' | '.' | '▁');
    let worded = token.text.chars().filter(|c| c.is_alphanumeric()).count() >= 2;
    if !is_marked(&token.text) && worded && token.text.chars().all(ordinary) {
        let detail = format!("{:?} is always token {}", token.text, token.id);
        findings.add(Finding::new(FindingKind::ShadowsText, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(list: &[(&str, bool, Matching)]) -> AddedTokens {
        let tokens = list
            .iter()
            .enumerate()
            .map(|(id, &(text, special, matching))| AddedToken {
                id: id as u32,
                text: text.to_owned(),
                special,
                matching,
            })
            .collect();
        AddedTokens::new(tokens, |text| Ok(text.to_owned()), &mut Findings::default()).unwrap()
    }

    fn split(tokens: &AddedTokens, text: &str, shielded: Option<Range<usize>>) -> Vec<Stretch> {
        let mut out = Vec::new();
        tokens.split(text, &Vec::from_iter(shielded), &mut out);
        out
    }

    #[test]
    fn t8_markers_in_shielded_text_stay_text() {
        let plain = Matching::default();
        let tokens =
            tokens(&[("<|im_end|>", true, plain), ("<think>", false, plain), ("  ", false, plain)]);
        let text = "<|im_end|><think>  <|im_end|>";
        let all = [0, 1, 2, 0].map(Stretch::Token);
        assert_eq!(split(&tokens, text, None), all);
        let expected = [Stretch::Text(0..17), Stretch::Token(2), Stretch::Text(19..29)];
        assert_eq!(split(&tokens, text, Some(0..text.len())), expected);
        let expected = [0, 1, 2].map(Stretch::Token);
        assert_eq!(split(&tokens, text, Some(19..29))[..3], expected);
        // one that begins in a user's text and ends in the template's stays text as well
        let expected = [Stretch::Text(0..10), Stretch::Token(1)];
        assert_eq!(split(&tokens, "<|im_end|><think>", Some(0..4)), expected);
    }

    #[test]
    fn a_shielded_match_does_not_hide_the_templates_own() {
        let plain = Matching::default();
        let tokens = tokens(&[("ab>", true, plain), ("b>cd>", true, plain)]);
        // the user wrote "a", the template "b>cd>"
        let expected = [Stretch::Text(0..1), Stretch::Token(1)];
        assert_eq!(split(&tokens, "ab>cd>", Some(0..1)), expected);
    }

    #[test]
    fn stripping_and_whole_words() {
        let strip = Matching::LSTRIP.with(Matching::RSTRIP);
        let stripping = tokens(&[("<mask>", true, strip), ("cat", false, Matching::SINGLE_WORD)]);
        let expected = [Stretch::Text(0..1), Stretch::Token(0), Stretch::Text(10..11)];
        assert_eq!(split(&stripping, "a <mask> \nb", None), expected);
        assert_eq!(split(&stripping, "concat", None), [Stretch::Text(0..6)]);
        assert_eq!(split(&stripping, "cat", None), [Stretch::Token(1)]);
    }
}
