//! A model's files, opened and checked: metadata, tensors, values.

mod logical;
mod open;
mod scan;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use indexmap::IndexMap;
pub use logical::{Kind, Logical};
pub use scan::Statistics;
use serde_json::{Map, Value};

use crate::{Error, Folder, GgufMetadata, Limits, Tensor, error::shown, source::Source};

/// Which container a checkpoint is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// GGUF, in one file or split.
    Gguf,
    /// Safetensors, in one file or sharded.
    Safetensors,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Gguf => "GGUF",
            Container::Safetensors => "safetensors",
        })
    }
}

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// Something noteworthy that is no reason to refuse the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Bytes at the end of a file that belong to nothing.
    Trailing {
        /// The file.
        file: String,
        /// How many bytes.
        bytes: u64,
    },
    /// The index states another total size than its tensors have.
    TotalSize {
        /// Bytes stated.
        stated: u64,
        /// Bytes found.
        found: u64,
    },
    /// A safetensors file beside the index that the index does not name.
    FileNotInIndex {
        /// The file.
        file: String,
    },
    /// A tensor in a shard that the index does not name.
    TensorNotInIndex {
        /// The tensor.
        tensor: String,
    },
    /// A config asks a loader to fetch or run code; this one never does.
    RemoteCode {
        /// The config.
        file: String,
        /// The key that asks.
        key: String,
    },
    /// A file with code beside the weights; never run.
    CodeFile {
        /// The file.
        file: String,
    },
    /// A pickle checkpoint beside the weights; never read.
    PickleFile {
        /// The file.
        file: String,
    },
    /// The README's front matter cannot be used.
    FrontMatter {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Trailing { file, bytes } => {
                write!(f, "{}: {bytes} bytes at the end belong to nothing", shown(file))
            }
            Finding::TotalSize { stated, found } => {
                write!(f, "the index states {stated} bytes of tensors, there are {found}")
            }
            Finding::FileNotInIndex { file } => {
                write!(f, "{}: not named by the index", shown(file))
            }
            Finding::TensorNotInIndex { tensor } => {
                write!(f, "tensor `{}` is not named by the index", shown(tensor))
            }
            Finding::RemoteCode { file, key } => {
                write!(f, "{}: `{}` asks for code to be run; it is not", shown(file), shown(key))
            }
            Finding::CodeFile { file } => {
                write!(f, "{}: code beside the weights; it is not run", shown(file))
            }
            Finding::PickleFile { file } => {
                write!(f, "{}: a pickle checkpoint beside the weights; it is not read", shown(file))
            }
            Finding::FrontMatter { why } => write!(f, "README.md: front matter not used: {why}"),
        }
    }
}

/// What a checkpoint says about itself, in both readings.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// For a folder its `config.json`; for GGUF the keys as JSON (scalars, strings and arrays of at
    /// most [`Limits::gguf_json_items`] items; floats that JSON has not are `null`).
    pub config: Map<String, Value>,
    pub(crate) gguf: Option<GgufMetadata>,
    pub(crate) folder: Option<Folder>,
    pub(crate) safetensors: BTreeMap<String, String>,
}

impl Metadata {
    /// The typed reading of a GGUF file's keys (of the first shard).
    pub fn gguf(&self) -> Option<&GgufMetadata> {
        self.gguf.as_ref()
    }

    /// The files around the weights in a Hugging Face folder.
    pub fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// The free-form `__metadata__` of safetensors files.
    pub fn safetensors(&self) -> &BTreeMap<String, String> {
        &self.safetensors
    }
}

/// An opened checkpoint. Everything its headers say has been checked.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    container: Container,
    sources: Vec<Arc<Source>>,
    files: Vec<FileInfo>,
    tensors: IndexMap<Arc<str>, Tensor>,
    logical: IndexMap<Arc<str>, Logical>,
    metadata: Metadata,
    findings: Vec<Finding>,
    /// Bytes read by [`Checkpoint::bytes`], by tensor; empty where files are mapped.
    read: Vec<OnceLock<Vec<u8>>>,
}

