//! Template source to tokens, with Jinja's white-space rules as transformers sets them:
//! `trim_blocks` and `lstrip_blocks` on, one trailing newline of the source dropped.
//! Source of the rules: Jinja's template designer documentation, "Whitespace Control".

use super::fault::{Res, TemplateError};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Data(String),
    BlockBegin,
    BlockEnd,
    PrintBegin,
    PrintEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Op(&'static str),
    End,
}

pub(super) struct Lexed {
    pub(super) token: Token,
    pub(super) line: usize,
}

/// White space as Python's `str` knows it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

pub(super) fn syntax<T>(line: usize, message: impl Into<String>) -> Res<T> {
    Err(Box::new(TemplateError::Syntax { line, message: message.into() }))
}

pub(super) fn lex(source: &str) -> Res<Vec<Lexed>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer { source: &source, at: 0, line: 1, line_start: true, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    /// Whether the text just consumed ended a line (or nothing was consumed yet).
    line_start: bool,
    out: Vec<Lexed>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    Print,
    Block,
    Comment,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        let taken = &self.source[self.at..self.at + bytes];
        self.line += taken.matches('\n').count();
        if bytes > 0 {
            self.line_start = taken.ends_with('\n');
        }
        self.at += bytes;
    }

    fn emit(&mut self, token: Token) {
        self.out.push(Lexed { token, line: self.line });
    }

    fn run(&mut self) -> Res<()> {
        while let Some((offset, opening)) = find_opening(self.rest()) {
            let data = &self.rest()[..offset];
            let sign = self.rest()[offset + 2..].chars().next();
            let kept = self.strip_left(data, sign, opening);
            self.data(kept);
            let signed = usize::from(matches!(sign, Some('-' | '+')));
            self.advance(offset);
            match opening {
                Opening::Comment => self.comment()?,
                Opening::Block => match raw_begin(&self.rest()[2 + signed..]) {
                    Some(length) => self.raw(2 + signed + length)?,
                    None => {
                        self.emit(Token::BlockBegin);
                        self.advance(2 + signed);
                        self.inside(Opening::Block)?;
                    }
                },
                Opening::Print => {
                    self.emit(Token::PrintBegin);
                    self.advance(2 + signed);
                    self.inside(Opening::Print)?;
                }
            }
        }
        self.data(self.rest());
        self.advance(self.rest().len());
        self.emit(Token::End);
        Ok(())
    }

    fn data(&mut self, text: &str) {
        if !text.is_empty() {
            self.emit(Token::Data(text.to_owned()));
        }
    }

    fn strip_left<'a>(&self, data: &'a str, sign: Option<char>, opening: Opening) -> &'a str {
        if sign == Some('-') {
            return data.trim_end_matches(is_space);
        }
        if sign == Some('+') || opening == Opening::Print {
            return data;
        }
        let line = data.rfind('\n').map_or(0, |at| at + 1);
        if (line > 0 || self.line_start) && data[line..].chars().all(is_space) {
            return &data[..line];
        }
        data
    }

    /// Length of a closing tag with the white space it swallows, if one stands here.
    fn closing(&self, close: &str, newline: &str) -> Option<usize> {
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix('-').and_then(|r| r.strip_prefix(close)) {
            let space = after.len() - after.trim_start_matches(is_space).len();
            return Some(1 + close.len() + space);
        }
        if rest.strip_prefix('+').is_some_and(|r| r.starts_with(close)) && !newline.is_empty() {
            return Some(1 + close.len());
        }
        let after = rest.strip_prefix(close)?;
        Some(close.len() + if after.starts_with(newline) { newline.len() } else { 0 })
    }

    fn comment(&mut self) -> Res<()> {
        let Some(end) = self.rest()[2..].find("#}") else {
            return syntax(self.line, "a comment is never closed");
        };
        let mut end = 2 + end;
        if end > 2 && matches!(self.rest().as_bytes()[end - 1], b'-' | b'+') {
            end -= 1;
        }
        self.advance(end);
        let length = self.closing("#}", "\n").unwrap_or(2);
        self.advance(length);
        Ok(())
    }

    fn raw(&mut self, opening: usize) -> Res<()> {
        let line = self.line;
        self.advance(opening);
        let mut from = 0;
        while let Some(found) = self.rest()[from..].find("{%") {
            let at = from + found;
            let after = &self.rest()[at + 2..];
            let sign = after.chars().next().filter(|c| matches!(c, '-' | '+'));
            let inner = &after[usize::from(sign.is_some())..];
            let word = inner.trim_start_matches(is_space);
            if let Some(tail) = word.strip_prefix("endraw") {
                let tail = tail.trim_start_matches(is_space);
                let tail_at = self.rest().len() - tail.len();
                let data = self.strip_left(&self.rest()[..at], sign, Opening::Block);
                let before = (self.at, self.line, self.line_start);
                let data = data.to_owned();
                self.advance(tail_at);
                if let Some(length) = self.closing("%}", "\n") {
                    self.data(&data);
                    self.advance(length);
                    return Ok(());
                }
                (self.at, self.line, self.line_start) = before;
            }
            from = at + 2;
        }
        syntax(line, "a raw block is never closed")
    }

    /// The tokens between an opening tag and its closing one.
    fn inside(&mut self, opening: Opening) -> Res<()> {
        let started = self.line;
        let mut brackets: Vec<&'static str> = Vec::new();
        loop {
            if brackets.is_empty() {
                let (close, newline, token) = match opening {
                    Opening::Print => ("}}", "", Token::PrintEnd),
                    _ => ("%}", "\n", Token::BlockEnd),
                };
                if let Some(length) = self.closing(close, newline) {
                    self.emit(token);
                    self.advance(length);
                    return Ok(());
                }
            }
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return syntax(started, "a tag opened here is never closed");
            };
            if is_space(first) {
                self.advance(rest.len() - rest.trim_start_matches(is_space).len());
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if first.is_alphanumeric() || first == '_' {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &rest[..end.unwrap_or(rest.len())];
                self.emit(Token::Name(name.to_owned()));
                self.advance(name.len());
            } else if first == '\'' || first == '"' {
                self.string(first)?;
            } else {
                let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) else {
                    return syntax(self.line, format!("unexpected character {first:?}"));
                };
                match *op {
                    "(" => brackets.push(")"),
                    "[" => brackets.push("]"),
                    "{" => brackets.push("}"),
                    ")" | "]" | "}" => {
                        let expected = brackets.pop();
                        if expected != Some(op) {
                            return syntax(self.line, format!("unexpected {op:?}"));
                        }
                    }
                    _ => {}
                }
                self.emit(Token::Op(op));
                self.advance(op.len());
            }
        }
    }

    fn number(&mut self) -> Res<()> {
        let rest = self.rest();
        let line = self.line;
        let bytes = rest.as_bytes();
        let radix = match bytes.get(..2) {
            Some(b"0x" | b"0X") => 16,
            Some(b"0o" | b"0O") => 8,
            Some(b"0b" | b"0B") => 2,
            _ => 10,
        };
        if radix != 10 {
            let end = rest[2..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let digits = &rest[2..end.map_or(rest.len(), |e| e + 2)];
            let Ok(value) = i128::from_str_radix(&digits.replace('_', ""), radix) else {
                return syntax(line, "a number out of range");
            };
            self.emit(Token::Int(value));
            self.advance(digits.len() + 2);
            return Ok(());
        }
        let run = |from: usize| {
            let tail = bytes.get(from..).unwrap_or_default();
            from + tail.iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count()
        };
        let mut end = run(0);
        let mut float = false;
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end = run(end + 1);
            float = true;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end = run(end + 1 + sign);
                float = true;
            }
        }
        let digits = rest[..end].replace('_', "");
        let token = if float {
            digits.parse().ok().map(Token::Float)
        } else {
            digits.parse().ok().map(Token::Int)
        };
        let Some(token) = token else {
            return syntax(line, "a number out of range");
        };
        self.emit(token);
        self.advance(end);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Res<()> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest[1..].find(|c| {
            if escaped {
                escaped = false;
                return false;
            }
            escaped = c == '\\';
            c == quote
        });
        let Some(end) = end else {
            return syntax(self.line, "a string is never closed");
        };
        let value = unescape(&rest[1..=end], self.line)?;
        self.emit(Token::Str(value));
        self.advance(end + 2);
        Ok(())
    }
}

