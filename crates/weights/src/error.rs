//! What can be wrong with a weight file, said so that a person can act on it.
//!
//! Every variant names the thing, what was found and what was expected. Text that comes out of a
//! file is escaped and cut before it gets into a message ([`shown`]), so an error can be printed to a
//! terminal or a log as it is.

use std::path::{Path, PathBuf};

use crate::pickle::PickleReport;

/// Why a weight file, an index, a config or a tensor was not accepted.
///
/// [`Error::In`] wraps the others with the file they concern; [`Error::root`] looks through it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The fault is in this file.
    #[error("{}: {source}", shown(&file.to_string_lossy()))]
    In {
        /// The file at fault.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// The operating system refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The path is a device, a pipe or another thing that is not an ordinary file or folder.
    #[error("not a regular file or folder but {found}")]
    NotRegular {
        /// What lies there.
        found: &'static str,
    },
    /// Neither by name nor by content a container this crate reads.
    #[error("neither GGUF nor safetensors: begins with {found}")]
    UnknownContainer {
        /// The first bytes, shown.
        found: String,
    },
    /// A folder without weights that can be read.
    #[error("no weights to read in this folder: {found}")]
    NoWeights {
        /// What lies in it instead.
        found: String,
    },
    /// A pickle checkpoint, which is a program and never run.
    #[error("refused: a pickle checkpoint is a program, not data ({report})")]
    Pickle {
        /// What the program would have imported.
        report: Box<PickleReport>,
    },
    /// A GGUF file does not begin with `GGUF`.
    #[error("GGUF magic expected, found {found}")]
    BadMagic {
        /// The first bytes, shown.
        found: String,
    },
    /// A GGUF file in big-endian byte order.
    #[error("GGUF version {version} in big-endian byte order; only little-endian files are read")]
    BigEndian {
        /// The version, in the file's own byte order.
        version: u32,
    },
    /// A GGUF version other than 2 and 3.
    #[error("GGUF version {found}, expected 2 or 3")]
    BadVersion {
        /// The version stated.
        found: u32,
    },
    /// The file ends before the thing it announced.
    #[error("truncated: {what} needs {need} bytes, {have} are left")]
    Truncated {
        /// What was being read.
        what: String,
        /// Bytes it needs.
        need: u64,
        /// Bytes left in the file.
        have: u64,
    },
    /// More than the limits allow (see [`Limits`](crate::Limits)).
    #[error("{what}: {found}, at most {max} allowed")]
    OverLimit {
        /// What there is too much of, with its unit.
        what: String,
        /// How much was found.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// Text that is not UTF-8.
    #[error("{what} is not valid UTF-8")]
    NotUtf8 {
        /// Which text.
        what: String,
    },
    /// A name that may not be one.
    #[error("{what} `{name}`: {why}")]
    BadName {
        /// Name of what.
        what: &'static str,
        /// The name, escaped and cut.
        name: String,
        /// Why it may not be one.
        why: &'static str,
    },
    /// The same name twice.
    #[error("{what} `{name}` appears twice")]
    Duplicate {
        /// What appears twice.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A GGUF value of a type that does not exist or may not stand there.
    #[error("key `{key}`: {found}, expected {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A key that has to be there is not.
    #[error("key `{key}` is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A key holds another type than was asked for.
    #[error("key `{key}` is {found}, expected {expected}")]
    KeyType {
        /// The key.
        key: String,
        /// Its type in the file.
        found: String,
        /// The type asked for.
        expected: &'static str,
    },
    /// A shape no tensor can have.
    #[error("tensor `{tensor}` has shape {shape}: {why}")]
    BadShape {
        /// The tensor.
        tensor: String,
        /// Its shape as the file states it.
        shape: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A number format nobody knows.
    #[error("tensor `{tensor}`: unknown number format {found}")]
    UnknownFormat {
        /// The tensor.
        tensor: String,
        /// The format's id or name.
        found: String,
    },
    /// A row that is no whole number of blocks.
    #[error(
        "tensor `{tensor}`: rows of {row} values are no whole number of {format} blocks of {block}"
    )]
    BlockMisaligned {
        /// The tensor.
        tensor: String,
        /// Values in a row.
        row: u64,
        /// The number format.
        format: &'static str,
        /// Values in a block.
        block: u64,
    },
    /// A tensor whose offset is no multiple of the alignment.
    #[error("tensor `{tensor}` begins at {offset}, no multiple of the alignment {alignment}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Where it begins, in bytes from the start of the data.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor that reaches past the end of the file.
    #[error("tensor `{tensor}` ends at byte {end} of the data, which has {have}")]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// Where it would end.
        end: u64,
        /// Bytes of data in the file.
        have: u64,
    },
    /// Two tensors that share bytes.
    #[error("tensors `{first}` and `{second}` overlap")]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The one that begins before the first has ended.
        second: String,
    },
    /// Bytes that belong to no tensor, where none may be.
    #[error("{bytes} bytes between `{first}` and `{second}` belong to no tensor")]
    Gap {
        /// What ends before the gap.
        first: String,
        /// What begins after it.
        second: String,
        /// Its size.
        bytes: u64,
    },
    /// Tensors listed in another order than their bytes lie in.
    #[error("tensor `{second}` is listed after `{first}` but its bytes lie before")]
    Order {
        /// Listed first.
        first: String,
        /// Listed second.
        second: String,
    },
    /// Shape and number format ask for another number of bytes than the file gives.
    #[error("tensor `{tensor}` has {found} bytes, its shape and format need {expected}")]
    SpanMismatch {
        /// The tensor.
        tensor: String,
        /// Bytes given.
        found: u64,
        /// Bytes needed.
        expected: u64,
    },
    /// JSON that is not well formed, or not what it should describe.
    #[error("JSON at byte {at}: {why}")]
    Json {
        /// Byte offset in the text.
        at: usize,
        /// What is wrong there.
        why: String,
    },
    /// A relative path that could reach outside its folder or mean two things.
    #[error("unsafe path `{path}`: {why}")]
    UnsafePath {
        /// The path, escaped and cut.
        path: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The shards of a split file do not belong together.
    #[error("split checkpoint: {why}")]
    Split {
        /// What does not fit.
        why: String,
    },
    /// A tensor that should be there is not.
    #[error("tensor `{tensor}` is not in {place}")]
    MissingTensor {
        /// The tensor.
        tensor: String,
        /// Where it was looked for.
        place: String,
    },
    /// A tensor and its scales do not fit together.
    #[error("tensors `{tensor}` and `{companion}`: {why}")]
    Companion {
        /// The tensor.
        tensor: String,
        /// The one that holds its scales.
        companion: String,
        /// What does not fit.
        why: String,
    },
    /// Rows or a buffer that do not fit the tensor.
    #[error("tensor `{tensor}`: {what} {found}, expected {expected}")]
    BadRequest {
        /// The tensor.
        tensor: String,
        /// What was asked or given.
        what: &'static str,
        /// How much.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A tensor whose values cannot be read as asked.
    #[error("tensor `{tensor}` is stored as {found}; {why}")]
    NotDecodable {
        /// The tensor.
        tensor: String,
        /// Its number format.
        found: String,
        /// Why that cannot be read so.
        why: &'static str,
    },
    /// The file is no longer the one that was checked.
    #[error("changed after it was opened: {what}")]
    Changed {
        /// What is different.
        what: String,
    },
    /// YAML front matter that is over its bounds or not well formed.
    #[error("front matter: {why}")]
    FrontMatter {
        /// What is wrong.
        why: String,
    },
    /// A file that cannot be written as asked.
    #[error("cannot write: {why}")]
    Write {
        /// What does not fit.
        why: String,
    },
}

impl Error {
    /// The fault itself, without the files it was found in.
    pub fn root(&self) -> &Error {
        match self {
            Error::In { source, .. } => source.root(),
            other => other,
        }
    }

    /// The innermost file at fault, where one is known.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Error::In { file, source } => source.file().or(Some(file)),
            _ => None,
        }
    }

    /// A short stable name of the fault, for logs and programs.
    pub fn code(&self) -> &'static str {
        match self.root() {
            Error::In { .. } => "in",
            Error::Io { .. } => "io",
            Error::NotRegular { .. } => "not-regular",
            Error::UnknownContainer { .. } => "unknown-container",
            Error::NoWeights { .. } => "no-weights",
            Error::Pickle { .. } => "pickle",
            Error::BadMagic { .. } => "bad-magic",
            Error::BigEndian { .. } => "big-endian",
            Error::BadVersion { .. } => "bad-version",
            Error::Truncated { .. } => "truncated",
            Error::OverLimit { .. } => "over-limit",
            Error::NotUtf8 { .. } => "not-utf8",
            Error::BadName { .. } => "bad-name",
            Error::Duplicate { .. } => "duplicate",
            Error::BadValue { .. } => "bad-value",
            Error::MissingKey { .. } => "missing-key",
            Error::KeyType { .. } => "key-type",
            Error::BadShape { .. } => "bad-shape",
            Error::UnknownFormat { .. } => "unknown-format",
            Error::BlockMisaligned { .. } => "block-misaligned",
            Error::Unaligned { .. } => "unaligned",
            Error::OutOfRange { .. } => "out-of-range",
            Error::Overlap { .. } => "overlap",
            Error::Gap { .. } => "gap",
            Error::Order { .. } => "order",
            Error::SpanMismatch { .. } => "span-mismatch",
            Error::Json { .. } => "json",
            Error::UnsafePath { .. } => "unsafe-path",
            Error::Split { .. } => "split",
            Error::MissingTensor { .. } => "missing-tensor",
            Error::Companion { .. } => "companion",
            Error::BadRequest { .. } => "bad-request",
            Error::NotDecodable { .. } => "not-decodable",
            Error::Changed { .. } => "changed",
            Error::FrontMatter { .. } => "front-matter",
            Error::Write { .. } => "write",
        }
    }

    /// Whether the content was refused (as opposed to: could not be read or written at all).
    pub fn is_refusal(&self) -> bool {
        !matches!(self.root(), Error::Io { .. } | Error::Write { .. } | Error::BadRequest { .. })
    }

    /// The next step for the person who sees this, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.root() {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "check the path: a model is a .gguf file, a .safetensors file or a folder that holds them"
            }
            Error::Pickle { .. } => {
                "convert it to safetensors at a place you trust with this file (an isolated machine), or get the safetensors release of the same model"
            }
            Error::BigEndian { .. } => {
                "convert it to little-endian, or get the little-endian file of the same model"
            }
            Error::BadVersion { found: 1 } => {
                "convert the model again from its source: version 1 was replaced in 2023"
            }
            Error::BadVersion { .. } | Error::BadMagic { .. } => {
                "download the file again; a web page or a pointer file may have been saved in its place"
            }
            Error::Truncated { .. } | Error::OutOfRange { .. } | Error::SpanMismatch { .. } => {
                "the download is probably incomplete: compare the size with the publisher's and fetch it again"
            }
            Error::OverLimit { .. } => "if you trust the file, open it with wider limits",
            Error::UnknownFormat { .. } => {
                "convert the model again from its source with a number format in use today"
            }
            Error::NoWeights { .. } | Error::UnknownContainer { .. } => {
                "give a .gguf file, a .safetensors file, or a folder with config.json and safetensors"
            }
            Error::Split { .. } => "put all shards under their original names into one folder",
            Error::Changed { .. } => "open the file again once nothing writes to it any more",
            Error::Overlap { .. }
            | Error::Gap { .. }
            | Error::Order { .. }
            | Error::Unaligned { .. } => {
                "the file was not made by a correct writer: do not use it, and tell its publisher"
            }
            _ => return None,
        })
    }

    /// This fault, found in `file`.
    pub(crate) fn within(self, file: &Path) -> Error {
        match self {
            Error::In { .. } => self,
            other => Error::In { file: file.to_path_buf(), source: Box::new(other) },
        }
    }

    pub(crate) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Error {
        move |source| Error::Io { what, source }
    }

    pub(crate) fn over(what: impl Into<String>, found: u64, max: u64) -> Error {
        Error::OverLimit { what: what.into(), found, max }
    }
}

/// Text from a file made fit for a message: control and bidirectional characters escaped, cut at 120.
pub fn shown(text: &str) -> String {
    const MAX: usize = 120;
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX {
            out.push('…');
            break;
        }
        if c.is_control() || is_bidi(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// The first bytes of something, made fit for a message.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(8)];
    if head.is_empty() { "nothing".to_owned() } else { format!("\"{}\"", head.escape_ascii()) }
}

/// Characters that change the direction of the text around them.
pub(crate) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
