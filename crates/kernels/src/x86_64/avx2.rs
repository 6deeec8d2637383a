//! Loops for AVX2 with FMA and F16C.

mod linear;

use crate::Isa;
use crate::table::Table;

/// The AVX2 loops.
pub(crate) static TABLE: Table = Table { isa: Isa::Avx2, linear: linear::LINEAR, ..crate::scalar::TABLE };
