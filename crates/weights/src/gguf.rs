//! GGUF: one file with a model's metadata, vocabulary and tensors.
//!
//! Layout (ggml's `docs/gguf.md`): magic, version, counts, key/value pairs, tensor list, then the data,
//! each tensor at a multiple of `general.alignment`. Versions 2 and 3 differ in nothing for
//! little-endian files; version 1 and big-endian files are refused by name.

mod metadata;
mod parse;
mod write;

pub use metadata::GgufMetadata;
pub use parse::{Header, TensorInfo, parse};
pub use write::GgufWriter;
pub(crate) use write::rows_and_width;

/// Alignment of a file that does not state one.
pub const ALIGNMENT_DEFAULT: u64 = 32;

/// The type of a GGUF value, by its number in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Str = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::Str,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    /// The type numbered `id`.
    pub fn by_id(id: u32) -> Option<ValueType> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// Bytes a value takes at least; exactly so many for all but strings and arrays.
    pub fn bytes_min(self) -> u64 {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 | ValueType::Str => 8,
            ValueType::Array => 12,
        }
    }

    /// The name as the format's description writes it.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::U8 => "u8",
            ValueType::I8 => "i8",
            ValueType::U16 => "u16",
            ValueType::I16 => "i16",
            ValueType::U32 => "u32",
            ValueType::I32 => "i32",
            ValueType::F32 => "f32",
            ValueType::Bool => "bool",
            ValueType::Str => "string",
            ValueType::Array => "array",
            ValueType::U64 => "u64",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
        }
    }
}

/// A GGUF value taken out of its file, or on its way into one.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Str(String),
    Array(Array),
}

/// A GGUF array: elements of one type.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    /// Strings as bytes: vocabularies hold pieces that are no UTF-8.
    Str(Vec<Vec<u8>>),
}

/// `From` for each kind of value a writer is given.
macro_rules! from {
    ($($type:ty => $value:expr;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Value {
                let wrap: fn($type) -> Value = $value;
                wrap(value)
            }
        })*
    };
}

from! {
    u8 => Value::U8;
    i8 => Value::I8;
    u16 => Value::U16;
    i16 => Value::I16;
    u32 => Value::U32;
    i32 => Value::I32;
    u64 => Value::U64;
    i64 => Value::I64;
    f32 => Value::F32;
    f64 => Value::F64;
    bool => Value::Bool;
    String => Value::Str;
    &str => |text| Value::Str(text.to_owned());
    Vec<u8> => |items| Value::Array(Array::U8(items));
    Vec<u32> => |items| Value::Array(Array::U32(items));
    Vec<i32> => |items| Value::Array(Array::I32(items));
    Vec<u64> => |items| Value::Array(Array::U64(items));
    Vec<i64> => |items| Value::Array(Array::I64(items));
    Vec<f32> => |items| Value::Array(Array::F32(items));
    Vec<bool> => |items| Value::Array(Array::Bool(items));
    Vec<String> => |items| Value::Array(Array::Str(items.into_iter().map(String::into_bytes).collect()));
    Vec<&str> => |items| Value::Array(Array::Str(items.into_iter().map(|text| text.as_bytes().to_vec()).collect()));
    &[&str] => |items| Value::Array(Array::Str(items.iter().map(|text| text.as_bytes().to_vec()).collect()));
}
