//! Python's string methods. Pieces of a string keep their origin; what a method adds is the
//! template's.

use std::ops::Range;

use super::super::eval::{CallArgs, Interp};
use super::super::fault::{Res, type_error, value_error};
use super::super::format;
use super::super::lex::is_space;
use super::super::ops;
use super::super::text::{Builder, Text};
use super::super::value::Value;
use super::line_ends;

pub(super) const METHODS: [&str; 45] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub(super) fn call(
    interp: &mut Interp<'_>,
    text: &Text,
    name: &'static str,
    args: &CallArgs,
) -> Res<Value> {
    interp.meter.spend(text.as_str().len() as u64 / 16)?;
    match name {
        "upper" | "lower" | "casefold" | "capitalize" | "swapcase" | "title" => {
            cased(text, name).map(Value::Text)
        }
        "strip" | "lstrip" | "rstrip" => strip(text, name, args),
        "split" | "rsplit" => split(interp, text, name, args),
        "splitlines" => splitlines(interp, text, args),
        "partition" | "rpartition" => partition(interp, text, name, args),
        "startswith" | "endswith" => ends(text, name, args),
        "replace" => replace(interp, text, args),
        "join" => join(interp, text, args),
        "find" | "rfind" | "index" | "rindex" | "count" => locate(interp, text, name, args),
        "center" | "ljust" | "rjust" | "zfill" => justify(interp, text, name, args),
        "removeprefix" | "removesuffix" => {
            let part = string_arg(args, 0, name)?;
            let string = text.as_str();
            let kept = if name == "removeprefix" {
                string.strip_prefix(part)
            } else {
                string.strip_suffix(part)
            };
            text.narrowed(kept.unwrap_or(string)).map(Value::Text)
        }
        "format" => {
            format::braces(&interp.meter, text, &args.positional, &args.named).map(Value::Text)
        }
        "format_map" => {
            let Some(Value::Dict(dict)) = args.positional.first() else {
                return type_error("format_map() takes a dict");
            };
            let mut named = Vec::new();
            for (key, value) in dict.entries() {
                if let Some(key) = key.as_str() {
                    named.push((key.to_owned(), value.clone()));
                }
            }
            format::braces(&interp.meter, text, &[], &named).map(Value::Text)
        }
        "expandtabs" => {
            let size = args.get(0, "tabsize").and_then(Value::as_int).unwrap_or(8).clamp(0, 256);
            let (size, mut column) = (size as usize, 0);
            let expanded = text.map_chars(|_, c, out| match c {
                '\t' if size == 0 => {}
                '\t' => {
                    let gap = size - column % size;
                    out.extend(std::iter::repeat_n(' ', gap));
                    column += gap;
                }
                c => {
                    column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                    out.push(c);
                }
            })?;
            Ok(Value::Text(expanded))
        }
        "translate" => type_error("translate() tables are not supported"),
        _ => Ok(Value::Bool(is(text.as_str(), name))),
    }
}

fn cased(text: &Text, name: &str) -> Res<Text> {
    let mut first = true;
    let mut before = false;
    let string = text.as_str();
    text.map_chars(|at, c, out| {
        let upper = match name {
            "upper" => true,
            "capitalize" => std::mem::take(&mut first),
            "swapcase" => c.is_lowercase(),
            "title" => !std::mem::replace(&mut before, c.is_alphabetic()),
            _ => false,
        };
        if upper && matches!(name, "capitalize" | "title") {
            title_case(c, out);
        } else if upper {
            out.extend(c.to_uppercase());
        } else if c == 'Σ' && name != "casefold" {
            // The one letter whose small form depends on its place: at the end of a word.
            let ends = string[at + 2..].chars().next().is_none_or(|next| !next.is_alphabetic());
            let starts = string[..at].chars().next_back().is_none_or(|last| !last.is_alphabetic());
            out.push(if ends && !starts { 'ς' } else { 'σ' });
        } else if c == 'ß' && name == "casefold" {
            out.push_str("ss");
        } else {
            out.extend(c.to_lowercase());
        }
    })
}

