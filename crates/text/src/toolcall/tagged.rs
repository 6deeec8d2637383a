//! A tag per parameter: `<function=f><parameter=a>1</parameter></function>` and its relatives.
//! The values are plain text; what they mean is decided by the tool's schema.

use serde_json::Value as Json;

use super::{Left, Sink, Step};
use crate::message::Tool;

/// The longest name of a tool or parameter with what stands around it.
const MOST_NAME: usize = 1024;

/// How such a call is written.
#[derive(Debug)]
pub(super) struct Spec {
    /// What opens a call, unless the block's own mark does.
    pub(super) call: &'static str,
    /// What ends the tool's name; the first is consumed, the others are looked at only.
    pub(super) name_end: &'static str,
    pub(super) name_stops: &'static [&'static str],
    /// What opens a parameter, ends its name, opens and closes its value.
    pub(super) parameter: &'static str,
    pub(super) key_end: &'static str,
    pub(super) value: &'static str,
    pub(super) value_close: &'static str,
    /// What closes the call, and the block around calls.
    pub(super) call_close: &'static str,
    pub(super) block_close: &'static [&'static str],
}

/// Reads such a block.
#[derive(Debug)]
pub(super) struct Tagged {
    spec: &'static Spec,
    state: State,
    name: String,
    index: Option<usize>,
    count: usize,
    calls: usize,
    /// How much of a value was searched for its end.
    looked: usize,
}

#[derive(Debug)]
enum State {
    Block,
    Name,
    Parameters,
    Key,
    Value { key: String, attributes: String },
}

impl Tagged {
    /// `mark` is what opened it: the block, or the first call itself.
    pub(super) fn new(spec: &'static Spec, mark: &str) -> Self {
        let named = spec.call.is_empty() || spec.call == mark;
        let state = if named { State::Name } else { State::Block };
        Self { spec, state, name: String::new(), index: None, count: 0, calls: 0, looked: 0 }
    }

    pub(super) fn open(&self) -> Option<usize> {
        self.index
    }

    pub(super) fn finish(self) -> Left {
        let over = matches!(self.state, State::Block) && self.calls > 0;
        if over { Left::Nothing } else { Left::Call(self.index) }
    }

    pub(super) fn step(&mut self, held: &str, last: bool, sink: &mut Sink<'_>) -> Step {
        match &self.state {
            State::Block => self.block(held, last),
            State::Name => self.name(held, sink),
            State::Parameters => self.parameters(held, sink),
            State::Key => self.key(held),
            State::Value { .. } => self.value(held, sink),
        }
    }

    fn block(&mut self, held: &str, last: bool) -> Step {
        let word = held.trim_start();
        let space = held.len() - word.len();
        if word.is_empty() && space > 0 {
            return Step::Took(space);
        }
        if word.starts_with(self.spec.call) {
            self.state = State::Name;
            return Step::Took(space + self.spec.call.len());
        }
        for mark in self.spec.block_close {
            if word.starts_with(mark) {
                return if self.calls == 0 {
                    Step::Bad("a block without a call".to_owned())
                } else {
                    Step::Done(space + mark.len())
                };
            }
        }
        let mut marks = self.spec.block_close.iter().chain([&self.spec.call]);
        if !last && marks.any(|mark| mark.starts_with(word)) {
            return Step::Wait;
        }
        if self.calls > 0 { Step::Done(0) } else { Step::Bad("no call where one opens".to_owned()) }
    }

