//! Python's two ways to format: `'%s' % value` and `'{}'.format(value)`.
//! Source: Python library reference, "printf-style String Formatting" and "Format String Syntax".

use std::rc::Rc;

use super::fault::{Exception, Res, fail, fault, type_error, value_error};
use super::meter::Meter;
use super::print;
use super::text::{Builder, Text, Trust};
use super::value::Value;

/// What stands between `%` or `:` and the letter of the type.
#[derive(Clone, Copy, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: Option<char>,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `pattern % argument`.
pub(super) fn percent(meter: &Rc<Meter>, pattern: &Text, argument: &Value) -> Res<Text> {
    let source = pattern.as_str();
    let positional: Vec<Value> = match argument {
        Value::Tuple(seq) => seq.items.clone(),
        other => vec![other.clone()],
    };
    let mut next = 0;
    let mut named = false;
    let mut out = Builder::new(meter)?;
    let mut at = 0;
    while let Some(found) = source[at..].find('%') {
        meter.spend(1)?;
        out.push_slice(pattern, at..at + found)?;
        at += found + 1;
        let mut key = None;
        if source[at..].starts_with('(') {
            let Some(end) = source[at..].find(')') else {
                return value_error("incomplete format key");
            };
            key = Some(&source[at + 1..at + end]);
            at += end + 1;
        }
        let mut spec = Spec { align: Some('>'), ..Spec::default() };
        let take = |next: &mut usize| -> Res<Value> {
            let value = positional.get(*next).cloned();
            *next += 1;
            value.ok_or_else(|| fault(Exception::Type, "not enough arguments for format string"))
        };
        while let Some(flag) = source[at..].chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = Some('<'),
                '0' => spec.fill = Some('0'),
                '#' => spec.alternate = Some('#'),
                sign => spec.sign = Some(sign),
            }
            at += 1;
        }
        if source[at..].starts_with('*') {
            at += 1;
            let width = take(&mut next)?.as_int().unwrap_or(0);
            spec.width = usize::try_from(width).unwrap_or(0);
        } else {
            spec.width = digits(source, &mut at);
        }
        if source[at..].starts_with('.') {
            at += 1;
            spec.precision = Some(digits(source, &mut at));
        }
        let Some(kind) = source[at..].chars().next() else {
            return value_error("incomplete format");
        };
        at += kind.len_utf8();
        if kind == '%' {
            out.push_own("%")?;
            continue;
        }
        let value = match key {
            Some(key) => {
                named = true;
                match argument {
                    Value::Dict(dict) => match dict.get_str(key) {
                        Some(value) => value.clone(),
                        None => return fail(Exception::Key, format!("'{key}'")),
                    },
                    _ => return type_error("format requires a mapping"),
                }
            }
            None => take(&mut next)?,
        };
        spec.kind = Some(kind);
        percent_one(meter, &mut out, &spec, &value)?;
    }
    out.push_slice(pattern, at..source.len())?;
    let mapping = matches!(argument, Value::Dict(_));
    if !named && !mapping && next < positional.len() {
        return type_error("not all arguments converted during string formatting");
    }
    Ok(out.finish())
}

