//! Tokens to a [`Program`]: Jinja's statements. Expressions are in [`expr`].
//!
//! Nesting is bounded, so neither parsing nor walking the tree can exhaust the stack.

mod expr;

use std::collections::HashMap;

use super::ast::{
    Expr, For, Macro, Program, Recursion, Stmt, StmtKind, Suffix, Sym, Takes, Target,
};
use super::fault::{Bound, Res, TemplateError};
use super::lex::{self, Lexed, Token, syntax};

/// Deepest nesting of blocks and brackets a template may have.
pub(super) const MAX_DEPTH: usize = 96;

/// Reads a template.
pub(super) fn parse(source: &str) -> Res<Program> {
    let tokens = lex::lex(source)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        depth: 0,
        names: HashMap::new(),
        literals: Vec::new(),
        literal_ids: HashMap::new(),
        macros: Vec::new(),
        loops: Vec::new(),
        takes: Vec::new(),
    };
    let body = parser.statements(&[])?;
    if !matches!(parser.peek(), Token::End) {
        return parser.unexpected("the end of the template");
    }
    let mut names = vec![String::new(); parser.names.len()];
    for (name, sym) in parser.names {
        names[sym as usize] = name;
    }
    Ok(Program {
        body,
        names,
        literals: parser.literals,
        macros: parser.macros,
        loops: parser.loops,
    })
}

