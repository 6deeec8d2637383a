//! The values a template computes with, as Python would type them.
//!
//! Lists and dicts are immutable, as in transformers' sandbox; only namespaces change, and the
//! interpreter keeps every namespace until the render ends, so no cycle leaks and no chain of
//! values is dropped recursively deeper than [`MAX_NESTING`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::ast::Sym;
use super::fault::{Bound, Exception, Res, TemplateError, fault, type_error};
use super::meter::{Charge, Meter};
use super::text::{Text, Trust};

/// Deepest nesting of lists and dicts.
pub(super) const MAX_NESTING: usize = 128;

#[derive(Clone)]
pub(super) enum Value {
    Undefined(Rc<Missing>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Text),
    List(Rc<Seq>),
    Tuple(Rc<Seq>),
    Dict(Rc<Dict>),
    /// `dict.items()` and its kind; the string is Python's name of the type.
    View(Rc<Seq>, &'static str),
    /// What lazy filters return: it can be walked once and has no length.
    Generator(Rc<Generator>),
    Range(i128, i128, i128),
    Namespace(Rc<Space>),
    Macro(Rc<MacroRef>),
    Global(&'static str),
    Method(Rc<(Value, &'static str)>),
    Loop(Rc<LoopState>),
    Cycler(Rc<Cycler>),
    Joiner(Rc<(Text, Cell<bool>)>),
}

/// Why a value is undefined: the exception its use raises.
pub(super) struct Missing {
    pub(super) exception: Exception,
    pub(super) message: String,
}

pub(super) struct Seq {
    pub(super) items: Vec<Value>,
    depth: usize,
    charge: Charge,
}

/// A dict in order of insertion.
pub(super) struct Dict {
    entries: Vec<(Value, Value)>,
    index: HashMap<Box<str>, usize>,
    depth: usize,
    charge: Charge,
}

/// A `namespace()`: the one thing a template can change.
pub(super) struct Space {
    pub(super) values: RefCell<Vec<(String, Value)>>,
    pub(super) charge: RefCell<Charge>,
}

/// A macro and the scope it was defined in.
pub(super) struct MacroRef {
    pub(super) id: usize,
    pub(super) scope: usize,
    pub(super) scope_id: u64,
}

/// The `loop` variable.
pub(super) struct LoopState {
    pub(super) items: Vec<Value>,
    pub(super) index: Cell<usize>,
    pub(super) depth: usize,
    /// Nesting of the items, as [`Value::depth`] counts it.
    pub(super) nesting: usize,
    pub(super) changed: RefCell<Option<Rc<Seq>>>,
    /// The recursive loop's place in the template, for `loop(...)`.
    pub(super) recursive: Option<usize>,
    pub(super) _charge: Charge,
}

/// Items that can be taken once.
pub(super) struct Generator {
    items: RefCell<Vec<Value>>,
    depth: usize,
    _charge: Charge,
}

impl Generator {
    pub(super) fn new(meter: &Rc<Meter>, items: Vec<Value>) -> Res<Rc<Self>> {
        meter.spend(items.len() as u64 / 2)?;
        let charge = meter.charge(64 + weight(&items))?;
        let depth = nesting(&items)?;
        Ok(Rc::new(Self { items: RefCell::new(items), depth, _charge: charge }))
    }

    /// The items; none the second time.
    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.items.borrow_mut())
    }
}

/// `cycler(...)`.
pub(super) struct Cycler {
    pub(super) items: Vec<Value>,
    pub(super) at: Cell<usize>,
    depth: usize,
    _charge: Charge,
}

impl Cycler {
    pub(super) fn new(meter: &Rc<Meter>, items: Vec<Value>) -> Res<Rc<Self>> {
        let charge = meter.charge(64 + weight(&items))?;
        let depth = nesting(&items)?;
        Ok(Rc::new(Self { items, at: Cell::new(0), depth, _charge: charge }))
    }
}

/// Bytes a list of values takes: their places, and what small values own without a charge.
pub(super) fn weight(items: &[Value]) -> usize {
    items.iter().map(|item| SLOT + item.uncharged()).sum()
}

fn nesting(items: &[Value]) -> Res<usize> {
    deeper(items.iter().map(Value::depth).max().unwrap_or(0))
}

const SLOT: usize = size_of::<Value>();

fn deeper(depth: usize) -> Res<usize> {
    if depth >= MAX_NESTING {
        let cap = MAX_NESTING as u64;
        return Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }));
    }
    Ok(depth + 1)
}

impl Seq {
    pub(super) fn new(meter: &Rc<Meter>, items: Vec<Value>) -> Res<Rc<Self>> {
        meter.spend(items.len() as u64 / 2)?;
        let charge = meter.charge(64 + weight(&items))?;
        let depth = nesting(&items)?;
        Ok(Rc::new(Self { items, depth, charge }))
    }
}

