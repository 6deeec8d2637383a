//! Files that hold weights: GGUF, safetensors, shards; read, map, convert, write.
//!
//! [`Checkpoint::open`] takes whatever a person calls a model (a `.gguf` file, one of its shards, a
//! `.safetensors` file, an index, a Hugging Face folder) and gives the same reading of all of them:
//! metadata, a list of tensors, and their values. A hostile file can at worst be refused: every header
//! is checked completely, in bounded time and memory, before a byte of a tensor is handed out, and
//! [`Checkpoint::bytes`] is the only way to such bytes. Pickle checkpoints are programs and are
//! refused by design, with a report of what they would have imported.
//!
//! This crate knows no architecture and trusts no length field.

mod checkpoint;
mod dtype;
mod error;
mod folder;
mod front_matter;
pub mod gguf;
pub mod json;
mod limits;
mod output;
mod path;
mod pickle;
pub mod safetensors;
mod source;
mod tensor;

pub use checkpoint::{
    Checkpoint, Container, FileInfo, Finding, Kind, Logical, Metadata, Statistics,
};
pub use dtype::{Dtype, Opaque};
pub use error::{Error, shown};
pub use folder::{Folder, FolderFile};
pub use front_matter::{FrontMatter, front_matter};
pub use gguf::{GgufMetadata, GgufWriter, TensorInfo};
pub use limits::{Limits, Mapping};
pub use output::TensorStream;
pub use path::{safe_relative_path, safe_relative_paths};
pub use pickle::{Import, PickleReport, report as pickle_report};
pub use safetensors::{SafetensorsWriter, write_sharded};
pub use tensor::Tensor;