struct Parser<'t> {
    tokens: &'t [Lexed],
    at: usize,
    depth: usize,
    names: HashMap<String, Sym>,
    literals: Vec<String>,
    literal_ids: HashMap<String, usize>,
    macros: Vec<Macro>,
    loops: Vec<For>,
    /// What the macros being parsed have named so far, innermost last.
    takes: Vec<Takes>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &'t Token {
        self.tokens.get(self.at).map_or(&Token::End, |lexed| &lexed.token)
    }

    fn peek_after(&self) -> &'t Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |lexed| &lexed.token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |lexed| lexed.line)
    }

    fn next(&mut self) -> &'t Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn unexpected<T>(&self, expected: &str) -> Res<T> {
        let found = match self.peek() {
            Token::Data(_) => "text".to_owned(),
            Token::BlockBegin => "the start of a block".to_owned(),
            Token::BlockEnd => "the end of a block".to_owned(),
            Token::PrintBegin | Token::PrintEnd => "the edge of an expression".to_owned(),
            Token::Name(name) => format!("{name:.40}"),
            Token::Str(_) => "a string".to_owned(),
            Token::Int(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
            Token::Op(op) => format!("{op:?}"),
            Token::End => "the end of the template".to_owned(),
        };
        syntax(self.line(), format!("found {found}, expected {expected}"))
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Token::Op(found) if *found == op)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == name)
    }

    fn skip_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    fn expect_op(&mut self, op: &str) -> Res<()> {
        if self.skip_op(op) { Ok(()) } else { self.unexpected(&format!("{op:?}")) }
    }

    fn expect_name(&mut self, name: &str) -> Res<()> {
        if self.skip_name(name) { Ok(()) } else { self.unexpected(name) }
    }

    fn block_end(&mut self) -> Res<()> {
        if matches!(self.peek(), Token::BlockEnd) {
            self.at += 1;
            return Ok(());
        }
        self.unexpected("the end of the block")
    }

    fn sym(&mut self, name: &str) -> Sym {
        if let Some(sym) = self.names.get(name) {
            return *sym;
        }
        let sym = self.names.len() as Sym;
        self.names.insert(name.to_owned(), sym);
        sym
    }

    fn name(&mut self) -> Res<Sym> {
        match self.peek() {
            Token::Name(name) => {
                self.at += 1;
                Ok(self.sym(name))
            }
            _ => self.unexpected("a name"),
        }
    }

    fn literal(&mut self, string: String) -> usize {
        if let Some(id) = self.literal_ids.get(&string) {
            return *id;
        }
        let id = self.literals.len();
        self.literal_ids.insert(string.clone(), id);
        self.literals.push(string);
        id
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        if self.depth >= MAX_DEPTH {
            let cap = MAX_DEPTH as u64;
            return Err(Box::new(TemplateError::Bound { bound: Bound::Depth, cap }));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Statements up to a block that starts with one of `ends`; leaves the parser at that name.
    fn statements(&mut self, ends: &[&str]) -> Res<Vec<Stmt>> {
        self.deeper(|parser| parser.statements_inner(ends))
    }

    fn statements_inner(&mut self, ends: &[&str]) -> Res<Vec<Stmt>> {
        let mut out = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.peek() {
                Token::End => {
                    if ends.is_empty() {
                        return Ok(out);
                    }
                    return self.unexpected(&ends.join(" or "));
                }
                Token::Data(text) => {
                    self.at += 1;
                    StmtKind::Data(text.clone())
                }
                Token::PrintBegin => {
                    self.at += 1;
                    let value = self.tuple()?;
                    if !matches!(self.peek(), Token::PrintEnd) {
                        return self.unexpected("the end of the expression");
                    }
                    self.at += 1;
                    StmtKind::Print(value)
                }
                Token::BlockBegin => {
                    self.at += 1;
                    let Token::Name(name) = self.peek() else {
                        return self.unexpected("the name of a block");
                    };
                    if ends.contains(&name.as_str()) {
                        return Ok(out);
                    }
                    self.at += 1;
                    self.statement(name)?
                }
                _ => return self.unexpected("text or a block"),
            };
            out.push(Stmt { line, kind });
        }
    }

    /// The body of a block, closed by `end`.
    fn body(&mut self, end: &str) -> Res<Vec<Stmt>> {
        self.block_end()?;
        let body = self.statements(&[end])?;
        self.expect_name(end)?;
        Ok(body)
    }

    fn statement(&mut self, name: &str) -> Res<StmtKind> {
        let kind = match name {
            "if" => self.branches()?,
            "for" => self.for_loop()?,
            "set" => self.set()?,
            "macro" => self.macro_definition()?,
            "call" => self.call_block()?,
            "filter" => {
                let filters = self.filter_chain()?;
                StmtKind::Filter { filters, body: self.body("endfilter")? }
            }
            "with" => self.with()?,
            "generation" => StmtKind::Generation(self.body("endgeneration")?),
            "block" => {
                self.name()?;
                self.skip_name("scoped");
                let body = self.body("endblock")?;
                if matches!(self.peek(), Token::Name(_)) {
                    self.at += 1;
                }
                StmtKind::Scope(body)
            }
            "autoescape" => {
                self.expression()?;
                StmtKind::Scope(self.body("endautoescape")?)
            }
            "break" => StmtKind::Break,
            "continue" => StmtKind::Continue,
            other => {
                let message = format!("{other:.40} is no block a chat template can use");
                return syntax(self.line(), message);
            }
        };
        self.block_end()?;
        Ok(kind)
    }

    fn branches(&mut self) -> Res<StmtKind> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.tuple_bare()?;
            self.block_end()?;
            let body = self.statements(&["elif", "else", "endif"])?;
            branches.push((test, body));
            if self.skip_name("elif") {
                continue;
            }
            if self.skip_name("else") {
                otherwise = self.body("endif")?;
            } else {
                self.expect_name("endif")?;
            }
            return Ok(StmtKind::If { branches, otherwise });
        }
    }

    fn for_loop(&mut self) -> Res<StmtKind> {
        let target = self.target(true)?;
        self.expect_name("in")?;
        let iter = self.tuple_bare()?;
        let condition = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        let recursion = if recursive { Recursion::Allowed } else { Recursion::Refused };
        let state = self.sym("loop");
        self.block_end()?;
        let body = self.statements(&["else", "endfor"])?;
        let otherwise = if self.skip_name("else") {
            self.body("endfor")?
        } else {
            self.expect_name("endfor")?;
            Vec::new()
        };
        self.loops.push(For { target, iter, condition, recursion, state, body, otherwise });
        Ok(StmtKind::For(self.loops.len() - 1))
    }

    /// One target or several with commas; `attributes` (as `ns.x`) only in `set`.
    fn target(&mut self, tuple: bool) -> Res<Target> {
        let mut targets = vec![self.deeper(Self::target_one)?];
        let mut comma = false;
        while tuple && self.skip_op(",") {
            comma = true;
            if !matches!(self.peek(), Token::Name(_)) && !self.is_op("(") {
                break;
            }
            if self.is_name("in") {
                break;
            }
            targets.push(self.deeper(Self::target_one)?);
        }
        match targets.pop() {
            Some(only) if targets.is_empty() && !comma => Ok(only),
            last => {
                targets.extend(last);
                Ok(Target::Tuple(targets))
            }
        }
    }

    fn target_one(&mut self) -> Res<Target> {
        if self.skip_op("(") {
            let inner = self.target(true)?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        if let Token::Name(name) = self.peek()
            && matches!(name.as_str(), "true" | "false" | "none" | "True" | "False" | "None")
        {
            return self.unexpected("a name to assign to");
        }
        let name = self.name()?;
        if self.skip_op(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    fn set(&mut self) -> Res<StmtKind> {
        let target = self.target(true)?;
        if self.skip_op("=") {
            return Ok(StmtKind::Set { target, value: self.tuple()? });
        }
        let filters = if self.skip_op("|") { self.filter_chain()? } else { Vec::new() };
        Ok(StmtKind::SetBlock { target, filters, body: self.body("endset")? })
    }

    /// `name(args)|name|…` as `filter` and block `set` take them.
    fn filter_chain(&mut self) -> Res<Vec<Suffix>> {
        let mut filters = vec![self.filter()?];
        while self.skip_op("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn signature(&mut self) -> Res<Vec<(Sym, Option<Expr>)>> {
        let mut params = Vec::new();
        self.expect_op("(")?;
        while !self.is_op(")") {
            let name = self.name()?;
            let default = if self.skip_op("=") { Some(self.expression()?) } else { None };
            params.push((name, default));
            if !self.skip_op(",") {
                break;
            }
        }
        self.expect_op(")")?;
        Ok(params)
    }

    fn macro_definition(&mut self) -> Res<StmtKind> {
        let name = self.name()?;
        let params = self.signature()?;
        let id = self.macro_body(name, params, "endmacro")?;
        if matches!(self.peek(), Token::Name(_)) {
            self.at += 1;
        }
        Ok(StmtKind::Macro(id))
    }

    fn macro_body(&mut self, name: Sym, params: Params, end: &str) -> Res<usize> {
        self.takes.push(Takes::default());
        let body = self.body(end);
        let takes = self.takes.pop().unwrap_or_default();
        self.macros.push(Macro { name, params, body: body?, takes });
        Ok(self.macros.len() - 1)
    }

    fn call_block(&mut self) -> Res<StmtKind> {
        let params = if self.is_op("(") { self.signature()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(&call, Expr::Chain(_, suffixes) if matches!(suffixes.last(), Some(Suffix::Call(_))))
        {
            return self.unexpected("a call");
        }
        let name = self.sym("caller");
        let body = self.macro_body(name, params, "endcall")?;
        Ok(StmtKind::Call { call, body })
    }

    fn with(&mut self) -> Res<StmtKind> {
        let mut bindings = Vec::new();
        while !matches!(self.peek(), Token::BlockEnd) {
            let target = self.target(false)?;
            self.expect_op("=")?;
            bindings.push((target, self.expression()?));
            if !self.skip_op(",") {
                break;
            }
        }
        Ok(StmtKind::With { bindings, body: self.body("endwith")? })
    }
}

type Params = Vec<(Sym, Option<Expr>)>;
