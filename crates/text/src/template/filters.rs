//! Jinja's filters with transformers' `tojson`: the table, and the filters on text and numbers.
//! Those on sequences are in [`sequences`].

mod sequences;

use super::eval::{CallArgs, Interp};
use super::fault::{Res, type_error, value_error};
use super::format;
use super::lex::is_space;
use super::methods;
use super::ops;
use super::print::{self, Ascii, Json, Keys};
use super::text::{Builder, Cursor, Markup, Text, Trust};
use super::value::Value;

type Filter = fn(&mut Interp<'_>, &Value, &CallArgs) -> Res<Value>;

const FILTERS: &[(&str, Filter)] = &[
    ("abs", abs),
    ("attr", sequences::attr),
    ("batch", sequences::batch),
    ("capitalize", |i, v, _| method(i, v, "capitalize")),
    ("center", center),
    ("count", length),
    ("d", default),
    ("default", default),
    ("dictsort", sequences::dictsort),
    ("e", escape),
    ("escape", escape),
    ("filesizeformat", filesizeformat),
    ("first", sequences::first),
    ("float", float),
    ("forceescape", forceescape),
    ("format", format_filter),
    ("groupby", sequences::groupby),
    ("indent", indent),
    ("int", int),
    ("items", sequences::items),
    ("join", sequences::join),
    ("last", sequences::last),
    ("length", length),
    ("list", sequences::list),
    ("lower", |i, v, _| method(i, v, "lower")),
    ("map", sequences::map),
    ("max", sequences::max),
    ("min", sequences::min),
    ("pprint", pprint),
    ("reject", sequences::reject),
    ("rejectattr", sequences::rejectattr),
    ("replace", replace),
    ("reverse", sequences::reverse),
    ("round", round),
    ("safe", safe),
    ("select", sequences::select),
    ("selectattr", sequences::selectattr),
    ("slice", sequences::slice),
    ("sort", sequences::sort),
    ("string", string),
    ("striptags", striptags),
    ("sum", sequences::sum),
    ("title", title),
    ("tojson", tojson),
    ("trim", trim),
    ("truncate", truncate),
    ("unique", sequences::unique),
    ("upper", |i, v, _| method(i, v, "upper")),
    ("urlencode", urlencode),
    ("wordcount", wordcount),
    ("wordwrap", wordwrap),
    ("xmlattr", xmlattr),
];

/// The filter of that name.
pub(super) fn find(name: &str) -> Option<Filter> {
    let at = FILTERS.binary_search_by(|(have, _)| have.cmp(&name)).ok()?;
    Some(FILTERS[at].1)
}

fn text(interp: &Interp<'_>, value: &Value) -> Res<Text> {
    let text = print::to_text(&interp.meter, value)?;
    interp.meter.spend(text.as_str().len() as u64 / 16)?;
    Ok(text)
}

fn method(interp: &mut Interp<'_>, value: &Value, name: &'static str) -> Res<Value> {
    let text = Value::Text(text(interp, value)?);
    methods::call(interp, &text, name, &CallArgs::default())
}

fn string(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    text(interp, value).map(Value::Text)
}

fn safe(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    Ok(Value::Text(text(interp, value)?.declared(Markup::Safe)?))
}

fn forceescape(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    Ok(Value::Text(text(interp, value)?.declared(Markup::Plain)?.escaped()?))
}

fn pprint(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    let mut out = Builder::new(&interp.meter)?;
    print::repr(&mut out, &interp.meter, value, 0)?;
    Ok(Value::Text(out.finish()))
}

fn length(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    Ok(Value::Int(ops::length(&interp.meter, value)? as i128))
}

fn default(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let falsy = args.get(1, "boolean").is_some_and(Value::is_true) && !value.is_true();
    if !falsy && !matches!(value, Value::Undefined(_)) {
        return Ok(value.clone());
    }
    match args.get(0, "default_value") {
        Some(value) => Ok(value.clone()),
        None => Value::text(&interp.meter, ""),
    }
}

fn abs(_: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    match value.defined()? {
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => match other.as_int() {
            Some(number) => Ok(Value::Int(number.saturating_abs())),
            None => type_error(format!("bad operand type for abs(): '{}'", other.type_name())),
        },
    }
}

fn int(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let otherwise = args.get(0, "default").cloned().unwrap_or(Value::Int(0));
    let base = args.get(1, "base").and_then(Value::as_int).unwrap_or(10);
    let number = match value.defined()? {
        Value::Float(number) if number.is_finite() => Some(*number as i128),
        Value::Text(text) => {
            interp.meter.scan(text.as_str().len())?;
            let digits = text.as_str().trim_matches(is_space).replace('_', "").to_lowercase();
            let bare = match base {
                16 => digits.strip_prefix("0x").unwrap_or(&digits),
                8 => digits.strip_prefix("0o").unwrap_or(&digits),
                2 => digits.strip_prefix("0b").unwrap_or(&digits),
                _ => &digits,
            };
            let radix = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
            radix.and_then(|radix| i128::from_str_radix(bare, radix).ok()).or_else(|| {
                let number: Option<f64> = bare.parse().ok();
                number.filter(|n| n.is_finite() && base == 10).map(|n| n as i128)
            })
        }
        other => other.as_int(),
    };
    Ok(number.map_or(otherwise, Value::Int))
}

fn float(_: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let number = match value.defined()? {
        Value::Text(text) => text.as_str().trim_matches(is_space).parse().ok(),
        other => other.as_number(),
    };
    Ok(match number {
        Some(number) => Value::Float(number),
        None => args.get(0, "default").cloned().unwrap_or(Value::Float(0.0)),
    })
}

fn round(_: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Some(number) = value.defined()?.as_number() else {
        let name = value.type_name();
        return type_error(format!("type {name} doesn't define __round__ method"));
    };
    let places = args.get(0, "precision").and_then(Value::as_int).unwrap_or(0);
    let places = i32::try_from(places.clamp(-300, 300)).unwrap_or(0);
    let how = args.get(1, "method").and_then(Value::as_str).unwrap_or("common");
    let scale = 10f64.powi(places);
    let rounded = match how {
        "common" if places >= 0 => {
            format!("{number:.*}", places as usize).parse().unwrap_or(number)
        }
        "common" => (number * scale).round_ties_even() / scale,
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        _ => return value_error("method must be common, ceil or floor"),
    };
    if matches!(value, Value::Int(_)) && how == "common" {
        return Ok(Value::Int(rounded as i128));
    }
    Ok(Value::Float(rounded))
}

fn trim(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let subject = Value::Text(text(interp, value)?);
    let chars = args.get(0, "chars").cloned();
    let args = CallArgs { positional: chars.into_iter().collect(), named: Vec::new() };
    methods::call(interp, &subject, "strip", &args)
}

fn replace(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let (Some(old), Some(new)) = (args.get(0, "old"), args.get(1, "new")) else {
        return type_error("replace takes what to replace and its replacement");
    };
    let subject = Value::Text(text(interp, value)?.declared(Markup::Plain)?);
    let mut positional = vec![Value::Text(text(interp, old)?), Value::Text(text(interp, new)?)];
    positional.extend(args.get(2, "count").filter(|n| !matches!(n, Value::None)).cloned());
    methods::call(interp, &subject, "replace", &CallArgs { positional, named: Vec::new() })
}

fn format_filter(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let pattern = text(interp, value)?;
    let argument = if args.named.is_empty() {
        Value::tuple(&interp.meter, args.positional.clone())?
    } else {
        let mut dict = super::value::Dict::new(&interp.meter)?;
        for (name, value) in &args.named {
            dict.insert(Value::text(&interp.meter, name)?, value.clone())?;
        }
        Value::Dict(std::rc::Rc::new(dict))
    };
    format::percent(&interp.meter, &pattern, &argument).map(Value::Text)
}

fn center(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let subject = Value::Text(text(interp, value)?);
    let width = args.get(0, "width").cloned().unwrap_or(Value::Int(80));
    let args = CallArgs { positional: vec![width], named: Vec::new() };
    methods::call(interp, &subject, "center", &args)
}

fn indent(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let subject = text(interp, value)?;
    let unit = match args.get(0, "width") {
        Some(Value::Text(unit)) => unit.clone(),
        other => {
            let width = other.and_then(Value::as_int).unwrap_or(4);
            let mut out = Builder::new(&interp.meter)?;
            let count = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
            format::spread(&interp.meter, &mut out, ' ', count)?;
            out.finish()
        }
    };
    let first = args.get(1, "first").is_some_and(Value::is_true);
    let blank = args.get(2, "blank").is_some_and(Value::is_true);
    let string = subject.as_str();
    let mut out = Builder::new(&interp.meter)?;
    if first {
        out.push(&unit)?;
    }
    let mut at = 0;
    let (lines, _reserved) = methods::lines(&interp.meter, string)?;
    for (number, line) in lines.into_iter().enumerate() {
        interp.meter.spend(1)?;
        if number > 0 {
            out.push_own("\n")?;
            if blank || !line.is_empty() {
                out.push(&unit)?;
            }
        }
        at = line.start;
        out.push_slice(&subject, line.clone())?;
        at += line.len();
    }
    // A newline at the end makes one more, empty line.
    if at < string.len() {
        out.push_own("\n")?;
        if blank {
            out.push(&unit)?;
        }
    }
    Ok(Value::Text(out.finish()))
}

fn tojson(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let flag = |position, name| args.get(position, name).is_some_and(Value::is_true);
    let indent = match args.get(1, "indent") {
        None | Some(Value::None) => None,
        Some(Value::Text(unit)) => Some(unit.as_str().to_owned()),
        Some(other) => match other.as_int() {
            Some(width) if width <= 256 => Some(" ".repeat(usize::try_from(width).unwrap_or(0))),
            _ => return value_error("tojson: an indent of more than 256"),
        },
    };
    let separators = match args.get(2, "separators") {
        None | Some(Value::None) => None,
        Some(pair) => match &ops::iterate(&interp.meter, pair)?[..] {
            [Value::Text(comma), Value::Text(colon)] => Some((comma.clone(), colon.clone())),
            _ => return value_error("tojson: separators are two strings"),
        },
    };
    let json = Json {
        ascii: if flag(0, "ensure_ascii") { Ascii::Escaped } else { Ascii::Kept },
        indent,
        separators,
        keys: if flag(3, "sort_keys") { Keys::Sorted } else { Keys::AsGiven },
    };
    json.dump(&interp.meter, value).map(Value::Text)
}

fn escape(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    Ok(Value::Text(text(interp, value)?.escaped()?))
}

fn title(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    let mut start = true;
    let titled = text(interp, value)?.map_chars(|_, c, out| {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = is_space(c) || "-({[<".contains(c);
    })?;
    Ok(Value::Text(titled))
}

fn truncate(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let subject = text(interp, value)?;
    let number = |position, name, otherwise: usize| {
        let given = args.get(position, name).and_then(Value::as_int);
        given.and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise)
    };
    let (length, leeway) = (number(0, "length", 255), number(3, "leeway", 5));
    let kill = args.get(1, "killwords").is_some_and(Value::is_true);
    let end = match args.get(2, "end") {
        Some(end) => text(interp, end)?,
        None => Text::new(&interp.meter, "...", Trust::Template)?,
    };
    let string = subject.as_str();
    let count = string.chars().count();
    if count <= length.saturating_add(leeway) {
        return Ok(Value::Text(subject));
    }
    let keep = length.saturating_sub(end.as_str().chars().count());
    let mut at = string.char_indices().nth(keep).map_or(string.len(), |(at, _)| at);
    if !kill && let Some(space) = string[..at].rfind(' ') {
        at = space;
    }
    let mut out = Builder::new(&interp.meter)?;
    out.push_slice(&subject, 0..at)?;
    out.push(&end)?;
    Ok(Value::Text(out.finish()))
}

