//! What in a template deserves a look before it is trusted (threat T7): an attacker's template
//! behaves like the original until a word in the conversation triggers it, and then adds words of
//! its own. Found by reading the tree, so white space and comments hide nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::ast::{Args, Comparison, Expr, Program, Stmt, StmtKind, Suffix, Sym, Target};

/// Something a reviewer should see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Line of the source, counted from 1.
    pub line: usize,
    /// The words it is about, shortened.
    pub excerpt: String,
}

/// Kinds of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The prompt depends on ordinary words in what people said.
    ContentCondition,
    /// The template carries an address.
    Url,
    /// The template carries a text of more than [`LONG`] bytes.
    LongLiteral,
}

/// Literals from this length on are reported.
const LONG: usize = 600;

/// SHA-256 in hexadecimal.
pub(super) fn sha256(source: &str) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(source.as_bytes()) {
        let written = write!(out, "{byte:02x}");
        debug_assert!(written.is_ok(), "a string takes every write");
    }
    out
}

pub(super) fn findings(program: &Program) -> Vec<Finding> {
    let mut reader = Reader { program, content: BTreeSet::new(), found: Vec::new(), line: 0 };
    for (sym, name) in program.names.iter().enumerate() {
        if matches!(name.as_str(), "content" | "text") {
            reader.content.insert(sym as Sym);
        }
    }
    // What is set from content is content: names learnt late count for what was read early.
    loop {
        let before = reader.content.len();
        reader.found.clear();
        reader.block(&program.body);
        for definition in &program.macros {
            reader.block(&definition.body);
        }
        if reader.content.len() == before {
            break;
        }
    }
    let mut found = reader.found;
    found.sort_by_key(|finding| (finding.line, finding.kind));
    found.dedup();
    found
}

struct Reader<'p> {
    program: &'p Program,
    /// Names that hold what people said.
    content: BTreeSet<Sym>,
    found: Vec<Finding>,
    line: usize,
}

impl<'p> Reader<'p> {
    fn report(&mut self, kind: FindingKind, text: &str) {
        let text = text.trim();
        let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
        self.found.push(Finding { kind, line: self.line, excerpt: text[..end].to_owned() });
    }

    fn words(&mut self, text: &str) {
        for mark in ["http://", "https://", "www."] {
            if let Some(at) = text.find(mark) {
                self.report(FindingKind::Url, &text[at..]);
                break;
            }
        }
        if text.len() >= LONG {
            self.report(FindingKind::LongLiteral, text);
        }
    }

    fn block(&mut self, body: &'p [Stmt]) {
        for stmt in body {
            self.line = stmt.line;
            match &stmt.kind {
                StmtKind::Data(text) => self.words(text),
                StmtKind::Print(expr) => self.expr(expr),
                StmtKind::If { branches, otherwise } => {
                    for (test, body) in branches {
                        self.expr(test);
                        self.block(body);
                        self.line = stmt.line;
                    }
                    self.block(otherwise);
                }
                StmtKind::For(id) => {
                    let Some(parts) = self.program.loops.get(*id) else { continue };
                    self.assigned(&parts.target, &parts.iter);
                    self.expr(&parts.iter);
                    if let Some(condition) = &parts.condition {
                        self.expr(condition);
                    }
                    self.block(&parts.body);
                    self.block(&parts.otherwise);
                }
                StmtKind::Set { target, value } => {
                    self.assigned(target, value);
                    self.expr(value);
                }
                StmtKind::Call { call, .. } => self.expr(call),
                StmtKind::With { bindings, body } => {
                    for (target, value) in bindings {
                        self.assigned(target, value);
                        self.expr(value);
                    }
                    self.block(body);
                }
                StmtKind::SetBlock { body, .. }
                | StmtKind::Filter { body, .. }
                | StmtKind::Generation(body)
                | StmtKind::Scope(body) => self.block(body),
                StmtKind::Macro(_) | StmtKind::Break | StmtKind::Continue => {}
            }
        }
    }

    fn assigned(&mut self, target: &Target, value: &Expr) {
        if !self.says(value) {
            return;
        }
        match target {
            Target::Name(sym) | Target::Attribute(_, sym) => {
                self.content.insert(*sym);
            }
            Target::Tuple(_) => {}
        }
    }

