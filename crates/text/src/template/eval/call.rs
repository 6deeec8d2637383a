//! Calls: macros, the global functions, methods.

use std::cell::Cell;
use std::rc::Rc;

use super::super::ast::Expr;
use super::super::ast::Suffix;
use super::super::clock;
use super::super::fault::{Exception, Res, TemplateError, fail, type_error};
use super::super::methods;
use super::super::print;
use super::super::text::{Builder, Text, Trust};
use super::super::value::{Cycler, Dict, MacroRef, Seq, Value};
use super::{CallArgs, Interp, Root};

/// The longest range the sandbox grants.
const MAX_RANGE: usize = 100_000;

/// The functions every template can call.
const GLOBALS: [&str; 7] =
    ["range", "dict", "namespace", "raise_exception", "strftime_now", "cycler", "joiner"];

pub(super) fn global(name: &str) -> Option<Value> {
    GLOBALS.iter().find(|have| **have == name).map(|name| Value::Global(name))
}

impl<'t> Interp<'t> {
    pub(super) fn call(&mut self, callee: &Value, args: CallArgs) -> Res<Value> {
        match callee {
            Value::Macro(reference) => self.call_macro(reference, args),
            Value::Global(name) => self.call_global(name, args),
            Value::Method(bound) => {
                let (value, name) = &**bound;
                match value {
                    Value::Loop(_) | Value::Cycler(_) => self.call_stateful(value, name, &args),
                    _ => methods::call(self, value, name, &args),
                }
            }
            Value::Loop(state) => {
                let Some(id) = state.recursive else {
                    return type_error("The loop must have the 'recursive' marker to be called.");
                };
                let Some(items) = args.positional.first() else {
                    return type_error("a recursive loop is called with what to walk");
                };
                let mut out = Builder::new(&self.meter)?;
                self.enter()?;
                self.run_loop(id, items, state.depth + 1, &mut out, Root::No)?;
                self.depth -= 1;
                Ok(Value::Text(out.finish()))
            }
            Value::Joiner(joiner) => {
                if joiner.1.replace(true) {
                    return Ok(Value::Text(joiner.0.clone()));
                }
                Value::text(&self.meter, "")
            }
            other => {
                other.defined()?;
                type_error(format!("'{}' object is not callable", other.type_name()))
            }
        }
    }

    fn call_stateful(&mut self, value: &Value, name: &str, args: &CallArgs) -> Res<Value> {
        match (value, name) {
            (Value::Loop(state), "cycle") => {
                if args.positional.is_empty() {
                    return type_error("no items for cycling given");
                }
                Ok(args.positional[state.index.get() % args.positional.len()].clone())
            }
            (Value::Loop(state), _) => {
                let now = Seq::new(&self.meter, args.positional.clone())?;
                let before = state.changed.replace(Some(Rc::clone(&now)));
                let Some(before) = before else {
                    self.changing.push(Rc::clone(state));
                    return Ok(Value::Bool(true));
                };
                Ok(Value::Bool(!Value::List(before).equals(&Value::List(now), 0)?))
            }
            (Value::Cycler(cycle), "next") => {
                let at = cycle.at.get();
                cycle.at.set((at + 1) % cycle.items.len().max(1));
                Ok(cycle.items.get(at).cloned().unwrap_or(Value::None))
            }
            (Value::Cycler(cycle), _) => {
                cycle.at.set(0);
                Ok(Value::None)
            }
            _ => Ok(Value::None),
        }
    }

    fn call_macro(&mut self, reference: &MacroRef, mut args: CallArgs) -> Res<Value> {
        let program = self.program;
        let definition = &program.macros[reference.id];
        let name = self.name(definition.name);
        self.enter()?;
        let alive = self.scopes.get(reference.scope).is_some_and(|s| s.id == reference.scope_id);
        self.push_scope(if alive { reference.scope } else { 1 });
        let mut positional = std::mem::take(&mut args.positional).into_iter();
        for (param, default) in &definition.params {
            let param_name = self.name(*param);
            let named = args.named.iter().position(|(have, _)| have == param_name);
            let value = match (positional.next(), named) {
                (Some(_), Some(_)) => {
                    return type_error(format!(
                        "macro '{name}' got multiple values for argument '{param_name}'"
                    ));
                }
                (Some(value), None) => value,
                (None, Some(at)) => args.named.remove(at).1,
                (None, None) => match default {
                    Some(default) => self.eval(default)?,
                    None => Value::undefined(format!("parameter '{param_name}' was not provided")),
                },
            };
            self.assign(*param, value)?;
        }
        if let Some(sym) = definition.takes.caller
            && !definition.params.iter().any(|(param, _)| *param == sym)
        {
            let passed = args.named.iter().position(|(have, _)| have == "caller");
            if let Some(at) = passed {
                let value = args.named.remove(at).1;
                self.assign(sym, value)?;
            }
        }
        match definition.takes.kwargs {
            Some(sym) => {
                let mut dict = Dict::new(&self.meter)?;
                for (name, value) in args.named {
                    dict.insert(Value::text(&self.meter, &name)?, value)?;
                }
                self.assign(sym, Value::Dict(Rc::new(dict)))?;
            }
            None => {
                if let Some((extra, _)) = args.named.first() {
                    return type_error(format!(
                        "macro '{name}' takes no keyword argument '{extra}'"
                    ));
                }
            }
        }
        match definition.takes.varargs {
            Some(sym) => {
                let rest = Value::tuple(&self.meter, positional.collect())?;
                self.assign(sym, rest)?;
            }
            None => {
                if positional.next().is_some() {
                    let count = definition.params.len();
                    return type_error(format!(
                        "macro '{name}' takes not more than {count} argument(s)"
                    ));
                }
            }
        }
        let mut out = Builder::new(&self.meter)?;
        let line = self.line;
        self.block(&definition.body, &mut out, Root::No)?;
        self.line = line;
        self.scopes.pop();
        self.depth -= 1;
        Ok(Value::Text(out.finish()))
    }

