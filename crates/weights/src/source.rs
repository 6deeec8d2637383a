//! A file that stays the file that was checked: held open, mapped or read, watched for change.

mod map;

use std::{
    borrow::Cow,
    fs::{self, File, Metadata},
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{Error, Mapping};

/// An open file and what it was when it was opened.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    identity: Identity,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Mapped(map::Mapped),
    /// Only this many first bytes are kept in memory.
    Read(Vec<u8>),
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Device and file number, where the system has them.
    number: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            number: number(metadata),
        }
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn number(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

impl Source {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path, mapping: Mapping) -> Result<Source, Error> {
        let (file, identity) = open_regular(path)?;
        let content = match mapping {
            // An empty file cannot be mapped everywhere, and has nothing to map.
            Mapping::Map if identity.bytes > 0 => {
                Content::Mapped(map::Mapped::new(&file).map_err(Error::io("map the file"))?)
            }
            _ => Content::Read(Vec::new()),
        };
        Ok(Source { path: path.to_path_buf(), file, identity, content })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.identity.bytes
    }

    /// The first bytes: of a mapped file all, else what [`Source::load_head`] has read.
    pub(crate) fn head(&self) -> &[u8] {
        match &self.content {
            Content::Mapped(map) => map.bytes(),
            Content::Read(head) => head,
        }
    }

    /// Sees to it that [`Source::head`] has at least `bytes` bytes, or the whole file.
    pub(crate) fn load_head(&mut self, bytes: u64) -> Result<(), Error> {
        let bytes = bytes.min(self.identity.bytes);
        if let Content::Read(head) = &mut self.content
            && (head.len() as u64) < bytes
        {
            *head = Vec::new();
            let mut fresh = vec![0; size(bytes)?];
            read_at(&self.file, &mut fresh, 0)
                .map_err(|fault| short("the header", bytes, fault))?;
            *head = fresh;
        }
        Ok(())
    }

    /// The bytes of `range`, borrowed from the mapping or read.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, Error> {
        self.check_open_file()?;
        let (start, end) = (size(range.start)?, size(range.end)?);
        let outside =
            || Error::OutOfRange { tensor: String::new(), end: range.end, have: self.len() };
        match &self.content {
            Content::Mapped(map) => {
                map.bytes().get(start..end).map(Cow::Borrowed).ok_or_else(outside)
            }
            Content::Read(_) => {
                if range.start > range.end || range.end > self.len() {
                    return Err(outside());
                }
                let mut out = vec![0; end - start];
                read_at(&self.file, &mut out, range.start)
                    .map_err(|fault| short("a tensor", range.end - range.start, fault))?;
                Ok(Cow::Owned(out))
            }
        }
    }

    /// Lets the system take back the memory behind `range`.
    pub(crate) fn release(&self, range: Range<u64>) {
        if let (Content::Mapped(map), Ok(start), Ok(end)) =
            (&self.content, usize::try_from(range.start), usize::try_from(range.end))
        {
            map.release(start..end);
        }
    }

    /// Tells the system that `range` will be read soon.
    pub(crate) fn prefetch(&self, range: Range<u64>) {
        if let (Content::Mapped(map), Ok(start), Ok(end)) =
            (&self.content, usize::try_from(range.start), usize::try_from(range.end))
        {
            map.prefetch(start..end);
        }
    }

    /// Checks that the open file still is as it was and that its path still leads to it.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        self.check_open_file()?;
        let there = fs::metadata(&self.path).map_err(Error::io("look at the file again"))?;
        self.compare(&Identity::of(&there), "another file has taken its place")
    }

    /// Checks that the open file still has the size and the time of change it had.
    fn check_open_file(&self) -> Result<(), Error> {
        let now = self.file.metadata().map_err(Error::io("look at the open file again"))?;
        self.compare(&Identity::of(&now), "another file has taken its place")
    }

    fn compare(&self, now: &Identity, other: &str) -> Result<(), Error> {
        let was = &self.identity;
        let what = if now.number != was.number {
            other.to_owned()
        } else if now.bytes != was.bytes {
            format!("it had {} bytes and has {}", was.bytes, now.bytes)
        } else if now.modified != was.modified {
            "it was written to".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::Changed { what }.within(&self.path))
    }
}

/// Opens `path` if it is a regular file; pipes and devices are refused before anything blocks.
fn open_regular(path: &Path) -> Result<(File, Identity), Error> {
    let before = fs::metadata(path).map_err(Error::io("open it"))?;
    check_regular(&before)?;
    let file = File::open(path).map_err(Error::io("open it"))?;
    let metadata = file.metadata().map_err(Error::io("look at the open file"))?;
    check_regular(&metadata)?;
    Ok((file, Identity::of(&metadata)))
}

fn check_regular(metadata: &Metadata) -> Result<(), Error> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
    Err(Error::NotRegular { found })
}

/// Reads a whole small file of at most `max` bytes.
pub(crate) fn read_bounded(path: &Path, what: &str, max: u64) -> Result<Vec<u8>, Error> {
    let (file, identity) = open_regular(path).map_err(|fault| fault.within(path))?;
    let over = |found| Error::over(format!("bytes of {what}"), found, max).within(path);
    if identity.bytes > max {
        return Err(over(identity.bytes));
    }
    let mut out = Vec::with_capacity(size(identity.bytes)?);
    file.take(max + 1)
        .read_to_end(&mut out)
        .map_err(Error::io("read it"))
        .map_err(|fault| fault.within(path))?;
    if out.len() as u64 > max { Err(over(out.len() as u64)) } else { Ok(out) }
}

/// Reads at most `max` first bytes of a file.
pub(crate) fn read_head(path: &Path, max: u64) -> Result<Vec<u8>, Error> {
    let (file, _) = open_regular(path).map_err(|fault| fault.within(path))?;
    let mut out = Vec::new();
    file.take(max)
        .read_to_end(&mut out)
        .map_err(Error::io("read it"))
        .map_err(|fault| fault.within(path))?;
    Ok(out)
}

/// A file size as an index of this machine.
pub(crate) fn size(bytes: u64) -> Result<usize, Error> {
    usize::try_from(bytes).map_err(|_| Error::over("bytes", bytes, usize::MAX as u64))
}

fn short(what: &str, need: u64, fault: io::Error) -> Error {
    if fault.kind() == io::ErrorKind::UnexpectedEof {
        Error::Truncated { what: what.to_owned(), need, have: 0 }
    } else {
        Error::Io { what: "read the file", source: fault }
    }
}

/// Fills `out` from `offset`, without moving the file's own position.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.read_exact_at(out, offset)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !out.is_empty() {
        let count = file.seek_read(out, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[count..];
        offset += count as u64;
    }
    Ok(())
}
