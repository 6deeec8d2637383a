//! Splitting a normalized text into the pieces a model works on one by one.
//!
//! The kinds are those of `tokenizer.json`. A step either splits the pieces further or rewrites
//! them; pieces are ranges into one buffer, so splitting copies nothing.

use std::borrow::Cow;
use std::ops::Range;

use unicode_categories::UnicodeCategories;

use super::bytes;
use super::pattern::Pattern;
use crate::Result;

/// One step.
#[derive(Debug)]
pub(crate) enum PreTokenizer {
    Split {
        pattern: Pattern,
        what: Behavior,
        invert: Invert,
    },
    Chars {
        class: CharClass,
        what: Behavior,
    },
    Metaspace {
        mark: char,
        prefix: MarkPrefix,
        split: bool,
    },
    /// A space before each piece that has none.
    SpacePrefix,
    /// Each byte as the character that stands for it.
    ByteLevel,
    FixedLength(usize),
}

/// Whether the matches of a pattern are the delimiters or the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invert {
    No,
    Yes,
}

/// A class of characters to split at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CharClass {
    Punctuation,
    Whitespace,
    Numeric,
    One(char),
}

/// What becomes of the delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// Which pieces get the mark of a word's beginning put before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkPrefix {
    Always,
    First,
    Never,
}

/// A text and its division into pieces.
pub(crate) struct Pieces<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) ranges: Vec<Range<usize>>,
    /// Whether the first piece begins where the whole text begins.
    at_start: bool,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: Cow<'a, str>, at_start: bool) -> Self {
        let whole = 0..text.len();
        let ranges = if text.is_empty() { Vec::new() } else { vec![whole] };
        Self { text, ranges, at_start }
    }

    /// Divides each piece; `divide` appends the parts of the piece it is given.
    fn divide(
        &mut self,
        mut divide: impl FnMut(&str, usize, &mut Vec<Range<usize>>) -> Result<()>,
    ) -> Result<()> {
        let begin = self.ranges.first().map_or(0, |range| range.start);
        let mut parts = Vec::with_capacity(self.ranges.len() + self.text.len() / 6);
        for range in &self.ranges {
            divide(&self.text[range.clone()], range.start, &mut parts)?;
        }
        parts.retain(|part: &Range<usize>| !part.is_empty());
        self.at_start &= parts.first().is_some_and(|part| part.start == begin);
        self.ranges = parts;
        Ok(())
    }

    /// Rewrites each piece; `rewrite` appends the new text of the piece it is given.
    fn rewrite(&mut self, mut rewrite: impl FnMut(&str, usize, &mut String)) {
        let mut out = String::with_capacity(self.text.len() * 5 / 4 + 8);
        for (i, range) in self.ranges.iter_mut().enumerate() {
            let from = out.len();
            rewrite(&self.text[range.clone()], i, &mut out);
            *range = from..out.len();
        }
        self.ranges.retain(|range| !range.is_empty());
        self.text = Cow::Owned(out);
    }
}

impl PreTokenizer {
    /// Applies the step.
    pub(crate) fn apply(&self, pieces: &mut Pieces<'_>) -> Result<()> {
        match self {
            Self::Split { pattern, what, invert } => pieces.divide(|text, base, out| {
                let mut parts = Divider::new(*what, base);
                let mut from = 0;
                let hit = *invert == Invert::No;
                pattern.each_match(text, |start, end| {
                    parts.push(from, start, !hit);
                    parts.push(start, end, hit);
                    from = end;
                })?;
                parts.push(from, text.len(), !hit);
                parts.finish(out);
                Ok(())
            }),
            Self::Chars { class, what } => pieces.divide(|text, base, out| {
                let mut parts = Divider::new(*what, base);
                let mut from = 0;
                for (start, c) in text.char_indices().filter(|(_, c)| class.holds(*c)) {
                    parts.push(from, start, false);
                    from = start + c.len_utf8();
                    parts.push(start, from, true);
                }
                parts.push(from, text.len(), false);
                parts.finish(out);
                Ok(())
            }),
            Self::Metaspace { mark, prefix, split } => {
                let at_start = pieces.at_start;
                pieces.rewrite(|text, i, out| {
                    let marked = text.starts_with(*mark) || text.starts_with(' ');
                    let wanted = match prefix {
                        MarkPrefix::Always => true,
                        MarkPrefix::First => i == 0 && at_start,
                        MarkPrefix::Never => false,
                    };
                    if wanted && !marked {
                        out.push(*mark);
                    }
                    out.extend(text.chars().map(|c| if c == ' ' { *mark } else { c }));
                });
                if !split {
                    return Ok(());
                }
                let class = CharClass::One(*mark);
                Self::Chars { class, what: Behavior::MergedWithNext }.apply(pieces)
            }
            Self::SpacePrefix => {
                pieces.rewrite(|text, _, out| {
                    if !text.starts_with(' ') {
                        out.push(' ');
                    }
                    out.push_str(text);
                });
                Ok(())
            }
            Self::ByteLevel => {
                pieces.rewrite(|text, _, out| out.extend(text.bytes().map(bytes::to_char)));
                Ok(())
            }
            Self::FixedLength(length) => pieces.divide(|text, base, out| {
                let mut starts = text.char_indices().map(|(at, _)| at).step_by((*length).max(1));
                let mut from = starts.next();
                while let Some(start) = from {
                    from = starts.next();
                    out.push(base + start..base + from.unwrap_or(text.len()));
                }
                Ok(())
            }),
        }
    }
}

