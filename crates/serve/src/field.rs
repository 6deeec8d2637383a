//! The fields of requests, as data: what each is, which values it takes, and whether it is
//! honoured. A request is held against its route's list before anything else happens, so no field
//! is ever ignored in silence; OpenAPI and `GET /v1/compat` are printed from the same list.

mod read;
pub(crate) mod shared;

pub(crate) use read::{Fields, Object};

use serde_json::{Map, Value as Json, json};

use crate::fault::Fault;

/// What a field's value must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number in this range.
    Whole(i64, i64),
    /// A number in this range.
    Real(f64, f64),
    /// A text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text or a list of at most so many.
    Texts(usize),
    /// A list; what its items look like, as a JSON schema.
    List(&'static str),
    /// An object; its JSON schema.
    Object(&'static str),
    /// Anything this JSON schema accepts.
    Any(&'static str),
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// It does what it says.
    Honoured,
    /// It is taken and changes nothing, which is all it asks; why.
    Neutral(&'static str),
    /// Only these values (JSON texts, beside null) are taken, for they ask for nothing we lack; why.
    Only(&'static [&'static str], &'static str),
}

/// A field of a request's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub kind: Kind,
    /// What becomes of it.
    pub how: How,
    /// What it is for.
    pub about: &'static str,
    /// Whether a request without it makes no sense.
    pub need: Need,
}

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It must.
    Required,
    /// It may be left out.
    Optional,
}

pub(crate) const fn honoured(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, how: How::Honoured, about, need: Need::Optional }
}

pub(crate) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, how: How::Honoured, about, need: Need::Required }
}

pub(crate) const fn neutral(name: &'static str, kind: Kind, why: &'static str) -> Field {
    Field { name, kind, how: How::Neutral(why), about: why, need: Need::Optional }
}

pub(crate) const fn only(
    name: &'static str,
    values: &'static [&'static str],
    why: &'static str,
) -> Field {
    Field {
        name,
        kind: Kind::Any("{}"),
        how: How::Only(values, why),
        about: why,
        need: Need::Optional,
    }
}

/// What happens to a field that is not honoured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// The request is refused, the field named.
    #[default]
    Strict,
    /// It is left out and listed in a header of the answer.
    Lenient,
}

/// Lists of fields: what a route shares with others, and its own.
pub(crate) type Lists = &'static [&'static [Field]];

/// Every field of the lists.
pub(crate) fn all(lists: Lists) -> impl Iterator<Item = &'static Field> {
    lists.iter().copied().flatten()
}

/// Holds a body against the lists: gives the fields to honour, and the names of those left out.
pub(crate) fn check(
    lists: Lists,
    body: Map<String, Json>,
    compat: Compat,
) -> Result<(Fields, Vec<String>), Fault> {
    let mut left_out = vec![];
    let mut kept = Map::new();
    for (name, value) in body {
        let field = all(lists).find(|field| field.name == name);
        let refused = match field {
            // Null is how many clients write "not set".
            Some(_) if value.is_null() => continue,
            None => Some("is not a field of this route".to_owned()),
            Some(Field { how: How::Only(values, why), .. }) => {
                let fine = values.iter().any(|text| {
                    serde_json::from_str::<Json>(text).is_ok_and(|neutral| neutral == value)
                });
                (!fine).then(|| format!("is not honoured here: {why}"))
            }
            Some(field) => {
                fits(field, &value)?;
                None
            }
        };
        match (refused, compat) {
            (None, _) => drop(kept.insert(name, value)),
            (Some(_), Compat::Lenient) => left_out.push(name),
            (Some(why), Compat::Strict) => {
                let message = format!(
                    "{name:?} {why}. See GET /v1/compat; with --compat lenient it would be left out and listed"
                );
                return Err(Fault::field(name, message).with_code("unsupported_parameter"));
            }
        }
    }
    for field in all(lists).filter(|field| field.need == Need::Required) {
        if !kept.contains_key(field.name) {
            let message = format!("{} is missing: {}", field.name, field.about);
            return Err(Fault::field(field.name, message));
        }
    }
    Ok((Fields::new(kept), left_out))
}

