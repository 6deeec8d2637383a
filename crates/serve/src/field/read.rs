//! Typed reading of checked bodies and of the objects nested in them; every fault names its path.

use serde_json::{Map, Value as Json};

use super::{shown, whole};
use crate::fault::Fault;

/// The fields of a body, their kinds already checked; null ones are gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Json>);

impl Fields {
    pub(crate) fn new(map: Map<String, Json>) -> Self {
        Fields(map)
    }

    /// A field as it came.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Takes a field out, to be read without a copy.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.shift_remove(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str)
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Json::as_bool)
    }

    pub(crate) fn real(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Json::as_f64)
    }

    pub(crate) fn whole(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(whole).and_then(|n| i64::try_from(n).ok())
    }

    /// A text or a list of texts, as a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Json::String(text)) => vec![text.clone()],
            Some(Json::Array(items)) => {
                items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            _ => vec![],
        }
    }

    /// An object, to be read field by field.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Object<'_>>, Fault> {
        self.0.get(name).map(|value| Object::new(name, value)).transpose()
    }
}

/// An object inside a body, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    path: String,
    map: &'a Map<String, Json>,
}

impl<'a> Object<'a> {
    pub(crate) fn new(path: impl Into<String>, value: &'a Json) -> Result<Self, Fault> {
        let path = path.into();
        match value {
            Json::Object(map) => Ok(Object { path, map }),
            other => {
                let message = format!("{path} is {}, expected an object", shown(other));
                Err(Fault::field(path, message))
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    pub(crate) fn map(&self) -> &'a Map<String, Json> {
        self.map
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Json> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Refuses fields other than these, by name.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Fault> {
        let strange = self
            .map
            .iter()
            .find(|(name, value)| !value.is_null() && !known.contains(&name.as_str()));
        strange.map_or(Ok(()), |(name, _)| {
            let path = self.path(name);
            let message = format!("{path:?} is not honoured; known here are: {}", known.join(", "));
            Err(Fault::field(path, message).with_code("unsupported_parameter"))
        })
    }

    fn wrong(&self, name: &str, value: &Json, expected: &str) -> Fault {
        let path = self.path(name);
        let message = format!("{path} is {}, expected {expected}", shown(value));
        Fault::field(path, message)
    }

    /// A text, where there is one.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| self.wrong(name, value, "a text")))
            .transpose()
    }

    /// A text that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<&'a str, Fault> {
        self.text(name)?.ok_or_else(|| {
            let path = self.path(name);
            let message = format!("{path} is missing, expected a text");
            Fault::field(path, message)
        })
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.get(name)
            .map(|value| value.as_bool().ok_or_else(|| self.wrong(name, value, "true or false")))
            .transpose()
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Object<'a>>, Fault> {
        self.get(name).map(|value| Object::new(self.path(name), value)).transpose()
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<&'a [Json]>, Fault> {
        self.get(name)
            .map(|value| match value {
                Json::Array(items) => Ok(&items[..]),
                other => Err(self.wrong(name, other, "a list")),
            })
            .transpose()
    }
}
