//! The methods Python's strings, lists and dicts have, as far as transformers' sandbox grants
//! them: what would change a value in place is refused.

mod strings;

use std::ops::Range;
use std::rc::Rc;

use super::eval::{CallArgs, Interp};
use super::fault::{Res, type_error, value_error};
use super::meter::{Charge, Meter};
use super::value::{Seq, Value};

/// A method that is there.
pub(super) enum Found {
    /// It may be called.
    Safe(&'static str),
    /// The sandbox refuses it.
    Unsafe,
}

const DICT: [&str; 5] = ["get", "items", "keys", "values", "copy"];
const DICT_UNSAFE: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];
const LIST: [&str; 3] = ["index", "count", "copy"];
const LIST_UNSAFE: [&str; 8] =
    ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

/// The method of that name of such a value.
pub(super) fn find(value: &Value, name: &str) -> Option<Found> {
    let in_list = |list: &[&'static str]| list.iter().find(|have| **have == name).copied();
    match value {
        Value::Text(_) => in_list(&strings::METHODS).map(Found::Safe),
        Value::Dict(_) => {
            in_list(&DICT).map(Found::Safe).or_else(|| in_list(&DICT_UNSAFE).map(|_| Found::Unsafe))
        }
        Value::List(_) => {
            in_list(&LIST).map(Found::Safe).or_else(|| in_list(&LIST_UNSAFE).map(|_| Found::Unsafe))
        }
        Value::Tuple(_) | Value::Range(..) => in_list(&LIST[..2]).map(Found::Safe),
        Value::Float(_) => in_list(&["is_integer"]).map(Found::Safe),
        Value::Int(_) | Value::Bool(_) => in_list(&["bit_length"]).map(Found::Safe),
        Value::Cycler(_) => in_list(&["next", "reset"]).map(Found::Safe),
        _ => None,
    }
}

/// Calls a method [`find`] found.
pub(super) fn call(
    interp: &mut Interp<'_>,
    value: &Value,
    name: &'static str,
    args: &CallArgs,
) -> Res<Value> {
    match value {
        Value::Text(text) => strings::call(interp, text, name, args),
        Value::Dict(dict) => match name {
            "get" => {
                let Some(key) = args.get(0, "key") else {
                    return type_error("get expected at least 1 argument, got 0");
                };
                let default = args.get(1, "default").cloned().unwrap_or(Value::None);
                Ok(dict.get(key)?.cloned().unwrap_or(default))
            }
            "copy" => Ok(value.clone()),
            _ => {
                let mut items = Vec::new();
                for (key, value) in dict.entries() {
                    interp.meter.spend(1)?;
                    items.push(match name {
                        "keys" => key.clone(),
                        "values" => value.clone(),
                        _ => Value::tuple(&interp.meter, vec![key.clone(), value.clone()])?,
                    });
                }
                let kind = match name {
                    "keys" => "dict_keys",
                    "values" => "dict_values",
                    _ => "dict_items",
                };
                Ok(Value::View(Seq::new(&interp.meter, items)?, kind))
            }
        },
        Value::List(_) | Value::Tuple(_) | Value::Range(..) => {
            if name == "copy" {
                return Ok(value.clone());
            }
            let Some(wanted) = args.positional.first() else {
                return type_error(format!("{name}() takes exactly one argument (0 given)"));
            };
            let items = super::ops::iterate(&interp.meter, value)?;
            let mut count = 0;
            for (at, item) in items.iter().enumerate() {
                if item.equals(wanted, 0)? {
                    if name == "index" {
                        return Ok(Value::Int(at as i128));
                    }
                    count += 1;
                }
            }
            if name == "index" {
                return value_error(format!("value is not in {}", value.type_name()));
            }
            Ok(Value::Int(count))
        }
        Value::Float(number) => Ok(Value::Bool(number.fract() == 0.0)),
        other => match other.as_int() {
            Some(number) => Ok(Value::Int(i128::from(128 - number.unsigned_abs().leading_zeros()))),
            None => type_error(format!("'{}' has no methods", other.type_name())),
        },
    }
}

/// The lines of a string as Python's `splitlines` sees them, without their ends.
pub(super) fn lines(meter: &Rc<Meter>, string: &str) -> Res<(Vec<Range<usize>>, Charge)> {
    let (lines, charge) = line_ends(meter, string)?;
    Ok((lines.into_iter().map(|(line, _)| line).collect(), charge))
}

/// A line and where what ends it stops.
type Line = (Range<usize>, usize);

/// The lines of a string and where each one's end (`\n`, `\r\n`, …) stops.
fn line_ends(meter: &Rc<Meter>, string: &str) -> Res<(Vec<Line>, Charge)> {
    meter.spend(string.len() as u64 / 16)?;
    let mut charge = meter.charge(128)?;
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = string.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_end = matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if !is_end {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() {
            end += 1;
        }
        charge.grow(96)?;
        out.push((start..at, end));
        start = end;
    }
    if start < string.len() {
        out.push((start..string.len(), string.len()));
    }
    Ok((out, charge))
}
