//! The typed reading of a GGUF file's keys.

use std::{ops::Range, sync::Arc};

use indexmap::IndexMap;
use serde_json::Map;

use super::{Array, Value, ValueType, parse::Entry};
use crate::{Error, error::shown, source::Source};

/// The keys and values of a GGUF file, still in the file: each is decoded when asked for.
///
/// Every accessor checks the type; a missing key is [`Error::MissingKey`], another type
/// [`Error::KeyType`]. [`GgufMetadata::has`] asks without an error.
#[derive(Debug, Clone)]
pub struct GgufMetadata {
    source: Arc<Source>,
    entries: Arc<IndexMap<String, Entry>>,
    version: u32,
    alignment: u64,
}

impl GgufMetadata {
    pub(crate) fn new(source: Arc<Source>, header: super::Header) -> GgufMetadata {
        let super::Header { version, alignment, entries, .. } = header;
        GgufMetadata { source, entries: Arc::new(entries), version, alignment }
    }

    /// The file's GGUF version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The file's alignment in bytes.
    pub fn alignment(&self) -> u64 {
        self.alignment
    }

    /// The keys, in file order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether the key is there, of whatever type.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The key's type, and for an array the type of its items and their number.
    pub fn kind(&self, key: &str) -> Option<(ValueType, Option<(ValueType, usize)>)> {
        Some(match self.entries.get(key)? {
            Entry::Single(kind, _) => (*kind, None),
            Entry::Array { item, count, .. } => (ValueType::Array, Some((*item, *count))),
        })
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<&str, Error> {
        match self.entry(key)? {
            Entry::Single(ValueType::Str, span) => text(key, self.bytes(span)?),
            other => Err(mismatch(key, other, "a string")),
        }
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Result<bool, Error> {
        match self.entry(key)? {
            Entry::Single(ValueType::Bool, span) => Ok(self.bytes(span)? != [0]),
            other => Err(mismatch(key, other, "a bool")),
        }
    }

    /// A whole number of any integer type.
    pub fn int(&self, key: &str) -> Result<i64, Error> {
        self.single(key, "an integer in range", |value| value.as_int()?.try_into().ok())
    }

    /// A whole number from 0 of any integer type.
    pub fn uint(&self, key: &str) -> Result<u64, Error> {
        self.single(key, "an integer from 0", |value| value.as_int()?.try_into().ok())
    }

    /// A floating-point number (f32 or f64), which may be non-finite.
    pub fn float(&self, key: &str) -> Result<f64, Error> {
        self.single(key, "a float", |value| match value {
            Value::F32(value) => Some(f64::from(value)),
            Value::F64(value) => Some(value),
            _ => None,
        })
    }

    /// An array of strings.
    pub fn array_str(&self, key: &str) -> Result<Vec<&str>, Error> {
        self.array_bytes(key)?.into_iter().map(|bytes| text(key, bytes)).collect()
    }

    /// An array of strings as bytes, whether or not they are UTF-8.
    pub fn array_bytes(&self, key: &str) -> Result<Vec<&[u8]>, Error> {
        match self.entry(key)? {
            Entry::Array { item: ValueType::Str, count, span } => self.strings(key, *count, span),
            other => Err(mismatch(key, other, "an array of strings")),
        }
    }

    /// An array of f32.
    pub fn array_f32(&self, key: &str) -> Result<Vec<f32>, Error> {
        match self.value(key)? {
            Value::Array(Array::F32(items)) => Ok(items),
            _ => Err(mismatch(key, self.entry(key)?, "an array of f32")),
        }
    }

    /// An array of integers of any type whose values are all in the range of i32.
    pub fn array_i32(&self, key: &str) -> Result<Vec<i32>, Error> {
        self.integers(key, "an array of integers in the range of i32")
    }

    /// An array of integers of any type.
    pub fn array_i64(&self, key: &str) -> Result<Vec<i64>, Error> {
        self.integers(key, "an array of integers in the range of i64")
    }

    /// An array of truth values.
    pub fn array_bool(&self, key: &str) -> Result<Vec<bool>, Error> {
        match self.value(key)? {
            Value::Array(Array::Bool(items)) => Ok(items),
            _ => Err(mismatch(key, self.entry(key)?, "an array of bool")),
        }
    }

    /// Any value, taken out of the file.
    pub fn value(&self, key: &str) -> Result<Value, Error> {
        match self.entry(key)? {
            Entry::Single(ValueType::Str, span) => {
                Ok(Value::Str(text(key, self.bytes(span)?)?.to_owned()))
            }
            Entry::Single(kind, span) => {
                scalar(*kind, self.bytes(span)?).ok_or_else(|| unreadable(key))
            }
            Entry::Array { item: ValueType::Str, count, span } => {
                let strings = self.strings(key, *count, span)?;
                Ok(Value::Array(Array::Str(strings.into_iter().map(<[u8]>::to_vec).collect())))
            }
            Entry::Array { item, span, .. } => {
                array(*item, self.bytes(span)?).map(Value::Array).ok_or_else(|| unreadable(key))
            }
        }
    }

    /// The JSON reading: scalars, strings, and arrays of at most `items_max` items.
    ///
    /// Floats are widened exactly; non-finite ones, which JSON does not have, become `null`. Strings
    /// in arrays that are no UTF-8 show replacement characters.
    pub(crate) fn to_json(
        &self,
        items_max: usize,
    ) -> Result<Map<String, serde_json::Value>, Error> {
        let mut map = Map::new();
        for (key, entry) in self.entries.iter() {
            if matches!(entry, Entry::Array { count, .. } if *count > items_max) {
                continue;
            }
            map.insert(key.clone(), self.value(key)?.to_json());
        }
        Ok(map)
    }

    fn entry(&self, key: &str) -> Result<&Entry, Error> {
        self.entries.get(key).ok_or_else(|| Error::MissingKey { key: shown(key) })
    }

    fn bytes(&self, span: &Range<usize>) -> Result<&[u8], Error> {
        let head = self.source.head();
        head.get(span.clone()).ok_or_else(|| Error::Truncated {
            what: "a value".to_owned(),
            need: span.end as u64,
            have: head.len() as u64,
        })
    }

    fn strings(&self, key: &str, count: usize, span: &Range<usize>) -> Result<Vec<&[u8]>, Error> {
        let mut rest = self.bytes(span)?;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let (length, tail) = rest.split_first_chunk::<8>().ok_or_else(|| unreadable(key))?;
            let length = crate::source::size(u64::from_le_bytes(*length))?;
            let (text, tail) = tail.split_at_checked(length).ok_or_else(|| unreadable(key))?;
            out.push(text);
            rest = tail;
        }
        Ok(out)
    }

    fn single<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(Value) -> Option<T>,
    ) -> Result<T, Error> {
        match self.entry(key)? {
            entry @ Entry::Single(kind, span) if *kind != ValueType::Str => {
                scalar(*kind, self.bytes(span)?)
                    .and_then(convert)
                    .ok_or_else(|| mismatch(key, entry, expected))
            }
            other => Err(mismatch(key, other, expected)),
        }
    }

