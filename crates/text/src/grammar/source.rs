//! What a grammar's source may contain and how large it may be, before the compiler sees it.

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use serde_json::{Map, Value as Json, json};

use super::{Grammar, GrammarError, formats, refs};

/// Bytes of a schema, written out.
const SCHEMA_BYTES: usize = 1 << 20;
/// Levels of a schema.
const SCHEMA_DEPTH: usize = 96;
/// Values an `enum` may list.
const ENUM_VALUES: usize = 20_000;
/// Bytes of a pattern.
const PATTERN_BYTES: usize = 16 << 10;
/// Bytes of a Lark grammar.
const LARK_BYTES: usize = 256 << 10;
/// Brackets open at once in a pattern or Lark grammar.
const BRACKETS: usize = 128;
/// Texts to choose from, and their bytes in all.
const CHOICES: usize = 10_000;
const CHOICE_BYTES: usize = 1 << 20;
/// White space between the parts of a JSON text: a space, or a new line and its indentation. A model
/// that fills an answer with blanks would never come to an end.
const SPACE: &str = r"\x20|\x0A[\x20\x09]{0,40}";

/// A grammar as the compiler takes it.
pub(super) fn read(grammar: &Grammar) -> Result<TopLevelGrammar, GrammarError> {
    Ok(match grammar {
        Grammar::Schema(schema) => of_schema(schema)?,
        Grammar::Object => TopLevelGrammar::from_json_schema(settled(json!({"type": "object"}))),
        Grammar::Pattern(pattern) => of_pattern(pattern)?,
        Grammar::Choice(texts) => TopLevelGrammar::from_lark(of_choice(texts)?),
        Grammar::Lark(source) => of_lark(source)?,
    })
}

fn refused(what: &'static str, reason: impl Into<String>) -> GrammarError {
    GrammarError::Refused { what, reason: reason.into() }
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), GrammarError> {
    if found > limit { Err(GrammarError::TooLarge { what, found, limit }) } else { Ok(()) }
}

fn of_schema(schema: &Json) -> Result<TopLevelGrammar, GrammarError> {
    Ok(TopLevelGrammar::from_json_schema(settled(checked_schema(schema)?)))
}

/// A schema whose every part is understood, with stricter patterns for loosely read formats.
pub(super) fn checked_schema(schema: &Json) -> Result<Json, GrammarError> {
    const WHAT: &str = "JSON schema";
    // Depth first: measuring the size of a bottomless value would recurse too.
    at_most("JSON schema, in levels,", depth(schema), SCHEMA_DEPTH)?;
    at_most("JSON schema, in bytes,", schema.to_string().len(), SCHEMA_BYTES)?;
    match schema {
        Json::Object(map) if map.contains_key("x-guidance") => {
            Err(refused(WHAT, "x-guidance is not accepted"))
        }
        Json::Object(_) | Json::Bool(_) => {
            if let Some(fault) = refs::fault(schema) {
                return Err(refused(WHAT, fault));
            }
            let mut schema = schema.clone();
            walk(&mut schema)?;
            if let Json::Bool(accepts) = schema {
                schema = if accepts { json!({}) } else { json!({"not": {}}) };
            }
            Ok(schema)
        }
        _ => Err(refused(WHAT, "it is neither an object nor true or false")),
    }
}

/// Levels of a value, counted without recursion.
fn depth(value: &Json) -> usize {
    let mut deepest = 0;
    let mut left = vec![(value, 1)];
    while let Some((value, level)) = left.pop() {
        deepest = deepest.max(level);
        match value {
            Json::Array(items) => left.extend(items.iter().map(|item| (item, level + 1))),
            Json::Object(map) => left.extend(map.values().map(|item| (item, level + 1))),
            _ => {}
        }
    }
    deepest
}

