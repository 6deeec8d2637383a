//! Memory for the loops: aligned bytes, and a slice that several threads write in disjoint parts.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;

use crate::{Error, Result};

/// A vector register and a cache line are at most this wide.
const LINE: usize = 64;
/// Buffers of at least this size start on a huge page, so that the system may map them with few
/// entries.
const HUGE: usize = 2 << 20;

/// Zeroed bytes that start on a cache line (big ones on a huge page of 2 MiB); exactly as many as asked
/// for, and they never move.
pub struct AlignedBytes {
    start: NonNull<u8>,
    len: usize,
    /// What was asked of the system: room to align in. It is asked without an alignment, because only
    /// then do zeros come as untouched pages; an aligned request is zeroed by hand, on one thread.
    room: NonNull<u8>,
    layout: Layout,
}

impl AlignedBytes {
    /// `bytes` zeros. The pages of a big buffer come from the system untouched, so they cost memory
    /// only once written, and the first to write them may be many threads.
    pub fn zeroed(bytes: usize) -> Result<Self> {
        let align = if bytes >= HUGE { HUGE } else { LINE };
        let refused = || Error::OutOfMemory { bytes };
        let room = bytes.checked_add(align).ok_or_else(refused)?;
        let layout = Layout::from_size_align(room, 1).map_err(|_| refused())?;
        // SAFETY: the layout's size is at least the alignment, not zero.
        let room = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(refused)?;
        // SAFETY: less than `align` bytes on, and there are `bytes + align` of them.
        let start = unsafe { room.add(room.addr().get().wrapping_neg() % align) };
        Ok(Self { start, len: bytes, room, layout })
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `start` is valid for `len` initialised bytes for as long as `self` lives (dangling
        // but aligned when there are none), and they are borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len()) }
    }

    /// All of it, to write.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len()) }
    }

    /// The same memory as `f32`s; bytes past the last whole one are left out.
    pub fn as_f32(&self) -> &[f32] {
        // SAFETY: aligned to at least 64, `len / 4` whole values lie inside, any bits are an f32.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len() / 4) }
    }

    /// The same memory as `f32`s, to write.
    pub fn as_mut_f32(&mut self) -> &mut [f32] {
        // SAFETY: as in `as_f32`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len() / 4) }
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout.
        unsafe { dealloc(self.room.as_ptr(), self.layout) }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({})", self.len())
    }
}

// SAFETY: it owns its memory and hands it out under the ordinary borrowing rules.
unsafe impl Send for AlignedBytes {}
// SAFETY: as above; `&self` gives shared reads only.
unsafe impl Sync for AlignedBytes {}

/// A mutable slice whose disjoint parts are written by several threads at once.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

impl<'a, T> SharedMut<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    #[allow(dead_code, reason = "not every build has a user")]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first element's address, for loops that compute their own.
    #[allow(dead_code, reason = "not every build has a user")]
    pub(crate) fn as_mut_ptr(&self) -> *mut T {
        self.start
    }

    /// A part, to write. Panics when it does not lie inside.
    ///
    /// # Safety
    /// No element of `range` may be reachable through another part while this one lives.
    #[allow(
        clippy::mut_from_ref,
        reason = "that is what it is for; the caller answers for disjointness"
    )]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "part {range:?} of {}",
            self.len
        );
        // SAFETY: inside the slice (checked), disjoint from other parts (the caller's word), and the
        // slice is borrowed mutably for `'a`.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

// SAFETY: it is a mutable borrow of a slice; `part` makes callers answer for disjointness.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_zero_aligned_and_exact() {
        for bytes in [0, 1, 63, 64, 4097, HUGE, HUGE + 5] {
            let mut buffer = AlignedBytes::zeroed(bytes).unwrap();
            assert_eq!(buffer.len(), bytes);
            assert_eq!(buffer.as_slice().as_ptr().addr() % LINE, 0);
            assert!(buffer.iter().all(|b| *b == 0));
            buffer.fill(7);
            assert_eq!(buffer.as_f32().len(), bytes / 4);
        }
    }

    #[test]
    fn an_absurd_size_is_refused() {
        assert!(matches!(AlignedBytes::zeroed(usize::MAX), Err(Error::OutOfMemory { .. })));
    }
}
