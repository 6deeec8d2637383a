//! The handle that every operation is a method of.

use crate::table::Table;
use crate::{Error, Isa, Pool, Result};

/// An instruction set's loops and the threads to run them on.
///
/// One handle serves one engine: its operations run one after another, each spread over the pool.
pub struct Kernels {
    pub(crate) isa: Isa,
    pub(crate) pool: Pool,
    pub(crate) table: &'static Table,
}

impl Kernels {
    /// The loops of `isa` on `threads` threads, the caller's included (at least one).
    /// Refused where the machine lacks the instructions.
    pub fn new(isa: Isa, threads: usize) -> Result<Self> {
        let table = Table::of(isa).ok_or_else(|| Error::IsaUnavailable {
            asked: isa,
            available: Isa::available().iter().map(|i| i.name()).collect::<Vec<_>>().join(", "),
        })?;
        Ok(Self { isa, pool: Pool::new(threads), table })
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How many threads work, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernels({}, {} threads)", self.isa, self.threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_exists_exactly_where_the_instructions_do() {
        for isa in Isa::ALL {
            assert_eq!(Kernels::new(isa, 1).is_ok(), isa.is_available(), "{isa}");
        }
    }
}
