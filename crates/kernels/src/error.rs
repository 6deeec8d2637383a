//! What can be wrong with a request to this crate.

/// Why a handle, a buffer or a packed matrix could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine (or this build) has no such instruction set.
    #[error("instruction set {asked} is not available here; available: {available}")]
    IsaUnavailable {
        /// The set asked for.
        asked: crate::Isa,
        /// The names of those that are, by commas.
        available: String,
    },
    /// No instruction set has this name.
    #[error("unknown instruction set {found:?}; known: scalar, avx2, avx512, neon")]
    IsaUnknown {
        /// The name given.
        found: String,
    },
    /// A shape that the operation cannot take.
    #[error("{what}: found {found}, expected {expected}")]
    Shape {
        /// The thing measured.
        what: &'static str,
        /// Its size.
        found: usize,
        /// What it should have been, in words or a number.
        expected: String,
    },
    /// The system would not give the memory.
    #[error("could not allocate {bytes} bytes")]
    OutOfMemory {
        /// The size asked for.
        bytes: usize,
    },
}
