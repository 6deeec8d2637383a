//! Writes safetensors files, one or sharded with an index.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::{
    Dtype, Error,
    error::shown,
    gguf::rows_and_width,
    output::{Slot, TensorStream, write_whole},
};

/// A safetensors file to be written: its tensors and free-form metadata.
///
/// In the file tensors stand by the size of their elements, largest first, so that each is aligned;
/// among equals in the order they were added. Their bytes are written in that order:
/// [`SafetensorsWriter::write`] asks for them by name.
#[derive(Debug, Clone, Default)]
pub struct SafetensorsWriter {
    tensors: IndexMap<String, (Vec<usize>, Dtype, u64)>,
    metadata: BTreeMap<String, String>,
}

impl SafetensorsWriter {
    /// An empty file.
    pub fn new() -> SafetensorsWriter {
        SafetensorsWriter::default()
    }

    /// Sets a key of the free-form metadata.
    pub fn metadata(&mut self, key: &str, value: &str) -> &mut SafetensorsWriter {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a tensor; `shape` is slowest axis first.
    pub fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        dtype: impl Into<Dtype>,
    ) -> Result<&mut SafetensorsWriter, Error> {
        let dtype = dtype.into();
        let why = |why: &str| Error::Write { why: format!("tensor `{}`: {why}", shown(name)) };
        if !dtype.is_safetensors() {
            return Err(why(&format!("safetensors has no type for {dtype}")));
        }
        if name == "__metadata__" {
            return Err(why("this name is taken by the format"));
        }
        let (rows, width) = rows_and_width(shape);
        let bytes = dtype.bytes_for(rows, width).ok_or_else(|| why("its shape is too large"))?;
        match self.tensors.insert(name.to_owned(), (shape.to_vec(), dtype, bytes)) {
            None => Ok(self),
            Some(_) => Err(Error::Duplicate { what: "tensor", name: shown(name) }),
        }
    }

    /// Begins the file; [`TensorStream::pending`] tells whose bytes come next.
    pub fn begin(&self, path: &Path) -> Result<TensorStream, Error> {
        let (header, slots, end) = self.layout()?;
        TensorStream::begin(path, &header, slots, end)
    }

    /// Writes the file, asking `fill` for the bytes of each tensor by name.
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

    /// The same tensors in files of at most `bytes_max` bytes of data each (a larger tensor alone).
    fn shards(&self, bytes_max: u64) -> Vec<SafetensorsWriter> {
        let mut shards: Vec<(u64, SafetensorsWriter)> = Vec::new();
        for (name, tensor) in &self.tensors {
            let fits =
                shards.last().is_some_and(|(bytes, _)| bytes.saturating_add(tensor.2) <= bytes_max);
            if !fits {
                shards.push((
                    0,
                    SafetensorsWriter { metadata: self.metadata.clone(), ..Self::default() },
                ));
            }
            if let Some((bytes, shard)) = shards.last_mut() {
                *bytes += tensor.2;
                shard.tensors.insert(name.clone(), tensor.clone());
            }
        }
        if shards.is_empty() {
            vec![self.clone()]
        } else {
            shards.into_iter().map(|(_, shard)| shard).collect()
        }
    }

    fn layout(&self) -> Result<(Vec<u8>, Vec<Slot>, u64), Error> {
        let mut order: Vec<_> = self.tensors.iter().collect();
        order.sort_by_key(|(_, (_, dtype, _))| std::cmp::Reverse(dtype.bytes_for(8, 1)));
        let mut header = Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".to_owned(), json!(self.metadata));
        }
        let mut slots = Vec::new();
        let mut end = 0_u64;
        for (name, (shape, dtype, bytes)) in order {
            let start = end;
            end = start
                .checked_add(*bytes)
                .ok_or_else(|| Error::Write { why: "the file is too large".to_owned() })?;
            let line = json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [start, end]});
            header.insert(name.clone(), line);
            slots.push(Slot { name: name.clone(), start, bytes: *bytes });
        }
        let mut text = Value::Object(header).to_string().into_bytes();
        // Spaces, so that the data begins at a multiple of 8.
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut out = (text.len() as u64).to_le_bytes().to_vec();
        out.append(&mut text);
        Ok((out, slots, end))
    }
}

/// Writes `writer`'s tensors into `folder` as a release does: `model.safetensors`, or when the data is
/// larger than `bytes_max`, shards of at most so much and `model.safetensors.index.json`. The files,
/// in order; the index comes last, once all shards are there.
pub fn write_sharded(
    writer: &SafetensorsWriter,
    folder: &Path,
    bytes_max: u64,
    mut fill: impl FnMut(&str, &mut TensorStream) -> Result<(), Error>,
) -> Result<Vec<PathBuf>, Error> {
    let shards = writer.shards(bytes_max);
    if let [only] = shards.as_slice() {
        let path = folder.join("model.safetensors");
        only.write(&path, fill)?;
        return Ok(vec![path]);
    }
    let mut paths = Vec::new();
    let mut map = Map::new();
    let mut total = 0;
    for (at, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", at + 1, shards.len());
        let path = folder.join(&name);
        shard.write(&path, &mut fill)?;
        for (tensor, (_, _, bytes)) in &shard.tensors {
            map.insert(tensor.clone(), name.clone().into());
            total += bytes;
        }
        paths.push(path);
    }
    let index = json!({"metadata": {"total_size": total}, "weight_map": map});
    let path = folder.join("model.safetensors.index.json");
    let text = serde_json::to_vec_pretty(&index)
        .map_err(|error| Error::Write { why: error.to_string() })?;
    write_whole(&path, &text)?;
    paths.push(path);
    Ok(paths)
}
