//! What can go wrong: little, since an unknown fact is not an error.

use crate::Bytes;
use std::path::PathBuf;

/// Why a question about the machine has no answer, or the answer is no.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is not enough memory.
    #[error("needs {needed:#} of memory, found {free:#} free ({because})")]
    Memory {
        /// How much is asked for.
        needed: Bytes,
        /// How much there is.
        free: Bytes,
        /// What sets the limit.
        because: String,
    },
    /// A text is no size.
    #[error("found size {found:?}, expected a number with a unit such as 512MiB, 8GiB or 1.5GB")]
    Size {
        /// The text.
        found: String,
    },
    /// A measurement could not be made.
    #[error("cannot measure {what}")]
    Kernels {
        /// What was to be measured.
        what: &'static str,
        /// Why not.
        source: kernels::Error,
    },
    /// A measurement gave no usable number.
    #[error("measured {value} for {what}, expected a positive number")]
    Measurement {
        /// What was measured.
        what: &'static str,
        /// What came out.
        value: f64,
    },
}
