//! Safetensors: a JSON header with name, type, shape and place of each tensor, then the bytes.
//!
//! Layout (the `safetensors` repository's format description): length of the header as a
//! little-endian `u64`, the header, the data. The tensors have to tile the data without overlap or
//! hole. Read as a stream of JSON values, so that a header of a million tensors is refused before it
//! becomes a tree; a repeated name is an error.

mod index;
mod write;

use std::{borrow::Cow, collections::BTreeMap};

use indexmap::IndexMap;

pub use index::{Index, parse_index};
pub use write::{SafetensorsWriter, write_sharded};

use crate::{
    Dtype, Error, Limits, TensorInfo,
    error::{shown, shown_bytes},
    json::{Bounds, Reader},
};

/// What the header of a safetensors file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Where the data begins, in bytes from the start of the file.
    pub data_start: u64,
    /// The tensors, in the order of the header.
    pub tensors: Vec<TensorInfo>,
    /// The free-form `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// How many first bytes of the file its header takes; `head` has at least the first 8.
pub fn header_bytes(head: &[u8], file_bytes: u64, limits: &Limits) -> Result<u64, Error> {
    let (length, _) = head.split_first_chunk::<8>().ok_or_else(|| Error::Truncated {
        what: "the length of the header".to_owned(),
        need: 8,
        have: head.len() as u64,
    })?;
    let length = u64::from_le_bytes(*length);
    let have = file_bytes.saturating_sub(8);
    if length > have {
        return Err(Error::Truncated { what: "the header".to_owned(), need: length, have });
    }
    if length > limits.safetensors_header_bytes {
        return Err(Error::over(
            "bytes of safetensors header",
            length,
            limits.safetensors_header_bytes,
        ));
    }
    Ok(8 + length)
}

/// Reads the header of a safetensors file of `file_bytes` bytes from its first bytes `head`.
pub fn parse(head: &[u8], file_bytes: u64, limits: &Limits) -> Result<Header, Error> {
    let data_start = header_bytes(head, file_bytes, limits)?;
    let text = usize::try_from(data_start).ok().and_then(|end| head.get(8..end)).ok_or(
        Error::Truncated {
            what: "the header".to_owned(),
            need: data_start,
            have: head.len() as u64,
        },
    )?;
    if text.first() != Some(&b'{') {
        return Err(Error::Json {
            at: 0,
            why: format!("a header begins with `{{`, found {}", shown_bytes(text)),
        });
    }
    let (drafts, metadata) = read_header(text, limits)?;
    let tensors = place(drafts, data_start, file_bytes)?;
    Ok(Header { data_start, tensors, metadata })
}

/// A tensor as the header describes it.
struct Draft {
    dtype: Dtype,
    shape: Vec<usize>,
    begin: u64,
    end: u64,
}

type Drafts<'a> = IndexMap<Cow<'a, str>, Draft>;