    /// `{% call f(x) %}body{% endcall %}`: the body becomes the macro `caller`.
    pub(super) fn call_block(&mut self, call: &'t Expr, body: usize) -> Res<Value> {
        let scope = self.current();
        let caller = MacroRef { id: body, scope, scope_id: self.scopes[scope].id };
        let Expr::Chain(base, suffixes) = call else { return Ok(Value::None) };
        let mut value = self.eval(base)?;
        for (at, suffix) in suffixes.iter().enumerate() {
            value = match suffix {
                Suffix::Call(args) if at + 1 == suffixes.len() => {
                    let mut args = self.arguments(args)?;
                    let caller = Value::Macro(Rc::new(MacroRef { ..caller }));
                    args.named.push(("caller".to_owned(), caller));
                    self.call(&value, args)?
                }
                _ => self.suffix(&value, suffix)?,
            };
        }
        Ok(value)
    }

    fn call_global(&mut self, name: &str, args: CallArgs) -> Res<Value> {
        match name {
            "range" => range(&args),
            "namespace" | "dict" => {
                let mut entries = Vec::new();
                match args.positional.first() {
                    Some(Value::Dict(dict)) => {
                        for (key, value) in dict.entries() {
                            self.meter.spend(1)?;
                            entries.push((key.clone(), value.clone()));
                        }
                    }
                    Some(other) => {
                        for pair in super::ops::iterate(&self.meter, other)? {
                            let pair = super::ops::iterate(&self.meter, &pair)?;
                            let [key, value] = &pair[..] else {
                                return type_error("cannot convert to a dict");
                            };
                            entries.push((key.clone(), value.clone()));
                        }
                    }
                    None => {}
                }
                for (name, value) in args.named {
                    entries.push((Value::text(&self.meter, &name)?, value));
                }
                let mut dict = Dict::new(&self.meter)?;
                for (key, value) in entries {
                    dict.insert(key, value)?;
                }
                if name == "dict" {
                    return Ok(Value::Dict(Rc::new(dict)));
                }
                let named = |(key, value): &(Value, Value)| {
                    key.as_str().map(|key| (key.to_owned(), value.clone()))
                };
                let values = dict.entries().iter().filter_map(named).collect();
                self.namespace(values)
            }
            "raise_exception" => {
                let message = match args.get(0, "message") {
                    Some(value) => print::to_text(&self.meter, value)?.as_str().to_owned(),
                    None => String::new(),
                };
                Err(Box::new(TemplateError::Refused { message }))
            }
            "strftime_now" => {
                let Some(format) = args.get(0, "format").and_then(Value::as_str) else {
                    return type_error("strftime_now() takes a format");
                };
                let Some(now) = &self.now else {
                    return fail(Exception::Runtime, "this request carries no date");
                };
                let text = clock::strftime(now, format)?;
                Ok(Value::Text(Text::new(&self.meter, &text, Trust::Template)?))
            }
            "cycler" => {
                if args.positional.is_empty() {
                    return type_error("at least one item has to be provided");
                }
                Ok(Value::Cycler(Cycler::new(&self.meter, args.positional)?))
            }
            _ => {
                let separator = match args.get(0, "sep") {
                    Some(value) => print::to_text(&self.meter, value)?,
                    None => Text::new(&self.meter, ", ", Trust::Template)?,
                };
                Ok(Value::Joiner(Rc::new((separator, Cell::new(false)))))
            }
        }
    }
}

fn range(args: &CallArgs) -> Res<Value> {
    let mut numbers = Vec::new();
    for arg in &args.positional {
        match arg.as_int() {
            Some(number) if number.unsigned_abs() < 1 << 64 => numbers.push(number),
            Some(_) => return fail(Exception::Overflow, "range() bounds beyond 64 bits"),
            None => {
                arg.defined()?;
                let name = arg.type_name();
                return type_error(format!("'{name}' object cannot be interpreted as an integer"));
            }
        }
    }
    let value = match numbers[..] {
        [stop] => Value::Range(0, stop, 1),
        [start, stop] => Value::Range(start, stop, 1),
        [_, _, 0] => return fail(Exception::Value, "range() arg 3 must not be zero"),
        [start, stop, step] => Value::Range(start, stop, step),
        _ => return type_error("range expected 1 to 3 arguments"),
    };
    if value.range_len() > MAX_RANGE {
        return fail(
            Exception::Overflow,
            format!(
                "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MAX_RANGE})."
            ),
        );
    }
    Ok(value)
}