    fn name(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let end = held.find(self.spec.name_end).map(|at| (at, at + self.spec.name_end.len()));
        let stops = self.spec.name_stops.iter().filter_map(|stop| held.find(stop));
        let Some((end, taken)) = end.into_iter().chain(stops.map(|at| (at, at))).min() else {
            return if held.len() > MOST_NAME {
                Step::Bad("a tool's name without an end".to_owned())
            } else {
                Step::Wait
            };
        };
        let name = held[..end].trim();
        let name = name.split_once('"').map_or(name, |(name, _)| name);
        let plain = |c: char| c.is_alphanumeric() || "_-.:/".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Step::Bad(format!("{name:.60?} is no tool's name"));
        }
        name.clone_into(&mut self.name);
        self.index = Some(sink.start(self.name.clone(), None));
        self.count = 0;
        self.state = State::Parameters;
        Step::Took(taken)
    }

    fn parameters(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let word = held.trim_start();
        let space = held.len() - word.len();
        if word.is_empty() && space > 0 {
            return Step::Took(space);
        }
        if word.starts_with(self.spec.parameter) {
            self.state = State::Key;
            return Step::Took(space + self.spec.parameter.len());
        }
        if word.starts_with(self.spec.call_close) {
            if let Some(index) = self.index.take() {
                sink.delta(index, if self.count == 0 { "{}" } else { "}" });
                sink.end(index, None);
            }
            self.calls += 1;
            if self.spec.call.is_empty() {
                return Step::Done(space + self.spec.call_close.len());
            }
            self.state = State::Block;
            return Step::Ended(space + self.spec.call_close.len());
        }
        if self.spec.parameter.starts_with(word) || self.spec.call_close.starts_with(word) {
            return Step::Wait;
        }
        Step::Bad("text between parameters".to_owned())
    }

    fn key(&mut self, held: &str) -> Step {
        let too_long = || {
            if held.len() > MOST_NAME {
                Step::Bad("a parameter's name without an end".to_owned())
            } else {
                Step::Wait
            }
        };
        let Some(end) = held.find(self.spec.key_end) else { return too_long() };
        let behind = end + self.spec.key_end.len();
        let Some(open) = held[behind..].find(self.spec.value) else { return too_long() };
        let key = held[..end].trim().to_owned();
        let attributes = held[behind..behind + open].to_owned();
        self.state = State::Value { key, attributes };
        Step::Took(behind + open + self.spec.value.len())
    }

    fn value(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        let State::Value { key, attributes } = &self.state else { return Step::Wait };
        let Some(index) = self.index else { return Step::Wait };
        let cdata = held.starts_with("<![CDATA[");
        let close = if cdata { "]]>" } else { self.spec.value_close };
        let mut from = self.looked.min(held.len());
        while !held.is_char_boundary(from) {
            from -= 1;
        }
        let Some(end) = held[from..].find(close).map(|at| from + at) else {
            self.looked = held.len().saturating_sub(close.len());
            return Step::Wait;
        };
        let end = if cdata {
            let Some(at) = held[end..].find(self.spec.value_close) else { return Step::Wait };
            end + at
        } else {
            end
        };
        self.looked = 0;
        let text = &held[..end];
        let text = text
            .strip_prefix("<![CDATA[")
            .and_then(|text| text.strip_suffix("]]>"))
            .unwrap_or(text);
        let schema = parameter(sink.tools, &self.name, key);
        let value = typed(text, schema, attributes);
        let before = if self.count == 0 { "{" } else { ", " };
        let delta = format!("{before}{}: {value}", Json::String(key.clone()));
        sink.delta(index, &delta);
        self.count += 1;
        self.state = State::Parameters;
        Step::Took(end + self.spec.value_close.len())
    }
}

/// The schema of a tool's parameter.
fn parameter<'t>(tools: &'t [Tool], tool: &str, key: &str) -> Option<&'t Json> {
    let tool = tools.iter().find(|have| have.name() == tool)?;
    tool.parameters()?.get("properties")?.get(key)
}

/// The types a schema allows by name; empty where it does not say.
fn types(schema: &Json, depth: usize) -> Vec<&str> {
    let mut out = Vec::new();
    match schema.get("type") {
        Some(Json::String(name)) => out.push(name.as_str()),
        Some(Json::Array(names)) => out.extend(names.iter().filter_map(Json::as_str)),
        _ => {}
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for inner in schema.get(key).and_then(Json::as_array).into_iter().flatten() {
            if depth < 8 {
                out.extend(types(inner, depth + 1));
            }
        }
    }
    let listed = schema.get("enum").and_then(Json::as_array);
    if out.is_empty() && listed.is_some_and(|values| values.iter().all(Json::is_string)) {
        out.push("string");
    }
    out
}

/// What a text means as a value of a schema.
fn typed(text: &str, schema: Option<&Json>, attributes: &str) -> Json {
    // Line breaks belong to the tags where they stand at both ends.
    let words = match text.strip_prefix('\n') {
        Some(words) => words.strip_suffix('\n').unwrap_or(words),
        None => text,
    };
    let string = || Json::String(words.to_owned());
    if attributes.contains("string=\"true\"") || attributes.contains("type=\"string\"") {
        return string();
    }
    let allowed = schema.map(|schema| types(schema, 0)).unwrap_or_default();
    if !allowed.is_empty() && allowed.iter().all(|name| *name == "string") {
        return string();
    }
    let Ok(value) = serde_json::from_str::<Json>(words.trim()) else {
        return match words.trim() {
            "True" => Json::Bool(true),
            "False" => Json::Bool(false),
            "None" => Json::Null,
            _ => string(),
        };
    };
    let fits = allowed.is_empty()
        || allowed.iter().any(|name| match &value {
            Json::Null => *name == "null",
            Json::Bool(_) => *name == "boolean",
            Json::Number(_) => matches!(*name, "number" | "integer"),
            Json::String(_) => *name == "string",
            Json::Array(_) => *name == "array",
            Json::Object(_) => *name == "object",
        });
    if fits || !allowed.contains(&"string") { value } else { string() }
}
