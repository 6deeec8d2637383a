//! Reasoning between an opening and a closing mark.

use super::{Block, Opened, Piece, Place, earliest, emit, unfinished};

/// White space around marks belongs to them up to this many bytes; more is the model's own.
const MOST_SPACE: usize = 64;

/// Splits by blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    block: &'static Block,
    state: State,
    /// Marks that end reasoning which is never closed.
    ends: Vec<&'static str>,
    /// What is not decided yet.
    held: String,
    /// How much of it was searched for a closing mark, where one of `ends` stands at its start.
    looked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space came yet.
    Start,
    /// Behind the opening mark, where white space belongs to it.
    Opened,
    Thinking,
    /// Behind the closing mark, likewise.
    Closed,
    Answering,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Comes,
    Never,
}

impl Blocks {
    pub(super) fn new(block: &'static Block, opened: Opened) -> Self {
        let state = if opened == Opened::ByPrompt { State::Opened } else { State::Start };
        Self { block, state, ends: Vec::new(), held: String::new(), looked: 0 }
    }

    pub(super) fn ended_by(&mut self, marks: Vec<&'static str>) {
        self.ends = marks;
    }

    pub(super) fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.held.push_str(text);
        while self.step(More::Comes, out) {}
    }

    pub(super) fn finish(mut self, out: &mut Vec<Piece>) {
        while self.step(More::Never, out) {}
    }

    fn take(&mut self, bytes: usize) -> String {
        let rest = self.held.split_off(bytes);
        std::mem::replace(&mut self.held, rest)
    }

    /// Decides about a stretch of what is held; false when it must wait or nothing is left.
    fn step(&mut self, more: More, out: &mut Vec<Piece>) -> bool {
        if self.held.is_empty() {
            return false;
        }
        match self.state {
            State::Start => self.start(more, out),
            State::Opened | State::Closed => {
                let space = self.held.len() - self.held.trim_ascii_start().len();
                let space = self.take(space);
                emit(out, Piece::Mark(space));
                if !self.held.is_empty() {
                    let thinking = self.state == State::Opened;
                    self.state = if thinking { State::Thinking } else { State::Answering };
                }
                !self.held.is_empty()
            }
            State::Thinking => self.thinking(more, out),
            State::Answering => self.answering(more, out),
        }
    }

    fn start(&mut self, more: More, out: &mut Vec<Piece>) -> bool {
        let word = self.held.trim_ascii_start();
        let space = self.held.len() - word.len();
        // A closing mark at the start closes what the prompt opened without our noticing.
        let close = self.block.close.iter().map(|mark| (*mark, State::Closed));
        let mut unsure = false;
        for (mark, next) in std::iter::once((self.block.open, State::Opened)).chain(close) {
            if space <= MOST_SPACE && word.starts_with(mark) {
                let mark = self.take(space + mark.len());
                emit(out, Piece::Mark(mark));
                self.state = next;
                return true;
            }
            unsure |= space <= MOST_SPACE && mark.starts_with(word);
        }
        if unsure && more == More::Comes {
            return false;
        }
        self.state = State::Answering;
        true
    }

    fn thinking(&mut self, more: More, out: &mut Vec<Piece>) -> bool {
        let close = || self.block.close.iter().copied();
        let mut from = self.looked.min(self.held.len());
        while !self.held.is_char_boundary(from) {
            from -= 1;
        }
        if let Some((at, mark)) = earliest(&self.held[from..], close()) {
            let at = from + at;
            self.looked = 0;
            let words = trimmed(&self.held[..at]);
            let reasoning = self.take(words);
            emit(out, Piece::Reasoning(reasoning));
            let mark = self.take(at - words + mark.len());
            emit(out, Piece::Mark(mark));
            self.state = State::Closed;
            return true;
        }
        let end = match from {
            0 => earliest(&self.held, self.ends.iter().copied()).map(|(at, _)| at),
            _ => Some(0),
        };
        let certain = match (end, more) {
            (Some(at), _) => trimmed(&self.held[..at]),
            (None, More::Comes) => {
                let marks = close().chain(self.ends.iter().copied());
                trimmed(&self.held[..self.held.len() - unfinished(&self.held, marks)])
            }
            (None, More::Never) => self.held.len(),
        };
        if end.is_some() {
            let longest = close().map(str::len).max().unwrap_or(0);
            self.looked = (self.held.len() - certain).saturating_sub(longest);
        }
        let reasoning = self.take(certain);
        emit(out, Piece::Reasoning(reasoning));
        if end.is_some() && more == More::Never {
            self.state = State::Closed;
            return true;
        }
        false
    }

    fn answering(&mut self, more: More, out: &mut Vec<Piece>) -> bool {
        let open = (self.block.place == Place::Anywhere).then_some(self.block.open);
        let marks = || self.block.frames.iter().copied().chain(open);
        if let Some((at, mark)) = earliest(&self.held, marks()) {
            // A longer mark may begin where a shorter one already stands.
            let longer = unfinished(&self.held, marks());
            if more == More::Comes && self.held.len() - longer <= at && longer > 0 {
                return false;
            }
            let answer = self.take(at);
            emit(out, Piece::Answer(answer));
            let text = self.take(mark.len());
            emit(out, Piece::Mark(text));
            if Some(mark) == open {
                self.state = State::Opened;
            }
            return true;
        }
        let held = match more {
            More::Comes => unfinished(&self.held, marks()),
            More::Never => 0,
        };
        let answer = self.take(self.held.len() - held);
        emit(out, Piece::Answer(answer));
        false
    }
}

/// The length without the white space at the end, of which at most [`MOST_SPACE`] bytes count.
fn trimmed(text: &str) -> usize {
    text.trim_ascii_end().len().max(text.len().saturating_sub(MOST_SPACE))
}
