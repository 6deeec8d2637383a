//! Expressions.

use super::super::ast::{Args, Expr, Op, Suffix, Wanted};
use super::super::checks;
use super::super::fault::Res;
use super::super::filters;
use super::super::ops;
use super::super::print;
use super::super::text::Builder;
use super::super::value::{Dict, Value};
use super::{CallArgs, Interp};
use std::rc::Rc;

impl<'t> Interp<'t> {
    pub(super) fn eval(&mut self, expr: &'t Expr) -> Res<Value> {
        match expr {
            Expr::None => return Ok(Value::None),
            Expr::Bool(flag) => return Ok(Value::Bool(*flag)),
            Expr::Int(number) => return Ok(Value::Int(*number)),
            Expr::Float(number) => return Ok(Value::Float(*number)),
            Expr::Str(id) => return Ok(Value::Text(self.literal(*id)?)),
            Expr::Name(sym) => {
                self.meter.spend(1)?;
                return Ok(match self.resolve(*sym)? {
                    Some(value) => value,
                    None => Value::undefined(format!("'{}' is undefined", self.name(*sym))),
                });
            }
            _ => {}
        }
        self.enter()?;
        let value = self.compound(expr)?;
        self.depth -= 1;
        Ok(value)
    }

    fn compound(&mut self, expr: &'t Expr) -> Res<Value> {
        match expr {
            Expr::Not(inner) => Ok(Value::Bool(!self.eval(inner)?.is_true())),
            Expr::Neg(inner) => ops::negate(&self.eval(inner)?, Op::Sub),
            Expr::Pos(inner) => ops::negate(&self.eval(inner)?, Op::Add),
            Expr::And(all) => {
                let mut value = Value::Bool(true);
                for part in all {
                    value = self.eval(part)?;
                    if !value.is_true() {
                        break;
                    }
                }
                Ok(value)
            }
            Expr::Or(all) => {
                let mut value = Value::Bool(false);
                for part in all {
                    value = self.eval(part)?;
                    if value.is_true() {
                        break;
                    }
                }
                Ok(value)
            }
            Expr::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (how, right) in rest {
                    let right = self.eval(right)?;
                    if !ops::relate(&self.meter, *how, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::Arith(first, rest) => {
                let mut value = self.eval(first)?;
                for (op, right) in rest {
                    let right = self.eval(right)?;
                    value = ops::arith(&self.meter, *op, &value, &right)?;
                }
                Ok(value)
            }
            Expr::Concat(all) => {
                let mut out = Builder::new(&self.meter)?;
                for part in all {
                    let value = self.eval(part)?;
                    print::print(&mut out, &self.meter, &value)?;
                }
                Ok(Value::Text(out.finish()))
            }
            Expr::Choose { test, then, otherwise } => {
                if self.eval(test)?.is_true() {
                    return self.eval(then);
                }
                match otherwise {
                    Some(otherwise) => self.eval(otherwise),
                    None => Ok(Value::undefined(
                        "the inline if-expression evaluated to false and no else section was \
                         defined.",
                    )),
                }
            }
            Expr::Chain(base, suffixes) => {
                let mut value = self.eval(base)?;
                for suffix in suffixes {
                    value = self.suffix(&value, suffix)?;
                }
                Ok(value)
            }
            _ => self.collection(expr),
        }
    }

    fn collection(&mut self, expr: &'t Expr) -> Res<Value> {
        match expr {
            Expr::List(items) | Expr::Tuple(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.push(self.eval(item)?);
                }
                if matches!(expr, Expr::List(_)) {
                    Value::list(&self.meter, values)
                } else {
                    Value::tuple(&self.meter, values)
                }
            }
            Expr::Dict(entries) => {
                let mut dict = Dict::new(&self.meter)?;
                for (key, value) in entries {
                    let key = self.eval(key)?;
                    let value = self.eval(value)?;
                    dict.insert(key, value)?;
                }
                Ok(Value::Dict(Rc::new(dict)))
            }
            _ => Ok(Value::None),
        }
    }

    pub(super) fn suffix(&mut self, value: &Value, suffix: &'t Suffix) -> Res<Value> {
        self.meter.spend(1)?;
        match suffix {
            Suffix::Attribute(sym) => self.attribute(value, self.name(*sym)),
            Suffix::Item(index) => {
                let index = self.eval(index)?;
                self.item(value, &index)
            }
            Suffix::Slice(parts) => {
                let mut bounds = [None, None, None];
                for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                    if let Some(part) = part {
                        *bound = Some(self.eval(part)?);
                    }
                }
                self.slice(value, &bounds)
            }
            Suffix::Call(args) => {
                let args = self.arguments(args)?;
                self.call(value, args)
            }
            Suffix::Filter(sym, args) => {
                let args = self.arguments(args)?;
                self.filter(self.name(*sym), value, &args)
            }
            Suffix::Test { name, args, wanted } => {
                let args = self.arguments(args)?;
                let holds = self.test(self.name(*name), value, &args)?;
                Ok(Value::Bool(holds == (*wanted == Wanted::Holds)))
            }
        }
    }

    pub(in super::super) fn filter(
        &mut self,
        name: &str,
        value: &Value,
        args: &CallArgs,
    ) -> Res<Value> {
        match filters::find(name) {
            Some(filter) => filter(self, value, args),
            None => Self::unknown("filter", name),
        }
    }

    pub(in super::super) fn test(
        &mut self,
        name: &str,
        value: &Value,
        args: &CallArgs,
    ) -> Res<bool> {
        match checks::check(&self.meter, name, value, args.positional.first())? {
            Some(holds) => Ok(holds),
            None => Self::unknown("test", name),
        }
    }

    pub(super) fn arguments(&mut self, args: &'t Args) -> Res<CallArgs> {
        let mut out = CallArgs::default();
        for arg in &args.positional {
            out.positional.push(self.eval(arg)?);
        }
        if let Some(star) = &args.star {
            let value = self.eval(star)?;
            out.positional.extend(ops::iterate(&self.meter, &value)?);
        }
        for (name, arg) in &args.named {
            let value = self.eval(arg)?;
            out.named.push((self.name(*name).to_owned(), value));
        }
        if let Some(more) = &args.double_star {
            let value = self.eval(more)?;
            let Value::Dict(dict) = &value else {
                let name = value.type_name();
                return super::type_error(format!(
                    "argument after ** must be a mapping, not {name}"
                ));
            };
            for (key, value) in dict.entries() {
                let Some(key) = key.as_str() else {
                    return super::type_error("keywords must be strings");
                };
                self.meter.spend(8)?;
                out.named.push((key.to_owned(), value.clone()));
            }
        }
        Ok(out)
    }
}
