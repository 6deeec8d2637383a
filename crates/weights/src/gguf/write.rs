//! Writes GGUF files, version 3.

use std::path::Path;

use indexmap::IndexMap;

use super::{ALIGNMENT_DEFAULT, Array, Value, ValueType};
use crate::{
    Checkpoint, Dtype, Error, Tensor,
    error::shown,
    output::{Slot, TensorStream},
};

/// Bytes copied at a time from another checkpoint.
const COPY_BYTES: u64 = 8 << 20;

/// A GGUF file to be written: its keys and the list of its tensors.
///
/// ```no_run
/// # fn main() -> Result<(), weights::Error> {
/// let mut writer = weights::GgufWriter::new("llama");
/// writer.set("llama.block_count", 1_u32);
/// writer.tensor("token_embd.weight", &[2, 4], &quant::F32)?;
/// let mut stream = writer.begin("tiny.gguf".as_ref())?;
/// stream.put(&[0; 32])?;
/// stream.finish()
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GgufWriter {
    keys: IndexMap<String, Value>,
    tensors: IndexMap<String, (Vec<usize>, Dtype, u64)>,
    alignment: u64,
}

impl GgufWriter {
    /// An empty file of `architecture`.
    pub fn new(architecture: &str) -> GgufWriter {
        let mut writer = GgufWriter {
            keys: IndexMap::new(),
            tensors: IndexMap::new(),
            alignment: ALIGNMENT_DEFAULT,
        };
        writer.set("general.architecture", architecture);
        writer
    }

    /// The keys and the tensor list of an opened GGUF file, to be changed and written again with
    /// [`GgufWriter::write_from`].
    ///
    /// The file becomes one: `split.*` keys are left out.
    pub fn like(checkpoint: &Checkpoint) -> Result<GgufWriter, Error> {
        let metadata = checkpoint
            .metadata()
            .gguf()
            .ok_or_else(|| Error::Write { why: "the checkpoint is no GGUF file".to_owned() })?;
        let mut writer = GgufWriter {
            keys: IndexMap::new(),
            tensors: IndexMap::new(),
            alignment: metadata.alignment(),
        };
        for key in metadata.keys().filter(|key| !key.starts_with("split.")) {
            writer.keys.insert(key.to_owned(), metadata.value(key)?);
        }
        for tensor in checkpoint.tensors().values() {
            writer.tensor(&tensor.name, &tensor.shape, tensor.dtype)?;
        }
        Ok(writer)
    }

    /// Sets a key, in place if it is there.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut GgufWriter {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.keys.shift_remove(key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    /// Sets the alignment in bytes, a power of two; stated in the file if it is not the default.
    pub fn alignment(&mut self, bytes: u32) -> &mut GgufWriter {
        self.alignment = u64::from(bytes).max(1);
        if self.alignment == ALIGNMENT_DEFAULT {
            self.remove("general.alignment");
        } else {
            self.set("general.alignment", bytes);
        }
        self
    }

    /// Adds a tensor to the list; its bytes follow in the order of the list.
    ///
    /// `shape` is slowest axis first.
    pub fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        dtype: impl Into<Dtype>,
    ) -> Result<&mut GgufWriter, Error> {
        let dtype = dtype.into();
        let why = |why: &str| Error::Write { why: format!("tensor `{}`: {why}", shown(name)) };
        if dtype.format().is_none_or(|format| format.ggml_type.is_none()) {
            return Err(why(&format!("GGUF has no type for {dtype}")));
        }
        if shape.len() > 4 || shape.contains(&0) {
            return Err(why("GGUF has up to four axes, none of them empty"));
        }
        let (rows, width) = rows_and_width(shape);
        let bytes = dtype.bytes_for(rows, width).ok_or_else(|| {
            why(&format!("rows of {width} are no whole number of {dtype} blocks"))
        })?;
        match self.tensors.insert(name.to_owned(), (shape.to_vec(), dtype, bytes)) {
            None => Ok(self),
            Some(_) => Err(Error::Duplicate { what: "tensor", name: shown(name) }),
        }
    }

    /// Takes a tensor out of the list.
    pub fn remove_tensor(&mut self, name: &str) -> bool {
        self.tensors.shift_remove(name).is_some()
    }

    /// Begins the file: everything but the tensors' bytes.
    pub fn begin(&self, path: &Path) -> Result<TensorStream, Error> {
        let (header, slots, end) = self.layout();
        TensorStream::begin(path, &header, slots, end)
    }

    /// Writes the file, asking `fill` for the bytes of each tensor in order.
    pub fn write(
        &self,
        path: &Path,
        mut fill: impl FnMut(&str, &mut TensorStream) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut stream = self.begin(path)?;
        while let Some(name) = stream.pending().map(str::to_owned) {
            let before = stream.missing();
            fill(&name, &mut stream)?;
            if stream.pending() == Some(&name) && stream.missing() == before {
                return Err(Error::Write {
                    why: format!("no bytes given for tensor `{}`", shown(&name)),
                });
            }
        }
        stream.finish()
    }

    /// Writes the file with the bytes that tensors of these names have in `checkpoint`.
    pub fn write_from(&self, checkpoint: &Checkpoint, path: &Path) -> Result<(), Error> {
        self.write(path, |name, stream| copy(checkpoint, checkpoint.tensor(name)?, stream))
    }

    /// The file in memory with `data` for each tensor in order: for tests and small files.
    pub fn to_bytes(&self, data: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let (mut out, slots, end) = self.layout();
        let start = out.len();
        if data.len() != slots.len() {
            let why =
                format!("{} tensors are declared, bytes of {} given", slots.len(), data.len());
            return Err(Error::Write { why });
        }
        for (slot, bytes) in slots.iter().zip(data) {
            if bytes.len() as u64 != slot.bytes {
                let why = format!(
                    "tensor `{}` takes {} bytes, given {}",
                    shown(&slot.name),
                    slot.bytes,
                    bytes.len()
                );
                return Err(Error::Write { why });
            }
            out.resize(start + slot.start as usize, 0);
            out.extend_from_slice(bytes);
        }
        out.resize(start + end as usize, 0);
        Ok(out)
    }

    /// The header, padded to where the data begins, the place of each tensor, and the data's size.
    fn layout(&self) -> (Vec<u8>, Vec<Slot>, u64) {
        let mut out = Vec::new();
        out.extend_from_slice(b"GGUF");
        out.extend_from_slice(&3_u32.to_le_bytes());
        put_u64(&mut out, self.tensors.len());
        put_u64(&mut out, self.keys.len());
        for (key, value) in &self.keys {
            put_text(&mut out, key.as_bytes());
            put_value(&mut out, value);
        }
        let mut slots = Vec::new();
        let mut end = 0;
        for (name, (shape, dtype, bytes)) in &self.tensors {
            put_text(&mut out, name.as_bytes());
            put_u32(&mut out, shape.len() as u32);
            for &size in shape.iter().rev() {
                put_u64(&mut out, size);
            }
            put_u32(&mut out, dtype.format().and_then(|format| format.ggml_type).unwrap_or(0));
            out.extend_from_slice(&u64::to_le_bytes(end));
            slots.push(Slot { name: name.clone(), start: end, bytes: *bytes });
            end = (end + bytes).next_multiple_of(self.alignment);
        }
        out.resize(out.len().next_multiple_of(self.alignment as usize), 0);
        (out, slots, end)
    }
}

