//! From the bytes of a header to a list of keys and tensors, believing nothing.
//!
//! Every length is held against the limit and against what is left of the file before anything is
//! allocated for it; every sum and product is checked. Values stay where they are: an entry is a type
//! and a span. The data section has to be tiled exactly: each tensor begins where the one before it
//! ended, rounded up to the alignment, as every writer in use does. So no byte belongs to two tensors,
//! and none can hide between them.

use std::{collections::HashSet, ops::Range};

use indexmap::{IndexMap, map::Entry as MapEntry};

use super::{ALIGNMENT_DEFAULT, ValueType};
use crate::{
    Dtype, Error, Limits,
    error::{shown, shown_bytes},
};

/// The largest alignment that makes sense.
const ALIGNMENT_MAX: u64 = 1 << 20;
/// The most elements a tensor may have: more than any machine holds, far from overflow.
const ELEMENTS_MAX: u64 = 1 << 60;
/// The most axes a GGUF tensor has.
const AXES_MAX: u32 = 4;

/// What the header of a GGUF file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// Alignment of the tensors in bytes.
    pub alignment: u64,
    /// Where the data section begins, in bytes from the start of the file.
    pub data_start: u64,
    /// Bytes after the last tensor (and its padding) that belong to nothing.
    pub trailing: u64,
    /// The tensors, in file order.
    pub tensors: Vec<TensorInfo>,
    pub(super) entries: IndexMap<String, Entry>,
}

/// One line of the tensor list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The name.
    pub name: String,
    /// The shape, slowest axis first (the reverse of the file's order).
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its bytes, from the start of the file.
    pub range: Range<u64>,
}

/// Where a value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Anything but an array; of a string the span is its text.
    Single(ValueType, Range<usize>),
    /// An array; of strings, the span holds each with its length before it.
    Array { item: ValueType, count: usize, span: Range<usize> },
}

impl Header {
    /// The keys, in file order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

/// Reads the header of a GGUF file of `file_bytes` bytes from its first bytes `head`.
///
/// When `head` is only a part of the file and ends within the header, the error is
/// [`Error::Truncated`]: the caller may come again with more.
pub fn parse(head: &[u8], file_bytes: u64, limits: &Limits) -> Result<Header, Error> {
    let file_bytes = file_bytes.max(head.len() as u64);
    let mut cursor = Cursor { head, at: 0, file_bytes, header_max: limits.gguf_header_bytes };
    let version = read_version(&mut cursor)?;
    let tensor_count = cursor.u64("the tensor count")?;
    let key_count = cursor.u64("the key count")?;
    // A key takes its length, a byte, its type and a value of a byte; a tensor its name's length, a
    // byte, its axes, type and offset.
    cursor.check_count("GGUF keys", key_count, limits.gguf_keys, 8 + 1 + 4 + 1)?;
    cursor.check_count("tensors", tensor_count, limits.tensors_per_file, 8 + 1 + 4 + 4 + 8)?;

    let entries = read_entries(&mut cursor, key_count, limits)?;
    let alignment = read_alignment(head, &entries)?;
    let drafts = read_tensors(&mut cursor, tensor_count, limits)?;
    let header_end = cursor.at as u64;
    // A file without tensors may end before its data section would begin.
    let data_start = if drafts.is_empty() { header_end } else { align(header_end, alignment)? };
    let (tensors, end) = place(drafts, data_start, file_bytes, alignment)?;
    let padded = align(end, alignment)?.min(file_bytes);
    Ok(Header { version, alignment, data_start, trailing: file_bytes - padded, tensors, entries })
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    if cursor.head.len() < 4 && !b"GGUF".starts_with(cursor.head) {
        return Err(Error::BadMagic { found: shown_bytes(cursor.head) });
    }
    let magic = cursor.take(4, "the magic")?;
    if magic != b"GGUF" {
        return Err(Error::BadMagic { found: shown_bytes(magic) });
    }
    match cursor.u32("the version")? {
        version @ (2 | 3) => Ok(version),
        found if (1..=3).contains(&found.swap_bytes()) => {
            Err(Error::BigEndian { version: found.swap_bytes() })
        }
        found => Err(Error::BadVersion { found }),
    }
}

fn read_entries(
    cursor: &mut Cursor<'_>,
    count: u64,
    limits: &Limits,
) -> Result<IndexMap<String, Entry>, Error> {
    let mut entries = IndexMap::new();
    for _ in 0..count {
        let key = read_key(cursor, limits)?;
        let entry = read_value(cursor, &key, limits)?;
        match entries.entry(key) {
            MapEntry::Vacant(slot) => _ = slot.insert(entry),
            MapEntry::Occupied(slot) => {
                return Err(Error::Duplicate { what: "GGUF key", name: shown(slot.key()) });
            }
        }
    }
    Ok(entries)
}

fn read_key(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<String, Error> {
    let length = cursor.u64("the length of a key")?;
    let bytes = cursor.text(length, limits.gguf_key_bytes, || "a key".to_owned())?;
    let key = std::str::from_utf8(bytes)
        .map_err(|_| Error::NotUtf8 { what: format!("the key {}", shown_bytes(bytes)) })?;
    name_fault(key).map_or(Ok(key.to_owned()), |why| {
        Err(Error::BadName { what: "key", name: shown(key), why })
    })
}

fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().any(char::is_control) {
        Some("it has control characters")
    } else {
        None
    }
}

fn read_value(cursor: &mut Cursor<'_>, key: &str, limits: &Limits) -> Result<Entry, Error> {
    let what = || format!("the value of `{}`", shown(key));
    let kind = read_type(cursor, key)?;
    match kind {
        ValueType::Array => read_array(cursor, key, limits),
        ValueType::Str => {
            let length = cursor.u64("the length of a string")?;
            let bytes = cursor.text(length, limits.gguf_string_bytes, what)?;
            std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8 { what: what() })?;
            Ok(Entry::Single(kind, cursor.at - bytes.len()..cursor.at))
        }
        _ => {
            let bytes = cursor.take(kind.bytes_min(), "a value")?;
            if kind == ValueType::Bool {
                check_bools(key, bytes)?;
            }
            Ok(Entry::Single(kind, cursor.at - bytes.len()..cursor.at))
        }
    }
}

