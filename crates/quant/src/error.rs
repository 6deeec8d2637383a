/// Why bytes and values could not be turned into one another.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A run of values that does not fill its last block.
    #[error("{format}: {found} values are not a whole number of blocks of {block}")]
    PartialBlock {
        /// The format's name.
        format: &'static str,
        /// How many values were given.
        found: usize,
        /// How many values a block holds.
        block: usize,
    },
    /// Bytes and values that do not belong together.
    #[error("{format}: found {found} bytes, expected {expected} for {values} values")]
    Bytes {
        /// The format's name.
        format: &'static str,
        /// How many values were given.
        values: usize,
        /// How many bytes were given.
        found: usize,
        /// How many bytes so many values take.
        expected: usize,
    },
    /// Importance weights that do not belong to the values.
    #[error("{format}: found {found} importance weights, expected {expected}, one a value")]
    Importance {
        /// The format's name.
        format: &'static str,
        /// How many weights were given.
        found: usize,
        /// How many values were given.
        expected: usize,
    },
    /// A value that the format's scales and codes cannot stand for.
    #[error("{format}: value {at} is {found}, expected magnitudes up to {largest}")]
    OutOfRange {
        /// The format's name.
        format: &'static str,
        /// The first such value's place.
        at: usize,
        /// The value.
        found: f32,
        /// The largest magnitude the format is written with.
        largest: f32,
    },
    /// A format that can be read but not written here.
    #[error("{format}: this format can be read but not written")]
    NoEncoder {
        /// The format's name.
        format: &'static str,
    },
}