/// Keywords whose value is a schema, a list of schemas, schemas by name.
const SCHEMA: [&str; 10] = [
    "additionalProperties",
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LIST: [&str; 5] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const NAMED: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Goes through schemas where schemas stand, not through the values they hold.
fn walk(schema: &mut Json) -> Result<(), GrammarError> {
    let Json::Object(map) = schema else { return Ok(()) };
    if let Some(Json::Array(values)) = map.get("enum") {
        at_most("JSON schema, in values of an enum,", values.len(), ENUM_VALUES)?;
    }
    for key in ["contentEncoding", "contentMediaType"] {
        if map.contains_key(key) {
            return Err(refused("JSON schema", format!("{key} cannot be held to")));
        }
    }
    formats::tighten(map)?;
    if let Some(Json::String(pattern)) = map.get_mut("pattern") {
        *pattern = formats::spaced(pattern);
    }
    for (key, value) in map.iter_mut() {
        let key = key.as_str();
        match value {
            Json::Object(_) if SCHEMA.contains(&key) => walk(value)?,
            Json::Array(items) if LIST.contains(&key) => items.iter_mut().try_for_each(walk)?,
            Json::Object(named) if NAMED.contains(&key) => named.values_mut().try_for_each(walk)?,
            _ => {}
        }
    }
    Ok(())
}

/// With the compiler's own settings.
pub(super) fn settled(schema: Json) -> Json {
    let Json::Object(mut map) = schema else { return schema };
    let settings = Map::from_iter([("whitespace_pattern".to_owned(), Json::from(SPACE))]);
    map.insert("x-guidance".to_owned(), Json::Object(settings));
    Json::Object(map)
}

fn of_pattern(pattern: &str) -> Result<TopLevelGrammar, GrammarError> {
    const WHAT: &str = "pattern";
    at_most("pattern, in bytes,", pattern.len(), PATTERN_BYTES)?;
    at_most("pattern, in open brackets,", brackets(pattern), BRACKETS)?;
    if pattern.is_empty() {
        return Err(refused(WHAT, "it is empty"));
    }
    // `a**` is a star of a star to some engines; whoever writes it means something else.
    if let Some(at) = doubled(pattern) {
        return Err(refused(WHAT, format!("a repetition is repeated at byte {at}")));
    }
    let parsed = regex_automata::util::syntax::parse(pattern);
    if let Err(error) = parsed {
        return Err(refused(WHAT, super::one_line(&error.to_string())));
    }
    Ok(TopLevelGrammar::from_regex(pattern))
}

/// Where a `*`, `+` or `?` repeats a `*`, as in `a**`: not `*?`, which is a lazy star.
fn doubled(pattern: &str) -> Option<usize> {
    let bytes = pattern.as_bytes();
    let (mut escaped, mut class) = (false, false);
    let mut last = b' ';
    for (at, &byte) in bytes.iter().enumerate() {
        if escaped {
            escaped = false;
            last = b' ';
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'[' => class = true,
            b']' => class = false,
            b'*' | b'+' if !class && (last == b'*' || last == b'+') => return Some(at),
            _ => {}
        }
        last = if class { b' ' } else { byte };
    }
    None
}

fn of_choice(texts: &[String]) -> Result<String, GrammarError> {
    const WHAT: &str = "choice";
    at_most("choice, in texts,", texts.len(), CHOICES)?;
    at_most("choice, in bytes,", texts.iter().map(String::len).sum(), CHOICE_BYTES)?;
    if texts.is_empty() {
        return Err(refused(WHAT, "there is nothing to choose from"));
    }
    if texts.iter().any(String::is_empty) {
        return Err(refused(WHAT, "one of the texts is empty"));
    }
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    Ok(format!("start: {}", quoted.join("\n     | ")))
}

/// A text as a literal of Lark.
pub(super) fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

fn of_lark(source: &str) -> Result<TopLevelGrammar, GrammarError> {
    const WHAT: &str = "Lark grammar";
    at_most("Lark grammar, in bytes,", source.len(), LARK_BYTES)?;
    at_most("Lark grammar, in open brackets,", brackets(source), BRACKETS)?;
    if source.trim().is_empty() {
        return Err(refused(WHAT, "it is empty"));
    }
    if source.contains("x-guidance") {
        return Err(refused(WHAT, "x-guidance is not accepted"));
    }
    Ok(TopLevelGrammar::from_grammar(GrammarWithLexer::from_lark(source.to_owned())))
}

/// The most brackets open at once, in quotes or not: parsers recurse on them.
fn brackets(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}
