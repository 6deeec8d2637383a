//! Operators on values, with Python's rules and Python's words for refusals.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::{Comparison, Op};
use super::fault::{Bound, Exception, Res, TemplateError, fail, type_error};
use super::format;
use super::meter::Meter;
use super::text::{Builder, Markup, Text};
use super::value::{MAX_NESTING, Value};

pub(super) fn arith(meter: &Rc<Meter>, op: Op, left: &Value, right: &Value) -> Res<Value> {
    left.defined()?;
    match (op, left, right) {
        (Op::Rem, Value::Text(pattern), _) => {
            return Ok(Value::Text(format::percent(meter, pattern, right)?));
        }
        _ => right.defined()?,
    };
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return integers(op, a, b);
    }
    if let (Some(a), Some(b)) = (left.as_number(), right.as_number()) {
        return floats(op, a, b);
    }
    match (op, left, right) {
        (Op::Add, Value::Text(a), Value::Text(b)) => {
            let safe = [a.markup(), b.markup()].contains(&Markup::Safe);
            let mut out = Builder::new(meter)?;
            if !safe {
                out.push(a)?;
                out.push(b)?;
                return Ok(Value::Text(out.finish()));
            }
            out.push(&a.escaped()?)?;
            out.push(&b.escaped()?)?;
            Ok(Value::Text(out.finish_as(Markup::Safe)))
        }
        (Op::Add, Value::List(a), Value::List(b)) | (Op::Add, Value::Tuple(a), Value::Tuple(b)) => {
            let total = a.items.len() + b.items.len();
            let charge = meter.charge(total * size_of::<Value>())?;
            let all: Vec<Value> = a.items.iter().chain(&b.items).cloned().collect();
            drop(charge);
            if matches!(left, Value::List(_)) {
                Value::list(meter, all)
            } else {
                Value::tuple(meter, all)
            }
        }
        (Op::Mul, Value::Text(text), _) | (Op::Mul, _, Value::Text(text))
            if left.as_int().or(right.as_int()).is_some() =>
        {
            let times = left.as_int().or(right.as_int()).unwrap_or(0);
            Ok(Value::Text(repeat(meter, text, times)?))
        }
        (Op::Mul, Value::List(seq) | Value::Tuple(seq), _) if right.as_int().is_some() => {
            let times = usize::try_from(right.as_int().unwrap_or(0).max(0)).unwrap_or(usize::MAX);
            let total = seq.items.len().saturating_mul(times);
            let charge = meter.charge(total.saturating_mul(size_of::<Value>()))?;
            let all: Vec<Value> = seq.items.iter().cycle().take(total).cloned().collect();
            drop(charge);
            if matches!(left, Value::List(_)) {
                Value::list(meter, all)
            } else {
                Value::tuple(meter, all)
            }
        }
        (Op::Add, Value::Text(_) | Value::List(_) | Value::Tuple(_), _) => {
            let (left, right) = (left.type_name(), right.type_name());
            type_error(format!("can only concatenate {left} (not \"{right}\") to {left}"))
        }
        (Op::Mul, Value::Text(_) | Value::List(_) | Value::Tuple(_), _)
        | (Op::Mul, _, Value::Text(_) | Value::List(_) | Value::Tuple(_)) => {
            let sequence = matches!(left, Value::Text(_) | Value::List(_) | Value::Tuple(_));
            let other = if sequence { right } else { left };
            let other = other.type_name();
            type_error(format!("can't multiply sequence by non-int of type '{other}'"))
        }
        _ => {
            let sign = match op {
                Op::Add => "+",
                Op::Sub => "-",
                Op::Mul => "*",
                Op::Div => "/",
                Op::FloorDiv => "//",
                Op::Rem => "%",
                Op::Pow => "** or pow()",
            };
            let (left, right) = (left.type_name(), right.type_name());
            type_error(format!("unsupported operand type(s) for {sign}: '{left}' and '{right}'"))
        }
    }
}

fn repeat(meter: &Rc<Meter>, text: &Text, times: i128) -> Res<Text> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    // Ask for the whole before writing the first copy.
    drop(meter.charge(text.as_str().len().saturating_mul(times))?);
    let mut out = Builder::new(meter)?;
    for _ in 0..if text.as_str().is_empty() { 0 } else { times } {
        meter.spend(1)?;
        out.push(text)?;
    }
    Ok(out.finish_as(text.markup()))
}

