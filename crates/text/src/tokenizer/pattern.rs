//! Splitting patterns, matched in linear time wherever that is possible.
//!
//! Tokenizers split with regular expressions written for backtracking engines, and those come
//! from model files. A backtracking engine can be made to hang by a pattern (`(a+)+$`) or by an
//! ordinary pattern on a long text. So a pattern runs on an automaton, which reads each byte a
//! bounded number of times. The one thing nearly all of them need beyond that is the
//! alternative `\s+(?!\S)` ("white space, but leave the last one to the next word"); it is
//! matched as two ordinary alternatives, `\s+$` and `\s+\s` with the last character given back.
//! Possessive quantifiers that cannot change the result are written as plain ones. What still
//! needs look-around runs on a backtracking engine under a budget of steps and time; running
//! out is an error, never a different splitting.

use std::time::Instant;

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::limits;
use crate::{Error, Result};

/// One compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: String,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    /// Alternatives in order; `gives_back[i]` when the last character of a match of the i-th
    /// belongs to what follows.
    Automaton {
        regex: Box<Regex>,
        gives_back: Vec<bool>,
    },
    Backtracking(Box<fancy_regex::Regex>),
    Literal(String),
}

impl Pattern {
    /// Compiles a regular expression in the dialect tokenizer files use.
    pub(crate) fn regex(source: &str) -> Result<Self> {
        if source.len() > limits::PATTERN_BYTES {
            return Err(Error::TokenizerTooLarge {
                what: "a splitting pattern, in bytes,",
                found: source.len() as u64,
                limit: limits::PATTERN_BYTES as u64,
            });
        }
        let plain = without_idle_possessives(source);
        let engine = match automaton(&plain) {
            Some(engine) => engine,
            None => backtracking(&plain)?,
        };
        Ok(Self { source: shortened(source), engine })
    }

    /// A pattern that matches exactly this text.
    pub(crate) fn literal(text: &str) -> Self {
        Self { source: shortened(text), engine: Engine::Literal(text.to_owned()) }
    }

