//! Canonical JSON (RFC 8785), for what has no fractions: one text for one value.

use serde_json::Value;

/// The largest whole number every JSON reader keeps: 2^53 − 1.
const MAX_WHOLE: u64 = (1 << 53) - 1;

/// The canonical text of a value. Keys are sorted by their UTF-16 units, nothing is spaced, strings are
/// escaped only where they must be. Fractions and numbers beyond 2^53 are refused.
pub fn canonical(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Number(number) => {
            let whole = number.as_u64().is_some_and(|n| n <= MAX_WHOLE)
                || number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_WHOLE);
            if !whole {
                return Err(format!("found number {number}, expected a whole number within 2^53"));
            }
            out.push_str(&number.to_string());
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(&map[key], out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_by_utf16_and_numbers_are_whole() {
        // The key order of RFC 8785, section 3.2.3.
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let text = canonical(&value).unwrap();
        assert_eq!(
            text,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
        assert_eq!(
            canonical(&json!({"b": [1, -2], "a": "x\n\u{1}\"/"})).unwrap(),
            r#"{"a":"x\n\u0001\"/","b":[1,-2]}"#
        );
        assert!(canonical(&json!(0.5)).is_err() && canonical(&json!(1_u64 << 60)).is_err());
    }
}