/// Refuses a value of a wrong kind by name.
fn fits(field: &Field, value: &Json) -> Result<(), Fault> {
    let fine = match field.kind {
        Kind::Flag => value.is_boolean(),
        Kind::Whole(low, high) => {
            whole(value).is_some_and(|n| (i128::from(low)..=i128::from(high)).contains(&n))
        }
        Kind::Real(low, high) => value.as_f64().is_some_and(|n| (low..=high).contains(&n)),
        Kind::Text => value.is_string(),
        Kind::OneOf(names) => value.as_str().is_some_and(|text| names.contains(&text)),
        Kind::Texts(most) => match value {
            Json::String(_) => true,
            Json::Array(items) => items.len() <= most && items.iter().all(Json::is_string),
            _ => false,
        },
        Kind::List(_) => value.is_array(),
        Kind::Object(_) => value.is_object(),
        Kind::Any(_) => true,
    };
    if fine {
        return Ok(());
    }
    let message = format!("{} is {}, expected {}", field.name, shown(value), field.kind.expected());
    Err(Fault::field(field.name, message))
}

/// A whole number, also where it came as `3.0`.
pub(crate) fn whole(value: &Json) -> Option<i128> {
    if let Some(n) = value.as_i64() {
        return Some(i128::from(n));
    }
    if let Some(n) = value.as_u64() {
        return Some(i128::from(n));
    }
    let n = value.as_f64()?;
    (n.fract() == 0.0 && n.abs() < 1e18).then_some(n as i128)
}

/// A value for a message: numbers and flags as they are, of texts only a short beginning, of lists
/// and objects what they are.
pub(crate) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Json::String(text) => format!("a text of {} bytes", text.len()),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    }
}

impl Kind {
    /// In words.
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Kind::Real(low, high) => format!("a number from {low} to {high}"),
            Kind::Text => "a text".to_owned(),
            Kind::OneOf(names) => format!("one of {}", names.join(", ")),
            Kind::Texts(most) => format!("a text or a list of at most {most} texts"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Object(_) => "an object".to_owned(),
            Kind::Any(_) => "another value".to_owned(),
        }
    }

    /// As a JSON schema.
    pub(crate) fn schema(&self) -> Json {
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!({}));
        match self {
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Whole(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Kind::Real(low, high) => json!({"type": "number", "minimum": low, "maximum": high}),
            Kind::Text => json!({"type": "string"}),
            Kind::OneOf(names) => json!({"type": "string", "enum": names}),
            Kind::Texts(most) => json!({"anyOf": [
                {"type": "string"},
                {"type": "array", "maxItems": most, "items": {"type": "string"}},
            ]}),
            Kind::List(item) => json!({"type": "array", "items": parsed(item)}),
            Kind::Object(schema) => {
                let mut schema: Json = parsed(schema);
                schema["type"] = json!("object");
                schema
            }
            Kind::Any(schema) => parsed(schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: Lists = &[&[
        required("model", Kind::Text, "which model"),
        honoured("n", Kind::Whole(1, 128), "choices"),
        neutral("user", Kind::Text, "nothing depends on it"),
        only("store", &["false"], "nothing is stored"),
    ]];

    fn checked(body: &str, compat: Compat) -> Result<(Fields, Vec<String>), Fault> {
        check(LISTS, serde_json::from_str(body).unwrap(), compat)
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_name_or_listed() {
        for (body, param) in [
            (r#"{"model": "m", "logit_bais": {}}"#, "logit_bais"),
            (r#"{"model": "m", "store": true}"#, "store"),
            (r#"{"model": "m", "n": 0}"#, "n"),
            (r#"{"model": "m", "n": "5"}"#, "n"),
            (r#"{"model": "m", "n": 9223372036854775808}"#, "n"),
            (r#"{"n": 1}"#, "model"),
            (r#"{"model": null}"#, "model"),
        ] {
            let fault = checked(body, Compat::Strict).unwrap_err();
            assert_eq!(
                (fault.status.as_u16(), fault.param.as_deref()),
                (400, Some(param)),
                "{body}"
            );
        }
        let body = r#"{"model": "m", "logit_bais": {}, "store": true, "user": "u"}"#;
        let (fields, left_out) = checked(body, Compat::Lenient).unwrap();
        assert_eq!(left_out, ["logit_bais", "store"]);
        assert_eq!(fields.text("user").unwrap(), "u");
        // What asks for nothing is fine.
        checked(r#"{"model": "m", "store": false, "n": null}"#, Compat::Strict).unwrap();
        // Lenient is about fields we lack, not about values that make no sense.
        assert!(checked(r#"{"model": "m", "n": -1}"#, Compat::Lenient).is_err());
    }

    #[test]
    fn long_texts_do_not_come_back_in_messages() {
        assert!(shown(&Json::from("secret ".repeat(50))).len() < 40);
    }
}
