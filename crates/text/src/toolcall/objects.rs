//! Calls as JSON objects, alone or in a list: `{"name": "f", "arguments": {…}}` and its relatives.

use super::scan::{Reach, Scan, object};
use super::{Left, Sink, Step};

/// How the objects are written.
#[derive(Debug)]
pub(super) struct Spec {
    /// What closes the block, if anything does; several where families differ.
    pub(super) close: &'static [&'static str],
    pub(super) keys: Keys,
}

/// What the keys of an object mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// `name`, `arguments` and `id` by their usual names.
    Named,
    /// The only key is the tool's name, its value the arguments.
    ToolIsKey,
}

/// Reads such a block.
#[derive(Debug)]
pub(super) struct Objects {
    spec: &'static Spec,
    listed: Listed,
    state: State,
    call: Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Unknown,
    Alone,
    List,
    Over,
}

#[derive(Debug)]
enum State {
    /// Before an object, or behind the last.
    Between,
    /// Before a key or the end of the object.
    Key,
    Colon(String),
    Value {
        key: String,
        part: Part,
        scan: Scan,
        buffer: String,
        streamed: bool,
    },
    Comma,
}

/// What a key says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Name,
    Id,
    Arguments,
    Other,
}

impl Part {
    fn of(key: &str) -> Self {
        match key {
            "name" | "tool_name" | "function" => Part::Name,
            "id" | "tool_call_id" => Part::Id,
            "arguments" | "parameters" | "args" => Part::Arguments,
            _ => Part::Other,
        }
    }
}

#[derive(Debug, Default)]
struct Call {
    name: Option<String>,
    id: Option<String>,
    arguments: Option<String>,
    index: Option<usize>,
}

impl Objects {
    pub(super) fn new(spec: &'static Spec) -> Self {
        Self { spec, listed: Listed::Unknown, state: State::Between, call: Call::default() }
    }

    /// The call that has started and not ended.
    pub(super) fn open(&self) -> Option<usize> {
        self.call.index
    }

    /// The output ended: none where that is no fault, else the call left open.
    pub(super) fn finish(mut self, sink: &mut Sink<'_>) -> Left {
        if matches!(self.state, State::Between) && self.listed != Listed::Unknown {
            return Left::Nothing;
        }
        if self.call.name.is_some() && self.call.index.is_none() {
            self.start(sink);
        }
        Left::Call(self.call.index)
    }

    fn start(&mut self, sink: &mut Sink<'_>) -> usize {
        if let Some(index) = self.call.index {
            return index;
        }
        let name = self.call.name.clone().unwrap_or_default();
        let index = sink.start(name, self.call.id.clone());
        self.call.index = Some(index);
        index
    }

    pub(super) fn step(&mut self, held: &str, last: bool, sink: &mut Sink<'_>) -> Step {
        let word = held.trim_start();
        let space = held.len() - word.len();
        if let State::Value { .. } = self.state {
            return self.value(held, sink);
        }
        let Some(first) = word.chars().next() else {
            return if space > 0 { Step::Took(space) } else { Step::Wait };
        };
        match (&self.state, first) {
            (State::Between, _) => self.between(word, space, last),
            (State::Key | State::Comma, '}') => match self.end(sink) {
                Ok(()) => Step::Ended(space + 1),
                Err(reason) => Step::Bad(reason),
            },
            (State::Key, '"') => {
                let mut scan = Scan::default();
                match scan.feed(word) {
                    Reach::Ends(end) => match serde_json::from_str(&word[..end]) {
                        Ok(key) => {
                            self.state = State::Colon(key);
                            Step::Took(space + end)
                        }
                        Err(error) => Step::Bad(format!("a key is no JSON: {error}")),
                    },
                    Reach::All if word.len() > 4096 => {
                        Step::Bad("a key of more than 4096 bytes".to_owned())
                    }
                    Reach::All => Step::Wait,
                    Reach::Bad => Step::Bad("a key is no JSON".to_owned()),
                }
            }
            (State::Colon(key), ':') => {
                let key = key.clone();
                match self.opened(key) {
                    Ok(state) => self.state = state,
                    Err(reason) => return Step::Bad(reason),
                }
                Step::Took(space + 1)
            }
            (State::Comma, ',') => {
                self.state = State::Key;
                Step::Took(space + 1)
            }
            (_, found) => Step::Bad(format!("found {found:?} where JSON goes on")),
        }
    }