    /// Calls `found` with the byte range of each match in `text`, in order; matches do not
    /// overlap, and empty ones are left out.
    pub(crate) fn each_match(&self, text: &str, mut found: impl FnMut(usize, usize)) -> Result<()> {
        match &self.engine {
            Engine::Literal(literal) if literal.is_empty() => {}
            Engine::Literal(literal) => {
                for (start, part) in text.match_indices(literal.as_str()) {
                    found(start, start + part.len());
                }
            }
            Engine::Automaton { regex, gives_back } => {
                let mut at = 0;
                while at < text.len() {
                    let input = Input::new(text).range(at..).anchored(Anchored::No);
                    let Some(hit) = regex.search(&input) else { break };
                    let mut end = hit.end();
                    if gives_back.get(hit.pattern().as_usize()).copied().unwrap_or(false) {
                        let last = text[hit.start()..end].chars().next_back();
                        end -= last.map_or(0, char::len_utf8);
                    }
                    if end > hit.start() {
                        found(hit.start(), end);
                        at = end;
                    } else {
                        at = after_char(text, end.max(at));
                    }
                }
            }
            Engine::Backtracking(regex) => {
                let started = Instant::now();
                let mut at = 0;
                while at < text.len() {
                    let hit = regex.find_from_pos(text, at).map_err(|_| self.budget())?;
                    if started.elapsed().as_secs_f32() > limits::PATTERN_SECONDS {
                        return Err(self.budget());
                    }
                    let Some(hit) = hit else { break };
                    if hit.end() > hit.start() {
                        found(hit.start(), hit.end());
                        at = hit.end();
                    } else {
                        at = after_char(text, hit.end());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it needs the backtracking engine.
    #[cfg(test)]
    pub(crate) fn backtracks(&self) -> bool {
        matches!(self.engine, Engine::Backtracking(_))
    }

    fn budget(&self) -> Error {
        Error::PatternBudget { pattern: self.source.clone() }
    }
}

fn after_char(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// Compiles to an automaton, or says that the pattern needs more.
fn automaton(source: &str) -> Option<Engine> {
    const SPACES_BUT_LAST: &str = r"\s+(?!\S)";
    let mut patterns: Vec<String> = Vec::new();
    let mut gives_back = Vec::new();
    let mut plain: Vec<&str> = Vec::new();
    let flush = |plain: &mut Vec<&str>, patterns: &mut Vec<String>, backs: &mut Vec<bool>| {
        if !plain.is_empty() {
            patterns.push(plain.join("|"));
            backs.push(false);
            plain.clear();
        }
    };
    for alternative in alternatives(source) {
        if alternative == SPACES_BUT_LAST {
            flush(&mut plain, &mut patterns, &mut gives_back);
            patterns.extend([r"\s+$".to_owned(), r"\s+\s".to_owned()]);
            gives_back.extend([false, true]);
        } else if alternative.starts_with("(?")
            && !alternative.starts_with("(?:")
            && !closes(alternative)
        {
            return None; // a flag group that would spill into the next alternative
        } else {
            plain.push(alternative);
        }
    }
    flush(&mut plain, &mut patterns, &mut gives_back);
    if patterns.iter().any(|pattern| has_possessive(pattern)) {
        return None;
    }
    let config = Regex::config()
        .nfa_size_limit(Some(limits::PATTERN_MEMORY))
        .onepass_size_limit(Some(1 << 20))
        .dfa_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(4 << 20);
    let regex = Regex::builder().configure(config).build_many(&patterns).ok()?;
    Some(Engine::Automaton { regex: Box::new(regex), gives_back })
}

/// Whether the group an alternative opens with is a whole `(?flags:…)` group.
fn closes(alternative: &str) -> bool {
    let head = alternative.find([':', ')']);
    head.is_some_and(|at| alternative.as_bytes()[at] == b':')
}

fn backtracking(source: &str) -> Result<Engine> {
    let regex = fancy_regex::RegexBuilder::new(source)
        .backtrack_limit(limits::PATTERN_STEPS)
        .delegate_size_limit(limits::PATTERN_MEMORY)
        .delegate_dfa_size_limit(limits::PATTERN_MEMORY)
        .build()
        .map_err(|error| Error::Tokenizer {
            what: "a splitting pattern",
            reason: format!("`{}` does not compile: {error}", shortened(source)),
        })?;
    Ok(Engine::Backtracking(Box::new(regex)))
}

/// The alternatives at the top level of a pattern.
fn alternatives(source: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut class, mut escaped, mut from) = (0usize, 0usize, false, 0);
    for (at, c) in source.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            '(' if class == 0 => depth += 1,
            ')' if class == 0 => depth = depth.saturating_sub(1),
            '|' if class == 0 && depth == 0 => {
                parts.push(&source[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&source[from..]);
    parts
}

/// Writes possessive quantifiers as greedy ones where what follows cannot match what they
/// would give back: at the end of an alternative, and in the two forms in wide use.
fn without_idle_possessives(source: &str) -> String {
    let known = source
        .replace(r"[^\r\n\p{L}\p{N}]?+\p{L}", r"[^\r\n\p{L}\p{N}]?\p{L}")
        .replace(r"[^\s\p{L}\p{N}]++[\r\n]", r"[^\s\p{L}\p{N}]+[\r\n]");
    let parts: Vec<String> = alternatives(&known)
        .into_iter()
        .map(|part| {
            let idle = ["++", "*+", "?+"].iter().any(|ending| part.ends_with(ending))
                && !part[..part.len() - 2].ends_with('\\');
            if idle { part[..part.len() - 1].to_owned() } else { part.to_owned() }
        })
        .collect();
    parts.join("|")
}

fn has_possessive(source: &str) -> bool {
    let (mut class, mut quantifier, mut counted) = (0usize, false, true);
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        quantifier = match c {
            // in `\p{L}` the braces name a property and count nothing
            '\\' => {
                counted = !matches!(chars.next(), Some('p' | 'P' | 'x'));
                false
            }
            '+' if class == 0 && quantifier => return true,
            '+' | '*' | '?' if class == 0 => true,
            '}' if class == 0 => std::mem::replace(&mut counted, true),
            '[' => {
                class += 1;
                false
            }
            ']' => {
                class = class.saturating_sub(1);
                false
            }
            _ => false,
        };
    }
    false
}

fn shortened(source: &str) -> String {
    source.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &Pattern, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        pattern.each_match(text, |s, e| found.push(text[s..e].to_owned())).expect("in budget");
        found
    }

    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const CL100K: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";

    #[test]
    fn known_patterns_need_no_backtracking_and_match_as_if_they_did() {
        let texts = [
            "",
            " ",
            "   ",
            "a  b",
            "a   ",
            "  a",
            "don't DON'T  stop\n\n  x \t\n y",
            "12345 6 78",
            "\u{3000}\u{3000}x\u{a0}\u{a0}",
            "...!!\n\n  ok",
            "été  naïve 日本 語",
            " \n \n a",
        ];
        for source in [LLAMA3, CL100K] {
            let pattern = Pattern::regex(source).expect("compiles");
            assert!(matches!(pattern.engine, Engine::Automaton { .. }), "{source}");
            let oracle = fancy_regex::Regex::new(source).expect("compiles");
            for text in texts {
                let expected: Vec<_> =
                    oracle.find_iter(text).map(|m| m.unwrap().as_str().to_owned()).collect();
                assert_eq!(matches(&pattern, text), expected, "{source} on {text:?}");
            }
        }
    }

    #[test]
    fn s8_a_nested_quantifier_runs_in_linear_time() {
        let pattern = Pattern::regex(r"(a+)+$").expect("compiles");
        let text = "a".repeat(100_000) + "b";
        assert_eq!(matches(&pattern, &text), Vec::<String>::new());
    }

    #[test]
    fn s8_a_look_around_bomb_is_an_error_in_time() {
        let pattern = Pattern::regex(r"(?=(a+)+\1b)a").expect("compiles");
        let started = Instant::now();
        let result = pattern.each_match(&"a".repeat(5_000), |_, _| {});
        assert!(matches!(result, Err(Error::PatternBudget { .. })), "{result:?}");
        assert!(started.elapsed().as_secs_f32() < 4.0);
    }

    #[test]
    fn s8_a_pattern_that_would_need_too_much_memory_is_refused() {
        assert!(Pattern::regex(r"(\p{L}{1000}){1000}").is_err());
        assert!(Pattern::regex(&"a".repeat(limits::PATTERN_BYTES + 1)).is_err());
    }
}
