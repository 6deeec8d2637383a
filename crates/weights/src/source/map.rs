//! The one place of this crate that needs `unsafe`: mapping a file into memory.
#![expect(unsafe_code, reason = "mapping a file cannot be expressed in safe Rust; see HOUSE.md")]

use std::{fs::File, io, ops::Range};

/// A file mapped for reading.
///
/// The mapping is shared and never written through. What `unsafe` cannot exclude is another process
/// that changes the file: writing into it would change bytes under a `&[u8]`, cutting it short would
/// raise SIGBUS. [`Source`](super::Source) therefore keeps the descriptor, compares size and time of
/// change whenever it hands bytes out, and offers positioned reads instead of a mapping.
#[derive(Debug)]
pub(super) struct Mapped(memmap2::Mmap);

impl Mapped {
    pub(super) fn new(file: &File) -> io::Result<Mapped> {
        // SAFETY: the mapping is read-only and private to this struct, which outlives every slice it
        // hands out; changes by other processes are the documented residual risk (see above).
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Mapped(map))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lets the system take the whole pages within `range` back; they return with the next use.
    #[cfg(unix)]
    pub(super) fn release(&self, range: Range<usize>) {
        if range.start >= range.end || range.end > self.0.len() {
            return;
        }
        // SAFETY: the range lies within the mapping, which is a shared, read-only mapping of a file:
        // dropping its pages loses nothing, the next use reads the same bytes from the file again.
        let advised = unsafe {
            self.0.unchecked_advise_range(
                memmap2::UncheckedAdvice::DontNeed,
                range.start,
                range.len(),
            )
        };
        // Only advice: a system that does not take it keeps the pages, which is correct too.
        drop(advised);
    }

    #[cfg(not(unix))]
    pub(super) fn release(&self, _range: Range<usize>) {}

    /// Tells the system that `range` will be read soon.
    #[cfg(unix)]
    pub(super) fn prefetch(&self, range: Range<usize>) {
        if range.start < range.end && range.end <= self.0.len() {
            drop(self.0.advise_range(memmap2::Advice::WillNeed, range.start, range.len()));
        }
    }

    #[cfg(not(unix))]
    pub(super) fn prefetch(&self, _range: Range<usize>) {}
}
