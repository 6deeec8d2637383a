//! Loops for AVX-512 (F, BW, VL, DQ, VNNI).

mod linear;

use crate::Isa;
use crate::table::Table;

/// The AVX-512 loops.
pub(crate) static TABLE: Table = Table { isa: Isa::Avx512, linear: linear::LINEAR, ..crate::scalar::TABLE };
