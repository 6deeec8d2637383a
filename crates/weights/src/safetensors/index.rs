//! `model.safetensors.index.json`: which tensor lies in which file.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::{
    Error, Limits,
    error::shown,
    json::{Bounds, Reader},
    path::safe_relative_paths,
};

/// What an index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The files, relative to the index, in order of first mention; each passed rule P1.
    pub files: Vec<PathBuf>,
    /// Tensor name to position in `files`.
    pub tensors: IndexMap<String, usize>,
    /// `metadata.total_size`, where it is stated as a whole number.
    pub total_size: Option<u64>,
}

/// Reads an index, bounded by `limits`.
pub fn parse_index(text: &[u8], limits: &Limits) -> Result<Index, Error> {
    let nodes = usize::try_from(limits.tensors.saturating_add(1024)).unwrap_or(usize::MAX);
    let bounds = Bounds { bytes: limits.index_bytes, depth: limits.json_depth, nodes };
    let mut names: IndexMap<String, ()> = IndexMap::new();
    let mut tensors = None;
    let mut metadata = None;
    let mut reader = Reader::new(text, bounds)?;
    reader.object(|reader, key| {
        let repeated = match &*key {
            "weight_map" => tensors.replace(read_map(reader, &mut names, limits)?).is_some(),
            "metadata" => metadata.replace(reader.value()?).is_some(),
            _ => {
                reader.value()?;
                false
            }
        };
        if repeated {
            Err(Error::Duplicate { what: "index key", name: shown(&key) })
        } else {
            Ok(())
        }
    })?;
    reader.end()?;
    let tensors = tensors.ok_or_else(|| Error::MissingKey { key: "weight_map".to_owned() })?;
    let files = safe_relative_paths(names.keys().map(String::as_str))?;
    let total_size = metadata.as_ref().and_then(|metadata| metadata.get("total_size")?.as_u64());
    Ok(Index { files, tensors, total_size })
}

fn read_map(
    reader: &mut Reader<'_>,
    files: &mut IndexMap<String, ()>,
    limits: &Limits,
) -> Result<IndexMap<String, usize>, Error> {
    let mut tensors = IndexMap::new();
    reader.object(|reader, name| {
        let file = reader.string()?;
        let position = match files.get_index_of(&*file) {
            Some(position) => position,
            None if files.len() as u64 >= limits.files => {
                return Err(Error::over(
                    "files of a checkpoint",
                    files.len() as u64 + 1,
                    limits.files,
                ));
            }
            None => files.insert_full(file.into_owned(), ()).0,
        };
        if tensors.contains_key(&*name) {
            return Err(Error::Duplicate { what: "tensor", name: shown(&name) });
        }
        tensors.insert(name.into_owned(), position);
        Ok(())
    })?;
    Ok(tensors)
}