impl Dict {
    pub(super) fn new(meter: &Rc<Meter>) -> Res<Self> {
        let charge = meter.charge(160)?;
        Ok(Self { entries: Vec::new(), index: HashMap::new(), depth: 1, charge })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    pub(super) fn insert(&mut self, key: Value, value: Value) -> Res<()> {
        if !key.is_hashable() {
            return type_error(format!("unhashable type: '{}'", key.type_name()));
        }
        self.charge.meter().spend(8)?;
        self.depth = self.depth.max(deeper(value.depth().max(key.depth()))?);
        if let Some(at) = self.position(&key)? {
            self.entries[at].1 = value;
            return Ok(());
        }
        let text = match &key {
            Value::Text(text) => text.as_str().len(),
            _ => 0,
        };
        self.charge.grow(4 * SLOT + 64 + text + value.uncharged())?;
        if let Value::Text(text) = &key {
            self.index.insert(text.as_str().into(), self.entries.len());
        }
        self.entries.push((key, value));
        Ok(())
    }

    pub(super) fn get_str(&self, key: &str) -> Option<&Value> {
        self.index.get(key).map(|at| &self.entries[*at].1)
    }

    pub(super) fn get(&self, key: &Value) -> Res<Option<&Value>> {
        Ok(self.position(key)?.map(|at| &self.entries[at].1))
    }

    fn position(&self, key: &Value) -> Res<Option<usize>> {
        if let Value::Text(text) = key {
            self.charge.meter().scan(text.as_str().len())?;
            return Ok(self.index.get(text.as_str()).copied());
        }
        if self.index.len() == self.entries.len() {
            return Ok(None);
        }
        self.charge.meter().spend(self.entries.len() as u64)?;
        for (at, (have, _)) in self.entries.iter().enumerate() {
            if !matches!(have, Value::Text(_)) && have.equals(key, 0)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

impl Value {
    pub(super) fn text(meter: &Rc<Meter>, string: &str) -> Res<Self> {
        Ok(Self::Text(Text::new(meter, string, Trust::Template)?))
    }

    pub(super) fn list(meter: &Rc<Meter>, items: Vec<Value>) -> Res<Self> {
        Ok(Self::List(Seq::new(meter, items)?))
    }

    pub(super) fn tuple(meter: &Rc<Meter>, items: Vec<Value>) -> Res<Self> {
        Ok(Self::Tuple(Seq::new(meter, items)?))
    }

    pub(super) fn undefined(message: impl Into<String>) -> Self {
        Self::missing(Exception::Undefined, message)
    }

    pub(super) fn missing(exception: Exception, message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Missing { exception, message: message.into() }))
    }

    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(seq) | Self::Tuple(seq) | Self::View(seq, _) => seq.depth,
            Self::Dict(dict) => dict.depth,
            Self::Generator(items) => items.depth,
            Self::Method(bound) => bound.0.depth() + 1,
            Self::Cycler(cycle) => cycle.depth,
            Self::Loop(state) => 1 + state.nesting,
            _ => 0,
        }
    }

    /// Bytes of a value that carries no charge of its own.
    fn uncharged(&self) -> usize {
        match self {
            Self::Undefined(_) => 640,
            Self::Method(_) | Self::Macro(_) | Self::Joiner(_) => 128,
            _ => 0,
        }
    }

    /// Python's name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(_, name) => name,
            Self::Generator(_) => "generator",
            Self::Range(..) => "range",
            Self::Namespace(_) => "Namespace",
            Self::Macro(_) => "Macro",
            Self::Global(_) => "function",
            Self::Method(_) => "builtin_function_or_method",
            Self::Loop(_) => "LoopContext",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(flag) => Some(i128::from(*flag)),
            _ => None,
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.as_int().map(|number| number as f64),
        }
    }

    fn is_hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Dict(_) | Self::View(..) => false,
            Self::Tuple(seq) => seq.items.iter().all(Self::is_hashable),
            _ => true,
        }
    }

    /// Python's truth of a value.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(flag) => *flag,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.as_str().is_empty(),
            Self::List(seq) | Self::Tuple(seq) | Self::View(seq, _) => !seq.items.is_empty(),
            Self::Dict(dict) => dict.len() > 0,
            Self::Range(..) => self.range_len() > 0,
            _ => true,
        }
    }

    /// Fails with what made an undefined value undefined.
    pub(super) fn defined(&self) -> Res<&Self> {
        match self {
            Self::Undefined(missing) => Err(fault(missing.exception, missing.message.clone())),
            _ => Ok(self),
        }
    }

    pub(super) fn range_len(&self) -> usize {
        let Self::Range(start, stop, step) = *self else { return 0 };
        let span = if step > 0 { stop - start } else { start - stop };
        let step = step.abs().max(1);
        usize::try_from(((span + step - 1) / step).max(0)).unwrap_or(usize::MAX)
    }

    /// Python's `==`.
    pub(super) fn equals(&self, other: &Self, depth: usize) -> Res<bool> {
        if depth > MAX_NESTING {
            let cap = MAX_NESTING as u64;
            return Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }));
        }
        Ok(match (self, other) {
            (Self::Undefined(_), Self::Undefined(_)) | (Self::None, Self::None) => true,
            (Self::Text(a), Self::Text(b)) => {
                a.meter().scan(a.as_str().len().min(b.as_str().len()))?;
                a.as_str() == b.as_str()
            }
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                if a.items.len() != b.items.len() {
                    return Ok(false);
                }
                a.charge.meter().spend(a.items.len() as u64)?;
                for (x, y) in a.items.iter().zip(&b.items) {
                    if !x.equals(y, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Dict(a), Self::Dict(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                if a.len() != b.len() {
                    return Ok(false);
                }
                a.charge.meter().spend(a.len() as u64)?;
                for (key, x) in &a.entries {
                    match b.get(key)? {
                        Some(y) if x.equals(y, depth + 1)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Self::Range(a, b, c), Self::Range(x, y, z)) => (a, b, c) == (x, y, z),
            (Self::Namespace(a), Self::Namespace(b)) => Rc::ptr_eq(a, b),
            (Self::Macro(a), Self::Macro(b)) => Rc::ptr_eq(a, b),
            (Self::Global(a), Self::Global(b)) => a == b,
            _ => match (self.as_int(), other.as_int()) {
                (Some(a), Some(b)) => a == b,
                _ => match (self.as_number(), other.as_number()) {
                    (Some(a), Some(b)) => a == b,
                    _ => false,
                },
            },
        })
    }
}

/// An interned name's text, for messages.
pub(super) fn name_of(names: &[String], sym: Sym) -> &str {
    names.get(sym as usize).map_or("", String::as_str)
}
