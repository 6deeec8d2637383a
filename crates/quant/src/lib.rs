//! Number formats: block layout, encode, decode, stated error of each.
//!
//! A [`Format`] says how a run of numbers lies in bytes: so many elements a block, so many bytes a
//! block, and the functions between bytes and `f32`. Everything else in the program asks the format
//! instead of switching on a type code, so a new format is one file under `format/` and one line in
//! [`FORMATS`].
//!
//! Decoding is bit-equal to the `gguf` Python package, which fixes the meaning of ggml's formats;
//! the plain loops here are also what every fast kernel is held against.
#![allow(
    clippy::inline_always,
    reason = "loops over blocks vectorise only with these small pieces inside them"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "one index runs over bytes and values laid out differently"
)]

mod block;
mod error;
mod fit;
mod float;
mod format;
mod grid;
mod lattice;

pub use error::Error;
pub use format::mxfp4::from_pairs as mxfp4_from_pairs;
pub use format::*;