fn read_type(cursor: &mut Cursor<'_>, key: &str) -> Result<ValueType, Error> {
    let id = cursor.u32("the type of a value")?;
    ValueType::by_id(id).ok_or_else(|| Error::BadValue {
        key: shown(key),
        found: format!("a value of type {id}"),
        expected: "a type from 0 to 12",
    })
}

fn read_array(cursor: &mut Cursor<'_>, key: &str, limits: &Limits) -> Result<Entry, Error> {
    let item = read_type(cursor, key)?;
    let count = cursor.u64("the length of an array")?;
    if item == ValueType::Array {
        return Err(Error::BadValue {
            key: shown(key),
            found: "an array of arrays".to_owned(),
            expected: "an array of plain values or strings",
        });
    }
    cursor.check_count(
        &format!("items in `{}`", shown(key)),
        count,
        limits.gguf_array_items,
        item.bytes_min(),
    )?;
    let start = cursor.at;
    if item == ValueType::Str {
        for _ in 0..count {
            let length = cursor.u64("the length of a string")?;
            cursor.text(length, limits.gguf_string_bytes, || {
                format!("a string in `{}`", shown(key))
            })?;
        }
    } else {
        // Cannot overflow: both factors were held against the file's size.
        let bytes = cursor.take(count * item.bytes_min(), "an array")?;
        if item == ValueType::Bool {
            check_bools(key, bytes)?;
        }
    }
    let count = crate::source::size(count)?;
    Ok(Entry::Array { item, count, span: start..cursor.at })
}

fn check_bools(key: &str, bytes: &[u8]) -> Result<(), Error> {
    match bytes.iter().find(|&&byte| byte > 1) {
        None => Ok(()),
        Some(byte) => Err(Error::BadValue {
            key: shown(key),
            found: format!("the truth value {byte}"),
            expected: "0 or 1",
        }),
    }
}