fn read_header<'a>(
    text: &'a [u8],
    limits: &Limits,
) -> Result<(Drafts<'a>, BTreeMap<String, String>), Error> {
    // Every tensor is an object with a string, a shape and two offsets.
    let nodes = limits.tensors_per_file.saturating_mul(6 + limits.axes);
    let nodes = usize::try_from(nodes).unwrap_or(usize::MAX);
    let bounds = Bounds { bytes: limits.safetensors_header_bytes, depth: 8, nodes };
    let mut drafts = Drafts::new();
    let mut metadata = None;
    let mut reader = Reader::new(text, bounds)?;
    reader.object(|reader, name| {
        if name == "__metadata__" {
            let map = read_metadata(reader)?;
            return match metadata.replace(map) {
                None => Ok(()),
                Some(_) => {
                    Err(Error::Duplicate { what: "header key", name: "__metadata__".to_owned() })
                }
            };
        }
        if drafts.len() as u64 >= limits.tensors_per_file {
            return Err(Error::over("tensors", drafts.len() as u64 + 1, limits.tensors_per_file));
        }
        check_name(&name, limits)?;
        let draft = read_draft(reader, &name, limits)?;
        if drafts.contains_key(&name) {
            return Err(Error::Duplicate { what: "tensor", name: shown(&name) });
        }
        drafts.insert(name, draft);
        Ok(())
    })?;
    reader.end()?;
    Ok((drafts, metadata.unwrap_or_default()))
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Error> {
    let length = name.len() as u64;
    if length > limits.safetensors_name_bytes {
        return Err(Error::over("bytes of a tensor name", length, limits.safetensors_name_bytes));
    }
    Ok(())
}

fn read_metadata(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Error> {
    let mut map = BTreeMap::new();
    reader.object(|reader, key| {
        let value = reader.string()?.into_owned();
        match map.insert(key.clone().into_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Error::Duplicate { what: "metadata key", name: shown(&key) }),
        }
    })?;
    Ok(map)
}

fn read_draft(reader: &mut Reader<'_>, name: &str, limits: &Limits) -> Result<Draft, Error> {
    let mut dtype = None;
    let mut shape = None;
    let mut offsets = None;
    reader.object(|reader, key| {
        let repeated = match &*key {
            "dtype" => dtype.replace(read_dtype(reader, name)?).is_some(),
            "shape" => shape.replace(read_shape(reader, name, limits)?).is_some(),
            "data_offsets" => offsets.replace(read_offsets(reader)?).is_some(),
            other => {
                return Err(reader.fault(format!(
                    "tensor `{}` has the unknown member `{}`",
                    shown(name),
                    shown(other)
                )));
            }
        };
        if repeated { Err(Error::Duplicate { what: "member", name: shown(&key) }) } else { Ok(()) }
    })?;
    let missing = |what: &str| reader.fault(format!("tensor `{}` has no `{what}`", shown(name)));
    let (begin, end) = offsets.ok_or_else(|| missing("data_offsets"))?;
    Ok(Draft {
        dtype: dtype.ok_or_else(|| missing("dtype"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
        begin,
        end,
    })
}

fn read_dtype(reader: &mut Reader<'_>, name: &str) -> Result<Dtype, Error> {
    let found = reader.string()?;
    Dtype::by_safetensors_name(&found).ok_or_else(|| Error::UnknownFormat {
        tensor: shown(name),
        found: format!("`{}`", shown(&found)),
    })
}

fn read_shape(reader: &mut Reader<'_>, name: &str, limits: &Limits) -> Result<Vec<usize>, Error> {
    let mut shape = Vec::new();
    reader.array(|reader| {
        if shape.len() as u64 >= limits.axes {
            let what = format!("axes of tensor `{}`", shown(name));
            return Err(Error::over(what, shape.len() as u64 + 1, limits.axes));
        }
        shape.push(crate::source::size(reader.unsigned()?)?);
        Ok(())
    })?;
    Ok(shape)
}

fn read_offsets(reader: &mut Reader<'_>) -> Result<(u64, u64), Error> {
    let mut offsets = [0; 2];
    let mut count = 0;
    reader.array(|reader| {
        match offsets.get_mut(count) {
            Some(slot) => *slot = reader.unsigned()?,
            None => return Err(reader.fault("`data_offsets` has more than two numbers")),
        }
        count += 1;
        Ok(())
    })?;
    if count == 2 {
        Ok(offsets.into())
    } else {
        Err(reader.fault("`data_offsets` needs two numbers"))
    }
}

/// Checks that the tensors tile the data; gives them their places.
fn place(drafts: Drafts<'_>, data_start: u64, file_bytes: u64) -> Result<Vec<TensorInfo>, Error> {
    let have = file_bytes - data_start;
    for (name, draft) in &drafts {
        check_span(name, draft, have)?;
    }
    check_tiling(&drafts, have)?;
    let tensors = drafts.into_iter().map(|(name, draft)| TensorInfo {
        name: name.into_owned(),
        shape: draft.shape,
        dtype: draft.dtype,
        // Both sums stay within the file, as checked above.
        range: data_start + draft.begin..data_start + draft.end,
    });
    Ok(tensors.collect())
}

fn check_span(name: &str, draft: &Draft, have: u64) -> Result<(), Error> {
    if draft.end > have {
        return Err(Error::OutOfRange { tensor: shown(name), end: draft.end, have });
    }
    let Some(found) = draft.end.checked_sub(draft.begin) else {
        let shape = format!("data_offsets [{}, {}]", draft.begin, draft.end);
        return Err(Error::BadShape {
            tensor: shown(name),
            shape,
            why: "it ends before it begins",
        });
    };
    let bad =
        |why| Error::BadShape { tensor: shown(name), shape: format!("{:?}", draft.shape), why };
    // The product of the axes that are not zero has to be in range too: whoever multiplies a part of
    // a shape must never overflow.
    let product = draft.shape.iter().filter(|&&size| size > 0).try_fold(1_u64, |product, &size| {
        product.checked_mul(size as u64).filter(|&product| product <= 1 << 60)
    });
    let elements = match product {
        None => return Err(bad("it is too large")),
        Some(_) if draft.shape.contains(&0) => 0,
        Some(product) => product,
    };
    let expected =
        draft.dtype.bytes_for(elements, 1).ok_or_else(|| bad("it is no whole number of bytes"))?;
    if found == expected {
        Ok(())
    } else {
        Err(Error::SpanMismatch { tensor: shown(name), found, expected })
    }
}

fn check_tiling(drafts: &Drafts<'_>, have: u64) -> Result<(), Error> {
    let mut order: Vec<(&str, &Draft)> =
        drafts.iter().map(|(name, draft)| (&**name, draft)).collect();
    order.sort_by_key(|(_, draft)| (draft.begin, draft.end));
    let mut end = 0;
    let mut before = "the start of the data";
    for (name, draft) in order {
        let (first, second) = (shown(before), shown(name));
        if draft.begin < end {
            return Err(Error::Overlap { first, second });
        }
        if draft.begin > end {
            return Err(Error::Gap { first, second, bytes: draft.begin - end });
        }
        end = draft.end;
        before = name;
    }
    if end == have {
        return Ok(());
    }
    Err(Error::Gap {
        first: shown(before),
        second: "the end of the file".to_owned(),
        bytes: have - end,
    })
}
