//! How far a download is, in a file that survives the death of its writer.
//!
//! The first line is JSON, padded to a fixed length; then a line of 20 digits for each segment: how
//! many of its bytes are written. A line is rewritten in place after its bytes were handed to the
//! system, in one call of 21 bytes: a killed process leaves the old number or the new one, and both
//! are true. (A crash of the whole machine can leave numbers without bytes; the hash finds that, and
//! the file is begun anew.)

use std::{
    fs::{self, File, OpenOptions},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::{read_at, write_at};
use crate::Error;

/// Bytes of the first line.
const HEAD: usize = 1024;
/// Bytes of a segment's line.
const LINE: usize = 21;
/// Segments a file has at most; a longer file has longer ones.
const SEGMENTS: u64 = 64;
const SEGMENT_MIN: u64 = 8 << 20;

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    bytes: u64,
    segment: u64,
    tag: Option<String>,
}

/// See the module.
pub(super) struct State {
    file: File,
    path: PathBuf,
    notes: File,
    bytes: u64,
    segment: u64,
    tag: Mutex<Option<String>>,
    /// Bytes written of each segment.
    written: Vec<AtomicU64>,
    next: AtomicUsize,
}

/// Length of the segments of a file: whole MiB, at least 8.
fn segment_of(bytes: u64) -> u64 {
    bytes.div_ceil(SEGMENTS).next_multiple_of(1 << 20).max(SEGMENT_MIN)
}

impl State {
    /// Opens what an earlier try left, or begins.
    pub(super) fn open(path: &Path, notes: &Path, bytes: u64) -> Result<State, Error> {
        for path in [path, notes] {
            if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
                return Err(Error::Store { path: path.to_path_buf(), why: "not a regular file" });
            }
        }
        let segment = segment_of(bytes);
        let held = read(notes, bytes).filter(|(head, _)| head.segment == segment);
        let fits = fs::metadata(path).is_ok_and(|there| there.len() == bytes);
        let (tag, written) = match held {
            Some((head, written)) if fits => (head.tag, written),
            _ => {
                _ = fs::remove_file(notes);
                _ = fs::remove_file(path);
                (None, vec![0; usize::try_from(bytes.div_ceil(segment)).unwrap_or(usize::MAX)])
            }
        };
        let open = |path: &Path| {
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(path)
                .map_err(Error::io("create", path))
        };
        let file = open(path)?;
        file.set_len(bytes).map_err(Error::io("make room in", path))?;
        let state = State {
            file,
            path: path.to_path_buf(),
            notes: open(notes)?,
            bytes,
            segment,
            tag: Mutex::new(tag),
            written: written.into_iter().map(AtomicU64::new).collect(),
            next: AtomicUsize::new(0),
        };
        state.write_notes()?;
        Ok(state)
    }

    fn write_notes(&self) -> Result<(), Error> {
        let tag = self.tag();
        let head = Head { version: 1, bytes: self.bytes, segment: self.segment, tag };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        if text.len() >= HEAD {
            text = serde_json::to_string(&Head { tag: None, ..head }).unwrap_or_default();
        }
        let mut whole = format!("{text:<width$}\n", width = HEAD - 1);
        for written in &self.written {
            whole.push_str(&line(written.load(Ordering::Relaxed)));
        }
        write_at(&self.notes, whole.as_bytes(), 0).map_err(Error::io("write", &self.path))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the server called this state of the file.
    pub(super) fn tag(&self) -> Option<String> {
        self.tag.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_tag(&self, tag: &str) -> Result<(), Error> {
        *self.tag.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag.to_owned());
        let head = Head { version: 1, bytes: self.bytes, segment: self.segment, tag: self.tag() };
        let text = serde_json::to_string(&head).unwrap_or_default();
        if text.len() < HEAD {
            let padded = format!("{text:<width$}\n", width = HEAD - 1);
            write_at(&self.notes, padded.as_bytes(), 0).map_err(Error::io("write", &self.path))?;
        }
        Ok(())
    }

    pub(super) fn is_single(&self) -> bool {
        self.written.len() == 1
    }

    /// The next segment that is not complete, for one connection alone.
    pub(super) fn claim(&self) -> Option<usize> {
        loop {
            let segment = self.next.fetch_add(1, Ordering::Relaxed);
            if segment >= self.written.len() {
                return None;
            }
            if self.left(segment) > 0 {
                return Some(segment);
            }
        }
    }

    fn length(&self, segment: usize) -> u64 {
        self.segment.min(self.bytes - self.segment * segment as u64)
    }

    /// Where the next byte of the segment belongs.
    pub(super) fn position(&self, segment: usize) -> u64 {
        self.segment * segment as u64 + self.written[segment].load(Ordering::Acquire)
    }

    pub(super) fn left(&self, segment: usize) -> u64 {
        self.length(segment) - self.written[segment].load(Ordering::Acquire)
    }

    /// What is missing of the segment.
    pub(super) fn range(&self, segment: usize) -> Range<u64> {
        let start = self.position(segment);
        start..start + self.left(segment)
    }

    pub(super) fn missing_segments(&self) -> usize {
        (0..self.written.len()).filter(|&segment| self.left(segment) > 0).count()
    }

    pub(super) fn done(&self) -> u64 {
        self.written.iter().map(|written| written.load(Ordering::Acquire)).sum()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.done() == self.bytes
    }

    /// How far the file is without holes, seen from `at`.
    pub(super) fn front(&self, at: u64) -> u64 {
        let segment = usize::try_from(at / self.segment).unwrap_or(usize::MAX);
        if segment >= self.written.len() { self.bytes } else { self.position(segment).max(at) }
    }

    /// Puts bytes at the end of what the segment has, and notes it.
    pub(super) fn write(&self, segment: usize, bytes: &[u8]) -> Result<(), Error> {
        write_at(&self.file, bytes, self.position(segment))
            .map_err(Error::io("write", &self.path))?;
        let written = self.written[segment].fetch_add(bytes.len() as u64, Ordering::AcqRel)
            + bytes.len() as u64;
        self.note(segment, written)
    }

    fn note(&self, segment: usize, written: u64) -> Result<(), Error> {
        let at = (HEAD + LINE * segment) as u64;
        write_at(&self.notes, line(written).as_bytes(), at).map_err(Error::io("write", &self.path))
    }

    /// Puts bytes at `at`, which is where all segments before are full.
    pub(super) fn write_in_order(&self, mut bytes: &[u8], mut at: u64) -> Result<(), Error> {
        while !bytes.is_empty() {
            let segment = usize::try_from(at / self.segment).unwrap_or(usize::MAX);
            let count = bytes.len().min(usize::try_from(self.left(segment)).unwrap_or(usize::MAX));
            self.write(segment, &bytes[..count])?;
            bytes = &bytes[count..];
            at += count as u64;
        }
        Ok(())
    }

    /// Lets every segment that is not complete be claimed again.
    pub(super) fn rewind(&self) {
        self.next.store(0, Ordering::Release);
    }
}

