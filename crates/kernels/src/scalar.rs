//! Plain Rust: the meaning of every operation.

use crate::Isa;
use crate::table::Table;

/// The plain loops.
pub(crate) static TABLE: Table = Table { isa: Isa::Scalar };