/// Longest first.
const OPERATORS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",",
];

fn find_opening(rest: &str) -> Option<(usize, Opening)> {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'{') {
        at += found;
        match bytes.get(at + 1) {
            Some(b'{') => return Some((at, Opening::Print)),
            Some(b'%') => return Some((at, Opening::Block)),
            Some(b'#') => return Some((at, Opening::Comment)),
            _ => at += 1,
        }
    }
    None
}

/// Length of `raw -%}` and what it swallows, if that stands here.
fn raw_begin(after: &str) -> Option<usize> {
    let word = after.trim_start_matches(is_space).strip_prefix("raw")?;
    let tail = word.trim_start_matches(is_space);
    let tail = match tail.strip_prefix("-%}") {
        Some(tail) => tail.trim_start_matches(is_space),
        None => tail.strip_prefix("%}")?,
    };
    Some(after.len() - tail.len())
}

/// Python's string escapes.
fn unescape(body: &str, line: usize) -> Res<String> {
    if !body.contains('\\') {
        return Ok(body.to_owned());
    }
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        rest = &rest[c.len_utf8()..];
        let hex = match c {
            'n' => {
                out.push('\n');
                0
            }
            't' => {
                out.push('\t');
                0
            }
            'r' => {
                out.push('\r');
                0
            }
            'a' => {
                out.push('\x07');
                0
            }
            'b' => {
                out.push('\x08');
                0
            }
            'f' => {
                out.push('\x0c');
                0
            }
            'v' => {
                out.push('\x0b');
                0
            }
            '\\' | '\'' | '"' => {
                out.push(c);
                0
            }
            '\n' => 0,
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => {
                let more = rest.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let digits = format!("{c}{}", &rest[..more]);
                rest = &rest[more..];
                let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                0
            }
            _ => {
                out.push('\\');
                out.push(c);
                0
            }
        };
        if hex > 0 {
            let code = rest.get(..hex).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            let Some(c) = code.and_then(char::from_u32) else {
                return syntax(line, format!("\\{c} is not followed by the code of a character"));
            };
            out.push(c);
            rest = &rest[hex..];
        }
    }
    out.push_str(rest);
    Ok(out)
}
