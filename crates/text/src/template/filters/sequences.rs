//! Filters on sequences and dicts. The lazy ones of Jinja return a [`Value::Generator`], which is
//! worked out at once but shows itself as Python's generator would.

use std::cmp::Ordering;

use super::super::ast::Op;
use super::super::eval::{CallArgs, Interp};
use super::super::fault::Exception;
use super::super::fault::{Res, fail, type_error};
use super::super::ops;
use super::super::print;
use super::super::text::Builder;
use super::super::value::{Dict, Generator, Value};
use super::text;

fn iterate(interp: &Interp<'_>, value: &Value) -> Res<Vec<Value>> {
    ops::iterate(&interp.meter, value)
}

fn generator(interp: &Interp<'_>, items: Vec<Value>) -> Res<Value> {
    Ok(Value::Generator(Generator::new(&interp.meter, items)?))
}

/// `a.b.0` of a value, or its only item of that number.
fn path(interp: &Interp<'_>, value: &Value, attribute: &Value) -> Res<Value> {
    let Some(name) = attribute.as_str() else {
        return interp.item(value, attribute);
    };
    let mut value = value.clone();
    for part in name.split('.') {
        let key = match part.parse::<i128>() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::text(&interp.meter, part)?,
        };
        value = interp.item(&value, &key)?;
    }
    Ok(value)
}

fn keyed(interp: &Interp<'_>, value: &Value, attribute: Option<&Value>) -> Res<Value> {
    match attribute {
        None | Some(Value::None) => Ok(value.clone()),
        Some(attribute) => path(interp, value, attribute),
    }
}

/// What a value sorts by when case does not count.
fn folded(interp: &mut Interp<'_>, value: Value, case: bool) -> Res<Value> {
    match &value {
        Value::Text(_) if !case => super::method(interp, &value, "lower"),
        _ => Ok(value),
    }
}

pub(super) fn attr(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Some(name) = args.get(0, "name").and_then(Value::as_str) else {
        return type_error("attr takes a name");
    };
    if matches!(value, Value::Dict(_)) {
        return Ok(Value::undefined(format!("'dict object' has no attribute '{name}'")));
    }
    interp.attribute(value, name)
}

pub(super) fn list(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    let items = iterate(interp, value)?;
    Value::list(&interp.meter, items)
}

pub(super) fn items(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    match value {
        Value::Undefined(missing) if missing.exception == Exception::Undefined => {
            generator(interp, Vec::new())
        }
        Value::Dict(dict) => {
            let mut out = Vec::new();
            for (key, value) in dict.entries() {
                out.push(Value::tuple(&interp.meter, vec![key.clone(), value.clone()])?);
            }
            generator(interp, out)
        }
        _ => type_error("Can only get item pairs from a mapping."),
    }
}

