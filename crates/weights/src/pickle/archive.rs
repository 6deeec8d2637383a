//! Finds the pickle program in PyTorch's archive, a ZIP file whose entries are stored as they are.
//!
//! Only what the report needs: the directory at the end, one entry named `data.pkl`, stored without
//! compression. Every offset is held against the file. Layout: PKWARE's APPNOTE, 4.3.

use std::{fs::File, path::Path};

use crate::{Limits, source::read_at};

/// The most a directory may take, and how many entries of it are looked at.
const DIRECTORY_BYTES_MAX: u64 = 8 << 20;
const ENTRIES_MAX: usize = 1 << 16;
/// The end record with its longest comment.
const END_BYTES: u64 = 22 + 65_535;

/// The bytes of `data.pkl`, cut at the limit.
pub(super) fn program(path: &Path, limits: &Limits) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let (start, bytes) = directory(&file, size)?;
    let directory = read(&file, size, start, bytes)?;
    let mut rest = directory.as_slice();
    for _ in 0..ENTRIES_MAX {
        let Some(entry) = Entry::next(&mut rest) else { break };
        if entry.name == b"data.pkl" || entry.name.ends_with(b"/data.pkl") {
            return entry.content(&file, size, limits.pickle_bytes);
        }
    }
    Err("the archive has no entry `data.pkl`".to_owned())
}

/// Where the directory lies.
fn directory(file: &File, size: u64) -> Result<(u64, u64), String> {
    let tail_start = size.saturating_sub(END_BYTES);
    let tail = read(file, size, tail_start, size - tail_start)?;
    let at = tail
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x05\x06")
        .ok_or("the archive has no directory")?;
    let end = tail.get(at..at + 22).ok_or("the archive's end is cut short")?;
    let (mut bytes, mut start) = (number(end, 12, 4), number(end, 16, 4));
    // Archives over 4 GiB have a second end record, found by a locator just before this one.
    if start == u64::from(u32::MAX)
        && let Some(locator) = at.checked_sub(20).and_then(|at| tail.get(at..at + 20))
        && locator.starts_with(b"PK\x06\x07")
    {
        let record = read(file, size, number(locator, 8, 8), 56)?;
        (bytes, start) = (number(&record, 40, 8), number(&record, 48, 8));
    }
    if bytes > DIRECTORY_BYTES_MAX {
        Err("the archive's directory is too large".to_owned())
    } else {
        Ok((start, bytes))
    }
}

struct Entry<'a> {
    name: &'a [u8],
    method: u64,
    bytes: u64,
    offset: u64,
}

impl<'a> Entry<'a> {
    fn next(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
        let fixed = rest.get(..46).filter(|fixed| fixed.starts_with(b"PK\x01\x02"))?;
        let [name, extra, comment] = [28, 30, 32].map(|at| number(fixed, at, 2) as usize);
        let (method, mut bytes, mut offset) =
            (number(fixed, 10, 2), number(fixed, 24, 4), number(fixed, 42, 4));
        let name_bytes = rest.get(46..46 + name)?;
        let mut fields = rest.get(46 + name..46 + name + extra)?;
        // The 64-bit sizes, in the order of the fields that are all ones.
        while let Some((head, tail)) = fields.split_at_checked(4) {
            let Some((field, next)) = tail.split_at_checked(number(head, 2, 2) as usize) else {
                break;
            };
            if number(head, 0, 2) == 1 {
                let mut wide = field.chunks_exact(8).map(|value| number(value, 0, 8));
                if bytes == u64::from(u32::MAX) {
                    bytes = wide.next()?;
                }
                if number(fixed, 20, 4) == u64::from(u32::MAX) {
                    wide.next()?;
                }
                if offset == u64::from(u32::MAX) {
                    offset = wide.next()?;
                }
            }
            fields = next;
        }
        *rest = rest.get(46 + name + extra + comment..)?;
        Some(Entry { name: name_bytes, method, bytes, offset })
    }

    fn content(&self, file: &File, size: u64, max: u64) -> Result<Vec<u8>, String> {
        if self.method != 0 {
            return Err("its program is compressed".to_owned());
        }
        let header = read(file, size, self.offset, 30)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err("the archive's directory points nowhere".to_owned());
        }
        let start = self.offset + 30 + number(&header, 26, 2) + number(&header, 28, 2);
        read(file, size, start, self.bytes.min(max))
    }
}

fn read(file: &File, size: u64, start: u64, bytes: u64) -> Result<Vec<u8>, String> {
    let end = start.checked_add(bytes).filter(|&end| end <= size);
    end.ok_or("the archive points beyond its end")?;
    let mut out = vec![0; usize::try_from(bytes).map_err(|_| "the archive is too large")?];
    read_at(file, &mut out, start).map_err(|error| error.to_string())?;
    Ok(out)
}

/// The little-endian number of `bytes` bytes at `at`; 0 where there is none.
fn number(from: &[u8], at: usize, bytes: usize) -> u64 {
    let bytes = from.get(at..at + bytes).unwrap_or_default();
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