fn line(written: u64) -> String {
    format!("{written:020}\n")
}

/// What the notes say, if they are whole and about a file of `bytes` bytes.
fn read(notes: &Path, bytes: u64) -> Option<(Head, Vec<u64>)> {
    let count = usize::try_from(bytes.div_ceil(segment_of(bytes))).ok()?;
    let file = File::open(notes).ok()?;
    let mut text = vec![0; HEAD + LINE * count];
    read_at(&file, &mut text, 0).ok()?;
    let head: Head = serde_json::from_slice(text[..HEAD].trim_ascii_end()).ok()?;
    if head.version != 1 || head.bytes != bytes || head.segment != segment_of(bytes) {
        return None;
    }
    let mut written = Vec::with_capacity(count);
    for (number, line) in text[HEAD..].chunks_exact(LINE).enumerate() {
        let value: u64 = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?.parse().ok()?;
        let length = head.segment.min(bytes - head.segment * number as u64);
        if value > length {
            return None;
        }
        written.push(value);
    }
    Some((head, written))
}

/// How many bytes the notes speak of.
pub(super) fn done_in(notes: &Path, bytes: u64) -> u64 {
    read(notes, bytes).map_or(0, |(_, written)| written.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h8_the_state_tells_what_is_there_and_nothing_else() {
        let room = tempfile::tempdir().unwrap();
        let (path, notes) = (room.path().join("a"), room.path().join("b"));
        let bytes = 20 << 20;
        let state = State::open(&path, &notes, bytes).unwrap();
        assert_eq!((state.written.len(), state.segment, state.done()), (3, 8 << 20, 0));
        state.set_tag("\"x\"").unwrap();
        state.write(1, &[7; 100]).unwrap();
        state.write(1, &[8; 100]).unwrap();
        drop(state);
        assert_eq!(done_in(&notes, bytes), 200);
        let state = State::open(&path, &notes, bytes).unwrap();
        assert_eq!(
            (state.tag().as_deref(), state.done(), state.position(1)),
            (Some("\"x\""), 200, (8 << 20) + 200)
        );
        assert_eq!((state.front(0), state.missing_segments()), (0, 3));
        drop(state);
        // Another size, a torn line, an impossible number, a missing file: begin anew.
        assert_eq!(State::open(&path, &notes, bytes + 1).unwrap().done(), 0);
        let fresh = || {
            let state = State::open(&path, &notes, bytes).unwrap();
            state.write(0, &[1; 50]).unwrap();
        };
        fresh();
        let text = fs::read(&notes).unwrap();
        fs::write(&notes, &text[..text.len() - 5]).unwrap();
        assert_eq!(State::open(&path, &notes, bytes).unwrap().done(), 0);
        fresh();
        let mut text = fs::read(&notes).unwrap();
        text[HEAD..HEAD + 20].copy_from_slice(b"00000000009999999999");
        fs::write(&notes, text).unwrap();
        assert_eq!(State::open(&path, &notes, bytes).unwrap().done(), 0);
        fresh();
        fs::remove_file(&path).unwrap();
        assert_eq!(State::open(&path, &notes, bytes).unwrap().done(), 0);
    }

    #[test]
    fn segments_grow_with_the_file() {
        assert_eq!(segment_of(1), 8 << 20);
        assert_eq!(segment_of(500 << 20), 8 << 20);
        assert_eq!(segment_of(64 << 30), 1 << 30);
    }
}
