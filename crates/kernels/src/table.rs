//! One table of loops per instruction set: the only place where an operation meets the machine.
//!
//! Fields are `unsafe fn` because a loop may be called only where its instructions exist;
//! [`Table::of`] hands a table out only there, so calling through a table that one holds is sound as
//! far as instructions go. Each field says what else it needs (lengths), if anything.

use crate::Isa;

/// The loops of one instruction set.
pub(crate) struct Table {
    /// Whose loops these are.
    #[allow(dead_code, reason = "read by the tests that enumerate the tables")]
    pub(crate) isa: Isa,
}

impl Table {
    /// The loops of `isa`, if this machine can run them.
    pub(crate) fn of(isa: Isa) -> Option<&'static Table> {
        if !isa.is_available() {
            return None;
        }
        match isa {
            Isa::Scalar => Some(&crate::scalar::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Some(&crate::x86_64::avx2::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Some(&crate::x86_64::avx512::TABLE),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(&crate::aarch64::neon::TABLE),
            #[allow(
                unreachable_patterns,
                reason = "which arms are left depends on the architecture"
            )]
            _ => None,
        }
    }
}