fn wordcount(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    let subject = text(interp, value)?;
    interp.meter.scan(subject.as_str().len())?;
    let words = subject.as_str().split(|c: char| !c.is_alphanumeric() && c != '_');
    Ok(Value::Int(words.filter(|word| !word.is_empty()).count() as i128))
}

fn wordwrap(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let subject = text(interp, value)?;
    let width = args.get(0, "width").and_then(Value::as_int).unwrap_or(79).max(1);
    let width = usize::try_from(width).unwrap_or(79);
    let string = subject.as_str();
    let mut out = Builder::new(&interp.meter)?;
    let (lines, _reserved) = methods::lines(&interp.meter, string)?;
    for (number, line) in lines.into_iter().enumerate() {
        if number > 0 {
            out.push_own("\n")?;
        }
        let mut column = 0;
        let mut at = line.start;
        for word in string[line.clone()].split(' ') {
            interp.meter.spend(1)?;
            let size = word.chars().count();
            if at > line.start {
                if column + 1 + size > width {
                    out.push_own("\n")?;
                    column = 0;
                } else {
                    out.push_own(" ")?;
                    column += 1;
                }
            }
            out.push_slice(&subject, at..at + word.len())?;
            column += size;
            at += word.len() + 1;
        }
    }
    Ok(Value::Text(out.finish()))
}

