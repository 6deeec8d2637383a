//! Writing a file so that it is there whole or not at all.
//!
//! The bytes go to a hidden file beside the target, are flushed to the disk, and only then take the
//! target's name; an interrupted write leaves what was there before. Tensors are streamed in their
//! order, so the largest thing in memory is what the caller holds.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, error::shown};

/// Zeros to pad with.
static ZEROS: [u8; 4096] = [0; 4096];

/// Where a tensor goes, from the start of the data.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

/// A file under way: takes the bytes of its tensors in order, in pieces of any size.
///
/// Dropped before [`TensorStream::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct TensorStream {
    out: BufWriter<File>,
    partial: PathBuf,
    target: PathBuf,
    slots: Vec<Slot>,
    current: usize,
    /// Bytes of data written, padding included.
    at: u64,
    /// Bytes of data in the end, padding included.
    end: u64,
    done: bool,
}

impl TensorStream {
    pub(crate) fn begin(
        target: &Path,
        header: &[u8],
        slots: Vec<Slot>,
        end: u64,
    ) -> Result<TensorStream, Error> {
        let within = |fault: Error| fault.within(target);
        let partial = partial_path(target).map_err(within)?;
        let file = OpenOptions::new().write(true).create_new(true).open(&partial);
        let file = file.map_err(Error::io("create a file beside it")).map_err(within)?;
        let out = BufWriter::with_capacity(1 << 20, file);
        let target = target.to_path_buf();
        let mut stream =
            TensorStream { out, partial, target, slots, current: 0, at: 0, end, done: false };
        stream.write(header)?;
        stream.advance()?;
        Ok(stream)
    }

    /// The tensor whose bytes come next; `None` when all are there.
    pub fn pending(&self) -> Option<&str> {
        self.slots.get(self.current).map(|slot| slot.name.as_str())
    }

    /// Bytes still missing of the tensor that comes next.
    pub fn missing(&self) -> u64 {
        self.slots.get(self.current).map_or(0, |slot| slot.start + slot.bytes - self.at)
    }

    /// The next bytes of the tensor that comes next; not beyond its end.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let room = self.missing();
        if bytes.len() as u64 > room {
            let name = self
                .pending()
                .map_or("the last tensor".to_owned(), |name| format!("tensor `{}`", shown(name)));
            let why = format!("{} bytes given for {name}, which has room for {room}", bytes.len());
            return Err(Error::Write { why });
        }
        self.write(bytes)?;
        self.at += bytes.len() as u64;
        self.advance()
    }

    /// Completes the file: flushes it to the disk and gives it its name.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(name) = self.pending() {
            let why = format!("tensor `{}` lacks {} bytes", shown(name), self.missing());
            return Err(Error::Write { why });
        }
        self.pad(self.end)?;
        let within = |fault: Error| fault.within(&self.target);
        self.out.flush().map_err(Error::io("write it")).map_err(within)?;
        self.out.get_ref().sync_all().map_err(Error::io("flush it to the disk")).map_err(within)?;
        fs::rename(&self.partial, &self.target)
            .map_err(Error::io("rename it into place"))
            .map_err(within)?;
        self.done = true;
        // The name is safe once its folder is flushed; where folders cannot be, it is so already.
        if let Ok(folder) = File::open(
            self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        ) {
            drop(folder.sync_all());
        }
        Ok(())
    }

    /// Goes on to the next tensor that lacks bytes, with the padding before it.
    fn advance(&mut self) -> Result<(), Error> {
        while let Some(slot) = self.slots.get(self.current) {
            let (start, end) = (slot.start, slot.start + slot.bytes);
            if self.at < start {
                self.pad(start)?;
            }
            if self.at < end {
                return Ok(());
            }
            self.current += 1;
        }
        Ok(())
    }

    fn pad(&mut self, to: u64) -> Result<(), Error> {
        while self.at < to {
            let count = (to - self.at).min(ZEROS.len() as u64);
            self.write(&ZEROS[..count as usize])?;
            self.at += count;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out
            .write_all(bytes)
            .map_err(Error::io("write it"))
            .map_err(|fault| fault.within(&self.target))
    }
}

impl Drop for TensorStream {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// Writes a small file whole or not at all.
pub(crate) fn write_whole(target: &Path, bytes: &[u8]) -> Result<(), Error> {
    TensorStream::begin(target, bytes, Vec::new(), 0)?.finish()
}

/// A name of its own beside the target.
fn partial_path(target: &Path) -> Result<PathBuf, Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = target
        .file_name()
        .ok_or_else(|| Error::Write { why: "the path names no file".to_owned() })?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(target.with_file_name(format!(
        ".{}.{}-{count}.partial",
        name.to_string_lossy(),
        std::process::id()
    )))
}
