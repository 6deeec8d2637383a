//! Values to text as Python prints them: `str`, `repr` and `json.dumps`.

use std::fmt::Write as _;
use std::rc::Rc;

use super::fault::{Bound, Res, TemplateError, type_error};
use super::meter::Meter;
use super::text::{Builder, Cursor, Text, Trust};
use super::value::{MAX_NESTING, Value};

/// Python's `str(value)`.
pub(super) fn to_text(meter: &Rc<Meter>, value: &Value) -> Res<Text> {
    if let Value::Text(text) = value {
        return Ok(text.clone());
    }
    let mut out = Builder::new(meter)?;
    print(&mut out, meter, value)?;
    Ok(out.finish())
}

/// Appends Python's `str(value)`.
pub(super) fn print(out: &mut Builder, meter: &Meter, value: &Value) -> Res<()> {
    match value {
        Value::Text(text) => out.push(text),
        Value::Undefined(missing) if missing.exception == super::fault::Exception::Security => {
            value.defined().map(|_| ())
        }
        Value::Undefined(_) => Ok(()),
        _ => repr(out, meter, value, 0),
    }
}

fn too_deep<T>() -> Res<T> {
    let cap = MAX_NESTING as u64;
    Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }))
}

/// Appends Python's `repr(value)`.
pub(super) fn repr(out: &mut Builder, meter: &Meter, value: &Value, depth: usize) -> Res<()> {
    meter.spend(1)?;
    if depth > MAX_NESTING {
        return too_deep();
    }
    match value {
        Value::Undefined(_) => out.push_own("Undefined"),
        Value::None => out.push_own("None"),
        Value::Bool(true) => out.push_own("True"),
        Value::Bool(false) => out.push_own("False"),
        Value::Int(number) => out.push_own(&number.to_string()),
        Value::Float(number) => out.push_own(&float(*number)),
        Value::Text(text) => quote(out, text),
        Value::List(seq) => items(out, meter, &seq.items, ["[", "]"], depth),
        Value::Tuple(seq) => {
            let close = if seq.items.len() == 1 { ",)" } else { ")" };
            items(out, meter, &seq.items, ["(", close], depth)
        }
        Value::View(seq, name) => {
            out.push_own(name)?;
            items(out, meter, &seq.items, ["([", "])"], depth)
        }
        Value::Dict(dict) => {
            out.push_own("{")?;
            for (at, (key, value)) in dict.entries().iter().enumerate() {
                out.push_own(if at > 0 { ", " } else { "" })?;
                repr(out, meter, key, depth + 1)?;
                out.push_own(": ")?;
                repr(out, meter, value, depth + 1)?;
            }
            out.push_own("}")
        }
        Value::Range(start, stop, 1) => out.push_own(&format!("range({start}, {stop})")),
        Value::Range(start, stop, step) => out.push_own(&format!("range({start}, {stop}, {step})")),
        Value::Namespace(space) => {
            out.push_own("<Namespace {")?;
            for (at, (name, value)) in space.values.borrow().iter().enumerate() {
                out.push_own(if at > 0 { ", '" } else { "'" })?;
                out.push_own(name)?;
                out.push_own("': ")?;
                repr(out, meter, value, depth + 1)?;
            }
            out.push_own("}>")
        }
        other => out.push_own(&format!("<{}>", other.type_name())),
    }
}

fn items(
    out: &mut Builder,
    meter: &Meter,
    items: &[Value],
    [open, close]: [&str; 2],
    depth: usize,
) -> Res<()> {
    out.push_own(open)?;
    for (at, item) in items.iter().enumerate() {
        out.push_own(if at > 0 { ", " } else { "" })?;
        repr(out, meter, item, depth + 1)?;
    }
    out.push_own(close)
}

/// Python's quoted form of a string.
fn quote(out: &mut Builder, text: &Text) -> Res<()> {
    let string = text.as_str();
    text.meter().spend(string.len() as u64 / 8)?;
    let mark = if string.contains('\'') && !string.contains('"') { '"' } else { '\'' };
    let mut spans = Cursor::new(text.outside());
    let mut buffer = String::new();
    out.push_char(mark, Trust::Template)?;
    for (at, c) in string.char_indices() {
        buffer.clear();
        match c {
            '\n' => buffer.push_str("\\n"),
            '\r' => buffer.push_str("\\r"),
            '\t' => buffer.push_str("\\t"),
            '\\' => buffer.push_str("\\\\"),
            c if c == mark => {
                buffer.push('\\');
                buffer.push(c);
            }
            c if is_printable(c) => buffer.push(c),
            c => escape(&mut buffer, c as u32),
        }
        out.push_str(&buffer, spans.trust(at))?;
    }
    out.push_char(mark, Trust::Template)
}

fn escape(buffer: &mut String, code: u32) {
    let written = match code {
        0..=0xff => write!(buffer, "\\x{code:02x}"),
        0x100..=0xffff => write!(buffer, "\\u{code:04x}"),
        _ => write!(buffer, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok(), "a string takes every write");
}

fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Behind a letter, `Debug` escapes exactly what cannot be printed.
    let shown = format!("{:?}", String::from_iter(['a', c]));
    !shown.contains("\\u{")
}

