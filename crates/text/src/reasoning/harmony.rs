//! gpt-oss' messages: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final…`.
//! Source: OpenAI, "Harmony response format".

use super::{Piece, earliest, emit, unfinished};

const MARKS: [&str; 7] = [
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|constrain|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
];

/// What a header begins with where the model names a recipient at once.
const RECIPIENT: &str = " to=";

/// The longest header kept back; more is no header.
const MOST_HEADER: usize = 1024;

/// Splits by channels.
#[derive(Debug, Default)]
pub(super) struct Harmony {
    state: State,
    /// The header so far, marks included.
    header: String,
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first mark: words here are an answer without a header.
    #[default]
    Outside,
    Header,
    Body(Channel),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Reasoning,
    Answer,
    Call,
}

impl Harmony {
    pub(super) fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.held.push_str(text);
        while let Some((at, mark)) = earliest(&self.held, MARKS.into_iter()) {
            let rest = self.held.split_off(at);
            let words = std::mem::replace(&mut self.held, rest);
            self.words(words, out);
            self.held.drain(..mark.len());
            self.mark(mark, out);
        }
        let open = unfinished(&self.held, MARKS.into_iter());
        let recipient = self.state == State::Outside && RECIPIENT.starts_with(self.held.as_str());
        if recipient && self.held.len() < RECIPIENT.len() {
            return;
        }
        let rest = self.held.split_off(self.held.len() - open);
        let words = std::mem::replace(&mut self.held, rest);
        self.words(words, out);
    }

    pub(super) fn finish(mut self, out: &mut Vec<Piece>) {
        let words = std::mem::take(&mut self.held);
        self.words(words, out);
        // A header whose message never came says nothing.
        emit(out, Piece::Mark(self.header));
    }

    fn words(&mut self, words: String, out: &mut Vec<Piece>) {
        // The prompt ends inside a header: a recipient may come first.
        if self.state == State::Outside && !words.is_empty() {
            let header = words.starts_with(RECIPIENT);
            self.state = if header { State::Header } else { State::Body(Channel::Answer) };
        }
        match self.state {
            State::Outside => {}
            State::Body(Channel::Reasoning) => emit(out, Piece::Reasoning(words)),
            State::Body(Channel::Answer) => emit(out, Piece::Answer(words)),
            State::Body(Channel::Call) => emit(out, Piece::Call(words)),
            State::Header => {
                // What goes past the longest header is an answer, cut at the same byte always.
                let mut room = MOST_HEADER.saturating_sub(self.header.len()).min(words.len());
                while !words.is_char_boundary(room) {
                    room -= 1;
                }
                let (header, rest) = words.split_at(room);
                self.header.push_str(header);
                if !rest.is_empty() {
                    emit(out, Piece::Mark(std::mem::take(&mut self.header)));
                    self.state = State::Body(Channel::Answer);
                    emit(out, Piece::Answer(rest.to_owned()));
                }
            }
        }
    }

    fn mark(&mut self, mark: &str, out: &mut Vec<Piece>) {
        match mark {
            "<|message|>" if self.state == State::Header => {
                self.header.push_str(mark);
                let header = std::mem::take(&mut self.header);
                let channel = channel(&header);
                self.state = State::Body(channel);
                emit(
                    out,
                    if channel == Channel::Call {
                        Piece::Call(header)
                    } else {
                        Piece::Mark(header)
                    },
                );
            }
            "<|start|>" | "<|channel|>" | "<|constrain|>" => {
                if self.state != State::Header {
                    self.state = State::Header;
                }
                self.header.push_str(mark);
            }
            _ => {
                let call = self.state == State::Body(Channel::Call);
                emit(out, Piece::Mark(std::mem::take(&mut self.header)));
                emit(
                    out,
                    if call { Piece::Call(mark.to_owned()) } else { Piece::Mark(mark.to_owned()) },
                );
                self.state = match mark {
                    "<|message|>" => State::Body(Channel::Answer),
                    _ => State::Header,
                };
            }
        }
    }
}

fn channel(header: &str) -> Channel {
    if let Some((_, recipient)) = header.split_once(RECIPIENT)
        && !["assistant", "user"].iter().any(|name| recipient.starts_with(name))
    {
        return Channel::Call;
    }
    match header.rsplit("<|channel|>").next() {
        Some(name) if header.contains("<|channel|>") && name.starts_with("analysis") => {
            Channel::Reasoning
        }
        _ => Channel::Answer,
    }
}