    /// Whether an expression is what people said, or made of it.
    fn says(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(sym) => self.content.contains(sym),
            Expr::Chain(base, suffixes) => {
                let measured = suffixes.iter().any(|suffix| match suffix {
                    Suffix::Test { .. } => true,
                    Suffix::Filter(sym, _) => {
                        matches!(self.name(*sym), "length" | "count" | "int")
                    }
                    _ => false,
                });
                !measured
                    && (self.says(base)
                        || suffixes.iter().any(|suffix| match suffix {
                            Suffix::Attribute(sym) => self.content.contains(sym),
                            Suffix::Item(Expr::Str(id)) => {
                                let key = self.program.literals.get(*id);
                                key.is_some_and(|key| key == "content" || key == "text")
                            }
                            _ => false,
                        }))
            }
            Expr::Arith(first, rest) => {
                self.says(first) || rest.iter().any(|(_, part)| self.says(part))
            }
            Expr::Concat(all) | Expr::List(all) | Expr::Tuple(all) => {
                all.iter().any(|part| self.says(part))
            }
            Expr::Choose { then, otherwise, .. } => {
                self.says(then) || otherwise.as_ref().is_some_and(|other| self.says(other))
            }
            _ => false,
        }
    }

    fn name(&self, sym: Sym) -> &str {
        self.program.names.get(sym as usize).map_or("", String::as_str)
    }

    /// A literal that is a word people could say rather than a mark of the format.
    fn trigger(&self, expr: &Expr) -> Option<&'p str> {
        let Expr::Str(id) = expr else { return None };
        let text = self.program.literals.get(*id)?.as_str();
        let mark = text.contains(['<', '>', '[', ']', '|', '{', '}']);
        (!mark && text.chars().filter(|c| c.is_alphabetic()).count() >= 3).then_some(text)
    }

    fn expr(&mut self, expr: &'p Expr) {
        match expr {
            Expr::Str(id) => {
                if let Some(text) = self.program.literals.get(*id) {
                    self.words(text);
                }
            }
            Expr::Compare(first, rest) => {
                let mut left: &Expr = first;
                for (how, right) in rest {
                    let pair = match how {
                        Comparison::In | Comparison::NotIn | Comparison::Eq | Comparison::Ne => {
                            [(left, right), (right, left)]
                        }
                        _ => continue,
                    };
                    for (subject, word) in pair {
                        if let Some(word) = self.trigger(word)
                            && self.says(subject)
                        {
                            self.report(FindingKind::ContentCondition, word);
                        }
                    }
                    left = right;
                }
                self.expr(first);
                for (_, part) in rest {
                    self.expr(part);
                }
            }
            Expr::Chain(base, suffixes) => {
                self.expr(base);
                let mut said = self.says(base);
                for (at, suffix) in suffixes.iter().enumerate() {
                    match suffix {
                        Suffix::Attribute(sym) => said = said || self.content.contains(sym),
                        Suffix::Item(index) => {
                            said = said || self.trigger(index).is_some_and(|key| key == "content");
                            self.expr(index);
                        }
                        Suffix::Slice(parts) => {
                            for part in parts.iter().flatten() {
                                self.expr(part);
                            }
                        }
                        Suffix::Call(args) => {
                            let asks = match at.checked_sub(1).map(|before| &suffixes[before]) {
                                Some(Suffix::Attribute(sym)) => matches!(
                                    self.name(*sym),
                                    "startswith" | "endswith" | "find" | "count" | "index"
                                ),
                                _ => false,
                            };
                            let word = args.positional.first().and_then(|arg| self.trigger(arg));
                            if let (true, true, Some(word)) = (asks, said, word) {
                                self.report(FindingKind::ContentCondition, word);
                            }
                            self.args(args);
                        }
                        Suffix::Filter(_, args) => self.args(args),
                        Suffix::Test { args, .. } => {
                            let word = args.positional.first().and_then(|arg| self.trigger(arg));
                            if let (true, Some(word)) = (said, word) {
                                self.report(FindingKind::ContentCondition, word);
                            }
                            self.args(args);
                        }
                    }
                }
            }
            Expr::Arith(first, rest) => {
                self.expr(first);
                for (_, part) in rest {
                    self.expr(part);
                }
            }
            Expr::And(all)
            | Expr::Or(all)
            | Expr::Concat(all)
            | Expr::List(all)
            | Expr::Tuple(all) => all.iter().for_each(|part| self.expr(part)),
            Expr::Dict(entries) => {
                for (key, value) in entries {
                    self.expr(key);
                    self.expr(value);
                }
            }
            Expr::Not(inner) | Expr::Neg(inner) | Expr::Pos(inner) => self.expr(inner),
            Expr::Choose { test, then, otherwise } => {
                self.expr(test);
                self.expr(then);
                if let Some(otherwise) = otherwise {
                    self.expr(otherwise);
                }
            }
            Expr::Name(_) | Expr::None | Expr::Bool(_) | Expr::Int(_) | Expr::Float(_) => {}
        }
    }

    fn args(&mut self, args: &'p Args) {
        args.positional.iter().for_each(|arg| self.expr(arg));
        args.named.iter().for_each(|(_, arg)| self.expr(arg));
    }
}