    fn integers<T: TryFrom<i128>>(
        &self,
        key: &str,
        expected: &'static str,
    ) -> Result<Vec<T>, Error> {
        let Value::Array(items) = self.value(key)? else {
            return Err(mismatch(key, self.entry(key)?, expected));
        };
        let items: Option<Vec<T>> = match items {
            Array::U8(items) => convert(&items),
            Array::I8(items) => convert(&items),
            Array::U16(items) => convert(&items),
            Array::I16(items) => convert(&items),
            Array::U32(items) => convert(&items),
            Array::I32(items) => convert(&items),
            Array::U64(items) => convert(&items),
            Array::I64(items) => convert(&items),
            Array::F32(_) | Array::F64(_) | Array::Bool(_) | Array::Str(_) => None,
        };
        items.ok_or(mismatch(key, self.entry(key)?, expected))
    }
}

fn text<'a>(key: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes)
        .map_err(|_| Error::NotUtf8 { what: format!("a string in `{}`", shown(key)) })
}

fn convert<S: Copy + Into<i128>, T: TryFrom<i128>>(items: &[S]) -> Option<Vec<T>> {
    items.iter().map(|&item| T::try_from(item.into()).ok()).collect()
}

impl Value {
    fn as_int(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(value) => value.into(),
            Value::I8(value) => value.into(),
            Value::U16(value) => value.into(),
            Value::I16(value) => value.into(),
            Value::U32(value) => value.into(),
            Value::I32(value) => value.into(),
            Value::U64(value) => value.into(),
            Value::I64(value) => value.into(),
            _ => return None,
        })
    }

    /// The value as JSON; a non-finite float becomes `null`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::U8(value) => (*value).into(),
            Value::I8(value) => (*value).into(),
            Value::U16(value) => (*value).into(),
            Value::I16(value) => (*value).into(),
            Value::U32(value) => (*value).into(),
            Value::I32(value) => (*value).into(),
            Value::U64(value) => (*value).into(),
            Value::I64(value) => (*value).into(),
            Value::F32(value) => f64::from(*value).into(),
            Value::F64(value) => (*value).into(),
            Value::Bool(value) => (*value).into(),
            Value::Str(value) => value.clone().into(),
            Value::Array(items) => items.to_json(),
        }
    }
}

