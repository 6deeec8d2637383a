//! Strings that remember where each byte came from.
//!
//! A template mixes its own words, which may be control tokens, with words of users, tools and
//! documents, which may not. [`Text`] carries the byte ranges that came from outside through every
//! string operation, so the finished prompt says exactly which bytes the template wrote.

use std::ops::Range;
use std::rc::Rc;

use super::fault::Res;
use super::meter::{Charge, Meter};

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Written by the template or the model's own configuration.
    Template,
    /// Taken from messages, tools, documents or arguments.
    Outside,
}

/// Whether a text was declared fit for HTML (`|safe`, `|escape`): what it is joined with by `+` is
/// then escaped, as Python's `Markup` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markup {
    Plain,
    Safe,
}

/// Memory a text needs beside its bytes.
const OVERHEAD: usize = 96;

/// An immutable string with the ranges that came from outside.
#[derive(Clone)]
pub(super) struct Text(Rc<Inner>);

struct Inner {
    string: String,
    outside: Vec<Range<usize>>,
    markup: Markup,
    charge: Charge,
}

impl Text {
    pub(super) fn new(meter: &Rc<Meter>, string: &str, trust: Trust) -> Res<Self> {
        let mut builder = Builder::new(meter)?;
        builder.push_str(string, trust)?;
        Ok(builder.finish())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0.string
    }

    /// The ranges that came from outside, in order, not touching each other.
    pub(super) fn outside(&self) -> &[Range<usize>] {
        &self.0.outside
    }

    pub(super) fn meter(&self) -> &Rc<Meter> {
        self.0.charge.meter()
    }

    pub(super) fn markup(&self) -> Markup {
        self.0.markup
    }

    /// The same text, declared safe or plain.
    pub(super) fn declared(&self, markup: Markup) -> Res<Self> {
        if self.0.markup == markup {
            return Ok(self.clone());
        }
        let mut builder = Builder::new(self.meter())?;
        builder.push(self)?;
        Ok(builder.finish_as(markup))
    }

    /// The text with HTML's marks written out, and declared safe; as it is if it already was.
    pub(super) fn escaped(&self) -> Res<Self> {
        if self.0.markup == Markup::Safe {
            return Ok(self.clone());
        }
        let escaped = self.map_chars(|_, c, out| match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        })?;
        escaped.declared(Markup::Safe)
    }

    /// What `self` may be joined with: `other`, escaped where `self` is safe.
    pub(super) fn fitting(&self, other: &Self) -> Res<Self> {
        match self.0.markup {
            Markup::Safe => other.escaped(),
            Markup::Plain => Ok(other.clone()),
        }
    }

    /// The bytes of `range`, which lies on character boundaries.
    pub(super) fn slice(&self, range: Range<usize>) -> Res<Self> {
        if range.start == 0 && range.end == self.0.string.len() {
            return Ok(self.clone());
        }
        let mut builder = Builder::new(self.meter())?;
        builder.push_slice(self, range)?;
        Ok(builder.finish_as(self.0.markup))
    }

    /// The text without what `part` (a slice of it) leaves out at either end.
    pub(super) fn narrowed(&self, part: &str) -> Res<Self> {
        let start = part.as_ptr() as usize - self.as_str().as_ptr() as usize;
        self.slice(start..start + part.len())
    }

    /// Every character replaced by what `change` appends for it.
    pub(super) fn map_chars(&self, mut change: impl FnMut(usize, char, &mut String)) -> Res<Self> {
        let mut builder = Builder::new(self.meter())?;
        self.meter().spend(self.as_str().len() as u64 / 8)?;
        let mut buffer = String::new();
        let mut spans = Cursor::new(self.outside());
        for (at, c) in self.as_str().char_indices() {
            buffer.clear();
            change(at, c, &mut buffer);
            builder.push_str(&buffer, spans.trust(at))?;
        }
        Ok(builder.finish_as(self.0.markup))
    }
}

/// Answers whose a byte is, for positions asked in rising order.
pub(super) struct Cursor<'a> {
    spans: &'a [Range<usize>],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(spans: &'a [Range<usize>]) -> Self {
        Self { spans }
    }

    pub(super) fn trust(&mut self, at: usize) -> Trust {
        while let [first, rest @ ..] = self.spans {
            if first.end > at {
                return if first.start <= at { Trust::Outside } else { Trust::Template };
            }
            self.spans = rest;
        }
        Trust::Template
    }
}

/// Writes a [`Text`], charged as it grows.
pub(super) struct Builder {
    string: String,
    outside: Vec<Range<usize>>,
    charge: Charge,
    marks: Vec<Range<usize>>,
}

impl Builder {
    pub(super) fn new(meter: &Rc<Meter>) -> Res<Self> {
        let charge = meter.charge(OVERHEAD)?;
        Ok(Self { string: String::new(), outside: Vec::new(), charge, marks: Vec::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.string.len()
    }

    pub(super) fn push_str(&mut self, string: &str, trust: Trust) -> Res<()> {
        if string.is_empty() {
            return Ok(());
        }
        self.reserve(string.len())?;
        let start = self.string.len();
        self.string.push_str(string);
        if trust == Trust::Outside {
            self.mark(start..self.string.len())?;
        }
        Ok(())
    }

    pub(super) fn push_own(&mut self, string: &str) -> Res<()> {
        self.push_str(string, Trust::Template)
    }

    pub(super) fn push_char(&mut self, c: char, trust: Trust) -> Res<()> {
        self.push_str(c.encode_utf8(&mut [0; 4]), trust)
    }

    pub(super) fn push(&mut self, text: &Text) -> Res<()> {
        self.push_slice(text, 0..text.as_str().len())
    }

    pub(super) fn push_slice(&mut self, text: &Text, range: Range<usize>) -> Res<()> {
        let Some(string) = text.as_str().get(range.clone()) else {
            return Ok(());
        };
        self.reserve(string.len())?;
        let base = self.string.len();
        self.string.push_str(string);
        let first = text.outside().partition_point(|span| span.end <= range.start);
        for span in &text.outside()[first..] {
            if span.start >= range.end {
                break;
            }
            let start = base + span.start.max(range.start) - range.start;
            let end = base + span.end.min(range.end) - range.start;
            self.mark(start..end)?;
        }
        Ok(())
    }

    /// Remembers a range of what was written as the assistant's own words.
    pub(super) fn mark_generated(&mut self, range: Range<usize>) {
        self.marks.push(range);
    }

    pub(super) fn take_marks(&mut self) -> Vec<Range<usize>> {
        std::mem::take(&mut self.marks)
    }

    pub(super) fn finish(self) -> Text {
        self.finish_as(Markup::Plain)
    }

    pub(super) fn finish_as(self, markup: Markup) -> Text {
        let Self { mut string, outside, charge, .. } = self;
        string.shrink_to_fit();
        Text(Rc::new(Inner { string, outside, markup, charge }))
    }

    fn reserve(&mut self, more: usize) -> Res<()> {
        self.charge.meter().spend(1 + more as u64 / 64)?;
        // Twice, for growing a string keeps the old and the new buffer for a moment.
        self.charge.grow(more.saturating_mul(2))
    }

    fn mark(&mut self, range: Range<usize>) -> Res<()> {
        match self.outside.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => {
                self.charge.grow(2 * size_of::<Range<usize>>())?;
                self.outside.push(range);
            }
        }
        Ok(())
    }
}