fn striptags(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    let subject = text(interp, value)?;
    let mut out = Builder::new(&interp.meter)?;
    let mut spans = Cursor::new(subject.outside());
    let (mut inside, mut space) = (false, false);
    for (at, c) in subject.as_str().char_indices() {
        let trust = spans.trust(at);
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if inside => {}
            c if is_space(c) => space = out.len() > 0,
            c => {
                if std::mem::take(&mut space) {
                    out.push_own(" ")?;
                }
                out.push_char(c, trust)?;
            }
        }
    }
    Ok(Value::Text(out.finish()))
}

fn urlencode(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    // In a query a space is a plus and a slash is written out.
    let query = matches!(value, Value::Dict(_));
    let quoted = |text: Text| {
        text.map_chars(|_, c, out| {
            if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c == '/' && !query) {
                out.push(c);
            } else if c == ' ' && query {
                out.push('+');
            } else {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let code = format!("%{byte:02X}");
                    out.push_str(&code);
                }
            }
        })
    };
    let Value::Dict(dict) = value else {
        return quoted(text(interp, value)?).map(Value::Text);
    };
    let mut out = Builder::new(&interp.meter)?;
    for (at, (key, value)) in dict.entries().iter().enumerate() {
        out.push_own(if at > 0 { "&" } else { "" })?;
        out.push(&quoted(text(interp, key)?)?)?;
        out.push_own("=")?;
        out.push(&quoted(text(interp, value)?)?)?;
    }
    Ok(Value::Text(out.finish()))
}