fn read_alignment(head: &[u8], entries: &IndexMap<String, Entry>) -> Result<u64, Error> {
    let key = "general.alignment";
    let bad = |found: String| Error::BadValue {
        key: key.to_owned(),
        found,
        expected: "a u32, a power of two from 1 to 1048576",
    };
    match entries.get(key) {
        None => Ok(ALIGNMENT_DEFAULT),
        Some(Entry::Single(ValueType::U32, span)) => {
            let value = head
                .get(span.clone())
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u32::from_le_bytes);
            let value = u64::from(value);
            if value.is_power_of_two() && value <= ALIGNMENT_MAX {
                Ok(value)
            } else {
                Err(bad(value.to_string()))
            }
        }
        Some(Entry::Single(kind, _)) => Err(bad(format!("a value of type {}", kind.name()))),
        Some(Entry::Array { .. }) => Err(bad("an array".to_owned())),
    }
}

/// A tensor whose place in the file has not been checked yet.
struct Draft<'a> {
    name: &'a str,
    shape: Vec<usize>,
    dtype: Dtype,
    offset: u64,
    bytes: u64,
}

fn read_tensors<'a>(
    cursor: &mut Cursor<'a>,
    count: u64,
    limits: &Limits,
) -> Result<Vec<Draft<'a>>, Error> {
    // The count is within its limit and the file can hold so many.
    let count = crate::source::size(count)?;
    let mut drafts = Vec::with_capacity(count);
    let mut names = HashSet::with_capacity(count);
    for _ in 0..count {
        let draft = read_tensor(cursor, limits)?;
        if !names.insert(draft.name) {
            return Err(Error::Duplicate { what: "tensor", name: shown(draft.name) });
        }
        drafts.push(draft);
    }
    Ok(drafts)
}

fn read_tensor<'a>(cursor: &mut Cursor<'a>, limits: &Limits) -> Result<Draft<'a>, Error> {
    let length = cursor.u64("the length of a tensor name")?;
    let bytes = cursor.text(length, limits.gguf_name_bytes, || "a tensor name".to_owned())?;
    let name = std::str::from_utf8(bytes)
        .map_err(|_| Error::NotUtf8 { what: format!("the tensor name {}", shown_bytes(bytes)) })?;
    if let Some(why) = name_fault(name) {
        return Err(Error::BadName { what: "tensor name", name: shown(name), why });
    }
    let axes = cursor.u32("a number of axes")?;
    if axes > AXES_MAX {
        return Err(Error::over(
            format!("axes of tensor `{}`", shown(name)),
            axes.into(),
            AXES_MAX.into(),
        ));
    }
    let mut sizes = [1; AXES_MAX as usize];
    for size in sizes.iter_mut().take(axes as usize) {
        *size = cursor.u64("the length of an axis")?;
    }
    let sizes = &sizes[..axes as usize];
    let bad_shape = |why| Error::BadShape {
        tensor: shown(name),
        shape: format!("{sizes:?} (fastest axis first)"),
        why,
    };
    if sizes.contains(&0) {
        return Err(bad_shape("an axis is empty"));
    }
    let elements = sizes.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    let elements = elements
        .filter(|&count| count <= ELEMENTS_MAX)
        .ok_or_else(|| bad_shape("it is too large"))?;

    let id = cursor.u32("a tensor's format")?;
    let dtype = Dtype::by_ggml_type(id)
        .ok_or_else(|| Error::UnknownFormat { tensor: shown(name), found: format!("{id}") })?;
    let row = sizes.first().copied().unwrap_or(1);
    let bytes = dtype.bytes_for(elements / row, row).ok_or_else(|| match dtype.format() {
        Some(format) if !row.is_multiple_of(format.block as u64) => Error::BlockMisaligned {
            tensor: shown(name),
            row,
            format: format.name,
            block: format.block as u64,
        },
        _ => bad_shape("it is too large"),
    })?;
    let offset = cursor.u64("a tensor's offset")?;
    let shape =
        sizes.iter().rev().map(|&size| crate::source::size(size)).collect::<Result<_, _>>()?;
    Ok(Draft { name, shape, dtype, offset, bytes })
}

