//! Calls as a list in Python: `[f(a=1, b="x"), g()]`.

use serde_json::{Map, Number, Value as Json};

use super::{Left, Sink, Step};

/// Deepest nesting of values.
const MAX_DEPTH: usize = 64;

/// How such a list ends.
#[derive(Debug)]
pub(super) struct Spec {
    /// What may follow the list and belongs to it.
    pub(super) close: &'static [&'static str],
}

/// Reads such a list, call by call.
#[derive(Debug)]
pub(super) struct Pythonic {
    spec: &'static Spec,
    state: State,
    /// How far a call was looked through, and what that showed.
    looked: Looked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Calls,
    Tail,
}

#[derive(Debug, Default)]
struct Looked {
    at: usize,
    depth: usize,
    quote: Option<u8>,
    escaped: bool,
}

impl Pythonic {
    pub(super) fn new(spec: &'static Spec) -> Self {
        Self { spec, state: State::Before, looked: Looked::default() }
    }

    pub(super) fn finish(self) -> Left {
        if self.state == State::Tail { Left::Nothing } else { Left::Call(None) }
    }

    pub(super) fn step(&mut self, held: &str, last: bool, sink: &mut Sink<'_>) -> Step {
        match self.state {
            State::Before => {
                let word = held.trim_start();
                let space = held.len() - word.len();
                if word.is_empty() && space > 0 {
                    return Step::Took(space);
                }
                if !word.starts_with('[') {
                    return Step::Bad("no list of calls".to_owned());
                }
                self.state = State::Calls;
                Step::Took(space + 1)
            }
            State::Calls => self.call(held, sink),
            State::Tail => {
                let word = held.trim_start();
                let space = held.len() - word.len();
                if word.is_empty() && space > 0 {
                    return Step::Took(space);
                }
                if let Some(mark) = self.spec.close.iter().find(|m| word.starts_with(**m)) {
                    return Step::Done(space + mark.len());
                }
                if !last && self.spec.close.iter().any(|mark| mark.starts_with(word)) {
                    return Step::Wait;
                }
                Step::Done(0)
            }
        }
    }

    fn call(&mut self, held: &str, sink: &mut Sink<'_>) -> Step {
        if self.looked.at == 0 {
            let word = held.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            let space = held.len() - word.len();
            if word.starts_with(']') {
                self.state = State::Tail;
                let step = Step::Took(space + 1);
                return if self.spec.close.is_empty() { Step::Done(space + 1) } else { step };
            }
            if space > 0 {
                return Step::Took(space);
            }
        }
        let Some(end) = self.end(held) else { return Step::Wait };
        self.looked = Looked::default();
        match read(&held[..end]) {
            Ok((name, arguments)) => {
                let index = sink.start(name, None);
                sink.delta(index, &Json::Object(arguments).to_string());
                sink.end(index, None);
                Step::Ended(end)
            }
            Err(reason) => Step::Bad(reason),
        }
    }

    /// Where the call at the start of `held` ends; looks at every byte once.
    fn end(&mut self, held: &str) -> Option<usize> {
        let looked = &mut self.looked;
        for (at, byte) in held.bytes().enumerate().skip(looked.at) {
            looked.at = at + 1;
            if let Some(quote) = looked.quote {
                if looked.escaped {
                    looked.escaped = false;
                } else if byte == b'\\' {
                    looked.escaped = true;
                } else if byte == quote {
                    looked.quote = None;
                }
                continue;
            }
            match byte {
                b'"' | b'\'' => looked.quote = Some(byte),
                b'(' | b'[' | b'{' => looked.depth += 1,
                b')' | b']' | b'}' => {
                    looked.depth = looked.depth.saturating_sub(1);
                    if looked.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn read(call: &str) -> Result<(String, Map<String, Json>), String> {
    let Some((name, rest)) = call.split_once('(') else {
        return Err(format!("{call:.60?} is no call"));
    };
    let plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("{name:.60?} is no tool's name"));
    }
    let mut reader = Reader { rest };
    let mut arguments = Map::new();
    loop {
        reader.space();
        if reader.skip(")") {
            return Ok((name.to_owned(), arguments));
        }
        let Some((key, rest)) = reader.rest.split_once('=') else {
            return Err("an argument without a name".to_owned());
        };
        let key = key.trim().to_owned();
        if key.is_empty() || !key.chars().all(plain) {
            return Err(format!("{key:.60?} is no argument's name"));
        }
        reader.rest = rest;
        arguments.insert(key, reader.value(0)?);
        reader.space();
        if !reader.skip(",") && !reader.rest.starts_with(')') {
            return Err("arguments without a comma between them".to_owned());
        }
    }
}

/// Reads Python's literals.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > MAX_DEPTH {
            return Err("values nested too deep".to_owned());
        }
        self.space();
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Json::String),
            Some('[' | '(') => {
                let close = if self.skip("[") { "]" } else { ")" };
                self.rest = self.rest.strip_prefix('(').unwrap_or(self.rest);
                let mut items = Vec::new();
                loop {
                    self.space();
                    if self.skip(close) {
                        return Ok(Json::Array(items));
                    }
                    items.push(self.value(depth + 1)?);
                    self.space();
                    if !self.skip(",") && !self.rest.starts_with(close) {
                        return Err("a list without commas".to_owned());
                    }
                }
            }
            Some('{') => {
                self.skip("{");
                let mut map = Map::new();
                loop {
                    self.space();
                    if self.skip("}") {
                        return Ok(Json::Object(map));
                    }
                    let Json::String(key) = self.value(depth + 1)? else {
                        return Err("a key that is no text".to_owned());
                    };
                    self.space();
                    if !self.skip(":") {
                        return Err("a key without a value".to_owned());
                    }
                    map.insert(key, self.value(depth + 1)?);
                    self.space();
                    if !self.skip(",") && !self.rest.starts_with('}') {
                        return Err("a dict without commas".to_owned());
                    }
                }
            }
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, String> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Ok(match word {
            "True" | "true" => Json::Bool(true),
            "False" | "false" => Json::Bool(false),
            "None" | "null" => Json::Null,
            _ => match (word.parse::<i64>(), word.parse::<f64>()) {
                (Ok(number), _) => Json::Number(number.into()),
                (_, Ok(number)) => match Number::from_f64(number) {
                    Some(number) => Json::Number(number),
                    None => return Err(format!("{word:.60?} is no value")),
                },
                _ => return Err(format!("{word:.60?} is no value")),
            },
        })
    }

    fn string(&mut self, quote: char) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, '\n')) => {}
                    Some((_, c @ ('\\' | '\'' | '"'))) => out.push(c),
                    Some((at, kind @ ('x' | 'u' | 'U'))) => {
                        let length = match kind {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let digits = self.rest[1..].get(at + 1..at + 1 + length);
                        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                        let Some(c) = code.and_then(char::from_u32) else {
                            return Err("a text with a broken escape".to_owned());
                        };
                        out.push(c);
                        for _ in 0..length {
                            chars.next();
                        }
                    }
                    Some((_, c)) => {
                        out.push('\\');
                        out.push(c);
                    }
                    None => break,
                },
                c if c == quote => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err("a text without an end".to_owned())
    }
}
