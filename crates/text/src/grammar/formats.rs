//! String formats that the compiler reads more loosely than JSON Schema means them, as patterns
//! that never let a wrong one through. They may leave out a rare right one (a leap second, a host
//! name with a long row of hyphens): an answer is then merely written otherwise.

use serde_json::{Map, Value as Json};

use super::GrammarError;

const TIME: &str = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?";
const ZONE: &str = "(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
/// Days that exist, February's twenty-ninth in leap years only.
const DATE: &str = "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
/// Four labels of at most sixty characters, no two hyphens together.
const LABEL: &str = "[A-Za-z0-9]{1,30}(?:-[A-Za-z0-9]{1,14}){0,2}";

/// Puts a pattern in a format's place.
pub(super) fn tighten(schema: &mut Map<String, Json>) -> Result<(), GrammarError> {
    let Some(Json::String(format)) = schema.get("format") else { return Ok(()) };
    let pattern = match format.as_str() {
        "date" => format!("^{DATE}$"),
        "time" => format!("^{TIME}{ZONE}$"),
        "date-time" => format!("^{DATE}[tT]{TIME}{ZONE}$"),
        "hostname" => format!("^{LABEL}(?:\\.{LABEL}){{0,3}}$"),
        _ => return Ok(()),
    };
    if schema.contains_key("pattern") {
        let reason = format!("pattern and format {format} stand together; give one of them");
        return Err(GrammarError::Refused { what: "JSON schema", reason });
    }
    schema.remove("format");
    schema.insert("pattern".to_owned(), Json::String(pattern));
    Ok(())
}

/// A pattern in which `\s` and `\S` mean what they mean to JSON Schema (ECMA 262), where the byte
/// order mark is white space too.
pub(super) fn spaced(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut escaped, mut class) = (false, false);
    for c in pattern.chars() {
        if std::mem::take(&mut escaped) {
            match (c, class) {
                ('s', false) => out.push_str("[\\s\u{feff}]"),
                ('S', false) => out.push_str("[^\\s\u{feff}]"),
                ('s', true) => out.push_str("\\s\u{feff}"),
                _ => out.extend(['\\', c]),
            }
            continue;
        }
        match c {
            '\\' => {
                escaped = true;
                continue;
            }
            '[' => class = true,
            ']' => class = false,
            _ => {}
        }
        out.push(c);
    }
    if escaped {
        out.push('\\');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_patterns_is_ecma_s() {
        assert_eq!(spaced(r"^a\s+\\s[^\s]$"), "^a[\\s\u{feff}]+\\\\s[^\\s\u{feff}]$");
        assert_eq!(spaced("\\"), "\\");
    }
}