impl CharClass {
    fn holds(self, c: char) -> bool {
        match self {
            Self::Punctuation => c.is_ascii_punctuation() || c.is_punctuation(),
            Self::Whitespace => c.is_whitespace(),
            Self::Numeric => c.is_numeric(),
            Self::One(one) => c == one,
        }
    }
}

/// Joins alternating stretches of text and delimiters as a [`Behavior`] says.
struct Divider {
    what: Behavior,
    base: usize,
    parts: Vec<(Range<usize>, bool)>,
}

impl Divider {
    fn new(what: Behavior, base: usize) -> Self {
        Self { what, base, parts: Vec::new() }
    }

    fn push(&mut self, start: usize, end: usize, delimiter: bool) {
        if start == end {
            return;
        }
        let range = self.base + start..self.base + end;
        let last = self.parts.last_mut();
        match (self.what, last) {
            (Behavior::Removed, _) if delimiter => self.parts.push((range, true)),
            (Behavior::MergedWithPrevious, Some((last, false))) if delimiter => {
                last.end = range.end;
                // the joined part counts as a delimiter: the next one starts its own
                if let Some((_, kind)) = self.parts.last_mut() {
                    *kind = true;
                }
            }
            (Behavior::MergedWithNext, Some((last, kind @ true))) if !delimiter => {
                last.end = range.end;
                *kind = false;
            }
            (Behavior::Contiguous, Some((last, kind))) if *kind == delimiter => {
                last.end = range.end;
            }
            _ => self.parts.push((range, delimiter)),
        }
    }

    fn finish(self, out: &mut Vec<Range<usize>>) {
        let removed = self.what == Behavior::Removed;
        out.extend(
            self.parts
                .into_iter()
                .filter(|(_, delimiter)| !(removed && *delimiter))
                .map(|(range, _)| range),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(step: &PreTokenizer, text: &str) -> Vec<String> {
        let mut pieces = Pieces::new(Cow::Borrowed(text), true);
        step.apply(&mut pieces).expect("in budget");
        pieces.ranges.iter().map(|range| pieces.text[range.clone()].to_owned()).collect()
    }

    #[test]
    fn delimiters_go_where_their_behavior_says() {
        let of = |what| PreTokenizer::Chars { class: CharClass::One('-'), what };
        let text = "the-final--countdown";
        assert_eq!(split(&of(Behavior::Removed), text), ["the", "final", "countdown"]);
        let isolated = ["the", "-", "final", "-", "-", "countdown"];
        assert_eq!(split(&of(Behavior::Isolated), text), isolated);
        let previous = ["the-", "final-", "-", "countdown"];
        assert_eq!(split(&of(Behavior::MergedWithPrevious), text), previous);
        let next = ["the", "-final", "-", "-countdown"];
        assert_eq!(split(&of(Behavior::MergedWithNext), text), next);
        let contiguous = ["the", "-", "final", "--", "countdown"];
        assert_eq!(split(&of(Behavior::Contiguous), text), contiguous);
    }

    #[test]
    fn a_mark_is_put_before_words() {
        let step = |prefix| PreTokenizer::Metaspace { mark: '▁', prefix, split: true };
        assert_eq!(split(&step(MarkPrefix::Always), "Hey my"), ["▁Hey", "▁my"]);
        assert_eq!(split(&step(MarkPrefix::Never), "Hey my"), ["Hey", "▁my"]);
        assert_eq!(split(&step(MarkPrefix::First), " Hey"), ["▁Hey"]);
    }
}
