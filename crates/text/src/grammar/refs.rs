//! References within a schema: those that lead out of it, to nothing, or in a circle that never
//! comes to a value (`{"$ref": "#"}`) are found before the compiler follows them.

use std::collections::HashMap;

use serde_json::Value as Json;

/// Keywords whose schemas apply to the same value as the schema that holds them.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Open,
    Done,
}

/// What is wrong with the references of a schema, if anything is.
pub(super) fn fault(root: &Json) -> Option<String> {
    let mut seen: HashMap<String, Seen> = HashMap::new();
    let mut begins = vec![];
    references(root, &mut begins);
    begins.push("#".to_owned());
    for begin in begins {
        if let Some(fault) = follow(root, begin, &mut seen) {
            return Some(fault);
        }
    }
    None
}

/// The targets of all references, wherever they stand.
fn references(root: &Json, out: &mut Vec<String>) {
    let mut left = vec![root];
    while let Some(value) = left.pop() {
        match value {
            Json::Array(items) => left.extend(items),
            Json::Object(map) => {
                out.extend(map.get("$ref").and_then(Json::as_str).map(normal));
                left.extend(map.values());
            }
            _ => {}
        }
    }
}

/// Depth first over what applies in place, without recursion: a node is entered, then left.
fn follow(root: &Json, begin: String, seen: &mut HashMap<String, Seen>) -> Option<String> {
    let mut left = vec![(begin, Seen::Open)];
    while let Some((at, step)) = left.pop() {
        if step == Seen::Done {
            seen.insert(at, Seen::Done);
            continue;
        }
        match seen.get(&at) {
            Some(Seen::Done) => continue,
            Some(Seen::Open) => return Some(format!("$ref {at:?} leads back to itself")),
            None => {}
        }
        if !at.starts_with('#') {
            return Some(format!(
                "$ref leads to {at:?}; only references within the schema (#/…) are followed"
            ));
        }
        let Some(node) = pointed(root, &at) else {
            return Some(format!("$ref {at:?} leads to nothing"));
        };
        seen.insert(at.clone(), Seen::Open);
        left.push((at.clone(), Seen::Done));
        let Json::Object(map) = node else { continue };
        left.extend(map.get("$ref").and_then(Json::as_str).map(|to| (normal(to), Seen::Open)));
        for key in IN_PLACE.into_iter().filter(|key| map.contains_key(*key)) {
            left.push((format!("{at}/{key}"), Seen::Open));
        }
        for key in IN_PLACE_LISTS {
            let items = map.get(key).and_then(Json::as_array).map_or(0, Vec::len);
            left.extend((0..items).map(|item| (format!("{at}/{key}/{item}"), Seen::Open)));
        }
    }
    None
}

/// `#/` is written `#`.
fn normal(target: &str) -> String {
    if target == "#/" { "#".to_owned() } else { target.to_owned() }
}

fn pointed<'s>(root: &'s Json, reference: &str) -> Option<&'s Json> {
    let pointer = reference.strip_prefix('#')?;
    root.pointer(&percent_decoded(pointer))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn circles_without_a_value_are_found_and_others_are_not() {
        for bad in [
            json!({"$ref": "#"}),
            json!({"$ref": "#/"}),
            json!({"anyOf": [{"type": "null"}, {"$ref": "#"}]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}),
            json!({"properties": {"x": {"not": {"$ref": "#/properties/x"}}}}),
            json!({"items": {"$ref": "#/$defs/none"}}),
        ] {
            assert!(fault(&bad).is_some(), "{bad}");
        }
        for good in [
            json!({"items": {"$ref": "#"}}),
            json!({"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}),
            json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "null"}}}),
            json!({"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {}}}),
        ] {
            assert_eq!(fault(&good), None, "{good}");
        }
    }
}
