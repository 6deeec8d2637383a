//! What a tensor's elements are.

use std::fmt;

use quant::Format;

/// The type of a tensor's elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// Numbers that weights are made of: floats and block formats.
    Number(&'static Format),
    /// Whole numbers and truth values: indices, masks, packed bytes.
    Int(&'static Format),
    /// A type that can be listed and copied, but not computed with here.
    Opaque(&'static Opaque),
}

/// A safetensors type without a [`Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opaque {
    /// The name in the file.
    pub name: &'static str,
    /// Bits an element takes.
    pub bits: usize,
}

/// Safetensors types that no format stands for.
static OPAQUE: &[Opaque] = &[
    Opaque { name: "F4", bits: 4 },
    Opaque { name: "F6_E2M3", bits: 6 },
    Opaque { name: "F6_E3M2", bits: 6 },
    Opaque { name: "F8_E4M3FNUZ", bits: 8 },
    Opaque { name: "F8_E5M2FNUZ", bits: 8 },
    Opaque { name: "C64", bits: 64 },
];

/// The names safetensors has for formats that [`quant`] knows under the same name.
static SAFETENSORS: &[&str] = &[
    "F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "I16", "I32", "I64", "U8",
    "U16", "U32", "U64", "BOOL",
];

impl Dtype {
    /// The type GGUF numbers `id`.
    pub fn by_ggml_type(id: u32) -> Option<Dtype> {
        quant::by_ggml_type(id).map(Dtype::of)
    }

    /// The type safetensors calls `name` (exactly, case included).
    pub fn by_safetensors_name(name: &str) -> Option<Dtype> {
        if SAFETENSORS.contains(&name) {
            return quant::by_name(name).map(Dtype::of);
        }
        OPAQUE.iter().find(|opaque| opaque.name == name).map(Dtype::Opaque)
    }

    /// The type of elements in `format`.
    pub fn of(format: &'static Format) -> Dtype {
        let whole = format.name == "BOOL"
            || format.name.strip_prefix(['I', 'U']).is_some_and(|bits| bits.parse::<u32>().is_ok());
        if whole { Dtype::Int(format) } else { Dtype::Number(format) }
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Number(format) | Dtype::Int(format) => format.name,
            Dtype::Opaque(opaque) => opaque.name,
        }
    }

    /// Its format, where it has one.
    pub fn format(self) -> Option<&'static Format> {
        match self {
            Dtype::Number(format) | Dtype::Int(format) => Some(format),
            Dtype::Opaque(_) => None,
        }
    }

    /// Whether safetensors has this type: one element at a time, no blocks.
    pub fn is_safetensors(self) -> bool {
        matches!(self, Dtype::Opaque(_)) || SAFETENSORS.contains(&self.name())
    }

    /// Bytes of `rows` rows of `width` elements; `None` when a row is no whole number of blocks (or
    /// the whole no number of bytes), or the count overflows.
    pub fn bytes_for(self, rows: u64, width: u64) -> Option<u64> {
        match self {
            Dtype::Number(format) | Dtype::Int(format) => {
                let row = format.bytes_for(usize::try_from(width).ok()?)?;
                rows.checked_mul(row as u64)
            }
            Dtype::Opaque(opaque) => {
                let bits = rows.checked_mul(width)?.checked_mul(opaque.bits as u64)?;
                bits.is_multiple_of(8).then_some(bits / 8)
            }
        }
    }
}

impl fmt::Debug for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&'static Format> for Dtype {
    fn from(format: &'static Format) -> Dtype {
        Dtype::of(format)
    }
}
