//! Loops for NEON. Written with care but never run where this was developed: no such machine there.

use crate::Isa;
use crate::table::Table;

/// The NEON loops.
pub(crate) static TABLE: Table = Table { isa: Isa::Neon, ..crate::scalar::TABLE };
