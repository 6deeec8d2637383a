//! Runs a [`Program`]: statements here, expressions in [`expr`], calls in [`call`].
//!
//! Scopes lie on one stack; a macro remembers the scope it was defined in by its place, never by
//! owning it, so values form no cycles but through namespaces, which the interpreter clears.

mod call;
mod expr;
mod lookup;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Program, Recursion, Stmt, StmtKind, Suffix, Sym, Target};
use super::clock::DateTime;
use super::fault::{Bound, Exception, Res, TemplateError, fail, type_error, value_error};
use super::meter::Meter;
use super::ops;
use super::print;
use super::text::{Builder, Text};
use super::value::{LoopState, MacroRef, Space, Value, name_of};

/// Deepest nesting of statements, expressions and macro calls while running.
const MAX_RUNNING: usize = 320;

/// Arguments of a call, evaluated.
#[derive(Default)]
pub(super) struct CallArgs {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl CallArgs {
    /// The argument at `position` or of that name.
    pub(super) fn get(&self, position: usize, name: &str) -> Option<&Value> {
        self.positional
            .get(position)
            .or_else(|| self.named.iter().find(|(have, _)| have == name).map(|(_, value)| value))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.get(usize::MAX, name)
    }
}

struct Scope {
    id: u64,
    parent: usize,
    vars: Vec<(Sym, Value)>,
}

pub(super) enum Flow {
    Normal,
    Break,
    Continue,
}

pub(super) struct Interp<'t> {
    program: &'t Program,
    pub(super) meter: Rc<Meter>,
    scopes: Vec<Scope>,
    next_scope: u64,
    spaces: Vec<Rc<Space>>,
    /// Loops that remember values for `loop.changed`, which may hold the loop itself.
    changing: Vec<Rc<LoopState>>,
    literals: Vec<Option<Text>>,
    depth: usize,
    line: usize,
    pub(super) now: Option<DateTime>,
    output_cap: usize,
}

impl Drop for Interp<'_> {
    fn drop(&mut self) {
        // Namespaces and loops may hold each other: empty them while all are still owned here.
        for space in &self.spaces {
            drop(std::mem::take(&mut *space.values.borrow_mut()));
        }
        for state in &self.changing {
            drop(state.changed.take());
        }
    }
}

impl<'t> Interp<'t> {
    pub(super) fn new(
        program: &'t Program,
        meter: Rc<Meter>,
        now: Option<DateTime>,
        output_cap: usize,
    ) -> Self {
        let literals = program.literals.iter().map(|_| None).collect();
        Self {
            program,
            meter,
            scopes: Vec::new(),
            next_scope: 0,
            spaces: Vec::new(),
            changing: Vec::new(),
            literals,
            depth: 0,
            line: 0,
            now,
            output_cap,
        }
    }

    /// Runs the whole template over `context`.
    pub(super) fn run(&mut self, context: &HashMap<String, Value>) -> Res<Builder> {
        let mut vars = Vec::new();
        for (sym, name) in self.program.names.iter().enumerate() {
            if let Some(value) = context.get(name) {
                vars.push((sym as Sym, value.clone()));
            }
        }
        self.scopes.push(Scope { id: 0, parent: 0, vars });
        self.next_scope = 1;
        self.push_scope(0);
        let mut out = Builder::new(&self.meter)?;
        let program = self.program;
        let flow = self.block(&program.body, &mut out, Root::Yes);
        match flow {
            Ok(Flow::Normal) => Ok(out),
            Ok(_) => fail(Exception::Runtime, "break or continue outside of a loop"),
            Err(mut error) => {
                if let TemplateError::Failed { line, .. } = &mut *error {
                    *line = self.line;
                }
                Err(error)
            }
        }
    }

