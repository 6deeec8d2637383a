//! Tool calls read from what a model writes, as it streams.
//!
//! Every family has a notation of its own; [`FORMATS`] is the table of them, and the notations come
//! in four kinds, each in a file: JSON objects ([`objects`]), a name before JSON arguments
//! ([`named`]), tags per parameter ([`tagged`]), and Python calls ([`pythonic`]). A call opens as
//! soon as its name is sure and its arguments follow in deltas; what opens like a call and is none
//! is reported with its text, never dropped and never passed on as a call.

mod formats;
mod named;
mod objects;
mod pythonic;
mod scan;
mod tagged;

use crate::message::Tool;
use crate::reasoning::{Piece, Splitter, earliest, unfinished};
use formats::Kind;
pub use formats::{FORMATS, ToolFormat};

/// The longest call accepted, in bytes.
pub const MAX_CALL_BYTES: usize = 1 << 20;

/// What a model's output consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What the model thought.
    Reasoning(String),
    /// What it says.
    Text(String),
    /// A call opens.
    CallStart {
        /// Its place among the calls of this output, from 0.
        index: usize,
        /// The tool's name.
        name: String,
        /// The id the model gave it, where the notation puts it first.
        id: Option<String>,
    },
    /// More of the arguments: joined, they are a JSON object.
    CallArguments {
        /// Which call.
        index: usize,
        /// The next stretch of JSON.
        delta: String,
    },
    /// A call is complete and its arguments are a JSON object.
    CallEnd {
        /// Which call.
        index: usize,
        /// The id the model gave it, if any.
        id: Option<String>,
    },
    /// What opened like a call and was none. Where a call of that index had started, it is void.
    Malformed {
        /// The call that had started, if one had.
        index: Option<usize>,
        /// The text as the model wrote it.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads text and calls from the answer part of an output.
#[derive(Debug)]
pub struct CallParser {
    format: &'static ToolFormat,
    tools: Vec<Tool>,
    body: Option<Body>,
    /// A call that went wrong, and what is known of it: it lasts to the next mark.
    broken: Option<Broken>,
    held: String,
    /// The text of the call being read.
    raw: String,
    next: usize,
    /// Whether any text was given out: some notations stand only at the start.
    said: Said,
}

#[derive(Debug)]
struct Broken {
    index: Option<usize>,
    reason: String,
    /// How much of it was searched for the next mark.
    looked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Text,
    Call,
}

#[derive(Debug)]
enum Body {
    Objects(objects::Objects),
    Named(named::Named),
    Tagged(tagged::Tagged),
    Pythonic(pythonic::Pythonic),
}

/// What a body was doing when the output ended.
enum Left {
    /// Nothing is missing.
    Nothing,
    /// A call is incomplete, with its index where it had started.
    Call(Option<usize>),
}

/// What a body made of the text it was shown.
enum Step {
    /// It took so many bytes and can go on.
    Took(usize),
    /// It needs more text.
    Wait,
    /// It took so many bytes, and a call ended with them.
    Ended(usize),
    /// It took so many bytes and is over.
    Done(usize),
    /// It is no call.
    Bad(String),
}

/// Where a body puts its events, and what it may look up.
struct Sink<'a> {
    out: &'a mut Vec<Event>,
    tools: &'a [Tool],
    next: &'a mut usize,
}

impl Sink<'_> {
    fn start(&mut self, name: String, id: Option<String>) -> usize {
        let index = *self.next;
        *self.next += 1;
        self.out.push(Event::CallStart { index, name, id });
        index
    }

    fn delta(&mut self, index: usize, delta: &str) {
        add(self.out, Event::CallArguments { index, delta: delta.to_owned() });
    }

    fn end(&mut self, index: usize, id: Option<String>) {
        self.out.push(Event::CallEnd { index, id });
    }
}

/// Appends an event, joined to the last where both are of a kind.
fn add(out: &mut Vec<Event>, event: Event) {
    match (out.last_mut(), event) {
        (_, Event::Text(more) | Event::Reasoning(more)) if more.is_empty() => {}
        (_, Event::CallArguments { delta, .. }) if delta.is_empty() => {}
        (Some(Event::Text(last)), Event::Text(more))
        | (Some(Event::Reasoning(last)), Event::Reasoning(more)) => last.push_str(&more),
        (
            Some(Event::CallArguments { index: last, delta }),
            Event::CallArguments { index, delta: more },
        ) if *last == index => delta.push_str(&more),
        (_, event) => out.push(event),
    }
}

/// White space before a call is not text; more of it than this many bytes is.
const MOST_SPACE: usize = 64;

/// The text less the white space at its end.
fn less_space(text: &str) -> &str {
    let space = text.len() - text.trim_end().len();
    &text[..text.floor_char_boundary(text.len() - space.min(MOST_SPACE))]
}