fn integers(op: Op, a: i128, b: i128) -> Res<Value> {
    let value = match op {
        Op::Add => a.checked_add(b),
        Op::Sub => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        Op::Div | Op::FloorDiv | Op::Rem if b == 0 => {
            let message = match op {
                Op::Div => "division by zero",
                Op::FloorDiv => "integer division or modulo by zero",
                _ => "integer modulo by zero",
            };
            return fail(Exception::ZeroDivision, message);
        }
        Op::Div => return Ok(Value::Float(a as f64 / b as f64)),
        Op::FloorDiv => a.checked_div_euclid(b).map(|q| {
            // Python floors; Euclid differs where the divisor is negative and does not divide.
            if b < 0 && a.rem_euclid(b) != 0 { q - 1 } else { q }
        }),
        Op::Rem => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        Op::Pow if b < 0 => return floats(op, a as f64, b as f64),
        Op::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
    };
    match value {
        Some(value) => Ok(Value::Int(value)),
        None => fail(Exception::Overflow, "an integer beyond 128 bits"),
    }
}

fn floats(op: Op, a: f64, b: f64) -> Res<Value> {
    if b == 0.0 && matches!(op, Op::Div | Op::FloorDiv | Op::Rem) {
        let message = match op {
            Op::Div => "float division by zero",
            Op::FloorDiv => "float floor division by zero",
            _ => "float modulo",
        };
        return fail(Exception::ZeroDivision, message);
    }
    Ok(Value::Float(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::FloorDiv => (a / b).floor(),
        Op::Rem => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
        Op::Pow => a.powf(b),
    }))
}

pub(super) fn negate(value: &Value, op: Op) -> Res<Value> {
    value.defined()?;
    let sign = if op == Op::Sub { -1 } else { 1 };
    match value {
        Value::Float(number) => Ok(Value::Float(f64::from(sign) * number)),
        _ => match value.as_int().and_then(|number| number.checked_mul(i128::from(sign))) {
            Some(number) => Ok(Value::Int(number)),
            None => {
                let sign = if op == Op::Sub { '-' } else { '+' };
                let name = value.type_name();
                type_error(format!("bad operand type for unary {sign}: '{name}'"))
            }
        },
    }
}

pub(super) fn relate(meter: &Meter, how: Comparison, left: &Value, right: &Value) -> Res<bool> {
    match how {
        Comparison::Eq => left.equals(right, 0),
        Comparison::Ne => Ok(!left.equals(right, 0)?),
        Comparison::In => contains(meter, right, left),
        Comparison::NotIn => Ok(!contains(meter, right, left)?),
        Comparison::Lt => Ok(compare(left, right, "<", 0)? == Some(Ordering::Less)),
        Comparison::Gt => Ok(compare(left, right, ">", 0)? == Some(Ordering::Greater)),
        Comparison::Le => Ok(compare(left, right, "<=", 0)?.is_some_and(Ordering::is_le)),
        Comparison::Ge => Ok(compare(left, right, ">=", 0)?.is_some_and(Ordering::is_ge)),
    }
}

/// The order of two values; none where a NaN is among them. `sign` is for the refusal.
pub(super) fn compare(
    left: &Value,
    right: &Value,
    sign: &str,
    depth: usize,
) -> Res<Option<Ordering>> {
    left.defined()?;
    right.defined()?;
    if depth > MAX_NESTING {
        let cap = MAX_NESTING as u64;
        return Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }));
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (left.as_number(), right.as_number()) {
        return Ok(a.partial_cmp(&b));
    }
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => {
            a.meter().scan(a.as_str().len())?;
            Ok(Some(a.as_str().cmp(b.as_str())))
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (x, y) in a.items.iter().zip(&b.items) {
                if !x.equals(y, depth + 1)? {
                    return compare(x, y, sign, depth + 1);
                }
            }
            Ok(Some(a.items.len().cmp(&b.items.len())))
        }
        _ => {
            let (left, right) = (left.type_name(), right.type_name());
            type_error(format!(
                "'{sign}' not supported between instances of '{left}' and '{right}'"
            ))
        }
    }
}

/// Python's `needle in hay`.
pub(super) fn contains(meter: &Meter, hay: &Value, needle: &Value) -> Res<bool> {
    match hay {
        Value::Text(text) => match needle {
            Value::Text(part) => {
                meter.spend(text.as_str().len() as u64 / 16)?;
                Ok(text.as_str().contains(part.as_str()))
            }
            other => {
                other.defined()?;
                let name = other.type_name();
                type_error(format!("'in <string>' requires string as left operand, not {name}"))
            }
        },
        Value::Dict(dict) => Ok(dict.get(needle)?.is_some()),
        Value::List(seq) | Value::Tuple(seq) | Value::View(seq, _) => {
            any(meter, &seq.items, needle)
        }
        Value::Generator(items) => {
            let items = items.take();
            any(meter, &items, needle)
        }
        Value::Range(start, stop, step) => Ok(needle.as_int().is_some_and(|n| {
            let inside =
                if *step > 0 { n >= *start && n < *stop } else { n <= *start && n > *stop };
            inside && (n - start) % step == 0
        })),
        Value::Undefined(missing) if missing.exception == Exception::Undefined => Ok(false),
        other => {
            other.defined()?;
            type_error(format!("argument of type '{}' is not iterable", other.type_name()))
        }
    }
}