/// Python's shortest text of a float that reads back the same.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// How `json.dumps` is asked to write.
pub(super) struct Json {
    pub(super) ascii: Ascii,
    pub(super) indent: Option<String>,
    pub(super) separators: Option<(Text, Text)>,
    pub(super) keys: Keys,
}

/// Whether characters beyond ASCII are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ascii {
    Escaped,
    Kept,
}

/// The order of an object's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    AsGiven,
    Sorted,
}

impl Json {
    pub(super) fn dump(&self, meter: &Rc<Meter>, value: &Value) -> Res<Text> {
        let mut out = Builder::new(meter)?;
        self.value(&mut out, meter, value, 0)?;
        Ok(out.finish())
    }

    fn value(&self, out: &mut Builder, meter: &Rc<Meter>, value: &Value, depth: usize) -> Res<()> {
        meter.spend(1)?;
        if depth > MAX_NESTING {
            return too_deep();
        }
        match value {
            Value::None => out.push_own("null"),
            Value::Bool(flag) => out.push_own(if *flag { "true" } else { "false" }),
            Value::Int(number) => out.push_own(&number.to_string()),
            Value::Float(number) => out.push_own(&json_float(*number)),
            Value::Text(text) => self.string(out, text),
            Value::List(seq) | Value::Tuple(seq) => {
                if seq.items.is_empty() {
                    return out.push_own("[]");
                }
                out.push_own("[")?;
                for (at, item) in seq.items.iter().enumerate() {
                    self.between(out, at, depth + 1)?;
                    self.value(out, meter, item, depth + 1)?;
                }
                self.line(out, depth)?;
                out.push_own("]")
            }
            Value::Dict(dict) => {
                if dict.len() == 0 {
                    return out.push_own("{}");
                }
                let mut entries: Vec<_> = dict.entries().iter().collect();
                if self.keys == Keys::Sorted {
                    let compare = |a: &&(Value, Value), b: &&(Value, Value)| {
                        super::ops::compare(&a.0, &b.0, "<", 0)
                    };
                    super::ops::sort(meter, &mut entries, compare)?;
                }
                out.push_own("{")?;
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    self.between(out, at, depth + 1)?;
                    match key {
                        Value::Text(text) => self.string(out, text)?,
                        Value::Tuple(_) => {
                            return type_error(
                                "keys must be str, int, float, bool or None, not tuple",
                            );
                        }
                        other => {
                            out.push_own("\"")?;
                            self.value(out, meter, other, depth + 1)?;
                            out.push_own("\"")?;
                        }
                    }
                    match &self.separators {
                        Some((_, colon)) => out.push(colon)?,
                        None => out.push_own(": ")?,
                    }
                    self.value(out, meter, value, depth + 1)?;
                }
                self.line(out, depth)?;
                out.push_own("}")
            }
            other => {
                type_error(format!("Object of type {} is not JSON serializable", other.type_name()))
            }
        }
    }

    /// The comma and white space before item `at`.
    fn between(&self, out: &mut Builder, at: usize, depth: usize) -> Res<()> {
        if at > 0 {
            match (&self.separators, &self.indent) {
                (Some((comma, _)), _) => out.push(comma)?,
                (None, Some(_)) => out.push_own(",")?,
                (None, None) => out.push_own(", ")?,
            }
        }
        self.line(out, depth)
    }

    fn line(&self, out: &mut Builder, depth: usize) -> Res<()> {
        if let Some(indent) = &self.indent {
            out.push_own("\n")?;
            for _ in 0..depth {
                out.push_own(indent)?;
            }
        }
        Ok(())
    }

    fn string(&self, out: &mut Builder, text: &Text) -> Res<()> {
        text.meter().spend(text.as_str().len() as u64 / 8)?;
        let mut spans = Cursor::new(text.outside());
        let mut buffer = String::new();
        out.push_own("\"")?;
        for (at, c) in text.as_str().char_indices() {
            buffer.clear();
            match c {
                '"' => buffer.push_str("\\\""),
                '\\' => buffer.push_str("\\\\"),
                '\n' => buffer.push_str("\\n"),
                '\r' => buffer.push_str("\\r"),
                '\t' => buffer.push_str("\\t"),
                '\x08' => buffer.push_str("\\b"),
                '\x0c' => buffer.push_str("\\f"),
                '\0'..='\x1f' => unicode(&mut buffer, c),
                c if self.ascii == Ascii::Escaped && !c.is_ascii() => unicode(&mut buffer, c),
                c => buffer.push(c),
            }
            out.push_str(&buffer, spans.trust(at))?;
        }
        out.push_own("\"")
    }
}

fn unicode(buffer: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let written = write!(buffer, "\\u{unit:04x}");
        debug_assert!(written.is_ok(), "a string takes every write");
    }
}

fn json_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    float(number)
}