/// A letter as it begins a word: of several letters in one, only the first is a capital.
fn title_case(c: char, out: &mut String) {
    match c {
        'Ǆ'..='ǆ' => out.push('ǅ'),
        'Ǉ'..='ǉ' => out.push('ǈ'),
        'Ǌ'..='ǌ' => out.push('ǋ'),
        'Ǳ'..='ǳ' => out.push('ǲ'),
        c => {
            let mut letters = c.to_uppercase();
            out.extend(letters.next());
            out.extend(letters.flat_map(char::to_lowercase));
        }
    }
}

fn string_arg<'a>(args: &'a CallArgs, at: usize, name: &str) -> Res<&'a str> {
    match args.positional.get(at) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(other) => {
            other.defined()?;
            type_error(format!("{name}() argument must be str, not {}", other.type_name()))
        }
        None => type_error(format!("{name}() takes an argument that was not given")),
    }
}

fn strip(text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let string = text.as_str();
    let set = match args.positional.first() {
        None | Some(Value::None) => None,
        Some(Value::Text(set)) => Some(set.as_str()),
        Some(other) => {
            other.defined()?;
            let kind = other.type_name();
            return type_error(format!("{name} arg must be None or str, not {kind}"));
        }
    };
    if let Some(set) = set {
        let work = (string.len() as u64).saturating_mul(set.len() as u64);
        text.meter().spend(work / 64)?;
    }
    let strips = |c: char| set.map_or_else(|| is_space(c), |set| set.contains(c));
    let kept = match name {
        "lstrip" => string.trim_start_matches(strips),
        "rstrip" => string.trim_end_matches(strips),
        _ => string.trim_matches(strips),
    };
    text.narrowed(kept).map(Value::Text)
}

fn pieces(interp: &Interp<'_>, text: &Text, ranges: Vec<Range<usize>>) -> Res<Value> {
    let mut out = Vec::new();
    for range in ranges {
        interp.meter.spend(1)?;
        out.push(Value::Text(text.slice(range)?));
    }
    Value::list(&interp.meter, out)
}