impl Array {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Array::U8(items) => items.clone().into(),
            Array::I8(items) => items.clone().into(),
            Array::U16(items) => items.clone().into(),
            Array::I16(items) => items.clone().into(),
            Array::U32(items) => items.clone().into(),
            Array::I32(items) => items.clone().into(),
            Array::U64(items) => items.clone().into(),
            Array::I64(items) => items.clone().into(),
            Array::F32(items) => items.iter().map(|&value| f64::from(value)).collect(),
            Array::F64(items) => items.clone().into(),
            Array::Bool(items) => items.clone().into(),
            Array::Str(items) => items.iter().map(|text| String::from_utf8_lossy(text)).collect(),
        }
    }
}

fn mismatch(key: &str, entry: &Entry, expected: &'static str) -> Error {
    let found = match entry {
        Entry::Single(kind, _) => format!("of type {}", kind.name()),
        Entry::Array { item, count, .. } => format!("an array of {count} {}", item.name()),
    };
    Error::KeyType { key: shown(key), found, expected }
}

/// Cannot happen for a header that was parsed: the spans were walked then.
fn unreadable(key: &str) -> Error {
    Error::Truncated { what: format!("the value of `{}`", shown(key)), need: 1, have: 0 }
}

fn scalar(kind: ValueType, bytes: &[u8]) -> Option<Value> {
    Some(match kind {
        ValueType::U8 => Value::U8(u8::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::I8 => Value::I8(i8::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::U16 => Value::U16(u16::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::I16 => Value::I16(i16::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::U32 => Value::U32(u32::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::I32 => Value::I32(i32::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::U64 => Value::U64(u64::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::I64 => Value::I64(i64::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::F32 => Value::F32(f32::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::F64 => Value::F64(f64::from_le_bytes(bytes.try_into().ok()?)),
        ValueType::Bool => Value::Bool(bytes == [1]),
        ValueType::Str | ValueType::Array => return None,
    })
}

fn array(item: ValueType, bytes: &[u8]) -> Option<Array> {
    Some(match item {
        ValueType::U8 => Array::U8(bytes.to_vec()),
        ValueType::I8 => Array::I8(items(bytes, i8::from_le_bytes)),
        ValueType::U16 => Array::U16(items(bytes, u16::from_le_bytes)),
        ValueType::I16 => Array::I16(items(bytes, i16::from_le_bytes)),
        ValueType::U32 => Array::U32(items(bytes, u32::from_le_bytes)),
        ValueType::I32 => Array::I32(items(bytes, i32::from_le_bytes)),
        ValueType::U64 => Array::U64(items(bytes, u64::from_le_bytes)),
        ValueType::I64 => Array::I64(items(bytes, i64::from_le_bytes)),
        ValueType::F32 => Array::F32(items(bytes, f32::from_le_bytes)),
        ValueType::F64 => Array::F64(items(bytes, f64::from_le_bytes)),
        ValueType::Bool => Array::Bool(bytes.iter().map(|&byte| byte == 1).collect()),
        ValueType::Str | ValueType::Array => return None,
    })
}

fn items<const N: usize, T>(bytes: &[u8], convert: fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| convert(chunk)).collect()
}
