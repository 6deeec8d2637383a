//! The handle that every operation is a method of.

use std::ops::Range;
use std::sync::Mutex;

use crate::table::Table;
use crate::{AlignedBytes, Error, Isa, Pool, Result};

/// Elements below which another part costs more than it saves.
const PART_MIN: usize = 8192;

/// An instruction set's loops and the threads to run them on.
///
/// One handle serves one engine: its operations run one after another, each spread over the pool.
pub struct Kernels {
    pub(crate) isa: Isa,
    pub(crate) pool: Pool,
    pub(crate) table: &'static Table,
    /// Working memory of each thread, grown to what attention asked for.
    pub(crate) scratch: Vec<Mutex<AlignedBytes>>,
    /// Attention's partial results, grown likewise.
    pub(crate) partials: Mutex<AlignedBytes>,
}

impl Kernels {
    /// The loops of `isa` on `threads` threads, the caller's included (at least one).
    /// Refused where the machine lacks the instructions.
    pub fn new(isa: Isa, threads: usize) -> Result<Self> {
        let table = Table::of(isa).ok_or_else(|| Error::IsaUnavailable {
            asked: isa,
            available: Isa::available().iter().map(|i| i.name()).collect::<Vec<_>>().join(", "),
        })?;
        let pool = Pool::new(threads);
        let empty = || AlignedBytes::zeroed(0).map(Mutex::new);
        let scratch = (0..pool.threads()).map(|_| empty()).collect::<Result<_>>()?;
        Ok(Self { isa, pool, table, scratch, partials: empty()? })
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs `f(rows)` over ranges of `rows` rows of `width` elements: at once when that is little work,
    /// spread over the threads otherwise. `f` must treat every row by itself.
    pub(crate) fn over_rows(&self, rows: usize, width: usize, f: &(dyn Fn(Range<usize>) + Sync)) {
        let parts = (rows.saturating_mul(width) / PART_MIN).min(4 * self.threads()).min(rows);
        if parts <= 1 || self.threads() == 1 {
            return f(0..rows);
        }
        self.pool.run(parts, &|part| f(rows * part / parts..rows * (part + 1) / parts));
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