fn percent_one(meter: &Rc<Meter>, out: &mut Builder, spec: &Spec, value: &Value) -> Res<()> {
    let kind = spec.kind.unwrap_or('s');
    match kind {
        's' | 'r' | 'a' => {
            let mut text = Builder::new(meter)?;
            if kind == 's' {
                print::print(&mut text, meter, value)?;
            } else {
                print::repr(&mut text, meter, value, 0)?;
            }
            let text = clip(text.finish(), spec.precision)?;
            pad(
                meter,
                out,
                &text,
                &Spec { fill: None, align: spec.align, ..Spec::default() },
                spec.width,
            )
        }
        'c' => {
            let text = match value {
                Value::Text(text) if text.as_str().chars().count() == 1 => text.clone(),
                _ => match value
                    .as_int()
                    .and_then(|n| u32::try_from(n).ok())
                    .and_then(char::from_u32)
                {
                    Some(c) => Text::new(meter, c.encode_utf8(&mut [0; 4]), Trust::Template)?,
                    None => return type_error("%c requires int or char"),
                },
            };
            pad(meter, out, &text, &Spec { align: spec.align, ..Spec::default() }, spec.width)
        }
        'd' | 'i' | 'u' => {
            let number = match value {
                Value::Float(number) => Some(*number as i128),
                _ => value.as_int(),
            };
            let Some(number) = number else {
                let name = value.type_name();
                return type_error(format!(
                    "%{kind} format: a real number is required, not {name}"
                ));
            };
            let value = Value::Int(number);
            number_out(meter, out, &Spec { kind: Some('d'), ..*spec }, &value)
        }
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let Some(number) = value.as_number() else {
                return type_error(format!("must be real number, not {}", value.type_name()));
            };
            number_out(meter, out, spec, &Value::Float(number))
        }
        'x' | 'X' | 'o' => match value.as_int() {
            Some(number) => number_out(meter, out, spec, &Value::Int(number)),
            None => {
                let name = value.type_name();
                type_error(format!("%{kind} format: an integer is required, not {name}"))
            }
        },
        other => value_error(format!("unsupported format character '{other}'")),
    }
}

