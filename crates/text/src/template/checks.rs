//! Jinja's tests: what may stand behind `is`.

use super::fault::Res;
use super::meter::Meter;
use super::ops;
use super::text::Markup;
use super::value::Value;
use super::{ast::Comparison, fault::type_error};

/// Whether `value is name(argument)`; none when there is no such test.
pub(super) fn check(
    meter: &Meter,
    name: &str,
    value: &Value,
    argument: Option<&Value>,
) -> Res<Option<bool>> {
    let relation = match name {
        "eq" | "equalto" | "==" => Some(Comparison::Eq),
        "ne" | "!=" => Some(Comparison::Ne),
        "lt" | "lessthan" | "<" => Some(Comparison::Lt),
        "le" | "<=" => Some(Comparison::Le),
        "gt" | "greaterthan" | ">" => Some(Comparison::Gt),
        "ge" | ">=" => Some(Comparison::Ge),
        "in" => Some(Comparison::In),
        _ => None,
    };
    if let Some(how) = relation {
        let Some(argument) = argument else {
            return type_error(format!("test '{name}' needs something to compare with"));
        };
        return ops::relate(meter, how, value, argument).map(Some);
    }
    let undefined = matches!(value, Value::Undefined(_));
    Ok(Some(match name {
        "defined" => !undefined,
        "undefined" => undefined,
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
        "string" => matches!(value, Value::Text(_)),
        "mapping" => matches!(value, Value::Dict(_)),
        "sequence" => matches!(
            value,
            Value::Text(_)
                | Value::List(_)
                | Value::Tuple(_)
                | Value::Dict(_)
                | Value::Range(..)
                | Value::Undefined(_)
        ),
        "iterable" => matches!(
            value,
            Value::Text(_)
                | Value::List(_)
                | Value::Tuple(_)
                | Value::Dict(_)
                | Value::View(..)
                | Value::Generator(_)
                | Value::Range(..)
                | Value::Loop(_)
                | Value::Undefined(_)
        ),
        "callable" => matches!(
            value,
            Value::Macro(_)
                | Value::Global(_)
                | Value::Method(_)
                | Value::Loop(_)
                | Value::Joiner(_)
                | Value::Undefined(_)
        ),
        "sameas" => match (value, argument) {
            (Value::Bool(a), Some(Value::Bool(b))) => a == b,
            (Value::Bool(_), Some(_)) | (_, Some(Value::Bool(_))) => false,
            (_, Some(other)) => value.equals(other, 0)?,
            (_, None) => return type_error("test 'sameas' needs something to compare with"),
        },
        "odd" | "even" | "divisibleby" => {
            let by = match (name, argument.and_then(Value::as_int)) {
                ("divisibleby", Some(by)) if by != 0 => by,
                ("divisibleby", _) => return type_error("divisibleby takes a number but zero"),
                _ => 2,
            };
            value.defined()?;
            let Some(number) = value.as_int() else {
                return type_error(format!("'{}' is no whole number", value.type_name()));
            };
            (number.rem_euclid(by) == 0) == (name != "odd")
        }
        "lower" | "upper" => {
            let text = value.as_str().unwrap_or_default();
            meter.scan(text.len())?;
            let other = |c: char| if name == "lower" { c.is_uppercase() } else { c.is_lowercase() };
            text.chars().any(char::is_alphabetic) && !text.chars().any(other)
        }
        "escaped" => matches!(value, Value::Text(text) if text.markup() == Markup::Safe),
        "filter" => value.as_str().is_some_and(|name| super::filters::find(name).is_some()),
        "test" => match value.as_str() {
            Some(name) => matches!(check(meter, name, &Value::None, None), Ok(Some(_)) | Err(_)),
            None => false,
        },
        _ => return Ok(None),
    }))
}