/// Checks that the tensors tile the data section; gives them their places and the end of the last.
fn place(
    drafts: Vec<Draft<'_>>,
    data_start: u64,
    file_bytes: u64,
    alignment: u64,
) -> Result<(Vec<TensorInfo>, u64), Error> {
    let have = file_bytes.saturating_sub(data_start);
    for draft in &drafts {
        if !draft.offset.is_multiple_of(alignment) {
            return Err(Error::Unaligned {
                tensor: shown(draft.name),
                offset: draft.offset,
                alignment,
            });
        }
        let end = draft.offset.saturating_add(draft.bytes);
        if end > have {
            return Err(Error::OutOfRange { tensor: shown(draft.name), end, have });
        }
    }
    check_tiling(&drafts, alignment)?;
    let mut end = data_start;
    let mut tensors = Vec::with_capacity(drafts.len());
    for Draft { name, shape, dtype, offset, bytes } in drafts {
        // Both sums stay within the file, as checked above.
        let start = data_start + offset;
        end = start + bytes;
        tensors.push(TensorInfo { name: name.to_owned(), shape, dtype, range: start..end });
    }
    Ok((tensors, end))
}

fn check_tiling(drafts: &[Draft<'_>], alignment: u64) -> Result<(), Error> {
    let mut order: Vec<&Draft<'_>> = drafts.iter().collect();
    order.sort_by_key(|draft| draft.offset);
    if let Some(first) = order.first().filter(|first| first.offset > 0) {
        return Err(Error::Gap {
            first: "the start of the data".to_owned(),
            second: shown(first.name),
            bytes: first.offset,
        });
    }
    for pair in order.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let (a, b) = (shown(first.name), shown(second.name));
        let end = first.offset + first.bytes;
        if second.offset < end {
            return Err(Error::Overlap { first: a, second: b });
        }
        let gap = second.offset - align(end, alignment)?;
        if gap > 0 {
            return Err(Error::Gap { first: a, second: b, bytes: gap });
        }
    }
    match drafts.windows(2).find(|pair| pair[1].offset < pair[0].offset) {
        None => Ok(()),
        Some(pair) => Err(Error::Order { first: shown(pair[0].name), second: shown(pair[1].name) }),
    }
}

/// `value` rounded up to a multiple of `alignment`, a power of two.
fn align(value: u64, alignment: u64) -> Result<u64, Error> {
    value
        .checked_next_multiple_of(alignment)
        .ok_or_else(|| Error::over("bytes of the file", value, u64::MAX - alignment))
}

/// A place in the header, and what may still be there.
struct Cursor<'a> {
    head: &'a [u8],
    at: usize,
    file_bytes: u64,
    header_max: u64,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> u64 {
        self.file_bytes - self.at as u64
    }

    fn take(&mut self, bytes: u64, what: &str) -> Result<&'a [u8], Error> {
        let truncated =
            || Error::Truncated { what: what.to_owned(), need: bytes, have: self.left() };
        let end = (self.at as u64).checked_add(bytes).ok_or_else(truncated)?;
        if end > self.file_bytes {
            return Err(truncated());
        }
        if end > self.header_max {
            return Err(Error::over("bytes of GGUF header", end, self.header_max));
        }
        let taken = usize::try_from(end)
            .ok()
            .and_then(|end| self.head.get(self.at..end))
            .ok_or_else(truncated)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn u32(&mut self, what: &str) -> Result<u32, Error> {
        let bytes = self.take(4, what)?;
        Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
    }

    fn u64(&mut self, what: &str) -> Result<u64, Error> {
        let bytes = self.take(8, what)?;
        Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
    }

    /// The bytes of a text of stated length, held against its limit.
    fn text(
        &mut self,
        length: u64,
        max: u64,
        what: impl Fn() -> String,
    ) -> Result<&'a [u8], Error> {
        if length > self.left() {
            return Err(Error::Truncated { what: what(), need: length, have: self.left() });
        }
        if length > max {
            return Err(Error::over(format!("bytes of {}", what()), length, max));
        }
        self.take(length, "a text")
    }

    /// Checks that `count` things of at least `each` bytes are allowed and can be in the file.
    fn check_count(&self, what: &str, count: u64, max: u64, each: u64) -> Result<(), Error> {
        let need = count.saturating_mul(each);
        if need > self.left() {
            return Err(Error::Truncated {
                what: format!("{count} {what}"),
                need,
                have: self.left(),
            });
        }
        if count > max { Err(Error::over(what, count, max)) } else { Ok(()) }
    }
}