fn any(meter: &Meter, items: &[Value], needle: &Value) -> Res<bool> {
    meter.spend(items.len() as u64)?;
    for item in items {
        if item.equals(needle, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The items a loop walks.
pub(super) fn iterate(meter: &Rc<Meter>, value: &Value) -> Res<Vec<Value>> {
    let reserve = |count: usize| -> Res<()> {
        meter.spend(count as u64 / 4)?;
        meter.charge(count.saturating_mul(size_of::<Value>())).map(drop)
    };
    Ok(match value {
        Value::List(seq) | Value::Tuple(seq) | Value::View(seq, _) => {
            reserve(seq.items.len())?;
            seq.items.clone()
        }
        Value::Dict(dict) => {
            reserve(dict.len())?;
            dict.entries().iter().map(|(key, _)| key.clone()).collect()
        }
        Value::Generator(items) => items.take(),
        Value::Text(text) => {
            // Every character becomes a text of its own.
            reserve(text.as_str().len() * 4)?;
            let mut out = Vec::new();
            for (at, c) in text.as_str().char_indices() {
                meter.spend(1)?;
                out.push(Value::Text(text.slice(at..at + c.len_utf8())?));
            }
            out
        }
        Value::Range(start, _, step) => {
            let count = value.range_len();
            reserve(count)?;
            (0..count as i128).map(|at| Value::Int(start + at * step)).collect()
        }
        Value::Undefined(missing) if missing.exception == Exception::Undefined => Vec::new(),
        other => {
            other.defined()?;
            return type_error(format!("'{}' object is not iterable", other.type_name()));
        }
    })
}

/// Python's `len`.
pub(super) fn length(meter: &Meter, value: &Value) -> Res<usize> {
    Ok(match value {
        Value::Text(text) => {
            meter.scan(text.as_str().len())?;
            text.as_str().chars().count()
        }
        Value::List(seq) | Value::Tuple(seq) | Value::View(seq, _) => seq.items.len(),
        Value::Dict(dict) => dict.len(),
        Value::Range(..) => value.range_len(),
        Value::Loop(state) => state.items.len(),
        Value::Undefined(missing) if missing.exception == Exception::Undefined => 0,
        other => {
            other.defined()?;
            return type_error(format!("object of type '{}' has no len()", other.type_name()));
        }
    })
}

/// A stable sort whose comparison may refuse.
pub(super) fn sort<T: Clone>(
    meter: &Rc<Meter>,
    items: &mut Vec<T>,
    compare: impl Fn(&T, &T) -> Res<Option<Ordering>>,
) -> Res<()> {
    let _reserved = meter.charge(items.len().saturating_mul(4 * size_of::<T>()))?;
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for pair in items.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([a, rest_a @ ..], [b, rest_b @ ..]) = (left, right) {
                meter.spend(1)?;
                if compare(b, a)? == Some(Ordering::Less) {
                    merged.push(b.clone());
                    right = rest_b;
                } else {
                    merged.push(a.clone());
                    left = rest_a;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        width *= 2;
    }
    Ok(())
}

/// The plain slice (step 1) of a sequence of `length`.
pub(super) fn slice_range(
    length: usize,
    start: Option<i128>,
    stop: Option<i128>,
) -> std::ops::Range<usize> {
    let place = |at: i128| {
        let at = if at < 0 { at.saturating_add(length as i128) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(length)
    };
    let start = start.map_or(0, place);
    start..stop.map_or(length, place).max(start)
}

/// Python's slice of a sequence of `length`: the positions it takes.
pub(super) fn slice_positions(
    length: usize,
    start: Option<i128>,
    stop: Option<i128>,
    step: i128,
) -> Vec<usize> {
    let length = length as i128;
    let clamp = |at: i128, low: i128, high: i128| {
        let at = if at < 0 { at.saturating_add(length) } else { at };
        at.clamp(low, high)
    };
    let mut out = Vec::new();
    if step > 0 {
        let mut at = start.map_or(0, |at| clamp(at, 0, length));
        let stop = stop.map_or(length, |at| clamp(at, 0, length));
        while at < stop {
            out.push(at as usize);
            at = at.saturating_add(step);
        }
    } else {
        let mut at = start.map_or(length - 1, |at| clamp(at, -1, length - 1));
        let stop = stop.map_or(-1, |at| clamp(at, -1, length - 1));
        while at > stop {
            out.push(at as usize);
            at = at.saturating_add(step);
        }
    }
    out
}