fn digits(source: &str, at: &mut usize) -> usize {
    let end = source[*at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(source.len() - *at);
    let number = source[*at..*at + end].parse();
    *at += end;
    if end == 0 { 0 } else { number.unwrap_or(usize::MAX) }
}

fn clip(text: Text, precision: Option<usize>) -> Res<Text> {
    let end = precision.and_then(|most| text.as_str().char_indices().nth(most));
    match end {
        Some((end, _)) => text.slice(0..end),
        None => Ok(text),
    }
}

/// Appends `text` widened to `width` characters.
fn pad(meter: &Rc<Meter>, out: &mut Builder, text: &Text, spec: &Spec, width: usize) -> Res<()> {
    meter.scan(text.as_str().len())?;
    let missing = width.saturating_sub(text.as_str().chars().count());
    drop(meter.charge(missing)?);
    let fill = spec.fill.unwrap_or(' ');
    let left = match spec.align {
        Some('>') => missing,
        Some('^') => missing / 2,
        _ => 0,
    };
    spread(meter, out, fill, left)?;
    out.push(text)?;
    spread(meter, out, fill, missing - left)
}

/// Appends `count` times `fill`.
pub(super) fn spread(meter: &Meter, out: &mut Builder, fill: char, count: usize) -> Res<()> {
    for _ in 0..count {
        meter.spend(1)?;
        out.push_char(fill, Trust::Template)?;
    }
    Ok(())
}

fn number_out(meter: &Rc<Meter>, out: &mut Builder, spec: &Spec, value: &Value) -> Res<()> {
    let precision = spec.precision.unwrap_or(6);
    if precision > 1000 {
        return value_error("precision too big");
    }
    let (negative, mut body) = match (value.as_int(), spec.kind) {
        (Some(number), None | Some('d' | 'n')) => (number < 0, number.unsigned_abs().to_string()),
        (Some(number), Some(kind @ ('x' | 'X' | 'o' | 'b'))) => {
            let size = number.unsigned_abs();
            let mark = if spec.alternate.is_some() { format!("0{kind}") } else { String::new() };
            let text = match kind {
                'x' => format!("{size:x}"),
                'X' => format!("{size:X}"),
                'o' => format!("{size:o}"),
                _ => format!("{size:b}"),
            };
            (number < 0, mark + &text)
        }
        (_, kind) => {
            let Some(number) = value.as_number() else {
                return type_error(format!("must be real number, not {}", value.type_name()));
            };
            let size = number.abs();
            let text = match kind {
                Some('f' | 'F') => format!("{size:.precision$}"),
                Some('%') => format!("{:.precision$}%", size * 100.0),
                Some('e' | 'E') => exponent_form(size, precision),
                Some('g' | 'G') => general(size, precision),
                None | Some('n') if spec.precision.is_some() => general(size, precision),
                None => print::float(size),
                Some(other) => {
                    let name = value.type_name();
                    return value_error(format!(
                        "Unknown format code '{other}' for object of type '{name}'"
                    ));
                }
            };
            (number.is_sign_negative(), text)
        }
    };
    if matches!(spec.kind, Some('E' | 'G')) {
        body = body.to_uppercase();
    }
    if let Some(mark) = spec.grouping {
        body = grouped(&body, mark);
    }
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    let width = spec.width.saturating_sub(sign.len());
    if spec.fill == Some('0') && spec.align != Some('<') && spec.align != Some('^') {
        out.push_own(sign)?;
        let text = Text::new(meter, &body, Trust::Template)?;
        let spec = Spec { fill: Some('0'), align: Some('>'), ..Spec::default() };
        return pad(meter, out, &text, &spec, width);
    }
    let text = Text::new(meter, &format!("{sign}{body}"), Trust::Template)?;
    let spec = Spec { fill: spec.fill, align: spec.align.or(Some('>')), ..Spec::default() };
    pad(meter, out, &text, &spec, width + sign.len())
}

fn exponent_form(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(size: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let text = format!("{size:.0$e}", precision - 1);
    let exponent: i32 = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let trim = |digits: &str| -> String {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let whole = exponent_form(size, precision - 1);
        let (digits, exponent) = whole.split_once('e').unwrap_or((&whole, "+00"));
        return format!("{}e{exponent}", trim(digits));
    }
    let places = usize::try_from(precision as i32 - 1 - exponent).unwrap_or(0);
    trim(&format!("{size:.places$}"))
}

fn grouped(body: &str, mark: char) -> String {
    let (whole, rest) = body.split_at(body.find(['.', 'e']).unwrap_or(body.len()));
    let mut out = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(c);
    }
    out + rest
}

/// `pattern.format(*positional, **named)`.
pub(super) fn braces(
    meter: &Rc<Meter>,
    pattern: &Text,
    positional: &[Value],
    named: &[(String, Value)],
) -> Res<Text> {
    let source = pattern.as_str();
    let mut out = Builder::new(meter)?;
    let mut at = 0;
    let mut next = 0;
    while let Some(found) = source[at..].find(['{', '}']) {
        meter.spend(1)?;
        out.push_slice(pattern, at..at + found)?;
        at += found;
        let double = &source[at..];
        if double.starts_with("{{") || double.starts_with("}}") {
            out.push_slice(pattern, at..at + 1)?;
            at += 2;
            continue;
        }
        if double.starts_with('}') {
            return value_error("Single '}' encountered in format string");
        }
        let Some(end) = closing_brace(&source[at..]) else {
            return value_error("expected '}' before end of string");
        };
        let field = &source[at + 1..at + end];
        at += end + 1;
        let (target, spec) = field.split_once(':').unwrap_or((field, ""));
        let (target, conversion) = match target.split_once('!') {
            Some((target, conversion)) => (target, Some(conversion)),
            None => (target, None),
        };
        let value = field_value(target, positional, named, &mut next)?;
        let spec = if spec.contains('{') {
            let inner = target_spec(meter, spec, positional, named, &mut next)?;
            parse_spec(&inner)?
        } else {
            parse_spec(spec)?
        };
        let value = match conversion {
            Some("r" | "a") => {
                let mut text = Builder::new(meter)?;
                print::repr(&mut text, meter, &value, 0)?;
                Value::Text(text.finish())
            }
            Some("s") => Value::Text(print::to_text(meter, &value)?),
            Some(other) => {
                return value_error(format!("Unknown conversion specifier {other}"));
            }
            None => value,
        };
        format_value(meter, &mut out, &value, &spec)?;
    }
    out.push_slice(pattern, at..source.len())?;
    Ok(out.finish())
}

fn closing_brace(rest: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn target_spec(
    meter: &Rc<Meter>,
    spec: &str,
    positional: &[Value],
    named: &[(String, Value)],
    next: &mut usize,
) -> Res<String> {
    let mut out = String::new();
    let mut rest = spec;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else { break };
        out.push_str(&rest[..open]);
        let value = field_value(&rest[open + 1..open + close], positional, named, next)?;
        out.push_str(print::to_text(meter, &value)?.as_str());
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn field_value(
    target: &str,
    positional: &[Value],
    named: &[(String, Value)],
    next: &mut usize,
) -> Res<Value> {
    let end = target.find(['.', '[']).unwrap_or(target.len());
    let (name, mut path) = target.split_at(end);
    let mut value = if name.is_empty() {
        *next += 1;
        positional.get(*next - 1).cloned()
    } else if let Ok(index) = name.parse::<usize>() {
        positional.get(index).cloned()
    } else {
        match named.iter().find(|(have, _)| have == name) {
            Some((_, value)) => Some(value.clone()),
            None => return fail(Exception::Key, format!("'{name}'")),
        }
    };
    while let Some(inner) = path.strip_prefix('[') {
        let Some((key, rest)) = inner.split_once(']') else {
            return value_error("Missing ']' in format string");
        };
        value = match (&value, key.parse::<usize>()) {
            (Some(Value::List(seq) | Value::Tuple(seq)), Ok(index)) => {
                seq.items.get(index).cloned()
            }
            (Some(Value::Dict(dict)), _) => dict.get_str(key).cloned(),
            _ => None,
        };
        path = rest;
    }
    if !path.is_empty() {
        return fail(Exception::Security, "attributes cannot be reached from a format string");
    }
    match value {
        Some(value) => Ok(value),
        None => fail(Exception::Value, "Replacement index out of range for positional args tuple"),
    }
}

fn parse_spec(source: &str) -> Res<Spec> {
    let mut spec = Spec::default();
    let mut chars = source.chars().peekable();
    let second = source.chars().nth(1);
    if matches!(second, Some('<' | '>' | '^' | '=')) {
        spec.fill = chars.next();
        spec.align = chars.next();
    } else if let Some(align) = chars.next_if(|c| "<>^=".contains(*c)) {
        spec.align = Some(align);
    }
    spec.sign = chars.next_if(|c| "+- ".contains(*c));
    spec.alternate = chars.next_if_eq(&'#');
    if chars.next_if_eq(&'0').is_some() && spec.fill.is_none() {
        spec.fill = Some('0');
    }
    let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut value: Option<usize> = None;
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            let digit = digit as usize - '0' as usize;
            value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
        }
        value
    };
    spec.width = number(&mut chars).unwrap_or(0);
    spec.grouping = chars.next_if(|c| matches!(c, ',' | '_'));
    if chars.next_if_eq(&'.').is_some() {
        let Some(precision) = number(&mut chars) else {
            return value_error("Format specifier missing precision");
        };
        spec.precision = Some(precision);
    }
    spec.kind = chars.next();
    if chars.next().is_some() {
        return value_error(format!("Invalid format specifier '{source:.40}'"));
    }
    Ok(spec)
}

fn format_value(meter: &Rc<Meter>, out: &mut Builder, value: &Value, spec: &Spec) -> Res<()> {
    let numeric = matches!(value, Value::Int(_) | Value::Float(_))
        || (matches!(value, Value::Bool(_)) && spec.kind.is_some_and(|kind| kind != 's'));
    if numeric {
        return number_out(meter, out, spec, value);
    }
    if !matches!(spec.kind, None | Some('s')) {
        let (kind, name) = (spec.kind.unwrap_or('s'), value.type_name());
        return value_error(format!("Unknown format code '{kind}' for object of type '{name}'"));
    }
    let text = clip(print::to_text(meter, value)?, spec.precision)?;
    pad(meter, out, &text, spec, spec.width)
}
