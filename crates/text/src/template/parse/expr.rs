//! Jinja's expressions, lowest precedence first: `if else`, `or`, `and`, `not`, comparisons,
//! `+ -`, `~`, `* / // %`, `**`, sign, then a value with its suffixes, filters and tests.

use super::super::ast::{Args, Comparison, Expr, Op, Suffix, Wanted};
use super::super::fault::Res;
use super::super::lex::Token;
use super::Parser;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Res<Expr> {
        self.deeper(Self::conditional)
    }

    fn conditional(&mut self) -> Res<Expr> {
        let mut value = self.or()?;
        // `a if b if c` nests without brackets: a few are plenty.
        for _ in 0..8 {
            if !self.skip_name("if") {
                break;
            }
            let test = Box::new(self.or()?);
            let otherwise =
                if self.skip_name("else") { Some(Box::new(self.expression()?)) } else { None };
            value = Expr::Choose { test, then: Box::new(value), otherwise };
        }
        Ok(value)
    }

    /// Values with commas between them: a tuple without brackets.
    pub(super) fn tuple(&mut self) -> Res<Expr> {
        self.tuple_of(Self::expression)
    }

    /// The same, with `if` left for the statement around it.
    pub(super) fn tuple_bare(&mut self) -> Res<Expr> {
        self.tuple_of(|parser| parser.deeper(Self::or))
    }

    fn tuple_of(&mut self, mut one: impl FnMut(&mut Self) -> Res<Expr>) -> Res<Expr> {
        let mut items = vec![one(self)?];
        let mut comma = false;
        while self.skip_op(",") {
            comma = true;
            let ends = matches!(self.peek(), Token::PrintEnd | Token::BlockEnd);
            if ends || self.is_op(")") || self.is_name("in") || self.is_name("recursive") {
                break;
            }
            items.push(one(self)?);
        }
        match items.pop() {
            Some(only) if !comma => Ok(only),
            last => {
                items.extend(last);
                Ok(Expr::Tuple(items))
            }
        }
    }

    fn or(&mut self) -> Res<Expr> {
        let first = self.and()?;
        if !self.is_name("or") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.skip_name("or") {
            all.push(self.and()?);
        }
        Ok(Expr::Or(all))
    }

    fn and(&mut self) -> Res<Expr> {
        let first = self.not()?;
        if !self.is_name("and") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.skip_name("and") {
            all.push(self.not()?);
        }
        Ok(Expr::And(all))
    }

    fn not(&mut self) -> Res<Expr> {
        if self.skip_name("not") {
            return Ok(Expr::Not(Box::new(self.deeper(Self::not)?)));
        }
        self.compare()
    }

    fn compare(&mut self) -> Res<Expr> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Token::Op("==") => Comparison::Eq,
                Token::Op("!=") => Comparison::Ne,
                Token::Op("<") => Comparison::Lt,
                Token::Op("<=") => Comparison::Le,
                Token::Op(">") => Comparison::Gt,
                Token::Op(">=") => Comparison::Ge,
                Token::Name(name) if name == "in" => Comparison::In,
                Token::Name(name) if name == "not" => match self.peek_after() {
                    Token::Name(next) if next == "in" => {
                        self.at += 1;
                        Comparison::NotIn
                    }
                    _ => break,
                },
                _ => break,
            };
            self.at += 1;
            rest.push((comparison, self.sum()?));
        }
        if rest.is_empty() { Ok(first) } else { Ok(Expr::Compare(Box::new(first), rest)) }
    }

    fn chain(
        &mut self,
        ops: &[(&'static str, Op)],
        part: impl Fn(&mut Self) -> Res<Expr>,
    ) -> Res<Expr> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some((_, op)) = ops.iter().find(|(text, _)| self.is_op(text)) {
            self.at += 1;
            rest.push((*op, part(self)?));
        }
        if rest.is_empty() { Ok(first) } else { Ok(Expr::Arith(Box::new(first), rest)) }
    }

    fn sum(&mut self) -> Res<Expr> {
        self.chain(&[("+", Op::Add), ("-", Op::Sub)], Self::concat)
    }

    fn concat(&mut self) -> Res<Expr> {
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.skip_op("~") {
            all.push(self.product()?);
        }
        Ok(Expr::Concat(all))
    }

    fn product(&mut self) -> Res<Expr> {
        let ops = [("*", Op::Mul), ("/", Op::Div), ("//", Op::FloorDiv), ("%", Op::Rem)];
        self.chain(&ops, Self::power)
    }

    fn power(&mut self) -> Res<Expr> {
        self.chain(&[("**", Op::Pow)], Self::signed_filtered)
    }

    fn signed_filtered(&mut self) -> Res<Expr> {
        self.signed(Filters::Taken)
    }

    fn signed(&mut self, filters: Filters) -> Res<Expr> {
        let value = if self.skip_op("-") {
            Expr::Neg(Box::new(self.deeper(|parser| parser.signed(Filters::Left))?))
        } else if self.skip_op("+") {
            Expr::Pos(Box::new(self.deeper(|parser| parser.signed(Filters::Left))?))
        } else {
            self.primary()?
        };
        let mut suffixes = Vec::new();
        self.postfix(&mut suffixes)?;
        if filters == Filters::Taken {
            self.filters(&mut suffixes)?;
        }
        if suffixes.is_empty() { Ok(value) } else { Ok(Expr::Chain(Box::new(value), suffixes)) }
    }

    fn primary(&mut self) -> Res<Expr> {
        match self.peek() {
            Token::Name(name) => {
                self.at += 1;
                Ok(match name.as_str() {
                    "true" | "True" => Expr::Bool(true),
                    "false" | "False" => Expr::Bool(false),
                    "none" | "None" => Expr::None,
                    _ => {
                        let sym = self.sym(name);
                        for takes in &mut self.takes {
                            match name.as_str() {
                                "varargs" => takes.varargs = Some(sym),
                                "kwargs" => takes.kwargs = Some(sym),
                                "caller" => takes.caller = Some(sym),
                                _ => {}
                            }
                        }
                        Expr::Name(sym)
                    }
                })
            }
            Token::Str(first) => {
                self.at += 1;
                let mut whole = first.clone();
                while let Token::Str(next) = self.peek() {
                    whole.push_str(next);
                    self.at += 1;
                }
                Ok(Expr::Str(self.literal(whole)))
            }
            Token::Int(number) => {
                self.at += 1;
                Ok(Expr::Int(*number))
            }
            Token::Float(number) => {
                self.at += 1;
                Ok(Expr::Float(*number))
            }
            Token::Op("(") => {
                self.at += 1;
                if self.skip_op(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let inner = self.tuple()?;
                self.expect_op(")")?;
                Ok(inner)
            }
            Token::Op("[") => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.is_op("]") {
                    items.push(self.expression()?);
                    if !self.skip_op(",") {
                        break;
                    }
                }
                self.expect_op("]")?;
                Ok(Expr::List(items))
            }
            Token::Op("{") => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.is_op("}") {
                    let key = self.expression()?;
                    self.expect_op(":")?;
                    items.push((key, self.expression()?));
                    if !self.skip_op(",") {
                        break;
                    }
                }
                self.expect_op("}")?;
                Ok(Expr::Dict(items))
            }
            _ => self.unexpected("a value"),
        }
    }

    fn postfix(&mut self, out: &mut Vec<Suffix>) -> Res<()> {
        loop {
            if self.skip_op(".") {
                match self.next() {
                    Token::Name(name) => out.push(Suffix::Attribute(self.sym(name))),
                    Token::Int(index) => out.push(Suffix::Item(Expr::Int(*index))),
                    _ => {
                        self.at -= 1;
                        return self.unexpected("the name of an attribute");
                    }
                }
            } else if self.skip_op("[") {
                out.push(self.subscript()?);
                self.expect_op("]")?;
            } else if self.is_op("(") {
                out.push(Suffix::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    fn subscript(&mut self) -> Res<Suffix> {
        let mut parts: [Option<Expr>; 3] = [None, None, None];
        let mut part = 0;
        let mut sliced = false;
        loop {
            if self.is_op("]") {
                break;
            }
            if self.skip_op(":") {
                sliced = true;
                part += 1;
                if part > 2 {
                    return self.unexpected("at most two colons");
                }
                continue;
            }
            if parts[part].is_some() {
                break;
            }
            parts[part] = Some(self.expression()?);
        }
        if sliced {
            return Ok(Suffix::Slice(Box::new(parts)));
        }
        let [first, ..] = parts;
        let Some(first) = first else {
            return self.unexpected("an index");
        };
        if !self.is_op(",") {
            return Ok(Suffix::Item(first));
        }
        let mut items = vec![first];
        while self.skip_op(",") && !self.is_op("]") {
            items.push(self.expression()?);
        }
        Ok(Suffix::Item(Expr::Tuple(items)))
    }

    fn filters(&mut self, out: &mut Vec<Suffix>) -> Res<()> {
        loop {
            if self.skip_op("|") {
                let filter = self.filter()?;
                out.push(filter);
            } else if self.is_name("is") {
                self.at += 1;
                let test = self.test()?;
                out.push(test);
            } else if self.is_op("(") {
                out.push(Suffix::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    fn dotted(&mut self) -> Res<String> {
        let mut whole = String::new();
        loop {
            match self.peek() {
                Token::Name(name) => whole.push_str(name),
                _ => return self.unexpected("a name"),
            }
            self.at += 1;
            if !self.skip_op(".") {
                return Ok(whole);
            }
            whole.push('.');
        }
    }

    pub(super) fn filter(&mut self) -> Res<Suffix> {
        let name = self.dotted()?;
        let args = if self.is_op("(") { self.arguments()? } else { Args::default() };
        Ok(Suffix::Filter(self.sym(&name), args))
    }

    fn test(&mut self) -> Res<Suffix> {
        let wanted = if self.skip_name("not") { Wanted::Fails } else { Wanted::Holds };
        let name = self.dotted()?;
        let name = self.sym(&name);
        let args = match self.peek() {
            Token::Op("(") => self.arguments()?,
            Token::Name(word)
                if matches!(word.as_str(), "else" | "or" | "and" | "is" | "if" | "in" | "not")
                    || word == "recursive" =>
            {
                Args::default()
            }
            Token::Name(_)
            | Token::Str(_)
            | Token::Int(_)
            | Token::Float(_)
            | Token::Op("[" | "{") => {
                let value = self.primary()?;
                let mut suffixes = Vec::new();
                self.postfix(&mut suffixes)?;
                let value = if suffixes.is_empty() {
                    value
                } else {
                    Expr::Chain(Box::new(value), suffixes)
                };
                Args { positional: vec![value], ..Args::default() }
            }
            _ => Args::default(),
        };
        Ok(Suffix::Test { name, args, wanted })
    }

    pub(super) fn arguments(&mut self) -> Res<Args> {
        self.expect_op("(")?;
        let mut args = Args::default();
        while !self.is_op(")") {
            if self.skip_op("**") {
                args.double_star = Some(Box::new(self.expression()?));
            } else if self.skip_op("*") {
                args.star = Some(Box::new(self.expression()?));
            } else if let (Token::Name(name), Token::Op("=")) = (self.peek(), self.peek_after()) {
                self.at += 2;
                let name = self.sym(name);
                args.named.push((name, self.expression()?));
            } else {
                if !args.named.is_empty() || args.double_star.is_some() {
                    return self.unexpected("a named argument");
                }
                args.positional.push(self.expression()?);
            }
            if !self.skip_op(",") {
                break;
            }
        }
        self.expect_op(")")?;
        Ok(args)
    }
}

/// Whether a signed value takes the filters behind it or leaves them to what is around.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filters {
    Taken,
    Left,
}