fn copy(checkpoint: &Checkpoint, tensor: &Tensor, stream: &mut TensorStream) -> Result<(), Error> {
    let length = tensor.len_bytes();
    let mut at = 0;
    while at < length {
        let end = (at + COPY_BYTES).min(length);
        stream.put(&checkpoint.bytes_in(tensor, at..end)?)?;
        at = end;
    }
    checkpoint.release(tensor);
    Ok(())
}

pub(crate) fn rows_and_width(shape: &[usize]) -> (u64, u64) {
    let (width, rows) = shape.split_last().map_or((1, &[][..]), |(width, rows)| (*width, rows));
    let rows = rows.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64));
    // A product out of range becomes one that no count of bytes can follow.
    (rows.unwrap_or(u64::MAX), width as u64)
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u64).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_u64(out, text.len());
    out.extend_from_slice(text);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let kind = |out: &mut Vec<u8>, kind: ValueType| put_u32(out, kind as u32);
    match value {
        Value::U8(value) => (kind(out, ValueType::U8), out.extend_from_slice(&value.to_le_bytes())),
        Value::I8(value) => (kind(out, ValueType::I8), out.extend_from_slice(&value.to_le_bytes())),
        Value::U16(value) => {
            (kind(out, ValueType::U16), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::I16(value) => {
            (kind(out, ValueType::I16), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::U32(value) => {
            (kind(out, ValueType::U32), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::I32(value) => {
            (kind(out, ValueType::I32), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::U64(value) => {
            (kind(out, ValueType::U64), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::I64(value) => {
            (kind(out, ValueType::I64), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::F32(value) => {
            (kind(out, ValueType::F32), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::F64(value) => {
            (kind(out, ValueType::F64), out.extend_from_slice(&value.to_le_bytes()))
        }
        Value::Bool(value) => (kind(out, ValueType::Bool), out.push(u8::from(*value))),
        Value::Str(text) => (kind(out, ValueType::Str), put_text(out, text.as_bytes())),
        Value::Array(items) => (kind(out, ValueType::Array), put_array(out, items)),
    };
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    match array {
        Array::U8(items) => put_items(out, ValueType::U8, items, u8::to_le_bytes),
        Array::I8(items) => put_items(out, ValueType::I8, items, i8::to_le_bytes),
        Array::U16(items) => put_items(out, ValueType::U16, items, u16::to_le_bytes),
        Array::I16(items) => put_items(out, ValueType::I16, items, i16::to_le_bytes),
        Array::U32(items) => put_items(out, ValueType::U32, items, u32::to_le_bytes),
        Array::I32(items) => put_items(out, ValueType::I32, items, i32::to_le_bytes),
        Array::U64(items) => put_items(out, ValueType::U64, items, u64::to_le_bytes),
        Array::I64(items) => put_items(out, ValueType::I64, items, i64::to_le_bytes),
        Array::F32(items) => put_items(out, ValueType::F32, items, f32::to_le_bytes),
        Array::F64(items) => put_items(out, ValueType::F64, items, f64::to_le_bytes),
        Array::Bool(items) => put_items(out, ValueType::Bool, items, |value| [u8::from(value)]),
        Array::Str(items) => {
            put_u32(out, ValueType::Str as u32);
            put_u64(out, items.len());
            for text in items {
                put_text(out, text);
            }
        }
    }
}

fn put_items<T: Copy, const N: usize>(
    out: &mut Vec<u8>,
    kind: ValueType,
    items: &[T],
    bytes: fn(T) -> [u8; N],
) {
    put_u32(out, kind as u32);
    put_u64(out, items.len());
    for &item in items {
        out.extend_from_slice(&bytes(item));
    }
}