fn split(interp: &Interp<'_>, text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let string = text.as_str();
    let most = args.get(1, "maxsplit").and_then(Value::as_int).unwrap_or(-1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut ranges = Vec::new();
    let mut reserved = interp.meter.charge(64)?;
    let separator = match args.get(0, "sep") {
        None | Some(Value::None) => None,
        Some(Value::Text(separator)) => Some(separator.as_str()),
        Some(other) => {
            other.defined()?;
            return type_error(format!("must be str or None, not {}", other.type_name()));
        }
    };
    match (separator, name) {
        (Some(""), _) => return value_error("empty separator"),
        (Some(separator), "split") => {
            let mut start = 0;
            while ranges.len() < most
                && let Some(at) = string[start..].find(separator)
            {
                reserved.grow(32)?;
                ranges.push(start..start + at);
                start += at + separator.len();
            }
            ranges.push(start..string.len());
        }
        (Some(separator), _) => {
            let mut end = string.len();
            while ranges.len() < most
                && let Some(at) = string[..end].rfind(separator)
            {
                reserved.grow(32)?;
                ranges.push(at + separator.len()..end);
                end = at;
            }
            ranges.push(0..end);
            ranges.reverse();
        }
        (None, "split") => {
            let mut rest = string.trim_start_matches(is_space);
            while !rest.is_empty() {
                reserved.grow(32)?;
                let start = string.len() - rest.len();
                if ranges.len() == most {
                    ranges.push(start..string.len());
                    break;
                }
                let end = rest.find(is_space).unwrap_or(rest.len());
                ranges.push(start..start + end);
                rest = rest[end..].trim_start_matches(is_space);
            }
        }
        (None, _) => {
            let mut rest = string.trim_end_matches(is_space);
            while !rest.is_empty() {
                reserved.grow(32)?;
                if ranges.len() == most {
                    ranges.push(0..rest.len());
                    break;
                }
                let start = rest.char_indices().rev().find(|(_, c)| is_space(*c));
                let start = start.map_or(0, |(at, c)| at + c.len_utf8());
                ranges.push(start..rest.len());
                rest = rest[..start].trim_end_matches(is_space);
            }
            ranges.reverse();
        }
    }
    pieces(interp, text, ranges)
}

fn splitlines(interp: &Interp<'_>, text: &Text, args: &CallArgs) -> Res<Value> {
    let keep = args.get(0, "keepends").is_some_and(Value::is_true);
    let (lines, _reserved) = line_ends(&interp.meter, text.as_str())?;
    let ranges =
        lines.into_iter().map(|(line, end)| if keep { line.start..end } else { line }).collect();
    pieces(interp, text, ranges)
}

fn partition(interp: &Interp<'_>, text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let separator = string_arg(args, 0, name)?;
    if separator.is_empty() {
        return value_error("empty separator");
    }
    let string = text.as_str();
    let found = if name == "partition" { string.find(separator) } else { string.rfind(separator) };
    let ranges = match (found, name) {
        (Some(at), _) => {
            let end = at + separator.len();
            [0..at, at..end, end..string.len()]
        }
        (None, "partition") => [0..string.len(), 0..0, 0..0],
        (None, _) => [0..0, 0..0, 0..string.len()],
    };
    let mut parts = Vec::new();
    for range in ranges {
        parts.push(Value::Text(text.slice(range)?));
    }
    Value::tuple(&interp.meter, parts)
}

fn ends(text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let place = |at: usize, otherwise: usize| {
        let given = args.positional.get(at).and_then(Value::as_int);
        given.map_or(otherwise, |number| byte_at(text.as_str(), number))
    };
    let string = text.as_str();
    let (start, end) = (place(1, 0), place(2, string.len()));
    let string = string.get(start..end).unwrap_or_default();
    let one = |value: &Value| match value {
        Value::Text(part) => Ok(if name == "startswith" {
            string.starts_with(part.as_str())
        } else {
            string.ends_with(part.as_str())
        }),
        other => {
            other.defined()?;
            let kind = other.type_name();
            type_error(format!("{name} first arg must be str or a tuple of str, not {kind}"))
        }
    };
    match args.positional.first() {
        Some(Value::Tuple(seq)) => {
            for item in &seq.items {
                if one(item)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Some(value) => one(value).map(Value::Bool),
        None => type_error(format!("{name}() takes at least 1 argument (0 given)")),
    }
}

/// The byte where character `index` (negative: from the end) starts.
fn byte_at(string: &str, index: i128) -> usize {
    let index =
        if index < 0 { index.saturating_add(string.chars().count() as i128).max(0) } else { index };
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    string.char_indices().nth(index).map_or(string.len(), |(at, _)| at)
}

fn replace(interp: &Interp<'_>, text: &Text, args: &CallArgs) -> Res<Value> {
    let old = string_arg(args, 0, "replace")?;
    string_arg(args, 1, "replace")?;
    let Some(Value::Text(new)) = args.positional.get(1) else {
        return type_error("replace expected at least 2 arguments, got 1");
    };
    let new = text.fitting(new)?;
    let most = args.get(2, "count").and_then(Value::as_int).unwrap_or(-1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let string = text.as_str();
    let mut out = Builder::new(&interp.meter)?;
    let mut at = 0;
    for (found, part) in string.match_indices(old).take(most) {
        interp.meter.spend(1)?;
        out.push_slice(text, at..found)?;
        out.push(&new)?;
        at = found + part.len();
    }
    out.push_slice(text, at..string.len())?;
    Ok(Value::Text(out.finish_as(text.markup())))
}

fn join(interp: &Interp<'_>, text: &Text, args: &CallArgs) -> Res<Value> {
    let Some(items) = args.positional.first() else {
        return type_error("join() takes exactly one argument (0 given)");
    };
    let mut out = Builder::new(&interp.meter)?;
    for (at, item) in ops::iterate(&interp.meter, items)?.iter().enumerate() {
        interp.meter.spend(1)?;
        if at > 0 {
            out.push(text)?;
        }
        match item {
            Value::Text(item) => out.push(&text.fitting(item)?)?,
            other => {
                other.defined()?;
                let kind = other.type_name();
                return type_error(format!(
                    "sequence item {at}: expected str instance, {kind} found"
                ));
            }
        }
    }
    Ok(Value::Text(out.finish_as(text.markup())))
}

fn locate(interp: &Interp<'_>, text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let part = string_arg(args, 0, name)?;
    let string = text.as_str();
    let start = args.positional.get(1).and_then(Value::as_int);
    let end = args.positional.get(2).and_then(Value::as_int);
    let start = start.map_or(0, |at| byte_at(string, at));
    let end = end.map_or(string.len(), |at| byte_at(string, at));
    let window = string.get(start..end).unwrap_or_default();
    interp.meter.spend(window.len() as u64 / 16)?;
    if name == "count" {
        return Ok(Value::Int(window.matches(part).count() as i128));
    }
    let found = if name.starts_with('r') { window.rfind(part) } else { window.find(part) };
    match found {
        Some(at) => Ok(Value::Int(string[..start + at].chars().count() as i128)),
        None if name.ends_with("index") => value_error("substring not found"),
        None => Ok(Value::Int(-1)),
    }
}

fn justify(interp: &Interp<'_>, text: &Text, name: &str, args: &CallArgs) -> Res<Value> {
    let Some(width) = args.positional.first().and_then(Value::as_int) else {
        return type_error(format!("{name}() takes a width"));
    };
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    let fill = match args.positional.get(1).and_then(Value::as_str) {
        _ if name == "zfill" => '0',
        None => ' ',
        Some(fill) => match (fill.chars().next(), fill.chars().nth(1)) {
            (Some(c), None) => c,
            _ => {
                return type_error("The fill character must be exactly one character long");
            }
        },
    };
    let string = text.as_str();
    let count = string.chars().count();
    let missing = width.saturating_sub(count);
    drop(interp.meter.charge(missing)?);
    let left = match name {
        "center" => missing / 2 + (missing & width & 1),
        "ljust" => 0,
        _ => missing,
    };
    let mut out = Builder::new(&interp.meter)?;
    let mut from = 0;
    if name == "zfill" && string.starts_with(['+', '-']) {
        out.push_slice(text, 0..1)?;
        from = 1;
    }
    format::spread(&interp.meter, &mut out, fill, left)?;
    out.push_slice(text, from..string.len())?;
    format::spread(&interp.meter, &mut out, fill, missing - left)?;
    Ok(Value::Text(out.finish_as(text.markup())))
}

/// Python's `isalpha` and its kin.
fn is(string: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !string.is_empty() && string.chars().all(test);
    match name {
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isdigit" | "isdecimal" => all(|c| c.is_ascii_digit()),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(is_space),
        "isascii" => string.is_ascii(),
        "isprintable" => !string.chars().any(char::is_control),
        "isupper" => {
            string.chars().any(char::is_uppercase) && !string.chars().any(char::is_lowercase)
        }
        "islower" => {
            string.chars().any(char::is_lowercase) && !string.chars().any(char::is_uppercase)
        }
        "isidentifier" => {
            let word = string.chars().all(|c| c.is_alphanumeric() || c == '_');
            word && string.chars().next().is_some_and(|c| !c.is_numeric())
        }
        _ => {
            // istitle
            let (mut before, mut any) = (false, false);
            for c in string.chars() {
                if (c.is_uppercase() && before) || (c.is_lowercase() && !before) {
                    return false;
                }
                before = c.is_alphabetic();
                any |= before;
            }
            any
        }
    }
}