    fn between(&mut self, word: &str, space: usize, last: bool) -> Step {
        let close = self.spec.close;
        if let Some(mark) = close.iter().find(|mark| word.starts_with(**mark)) {
            return if self.listed == Listed::Unknown {
                Step::Bad("a block without a call".to_owned())
            } else {
                Step::Done(space + mark.len())
            };
        }
        if !last && close.iter().any(|mark| mark.starts_with(word)) {
            return Step::Wait;
        }
        let first = word.chars().next();
        match (self.listed, first) {
            (Listed::Unknown, Some('[')) => {
                self.listed = Listed::List;
                Step::Took(space + 1)
            }
            (Listed::Unknown | Listed::List, Some('{')) => {
                if self.listed == Listed::Unknown {
                    self.listed = Listed::Alone;
                }
                self.state = State::Key;
                Step::Took(space + 1)
            }
            (Listed::List, Some(']')) => {
                self.listed = Listed::Over;
                if close.is_empty() { Step::Done(space + 1) } else { Step::Took(space + 1) }
            }
            // One object after another, by newline or semicolon, as some models write them.
            (Listed::Alone, Some('{')) => {
                self.state = State::Key;
                Step::Took(space + 1)
            }
            (Listed::Alone, Some(';' | ',')) | (Listed::List, Some(',')) => Step::Took(space + 1),
            // The block ended without its mark: what follows is text.
            (Listed::Alone | Listed::Over, _) => Step::Done(0),
            (_, found) => Step::Bad(match found {
                Some(found) => format!("found {found:?}, expected a call"),
                None => "nothing where a call was expected".to_owned(),
            }),
        }
    }

    /// The value of a key begins. What is said twice is said of two calls, and of which is not known.
    fn opened(&mut self, key: String) -> Result<State, String> {
        let part = if self.spec.keys == Keys::ToolIsKey { Part::Arguments } else { Part::of(&key) };
        let said = match part {
            Part::Name => self.call.name.is_some(),
            Part::Id => self.call.id.is_some(),
            Part::Arguments => self.call.arguments.is_some(),
            Part::Other => false,
        };
        if said {
            return Err(format!("{key:?} comes second in one call"));
        }
        if self.spec.keys == Keys::ToolIsKey {
            self.call.name = Some(key.clone());
        }
        let streamed = part == Part::Arguments && self.call.name.is_some();
        Ok(State::Value { key, part, scan: Scan::default(), buffer: String::new(), streamed })
    }

    fn value(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let State::Value { key, part: means, mut scan, mut buffer, mut streamed } =
            std::mem::replace(&mut self.state, State::Comma)
        else {
            return Step::Wait;
        };
        let reach = scan.feed(held);
        let taken = match reach {
            Reach::All => held.len(),
            Reach::Ends(end) => end,
            Reach::Bad => return Step::Bad(format!("the value of {key:?} is no JSON")),
        };
        let first = buffer.is_empty();
        let part = if first { held[..taken].trim_start() } else { &held[..taken] };
        // Arguments written as a string of JSON are given out once they are whole.
        if first && part.starts_with('"') {
            streamed = false;
        }
        buffer.push_str(part);
        if streamed && !part.is_empty() {
            let index = self.start(sink);
            sink.delta(index, part);
        }
        if reach == Reach::All {
            self.state = State::Value { key, part: means, scan, buffer, streamed };
            return Step::Took(taken);
        }
        match self.settle(&key, means, buffer) {
            Ok(()) => Step::Took(taken),
            Err(reason) => Step::Bad(reason),
        }
    }

    /// Keeps a value that is complete.
    fn settle(&mut self, key: &str, part: Part, buffer: String) -> Result<(), String> {
        match part {
            Part::Name | Part::Id => {
                let value: serde_json::Value =
                    serde_json::from_str(&buffer).map_err(|e| format!("{key:?}: {e}"))?;
                let text = match value {
                    serde_json::Value::String(text) => text,
                    serde_json::Value::Number(number) if part == Part::Id => number.to_string(),
                    _ => return Err(format!("{key:?} is no text")),
                };
                if part == Part::Id {
                    self.call.id = Some(text);
                } else {
                    self.call.name = Some(text);
                }
            }
            Part::Arguments => {
                let inner = if buffer.starts_with('"') {
                    serde_json::from_str(&buffer).map_err(|e| format!("{key:?}: {e}"))?
                } else {
                    buffer
                };
                object(&inner)?;
                self.call.arguments = Some(inner);
            }
            Part::Other => {}
        }
        Ok(())
    }

    /// The object is complete.
    fn end(&mut self, sink: &mut Sink<'_>) -> Result<(), String> {
        if self.call.name.as_deref().unwrap_or_default().is_empty() {
            return Err("the call names no tool".to_owned());
        }
        let given = self.call.index.is_some();
        let index = self.start(sink);
        if !given {
            let arguments = self.call.arguments.clone().unwrap_or_else(|| "{}".to_owned());
            sink.delta(index, &arguments);
        }
        sink.end(index, self.call.id.take());
        self.call = Call::default();
        self.state = State::Between;
        Ok(())
    }
}