impl CallParser {
    /// A parser for one answer. `tools` are those declared: types of arguments come from them, and
    /// notations without marks of their own count as calls only for their names.
    pub fn new(format: &'static ToolFormat, tools: &[Tool]) -> Self {
        Self {
            format,
            tools: tools.to_vec(),
            body: None,
            broken: None,
            held: String::new(),
            raw: String::new(),
            next: 0,
            said: Said::Nothing,
        }
    }

    /// Takes more text; returns what is certain by now.
    pub fn push(&mut self, text: &str) -> Vec<Event> {
        let mut out = Vec::new();
        self.held.push_str(text);
        while self.step(false, &mut out) {}
        out
    }

    /// The output is over.
    pub fn finish(mut self) -> Vec<Event> {
        let mut out = Vec::new();
        while self.step(true, &mut out) {}
        if let Some(body) = self.body.take() {
            self.raw.push_str(&self.held);
            let sink = &mut Sink { out: &mut out, tools: &self.tools, next: &mut self.next };
            let open = match body {
                Body::Objects(body) => body.finish(sink),
                Body::Named(body) => body.finish(),
                Body::Tagged(body) => body.finish(),
                Body::Pythonic(body) => body.finish(),
            };
            if let Left::Call(index) = open {
                let reason = "the output ends inside a call".to_owned();
                add(&mut out, Event::Malformed { index, text: self.raw, reason });
            }
        } else {
            let rest = std::mem::take(&mut self.held);
            let kept = if self.said == Said::Call { rest.trim_end() } else { &rest };
            add(&mut out, Event::Text(kept.to_owned()));
        }
        out
    }

    fn take(&mut self, bytes: usize) -> String {
        let rest = self.held.split_off(bytes);
        std::mem::replace(&mut self.held, rest)
    }

    fn step(&mut self, last: bool, out: &mut Vec<Event>) -> bool {
        if self.held.is_empty() {
            return false;
        }
        if self.broken.is_some() {
            return self.skip_broken(last, out);
        }
        if self.body.is_none() {
            return self.outside(last, out);
        }
        let mut sink = Sink { out, tools: &self.tools, next: &mut self.next };
        let held = &self.held;
        let step = match &mut self.body {
            Some(Body::Objects(body)) => body.step(held, last, &mut sink),
            Some(Body::Named(body)) => body.step(held, last, &mut sink),
            Some(Body::Tagged(body)) => body.step(held, last, &mut sink),
            Some(Body::Pythonic(body)) => body.step(held, last, &mut sink),
            None => Step::Wait,
        };
        match step {
            Step::Wait if self.raw.len() + self.held.len() > MAX_CALL_BYTES => {
                self.malformed(format!("a call of more than {MAX_CALL_BYTES} bytes"));
                true
            }
            Step::Wait => false,
            Step::Took(bytes) => {
                let taken = self.take(bytes);
                self.raw.push_str(&taken);
                if self.raw.len() > MAX_CALL_BYTES {
                    self.malformed(format!("a call of more than {MAX_CALL_BYTES} bytes"));
                }
                true
            }
            Step::Ended(bytes) => {
                self.take(bytes);
                self.raw.clear();
                true
            }
            Step::Done(bytes) => {
                self.take(bytes);
                self.raw.clear();
                self.body = None;
                self.said = Said::Call;
                true
            }
            Step::Bad(reason) => {
                self.malformed(reason);
                true
            }
        }
    }

    /// Gives up on the call being read.
    fn malformed(&mut self, reason: String) {
        let index = match self.body.take() {
            Some(Body::Objects(body)) => body.open(),
            Some(Body::Named(body)) => body.open(),
            Some(Body::Tagged(body)) => body.open(),
            _ => None,
        };
        self.held.insert_str(0, &std::mem::take(&mut self.raw));
        // Its own mark, at its start, is not the next one.
        self.broken = Some(Broken { index, reason, looked: 1 });
    }

    /// What follows a broken call belongs to it, up to the next mark that opens one.
    fn skip_broken(&mut self, last: bool, out: &mut Vec<Event>) -> bool {
        let Some(broken) = &mut self.broken else { return false };
        let mut from = broken.looked.min(self.held.len());
        while !self.held.is_char_boundary(from) {
            from += 1;
        }
        let opens = self.format.opens;
        let next = earliest(&self.held[from..], opens.iter().copied()).map(|(at, _)| from + at);
        if next.is_none() && !last {
            let longest = opens.iter().map(|mark| mark.len()).max().unwrap_or(0);
            broken.looked = broken.looked.max(self.held.len().saturating_sub(longest)).max(1);
            return false;
        }
        let text = self.take(next.unwrap_or(self.held.len()));
        if let Some(Broken { index, reason, .. }) = self.broken.take() {
            add(out, Event::Malformed { index, text, reason });
        }
        self.said = Said::Call;
        true
    }