impl Checkpoint {
    /// Opens what `path` names: a `.gguf` file or one of its shards, a `.safetensors` file, a
    /// `*.safetensors.index.json`, or a folder with one of these in it.
    pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
        Self::open_with(path, &Limits::DEFAULT)
    }

    /// [`Checkpoint::open`] under other limits.
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Checkpoint, Error> {
        open::open(path.as_ref(), limits)
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which container it is in.
    pub fn container(&self) -> Container {
        self.container
    }

    /// What it says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Noteworthy things that are no reason to refuse it.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Its files with weights.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// Bytes of all its tensors as stored.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.values().map(Tensor::len_bytes).sum()
    }

    /// Bytes of all its files with weights.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The tensors as stored, by name, in file order.
    pub fn tensors(&self) -> &IndexMap<Arc<str>, Tensor> {
        &self.tensors
    }

    /// The stored tensor `name`.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, Error> {
        self.tensors.get(name).ok_or_else(|| self.missing(name))
    }

    /// A stored tensor's bytes.
    ///
    /// Fails when the file is no longer the one that was checked. Of mapped files the bytes are the
    /// mapping; of others the first call reads them, and they are kept as long as the checkpoint
    /// (use [`Checkpoint::raw_rows`] or [`Checkpoint::rows_f32`] to stream).
    pub fn bytes(&self, tensor: &Tensor) -> Result<&[u8], Error> {
        let (index, source, range) = self.place(tensor)?;
        let kept = self.read.get(index);
        if let Some(bytes) = kept.and_then(OnceLock::get) {
            return Ok(bytes);
        }
        match (source.bytes(range)?, kept) {
            (Cow::Borrowed(bytes), _) => Ok(bytes),
            (Cow::Owned(bytes), Some(kept)) => Ok(kept.get_or_init(|| bytes)),
            // Only empty files are not mapped when files are, and no tensor lies in them.
            (Cow::Owned(_), None) => Ok(&[]),
        }
    }

    /// A part of a stored tensor's bytes, counted from its start; never kept.
    pub fn bytes_in(&self, tensor: &Tensor, part: Range<u64>) -> Result<Cow<'_, [u8]>, Error> {
        let (_, source, range) = self.place(tensor)?;
        let length = range.end - range.start;
        if part.start > part.end || part.end > length {
            return Err(Error::BadRequest {
                tensor: shown(&tensor.name),
                what: "bytes asked for:",
                found: format!("{part:?}"),
                expected: format!("a part of 0..{length}"),
            });
        }
        source.bytes(range.start + part.start..range.start + part.end)
    }

    /// Lets the system take back the memory behind a stored tensor's mapped bytes, once they have
    /// been packed elsewhere. They stay valid and are read again when used.
    pub fn release(&self, tensor: &Tensor) {
        if let Ok((_, source, range)) = self.place(tensor) {
            source.release(range);
        }
    }

    /// Tells the system that a stored tensor's bytes will be read soon.
    pub fn prefetch(&self, tensor: &Tensor) {
        if let Ok((_, source, range)) = self.place(tensor) {
            source.prefetch(range);
        }
    }

    /// Checks that every file still is the one that was opened: same file, size and time of change.
    pub fn unchanged(&self) -> Result<(), Error> {
        self.sources.iter().try_for_each(|source| source.check_unchanged())
    }

    /// Where a tensor of this checkpoint lies; another's, or one made up, is refused.
    fn place(&self, tensor: &Tensor) -> Result<(usize, &Source, Range<u64>), Error> {
        let (index, _, own) = self
            .tensors
            .get_full(&*tensor.name)
            .filter(|(_, _, own)| *own == tensor)
            .ok_or_else(|| self.missing(&tensor.name))?;
        Ok((index, &*self.sources[own.file], own.range.clone()))
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor { tensor: shown(name), place: shown(&self.path.to_string_lossy()) }
    }
}
