//! Attributes, items and slices, as transformers' sandbox grants them: `x.y` looks for a method
//! first and for a key second, `x['y']` the other way round, and what changes a value is refused.

use std::ops::Range;
use std::rc::Rc;

use super::super::fault::{Exception, Res, type_error, value_error};
use super::super::methods;
use super::super::ops;
use super::super::text::Builder;
use super::super::value::{LoopState, Value, name_of};
use super::Interp;

/// How Jinja names the type of a value in its messages.
fn described(value: &Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Namespace(_) => "jinja2.utils.Namespace object".to_owned(),
        Value::Loop(_) => "jinja2.runtime.LoopContext object".to_owned(),
        Value::Macro(_) => "jinja2.runtime.Macro object".to_owned(),
        other => format!("{} object", other.type_name()),
    }
}

/// A name short enough for a message.
fn clipped(name: &str) -> &str {
    name.char_indices().nth(200).map_or(name, |(end, _)| &name[..end])
}

fn no_attribute(value: &Value, name: &str) -> Value {
    let name = clipped(name);
    Value::undefined(format!("'{}' has no attribute '{name}'", described(value)))
}

impl Interp<'_> {
    pub(in super::super) fn attribute(&self, value: &Value, name: &str) -> Res<Value> {
        value.defined()?;
        if let Some(found) = self.own_attribute(value, name)? {
            return Ok(found);
        }
        if let Value::Dict(dict) = value
            && let Some(found) = dict.get_str(name)
        {
            return Ok(found.clone());
        }
        Ok(no_attribute(value, name))
    }

    /// What Python's `getattr` finds; an unsafe attribute is a value whose use fails.
    fn own_attribute(&self, value: &Value, name: &str) -> Res<Option<Value>> {
        let unsafe_access = || {
            let (kind, name) = (value.type_name(), clipped(name));
            let message = format!("access to attribute '{name}' of '{kind}' object is unsafe.");
            Some(Value::missing(Exception::Security, message))
        };
        if name.starts_with("__") && name.ends_with("__") && name.len() > 4 {
            return Ok(unsafe_access());
        }
        if let Some(method) = methods::find(value, name) {
            return Ok(match method {
                methods::Found::Safe(name) => Some(Value::Method(Rc::new((value.clone(), name)))),
                methods::Found::Unsafe => unsafe_access(),
            });
        }
        Ok(match value {
            Value::Namespace(space) => {
                let values = space.values.borrow();
                self.meter.spend(values.len() as u64 / 16)?;
                values.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone())
            }
            Value::Loop(state) => Self::loop_attribute(value, state, name),
            Value::Macro(reference) => match name {
                "name" => {
                    let sym = self.program.macros[reference.id].name;
                    Some(Value::text(&self.meter, name_of(self.names(), sym))?)
                }
                _ => None,
            },
            Value::Cycler(cycle) if name == "current" => cycle.items.get(cycle.at.get()).cloned(),
            _ => None,
        })
    }

    fn loop_attribute(value: &Value, state: &LoopState, name: &str) -> Option<Value> {
        let (at, length) = (state.index.get(), state.items.len());
        let int = |number: usize| Some(Value::Int(number as i128));
        match name {
            "index" => int(at + 1),
            "index0" => int(at),
            "revindex" => int(length - at),
            "revindex0" => int(length - at - 1),
            "first" => Some(Value::Bool(at == 0)),
            "last" => Some(Value::Bool(at + 1 == length)),
            "length" => int(length),
            "depth" => int(state.depth + 1),
            "depth0" => int(state.depth),
            "previtem" => Some(match at.checked_sub(1) {
                Some(before) => state.items[before].clone(),
                None => Value::undefined("there is no previous item"),
            }),
            "nextitem" => Some(match state.items.get(at + 1) {
                Some(next) => next.clone(),
                None => Value::undefined("there is no next item"),
            }),
            "cycle" => Some(Value::Method(Rc::new((value.clone(), "cycle")))),
            "changed" => Some(Value::Method(Rc::new((value.clone(), "changed")))),
            _ => None,
        }
    }

    pub(in super::super) fn item(&self, value: &Value, key: &Value) -> Res<Value> {
        value.defined()?;
        let found = match value {
            Value::Dict(dict) => dict.get(key)?.cloned(),
            _ => match key.as_int() {
                Some(index) => self.index(value, index)?,
                None => None,
            },
        };
        if let Some(found) = found {
            return Ok(found);
        }
        if let Some(name) = key.as_str() {
            return Ok(match self.own_attribute(value, name)? {
                Some(found) => found,
                None => no_attribute(value, name),
            });
        }
        let mut shown = Builder::new(&self.meter)?;
        super::print::repr(&mut shown, &self.meter, key, 0)?;
        let shown = shown.finish();
        let shown = clipped(shown.as_str());
        Ok(Value::undefined(format!("{} has no element {shown}", described(value))))
    }

    fn index(&self, value: &Value, index: i128) -> Res<Option<Value>> {
        let place = |length: usize| {
            let at = if index < 0 { index.saturating_add(length as i128) } else { index };
            usize::try_from(at).ok().filter(|at| *at < length)
        };
        Ok(match value {
            Value::List(seq) | Value::Tuple(seq) => {
                place(seq.items.len()).map(|at| seq.items[at].clone())
            }
            Value::Text(text) => {
                let Some(at) = place(ops::length(&self.meter, value)?) else { return Ok(None) };
                match text.as_str().char_indices().nth(at) {
                    Some((at, c)) => Some(Value::Text(text.slice(at..at + c.len_utf8())?)),
                    None => None,
                }
            }
            Value::Range(start, _, step) => {
                place(value.range_len()).map(|at| Value::Int(start + at as i128 * step))
            }
            _ => None,
        })
    }

    pub(super) fn slice(&self, value: &Value, bounds: &[Option<Value>; 3]) -> Res<Value> {
        value.defined()?;
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            *number = match bound {
                None | Some(Value::None) => None,
                Some(bound) => match bound.as_int() {
                    Some(number) => Some(number),
                    None => {
                        bound.defined()?;
                        return type_error(
                            "slice indices must be integers or None or have an __index__ method",
                        );
                    }
                },
            };
        }
        let [start, stop, step] = numbers;
        let step = step.unwrap_or(1);
        if step == 0 {
            return value_error("slice step cannot be zero");
        }
        let length = match value {
            Value::Text(_) | Value::List(_) | Value::Tuple(_) | Value::Range(..) => {
                ops::length(&self.meter, value)?
            }
            _ => {
                let message = format!("{} has no element slice", described(value));
                return Ok(Value::undefined(message));
            }
        };
        self.meter.spend(length as u64 / 16)?;
        if step == 1 {
            return self.plain_slice(value, ops::slice_range(length, start, stop));
        }
        let _reserved = self.meter.charge(length.saturating_mul(32))?;
        let positions = ops::slice_positions(length, start, stop, step);
        match value {
            Value::Text(text) => {
                let places: Vec<_> = text.as_str().char_indices().collect();
                let mut out = Builder::new(&self.meter)?;
                for at in positions {
                    let (place, c) = places[at];
                    out.push_slice(text, place..place + c.len_utf8())?;
                }
                Ok(Value::Text(out.finish()))
            }
            Value::List(seq) | Value::Tuple(seq) => {
                let items: Vec<_> = positions.iter().map(|at| seq.items[*at].clone()).collect();
                if matches!(value, Value::List(_)) {
                    Value::list(&self.meter, items)
                } else {
                    Value::tuple(&self.meter, items)
                }
            }
            Value::Range(first, _, by) => {
                let items =
                    positions.iter().map(|at| Value::Int(first + *at as i128 * by)).collect();
                Value::list(&self.meter, items)
            }
            _ => Ok(Value::None),
        }
    }

    fn plain_slice(&self, value: &Value, range: Range<usize>) -> Res<Value> {
        match value {
            Value::Text(text) => {
                let string = text.as_str();
                let place = |at: usize| {
                    string.char_indices().nth(at).map_or(string.len(), |(place, _)| place)
                };
                text.slice(place(range.start)..place(range.end)).map(Value::Text)
            }
            Value::List(seq) => {
                drop(self.meter.charge(range.len() * size_of::<Value>())?);
                Value::list(&self.meter, seq.items[range].to_vec())
            }
            Value::Tuple(seq) => {
                drop(self.meter.charge(range.len() * size_of::<Value>())?);
                Value::tuple(&self.meter, seq.items[range].to_vec())
            }
            Value::Range(first, _, by) => {
                let place = |at: usize| first + at as i128 * by;
                Ok(Value::Range(place(range.start), place(range.end), *by))
            }
            _ => Ok(Value::None),
        }
    }
}