    pub(super) fn names(&self) -> &'t [String] {
        &self.program.names
    }

    fn name(&self, sym: Sym) -> &'t str {
        name_of(&self.program.names, sym)
    }

    fn enter(&mut self) -> Res<()> {
        self.meter.spend(1)?;
        self.depth += 1;
        if self.depth > MAX_RUNNING {
            let cap = MAX_RUNNING as u64;
            return Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }));
        }
        Ok(())
    }

    fn push_scope(&mut self, parent: usize) {
        self.scopes.push(Scope { id: self.next_scope, parent, vars: Vec::new() });
        self.next_scope += 1;
    }

    fn current(&self) -> usize {
        self.scopes.len() - 1
    }

    /// Runs `inner` in a scope of its own.
    fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        let parent = self.current();
        self.push_scope(parent);
        let result = inner(self);
        self.scopes.pop();
        result
    }

    fn assign(&mut self, sym: Sym, value: Value) -> Res<()> {
        let at = self.current();
        let vars = &mut self.scopes[at].vars;
        self.meter.spend(vars.len() as u64 / 16)?;
        match vars.iter_mut().find(|(have, _)| *have == sym) {
            Some((_, old)) => *old = value,
            None => vars.push((sym, value)),
        }
        Ok(())
    }

    fn assign_target(&mut self, target: &Target, value: Value) -> Res<()> {
        match target {
            Target::Name(sym) => self.assign(*sym, value),
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(space)) = self.resolve(*name)? else {
                    let message = "cannot assign attribute on non-namespace object";
                    return fail(Exception::Runtime, message);
                };
                self.assign_space(&space, self.name(*attribute), value)
            }
            Target::Tuple(targets) => {
                let items = ops::iterate(&self.meter, &value)?;
                if items.len() < targets.len() {
                    let (expected, got) = (targets.len(), items.len());
                    return value_error(format!(
                        "not enough values to unpack (expected {expected}, got {got})"
                    ));
                }
                if items.len() > targets.len() {
                    let expected = targets.len();
                    return value_error(format!("too many values to unpack (expected {expected})"));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign_target(target, item)?;
                }
                Ok(())
            }
        }
    }

    fn assign_space(&mut self, space: &Space, name: &str, value: Value) -> Res<()> {
        let mut values = space.values.borrow_mut();
        self.meter.spend(values.len() as u64 / 16)?;
        // The old value is dropped after the borrow ends, for it may own this namespace.
        let old = match values.iter_mut().find(|(have, _)| have == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                space.charge.borrow_mut().grow(96 + name.len())?;
                values.push((name.to_owned(), value));
                None
            }
        };
        drop(values);
        drop(old);
        Ok(())
    }

    /// A new namespace with these values.
    pub(super) fn namespace(&mut self, values: Vec<(String, Value)>) -> Res<Value> {
        let bytes = 160 + values.iter().map(|(name, _)| 96 + name.len()).sum::<usize>();
        let charge = RefCell::new(self.meter.charge(bytes)?);
        let space = Rc::new(Space { values: RefCell::new(values), charge });
        self.spaces.push(Rc::clone(&space));
        Ok(Value::Namespace(space))
    }

    fn block(&mut self, body: &'t [Stmt], out: &mut Builder, root: Root) -> Res<Flow> {
        self.enter()?;
        for stmt in body {
            self.line = stmt.line;
            match self.statement(stmt, out, root)? {
                Flow::Normal => {}
                other => {
                    self.depth -= 1;
                    return Ok(other);
                }
            }
            if out.len() > self.output_cap {
                let cap = self.output_cap as u64;
                return Err(Box::new(TemplateError::Bound { bound: Bound::Output, cap }));
            }
        }
        self.depth -= 1;
        Ok(Flow::Normal)
    }

    fn statement(&mut self, stmt: &'t Stmt, out: &mut Builder, root: Root) -> Res<Flow> {
        match &stmt.kind {
            StmtKind::Data(text) => out.push_own(text)?,
            StmtKind::Print(expr) => {
                let value = self.eval(expr)?;
                print::print(out, &self.meter, &value)?;
            }
            StmtKind::If { branches, otherwise } => {
                for (test, body) in branches {
                    if self.eval(test)?.is_true() {
                        return self.block(body, out, root);
                    }
                }
                return self.block(otherwise, out, root);
            }
            StmtKind::For(id) => self.for_statement(*id, out, root)?,
            StmtKind::Set { target, value } => {
                let value = self.eval(value)?;
                self.assign_target(target, value)?;
            }
            StmtKind::SetBlock { target, filters, body } => {
                let value = self.captured(body, filters)?;
                self.assign_target(target, value)?;
            }
            StmtKind::Macro(id) => {
                let scope = self.current();
                let reference = MacroRef { id: *id, scope, scope_id: self.scopes[scope].id };
                let name = self.program.macros[*id].name;
                self.assign(name, Value::Macro(Rc::new(reference)))?;
            }
            StmtKind::Call { call, body } => {
                let value = self.call_block(call, *body)?;
                print::print(out, &self.meter, &value)?;
            }
            StmtKind::Filter { filters, body } => {
                let value = self.captured(body, filters)?;
                print::print(out, &self.meter, &value)?;
            }
            StmtKind::With { bindings, body } => {
                let mut values = Vec::new();
                for (_, expr) in bindings {
                    values.push(self.eval(expr)?);
                }
                return self.scoped(|interp| {
                    for ((target, _), value) in bindings.iter().zip(values) {
                        interp.assign_target(target, value)?;
                    }
                    interp.block(body, out, root)
                });
            }
            StmtKind::Generation(body) => {
                let start = out.len();
                let flow = self.scoped(|interp| interp.block(body, out, root))?;
                if root == Root::Yes {
                    out.mark_generated(start..out.len());
                }
                return Ok(flow);
            }
            StmtKind::Scope(body) => {
                return self.scoped(|interp| interp.block(body, out, root));
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Normal)
    }

    /// What a block prints, sent through filters.
    fn captured(&mut self, body: &'t [Stmt], filters: &'t [Suffix]) -> Res<Value> {
        let mut inner = Builder::new(&self.meter)?;
        self.scoped(|interp| interp.block(body, &mut inner, Root::No))?;
        let mut value = Value::Text(inner.finish());
        for filter in filters {
            value = self.suffix(&value, filter)?;
        }
        Ok(value)
    }

    fn for_statement(&mut self, id: usize, out: &mut Builder, root: Root) -> Res<()> {
        let program = self.program;
        let value = self.eval(&program.loops[id].iter)?;
        self.run_loop(id, &value, 0, out, root)
    }

    fn run_loop(
        &mut self,
        id: usize,
        value: &Value,
        depth: usize,
        out: &mut Builder,
        root: Root,
    ) -> Res<()> {
        let program = self.program;
        let parts = &program.loops[id];
        let mut items = ops::iterate(&self.meter, value)?;
        if let Some(condition) = &parts.condition {
            let mut kept = Vec::new();
            for item in items {
                let keep = self.scoped(|interp| {
                    interp.assign_target(&parts.target, item.clone())?;
                    Ok(interp.eval(condition)?.is_true())
                })?;
                if keep {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.scoped(|interp| interp.block(&parts.otherwise, out, root)).map(|_| ());
        }
        let charge = self.meter.charge(128 + super::value::weight(&items))?;
        let nesting = items.iter().map(Value::depth).max().unwrap_or(0);
        let recursive = (parts.recursion == Recursion::Allowed).then_some(id);
        let state = Rc::new(LoopState {
            items,
            index: Cell::new(0),
            depth,
            nesting,
            changed: RefCell::new(None),
            recursive,
            _charge: charge,
        });
        for (at, item) in state.items.iter().enumerate() {
            state.index.set(at);
            self.meter.spend(1)?;
            let flow = self.scoped(|interp| {
                interp.assign(parts.state, Value::Loop(Rc::clone(&state)))?;
                interp.assign_target(&parts.target, item.clone())?;
                interp.block(&parts.body, out, root)
            })?;
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(())
    }

    fn literal(&mut self, id: usize) -> Res<Text> {
        if let Some(text) = &self.literals[id] {
            return Ok(text.clone());
        }
        let text =
            Text::new(&self.meter, &self.program.literals[id], super::text::Trust::Template)?;
        self.literals[id] = Some(text.clone());
        Ok(text)
    }

    /// The value of a name; none when there is none.
    fn resolve(&self, sym: Sym) -> Res<Option<Value>> {
        let mut at = self.current();
        loop {
            let scope = &self.scopes[at];
            self.meter.spend(scope.vars.len() as u64 / 16)?;
            if let Some((_, value)) = scope.vars.iter().find(|(have, _)| *have == sym) {
                return Ok(Some(value.clone()));
            }
            if at == 0 {
                return Ok(call::global(self.name(sym)));
            }
            at = scope.parent;
        }
    }

    fn unknown<T>(kind: &str, name: &str) -> Res<T> {
        if name.is_empty() {
            return type_error(format!("a {kind} without a name"));
        }
        fail(Exception::Runtime, format!("No {kind} named {name:?} found.").replace('"', "'"))
    }
}

/// Whether output goes straight into the prompt, so that positions in it mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Yes,
    No,
}