fn xmlattr(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Value::Dict(dict) = value.defined()? else {
        return type_error(format!("xmlattr takes a dict, not {}", value.type_name()));
    };
    let spaced = args.get(0, "autospace").is_none_or(Value::is_true);
    let mut out = Builder::new(&interp.meter)?;
    for (key, value) in dict.entries() {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        if spaced || out.len() > 0 {
            out.push_own(" ")?;
        }
        out.push(&text(interp, key)?)?;
        out.push_own("=\"")?;
        let escaped = escape(interp, value, args)?;
        print::print(&mut out, &interp.meter, &escaped)?;
        out.push_own("\"")?;
    }
    Ok(Value::Text(out.finish()))
}

fn filesizeformat(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let binary = args.get(0, "binary").is_some_and(Value::is_true);
    let bytes = match value {
        Value::Text(text) => text.as_str().trim().parse().ok(),
        other => other.as_number(),
    };
    let Some(bytes) = bytes else {
        return type_error(format!("'{}' is no size", value.type_name()));
    };
    let (base, units) = if binary {
        (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"])
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"])
    };
    if bytes == 1.0 {
        return Value::text(&interp.meter, "1 Byte");
    }
    if bytes < base {
        return Value::text(&interp.meter, &format!("{} Bytes", bytes as i64));
    }
    let mut size = bytes / base;
    let mut at = 0;
    while size >= base && at + 1 < units.len() {
        size /= base;
        at += 1;
    }
    Value::text(&interp.meter, &format!("{size:.1} {}", units[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(FILTERS.is_sorted_by_key(|(name, _)| *name));
    }
}