pub(super) fn first(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    if let Value::Text(_) | Value::List(_) | Value::Tuple(_) = value {
        let found = interp.item(value, &Value::Int(0))?;
        if !matches!(found, Value::Undefined(_)) {
            return Ok(found);
        }
    }
    let found = iterate(interp, value)?.into_iter().next();
    Ok(found.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
}

pub(super) fn last(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    if let Value::Text(_) | Value::List(_) | Value::Tuple(_) = value {
        let found = interp.item(value, &Value::Int(-1))?;
        if !matches!(found, Value::Undefined(_)) {
            return Ok(found);
        }
    }
    let found = iterate(interp, value)?.pop();
    Ok(found.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
}

pub(super) fn reverse(interp: &mut Interp<'_>, value: &Value, _: &CallArgs) -> Res<Value> {
    if let Value::Text(text) = value {
        let mut out = Builder::new(&interp.meter)?;
        for (at, c) in text.as_str().char_indices().rev() {
            interp.meter.spend(1)?;
            out.push_slice(text, at..at + c.len_utf8())?;
        }
        return Ok(Value::Text(out.finish()));
    }
    let mut items = iterate(interp, value)?;
    items.reverse();
    generator(interp, items)
}

pub(super) fn join(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let between = match args.get(0, "d") {
        Some(value) => Some(text(interp, value)?),
        None => None,
    };
    let attribute = args.get(1, "attribute").cloned();
    let mut out = Builder::new(&interp.meter)?;
    for (at, item) in iterate(interp, value)?.iter().enumerate() {
        interp.meter.spend(1)?;
        if let Some(between) = &between
            && at > 0
        {
            out.push(between)?;
        }
        let item = keyed(interp, item, attribute.as_ref())?;
        print::print(&mut out, &interp.meter, &item)?;
    }
    Ok(Value::Text(out.finish()))
}

pub(super) fn map(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    // As Jinja does: whatever is false is walked as if it were empty, even what cannot be walked.
    let items = if value.is_true() { iterate(interp, value)? } else { Vec::new() };
    let mut out = Vec::with_capacity(items.len());
    if let Some(attribute) = args.named("attribute") {
        for item in &items {
            interp.meter.spend(1)?;
            let mut found = path(interp, item, attribute)?;
            if let (Value::Undefined(_), Some(default)) = (&found, args.named("default")) {
                found = default.clone();
            }
            out.push(found);
        }
        return generator(interp, out);
    }
    let Some(name) = args.positional.first().and_then(Value::as_str) else {
        return fail(Exception::Runtime, "map requires a filter argument");
    };
    let rest = CallArgs { positional: args.positional[1..].to_vec(), named: args.named.clone() };
    for item in &items {
        interp.meter.spend(1)?;
        out.push(interp.filter(name, item, &rest)?);
    }
    generator(interp, out)
}

/// What `select` and its kin keep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Passing,
    Failing,
}

fn sift(
    interp: &mut Interp<'_>,
    value: &Value,
    args: &CallArgs,
    attribute: Option<&Value>,
    keep: Keep,
) -> Res<Value> {
    let at = usize::from(attribute.is_some());
    let name = match args.positional.get(at) {
        Some(name) => Some(text(interp, name)?),
        None => None,
    };
    let rest = CallArgs {
        positional: args.positional.iter().skip(at + 1).cloned().collect(),
        named: Vec::new(),
    };
    let mut out = Vec::new();
    let items = if value.is_true() { iterate(interp, value)? } else { Vec::new() };
    for item in items {
        interp.meter.spend(1)?;
        let subject = keyed(interp, &item, attribute)?;
        let passes = match &name {
            Some(name) => interp.test(name.as_str(), &subject, &rest)?,
            None => subject.is_true(),
        };
        if passes == (keep == Keep::Passing) {
            out.push(item);
        }
    }
    generator(interp, out)
}

pub(super) fn select(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    sift(interp, value, args, None, Keep::Passing)
}

pub(super) fn reject(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    sift(interp, value, args, None, Keep::Failing)
}

pub(super) fn selectattr(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Some(attribute) = args.positional.first() else {
        return fail(Exception::Runtime, "Missing parameter for attribute name");
    };
    sift(interp, value, args, Some(attribute), Keep::Passing)
}

pub(super) fn rejectattr(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Some(attribute) = args.positional.first() else {
        return fail(Exception::Runtime, "Missing parameter for attribute name");
    };
    sift(interp, value, args, Some(attribute), Keep::Failing)
}

type Keyed = (Value, Value);

/// Sorts by the first of each pair, stably also in reverse.
fn sorted(interp: &Interp<'_>, mut pairs: Vec<Keyed>, reverse: bool) -> Res<Vec<Value>> {
    if reverse {
        ops::sort(&interp.meter, &mut pairs, |a: &Keyed, b: &Keyed| {
            ops::compare(&b.0, &a.0, "<", 0)
        })?;
    } else {
        ops::sort(&interp.meter, &mut pairs, |a: &Keyed, b: &Keyed| {
            ops::compare(&a.0, &b.0, "<", 0)
        })?;
    }
    Ok(pairs.into_iter().map(|(_, value)| value).collect())
}

pub(super) fn sort(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let reverse = args.get(0, "reverse").is_some_and(Value::is_true);
    let case = args.get(1, "case_sensitive").is_some_and(Value::is_true);
    let attribute = args.get(2, "attribute").cloned();
    let mut pairs = Vec::new();
    for item in iterate(interp, value)? {
        // The key is always a list, so that items without the attribute count as equal.
        let mut parts = Vec::new();
        match attribute.as_ref().and_then(Value::as_str) {
            Some(names) => {
                for name in names.split(',') {
                    let name = Value::text(&interp.meter, name)?;
                    parts.push(path(interp, &item, &name)?);
                }
            }
            None => parts.push(keyed(interp, &item, attribute.as_ref())?),
        }
        for part in &mut parts {
            *part = folded(interp, part.clone(), case)?;
        }
        let key = Value::list(&interp.meter, parts)?;
        pairs.push((key, item));
    }
    let items = sorted(interp, pairs, reverse)?;
    Value::list(&interp.meter, items)
}

pub(super) fn dictsort(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let case = args.get(0, "case_sensitive").is_some_and(Value::is_true);
    let by_value = args.get(1, "by").and_then(Value::as_str) == Some("value");
    let reverse = args.get(2, "reverse").is_some_and(Value::is_true);
    let Value::Dict(dict) = value.defined()? else {
        let kind = value.type_name();
        return fail(Exception::Undefined, format!("'{kind} object' has no attribute 'items'"));
    };
    let mut pairs = Vec::new();
    for (key, value) in dict.entries() {
        let by = if by_value { value } else { key };
        let by = folded(interp, by.clone(), case)?;
        pairs.push((by, Value::tuple(&interp.meter, vec![key.clone(), value.clone()])?));
    }
    let items = sorted(interp, pairs, reverse)?;
    Value::list(&interp.meter, items)
}

pub(super) fn unique(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let case = args.get(0, "case_sensitive").is_some_and(Value::is_true);
    let attribute = args.get(1, "attribute").cloned();
    let mut seen = Dict::new(&interp.meter)?;
    let mut out = Vec::new();
    for item in iterate(interp, value)? {
        let key = keyed(interp, &item, attribute.as_ref())?;
        let key = folded(interp, key, case)?;
        if seen.get(&key)?.is_none() {
            seen.insert(key, Value::None)?;
            out.push(item);
        }
    }
    generator(interp, out)
}

pub(super) fn groupby(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let Some(attribute) = args.get(0, "attribute").cloned() else {
        return type_error("groupby takes an attribute");
    };
    let default = args.get(1, "default").cloned();
    let case = args.get(2, "case_sensitive").is_some_and(Value::is_true);
    let mut pairs = Vec::new();
    for item in iterate(interp, value)? {
        let mut key = path(interp, &item, &attribute)?;
        if let (Value::Undefined(_), Some(default)) = (&key, &default) {
            key = default.clone();
        }
        let by = folded(interp, key.clone(), case)?;
        pairs.push((by.clone(), (by, key, item)));
    }
    ops::sort(&interp.meter, &mut pairs, |a, b| ops::compare(&a.0, &b.0, "<", 0))?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (_, (by, key, item)) in pairs {
        match groups.last_mut() {
            Some((last, _, items)) if last.equals(&by, 0)? => items.push(item),
            _ => groups.push((by, key, vec![item])),
        }
    }
    let mut out = Vec::new();
    for (_, key, items) in groups {
        let items = Value::list(&interp.meter, items)?;
        out.push(Value::tuple(&interp.meter, vec![key, items])?);
    }
    Value::list(&interp.meter, out)
}

fn extreme(
    interp: &mut Interp<'_>,
    value: &Value,
    args: &CallArgs,
    wanted: Ordering,
) -> Res<Value> {
    let case = args.get(0, "case_sensitive").is_some_and(Value::is_true);
    let attribute = args.get(1, "attribute").cloned();
    let mut best: Option<(Value, Value)> = None;
    for item in iterate(interp, value)? {
        let key = keyed(interp, &item, attribute.as_ref())?;
        let key = folded(interp, key, case)?;
        let sign = if wanted == Ordering::Less { "<" } else { ">" };
        let better = match &best {
            Some((have, _)) => ops::compare(&key, have, sign, 0)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(match best {
        Some((_, item)) => item,
        None => Value::undefined("No aggregated item, sequence was empty."),
    })
}

pub(super) fn min(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    extreme(interp, value, args, Ordering::Less)
}

pub(super) fn max(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    extreme(interp, value, args, Ordering::Greater)
}

pub(super) fn sum(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let attribute = args.get(0, "attribute").cloned();
    let mut total = args.get(1, "start").cloned().unwrap_or(Value::Int(0));
    for item in iterate(interp, value)? {
        let item = keyed(interp, &item, attribute.as_ref())?;
        total = ops::arith(&interp.meter, Op::Add, &total, &item)?;
    }
    Ok(total)
}

/// A count of at least one, as `batch` and `slice` take it, and bounded.
fn count(args: &CallArgs, name: &str) -> Res<usize> {
    let number = args.get(0, name).and_then(Value::as_int);
    match number.and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=100_000).contains(n)) {
        Some(number) => Ok(number),
        None => type_error(format!("{name} is a number from 1 to 100000")),
    }
}

pub(super) fn batch(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let size = count(args, "linecount")?;
    let items = iterate(interp, value)?;
    let mut out = Vec::new();
    for chunk in items.chunks(size) {
        let mut row = chunk.to_vec();
        if let Some(fill) = args.get(1, "fill_with") {
            row.resize(size, fill.clone());
        }
        out.push(Value::list(&interp.meter, row)?);
    }
    generator(interp, out)
}

pub(super) fn slice(interp: &mut Interp<'_>, value: &Value, args: &CallArgs) -> Res<Value> {
    let slices = count(args, "slices")?;
    let items = iterate(interp, value)?;
    let (each, extra) = (items.len() / slices, items.len() % slices);
    let mut rest = &items[..];
    let mut out = Vec::new();
    for at in 0..slices {
        let (part, tail) = rest.split_at(each + usize::from(at < extra));
        rest = tail;
        let mut row = part.to_vec();
        if let Some(fill) = args.get(1, "fill_with")
            && at >= extra
            && extra > 0
        {
            row.push(fill.clone());
        }
        out.push(Value::list(&interp.meter, row)?);
    }
    generator(interp, out)
}
