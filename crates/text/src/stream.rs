//! Text as it is generated: ids in, finished text out, and stop strings caught on the way.

mod stop;

pub use stop::{StopMatch, StopStrings};

use crate::tokenizer::{Place, Specials, Tokenizer, Utf8Stream};

/// Where the ids of a stream begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStart {
    /// At the beginning of a text: what a tokenizer puts there when encoding is taken off again.
    Beginning,
    /// In the middle of a text: a space that begins the first word belongs to it.
    Continuation,
}

/// Turns ids into text one by one.
///
/// What comes out never ends inside a code point, and all of it together with what
/// [`Detokenizer::finish`] gives is what [`Tokenizer::decode`] gives for all the ids (from
/// [`StreamStart::Beginning`]).
#[derive(Debug)]
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    specials: Specials,
    place: Place,
    /// Characters still to be taken off the beginning.
    strip: usize,
    utf8: Utf8Stream,
    bytes: Vec<u8>,
    /// The ids so far, for the rare decoder that needs to see all of them.
    held: Option<Vec<u32>>,
}

impl<'a> Detokenizer<'a> {
    /// A stream with no ids yet.
    pub fn new(tokenizer: &'a Tokenizer, specials: Specials, start: StreamStart) -> Self {
        let beginning = start == StreamStart::Beginning;
        let strip = tokenizer.decoder().strip_start.map_or(0, |(_, count)| count);
        Self {
            tokenizer,
            specials,
            place: if beginning { Place::First } else { Place::Later },
            strip: if beginning { strip } else { 0 },
            utf8: Utf8Stream::default(),
            bytes: Vec::new(),
            held: (!tokenizer.decoder().streams()).then(Vec::new),
        }
    }

    /// Takes an id in and gives out the text that is finished by it, possibly none.
    pub fn push(&mut self, id: u32) -> String {
        if let Some(held) = &mut self.held {
            held.push(id);
            return String::new();
        }
        self.bytes.clear();
        let mut text = String::new();
        if self.tokenizer.decode_token(id, self.specials, &mut self.place, &mut self.bytes) {
            self.utf8.push(&self.bytes, &mut text);
        }
        self.stripped(text)
    }

    /// Ends the stream: what was held back, with U+FFFD for an unfinished code point.
    pub fn finish(mut self) -> String {
        if let Some(held) = self.held {
            return self.tokenizer.decode(&held, self.specials);
        }
        let mut text = String::new();
        self.utf8.finish(&mut text);
        self.stripped(text)
    }

    fn stripped(&mut self, mut text: String) -> String {
        let Some((of, _)) = self.tokenizer.decoder().strip_start else { return text };
        while self.strip > 0 && !text.is_empty() {
            if text.starts_with(of) {
                text.remove(0);
                self.strip -= 1;
            } else {
                self.strip = 0;
            }
        }
        text
    }
}