    /// Outside of calls: text up to a mark that opens one.
    fn outside(&mut self, last: bool, out: &mut Vec<Event>) -> bool {
        if self.said != Said::Text {
            self.excess_space(out);
            if let Some(decided) = self.bare(last) {
                return decided;
            }
        }
        let format = self.format;
        let marks = || format.opens.iter().chain(format.frames).copied();
        if let Some((at, mark)) = earliest(&self.held, marks()) {
            let longer = unfinished(&self.held, marks());
            if !last && longer > 0 && self.held.len() - longer <= at {
                return false;
            }
            let text = self.take(at);
            self.text(less_space(&text), out);
            let mark_text = self.take(mark.len());
            if format.opens.contains(&mark) {
                self.body = Some(self.open(&mark_text));
                self.raw = mark_text;
            }
            return true;
        }
        let cut = if last {
            self.held.len()
        } else {
            let open = unfinished(&self.held, marks());
            less_space(&self.held[..self.held.len() - open]).len()
        };
        let text = self.take(cut);
        let kept = if last && self.said == Said::Call { text.trim_end() } else { &text };
        self.text(kept, out);
        false
    }

    fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        let text = if self.said == Said::Call { text.trim_start() } else { text };
        if !text.is_empty() {
            if !text.trim().is_empty() {
                self.said = Said::Text;
            }
            add(out, Event::Text(text.to_owned()));
        }
    }

    /// Lets go of white space before an answer's first word that is more than a call may have.
    fn excess_space(&mut self, out: &mut Vec<Event>) {
        let space = self.held.len() - self.held.trim_start().len();
        if space > MOST_SPACE {
            let excess = self.take(self.held.floor_char_boundary(space - MOST_SPACE));
            self.text(&excess, out);
        }
    }

    /// A call without an opening mark, at the start of an answer; none when it cannot be one.
    fn bare(&mut self, last: bool) -> Option<bool> {
        let word = self.held.trim_start();
        let space = self.held.len() - word.len();
        if !self.format.bare(word, &self.tools, last)? {
            return Some(false);
        }
        self.raw = self.take(space);
        self.body = Some(self.open(""));
        Some(true)
    }

    fn open(&self, mark: &str) -> Body {
        match &self.format.kind {
            Kind::Objects(spec) => Body::Objects(objects::Objects::new(spec)),
            Kind::Named(spec) => Body::Named(named::Named::new(spec)),
            Kind::Tagged(spec) => Body::Tagged(tagged::Tagged::new(spec, mark)),
            Kind::Pythonic(spec) => Body::Pythonic(pythonic::Pythonic::new(spec)),
        }
    }
}

/// Reads a model's whole output: reasoning, text and calls.
#[derive(Debug)]
pub struct OutputParser {
    splitter: Splitter,
    calls: Option<CallParser>,
    harmony: Option<CallParser>,
    /// A call nobody can take, so far.
    stray: String,
}

impl OutputParser {
    /// `calls` is absent where no tools are given: then nothing is a call.
    pub fn new(splitter: Splitter, calls: Option<CallParser>) -> Self {
        let (harmony, calls) = match calls {
            Some(parser) if parser.format.name == "harmony" => (Some(parser), None),
            other => (None, other),
        };
        Self { splitter, calls, harmony, stray: String::new() }
    }

    /// Takes more of the output.
    pub fn push(&mut self, text: &str) -> Vec<Event> {
        let mut out = Vec::new();
        for piece in self.splitter.push(text) {
            self.piece(piece, &mut out);
        }
        out
    }

    /// The output is over.
    pub fn finish(mut self) -> Vec<Event> {
        let mut out = Vec::new();
        let splitter = std::mem::replace(&mut self.splitter, Splitter::plain());
        for piece in splitter.finish() {
            self.piece(piece, &mut out);
        }
        self.flush(&mut out);
        if let Some(calls) = self.calls.take() {
            calls.finish().into_iter().for_each(|event| add(&mut out, event));
        }
        if let Some(calls) = self.harmony.take() {
            self.aside(calls.finish(), &mut out);
            self.flush(&mut out);
        }
        out
    }

    fn piece(&mut self, piece: Piece, out: &mut Vec<Event>) {
        if matches!(piece, Piece::Reasoning(_) | Piece::Answer(_)) {
            self.flush(out);
        }
        match piece {
            Piece::Reasoning(text) => add(out, Event::Reasoning(text)),
            Piece::Answer(text) => match &mut self.calls {
                Some(calls) => calls.push(&text).into_iter().for_each(|event| add(out, event)),
                None => add(out, Event::Text(text)),
            },
            Piece::Call(text) => match &mut self.harmony {
                Some(calls) => {
                    let events = calls.push(&text);
                    self.aside(events, out);
                }
                None => self.stray.push_str(&text),
            },
            Piece::Mark(_) => {}
        }
    }

    /// Events of a channel for calls: what is text there was meant for a tool nobody declared.
    fn aside(&mut self, events: Vec<Event>, out: &mut Vec<Event>) {
        for event in events {
            match event {
                Event::Text(text) => self.stray.push_str(&text),
                event => add(out, event),
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        let text = std::mem::take(&mut self.stray);
        if !text.trim().is_empty() {
            let reason = "a call to something that is no declared function".to_owned();
            add(out, Event::Malformed { index: None, text, reason });
        }
    }
}
