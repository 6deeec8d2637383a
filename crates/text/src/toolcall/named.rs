//! A name, a mark, and JSON arguments: `[TOOL_CALLS]f[ARGS]{…}` and its relatives.

use super::scan::{Reach, Scan, object};
use super::{Left, Sink, Step};

/// The longest head (name, id and marks before the arguments).
const MOST_HEAD: usize = 1024;

/// How such a call is written, behind the mark that opens it.
#[derive(Debug)]
pub(super) struct Spec {
    /// What stands right before the arguments.
    pub(super) arguments: &'static str,
    /// What may stand before the name.
    pub(super) before: &'static str,
    /// What ends the name; the head's end otherwise.
    pub(super) name_ends: &'static [&'static str],
    pub(super) id: Id,
    /// What may follow the arguments and belongs to the call.
    pub(super) close: &'static [&'static str],
}

/// Where a call's id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    None,
    /// Behind this mark in the head.
    Behind(&'static str),
    /// The head itself is the id, the name lies within.
    Head,
}

/// Reads such a call.
#[derive(Debug)]
pub(super) struct Named {
    spec: &'static Spec,
    index: Option<usize>,
    id: Option<String>,
    scan: Scan,
    arguments: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Arguments,
    Tail,
}

impl Named {
    pub(super) fn new(spec: &'static Spec) -> Self {
        Self {
            spec,
            index: None,
            id: None,
            scan: Scan::default(),
            arguments: String::new(),
            state: State::Head,
        }
    }

    pub(super) fn open(&self) -> Option<usize> {
        self.index
    }

    pub(super) fn finish(self) -> Left {
        if self.state == State::Tail { Left::Nothing } else { Left::Call(self.index) }
    }

    pub(super) fn step(&mut self, held: &str, last: bool, sink: &mut Sink<'_>) -> Step {
        match self.state {
            State::Head => self.head(held, sink),
            State::Arguments => self.arguments(held, sink),
            State::Tail => {
                let word = held.trim_start();
                let space = held.len() - word.len();
                if word.is_empty() && space > 0 {
                    return Step::Took(space);
                }
                let close = self.spec.close;
                if let Some(mark) = close.iter().find(|mark| word.starts_with(**mark)) {
                    return Step::Took(space + mark.len());
                }
                if !last && close.iter().any(|mark| mark.starts_with(word)) {
                    return Step::Wait;
                }
                Step::Done(0)
            }
        }
    }

    fn head(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let Some(at) = held.find(self.spec.arguments) else {
            return if held.len() > MOST_HEAD {
                Step::Bad(format!("no {:?} behind a call's name", self.spec.arguments))
            } else {
                Step::Wait
            };
        };
        let head = &held[..at];
        let before = Some(self.spec.before).filter(|before| !before.is_empty());
        let mut name = match before.and_then(|before| head.rfind(before)) {
            Some(at) => &head[at + self.spec.before.len()..],
            None => head,
        };
        self.id = match self.spec.id {
            Id::None => None,
            Id::Behind(mark) => head.split_once(mark).map(|(_, id)| id.trim().to_owned()),
            Id::Head => Some(head.trim().to_owned()),
        };
        let ends = self.spec.name_ends.iter().filter_map(|end| name.find(end)).min();
        if let Some(end) = ends {
            name = &name[..end];
        }
        let name = name.trim();
        let plain = |c: char| c.is_alphanumeric() || "_-.:/".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Step::Bad(format!("{name:.60?} is no tool's name"));
        }
        self.index = Some(sink.start(name.to_owned(), self.id.clone()));
        self.state = State::Arguments;
        // A mark that is the start of the arguments themselves stays.
        let mark = if self.spec.arguments == "{" { 0 } else { self.spec.arguments.len() };
        Step::Took(at + mark)
    }

    fn arguments(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let Some(index) = self.index else { return Step::Wait };
        // A fence around the arguments is not part of them.
        let word = held.trim_start();
        let space = held.len() - word.len();
        if self.scan.is_before() {
            if word.is_empty() && space > 0 {
                return Step::Took(space);
            }
            if word.starts_with("```json") {
                return Step::Took(space + 7);
            }
            if "```json".starts_with(word) {
                return Step::Wait;
            }
        }
        let reach = self.scan.feed(held);
        let taken = match reach {
            Reach::All => held.len(),
            Reach::Ends(end) => end,
            Reach::Bad => return Step::Bad("the arguments are no JSON".to_owned()),
        };
        let part =
            if self.arguments.is_empty() { held[..taken].trim_start() } else { &held[..taken] };
        self.arguments.push_str(part);
        sink.delta(index, part);
        if let Reach::Ends(_) = reach {
            if let Err(reason) = object(&self.arguments) {
                return Step::Bad(reason);
            }
            sink.end(index, self.id.take());
            self.index = None;
            self.state = State::Tail;
            return Step::Ended(taken);
        }
        Step::Took(taken)
    }
}
