//! JSON from strangers: bounded in size, depth and number of values; a repeated key is an error.
//!
//! `serde_json` lets the last of two equal keys win and rounds integers it cannot hold, so a file can
//! say one thing to us and another to the tool that checked it. This reader refuses both: an integer
//! is an `i64`, a `u64`, or one that a double holds exactly (transformers writes `10^30` as the double
//! nearest to it); anything else is an error. [`Reader`] pulls values one at a time, so that large
//! headers never become a tree; [`parse`] makes the tree for configs. Grammar: RFC 8259.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::{Error, Limits, error::shown};

/// Bounds of one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of text.
    pub bytes: u64,
    /// Arrays and objects inside each other.
    pub depth: usize,
    /// Values of any kind.
    pub nodes: usize,
}

impl Bounds {
    /// Bounds of a config of at most `bytes` bytes under `limits`.
    pub fn new(bytes: u64, limits: &Limits) -> Bounds {
        Bounds { bytes, depth: limits.json_depth, nodes: limits.json_nodes }
    }
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds::new(Limits::DEFAULT.config_bytes, &Limits::DEFAULT)
    }
}

/// Parses one JSON text into a tree.
pub fn parse(text: &[u8], bounds: Bounds) -> Result<Value, Error> {
    let mut reader = Reader::new(text, bounds)?;
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Parses one JSON text that has to be an object.
pub fn parse_object(text: &[u8], bounds: Bounds) -> Result<Map<String, Value>, Error> {
    match parse(text, bounds)? {
        Value::Object(map) => Ok(map),
        other => Err(Error::Json {
            at: 0,
            why: format!("an object is expected, found {}", kind_of(&other)),
        }),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Pulls values from a JSON text one at a time.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    nodes: usize,
    bounds: Bounds,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `text`, whose size and encoding are checked here.
    pub fn new(text: &'a [u8], bounds: Bounds) -> Result<Reader<'a>, Error> {
        if text.len() as u64 > bounds.bytes {
            return Err(Error::over("bytes of JSON", text.len() as u64, bounds.bytes));
        }
        let text = std::str::from_utf8(text).map_err(|fault| Error::Json {
            at: fault.valid_up_to(),
            why: "not valid UTF-8".to_owned(),
        })?;
        Ok(Reader { text, at: 0, depth: 0, nodes: 0, bounds })
    }

    /// The byte offset of the next value or sign.
    pub fn at(&self) -> usize {
        self.at
    }

    /// An error at the present place.
    pub fn fault(&self, why: impl Into<String>) -> Error {
        Error::Json { at: self.at, why: why.into() }
    }

    /// Checks that nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("text after the end of the value")),
        }
    }

    /// The next value as a tree; repeated keys are errors.
    pub fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{') => {
                let mut map = Map::new();
                self.object(|reader, key| {
                    let value = reader.value()?;
                    if map.contains_key(&*key) {
                        return Err(Error::Duplicate { what: "JSON key", name: shown(&key) });
                    }
                    map.insert(key.into_owned(), value);
                    Ok(())
                })?;
                Ok(Value::Object(map))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Value::Array(items))
            }
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(_) => Err(self.fault("a value is expected")),
            None => Err(self.fault("the text ends where a value is expected")),
        }
    }

    /// An object: `visit` is called after each key and has to take exactly one value.
    ///
    /// Repeated keys are for `visit` to notice.
    pub fn object(
        &mut self,
        mut visit: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.enter(b'{', "an object is expected")?;
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(());
        }
        loop {
            let key = self.string_at("a key in quotation marks is expected")?;
            self.sign(b':', "`:` is expected after a key")?;
            visit(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault("`,` or `}` is expected")),
            }
        }
        self.leave();
        Ok(())
    }

    /// An array: `visit` is called before each item and has to take exactly one value.
    pub fn array(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.enter(b'[', "an array is expected")?;
        if self.peek() == Some(b']') {
            self.leave();
            return Ok(());
        }
        loop {
            visit(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("`,` or `]` is expected")),
            }
        }
        self.leave();
        Ok(())
    }

    /// A string.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.node()?;
        self.string_at("a string is expected")
    }

    /// A number, exactly.
    pub fn number(&mut self) -> Result<Number, Error> {
        self.node()?;
        self.peek();
        let start = self.at;
        let (end, whole) = self.scan_number()?;
        let text = &self.text[start..end];
        let number = if whole && text != "-0" { integer(text) } else { finite(text) };
        let number = number.ok_or_else(|| {
            self.fault(format!("the number {} cannot be held exactly or is too large", shown(text)))
        })?;
        self.at = end;
        Ok(number)
    }

    /// An integer from 0 to 2^64 − 1, without fraction or exponent.
    pub fn unsigned(&mut self) -> Result<u64, Error> {
        let found = self.number()?;
        found
            .as_u64()
            .ok_or_else(|| self.fault(format!("an unsigned integer is expected, found {found}")))
    }

    fn scan_number(&self) -> Result<(usize, bool), Error> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            let start = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            (at, at > start)
        };
        let bad = || self.fault("not a JSON number");
        let mut at = self.at + usize::from(bytes.get(self.at) == Some(&b'-'));
        let zero = bytes.get(at) == Some(&b'0');
        let start = at;
        let (end, some) = digits(at);
        if !some || (zero && end > start + 1) {
            return Err(bad());
        }
        at = end;
        let mut whole = true;
        if bytes.get(at) == Some(&b'.') {
            whole = false;
            let (end, some) = digits(at + 1);
            if !some {
                return Err(bad());
            }
            at = end;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            whole = false;
            let signed = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let (end, some) = digits(at + 1 + signed);
            if !some {
                return Err(bad());
            }
            at = end;
        }
        Ok((at, whole))
    }

    /// The first byte of what comes next, after white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn sign(&mut self, sign: u8, why: &'static str) -> Result<(), Error> {
        if self.peek() == Some(sign) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(why))
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        self.node()?;
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.fault("a value is expected"))
        }
    }

    fn node(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.bounds.nodes {
            return Err(Error::over("values in JSON", self.nodes as u64, self.bounds.nodes as u64));
        }
        Ok(())
    }

    fn enter(&mut self, sign: u8, why: &'static str) -> Result<(), Error> {
        self.node()?;
        self.sign(sign, why)?;
        self.depth += 1;
        if self.depth > self.bounds.depth {
            return Err(Error::over("depth of JSON", self.depth as u64, self.bounds.depth as u64));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    fn string_at(&mut self, why: &'static str) -> Result<Cow<'a, str>, Error> {
        self.sign(b'"', why)?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut from = start;
        let mut owned = String::new();
        loop {
            match bytes.get(self.at) {
                None => return Err(self.fault("a string without an end")),
                Some(b'"') => {
                    let rest = &self.text[from..self.at];
                    self.at += 1;
                    if from == start {
                        return Ok(Cow::Borrowed(rest));
                    }
                    owned.push_str(rest);
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    owned.push_str(&self.text[from..self.at]);
                    owned.push(self.escape()?);
                    from = self.at;
                }
                Some(0..=0x1f) => return Err(self.fault("a control character in a string")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// One escape sequence; the reader stands on its backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let sign = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match sign {
            Some(sign @ (b'"' | b'\\' | b'/')) => sign as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.escape_unicode(),
            _ => return Err(self.fault("an unknown escape in a string")),
        };
        self.at += 2;
        Ok(plain)
    }

    fn escape_unicode(&mut self) -> Result<char, Error> {
        let first = self.hex4(self.at)?;
        let (code, length) = if (0xd800..0xdc00).contains(&first) {
            let second = self.hex4(self.at + 6)?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.fault("half of a surrogate pair in a string"));
            }
            (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
        } else {
            (first, 6)
        };
        let c = char::from_u32(code)
            .ok_or_else(|| self.fault("half of a surrogate pair in a string"))?;
        self.at += length;
        Ok(c)
    }

    /// The number in `\uXXXX` at `at`.
    fn hex4(&self, at: usize) -> Result<u32, Error> {
        let bytes = self.text.as_bytes();
        let sequence = bytes.get(at..at + 6).filter(|bytes| bytes.starts_with(b"\\u"));
        let digits =
            sequence.map(|bytes| &bytes[2..]).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        digits
            .map(|d| {
                d.iter().fold(0, |value, &c| value * 16 + (c as char).to_digit(16).unwrap_or(0))
            })
            .ok_or_else(|| self.fault("`\\u` needs four hexadecimal digits"))
    }
}

fn integer(text: &str) -> Option<Number> {
    if let Ok(value) = text.parse::<i64>() {
        return Some(value.into());
    }
    if let Ok(value) = text.parse::<u64>() {
        return Some(value.into());
    }
    // 310 digits are more than any double has before its point.
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && text.len() <= 310)?;
    if format!("{value:.0}") == text { Number::from_f64(value) } else { None }
}

fn finite(text: &str) -> Option<Number> {
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, Error> {
        parse(text.as_bytes(), Bounds::default())
    }

    #[test]
    fn agrees_with_serde_json_on_ordinary_text() {
        for text in [
            r#"{"a": [1, -2, 3.5, 1e-6, true, false, null], "b": {"c": "x\n\u00e9\ud83d\ude00\"\\\/"}}"#,
            "[]",
            "{}",
            " 0 ",
            "-0",
            "\"\"",
            "18446744073709551615",
            "-9223372036854775808",
            "[[[]]]",
        ] {
            let theirs: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text).unwrap(), theirs, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "nul",
            "NaN",
            "Infinity",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\u{1}\"",
            "\"abc",
            "[1] 2",
            "{a:1}",
            "'a'",
            "\u{feff}{}",
            "1e400",
            "-1e999",
            "\"\\u00g0\"",
            "\"\\u0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_repeated_key_is_an_error_at_every_depth() {
        assert!(matches!(read(r#"{"a":1,"a":2}"#), Err(Error::Duplicate { .. })));
        assert!(matches!(read(r#"[{"b":{"a":1,"\u0061":2}}]"#), Err(Error::Duplicate { .. })));
    }

    #[test]
    fn integers_are_exact_or_refused() {
        assert_eq!(read("1000000000000000019884624838656").unwrap().as_f64(), Some(1e30));
        assert!(read("1000000000000000000000000000000").is_err());
        assert!(read("18446744073709551617").is_err());
        assert_eq!(read("9007199254740993").unwrap().as_i64(), Some(9_007_199_254_740_993));
    }

    #[test]
    fn bounds_hold() {
        let deep = "[".repeat(100_000);
        assert!(matches!(read(&deep), Err(Error::OverLimit { .. })));
        let many = format!("[{}0]", "0,".repeat(200_000));
        assert!(matches!(read(&many), Err(Error::OverLimit { .. })));
        let long = format!("\"{}\"", "x".repeat(2 << 20));
        assert!(matches!(read(&long), Err(Error::OverLimit { .. })));
    }
}
