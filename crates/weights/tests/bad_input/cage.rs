//! Opens a file under a watch on time and memory, and makes the bytes of hostile ones.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use weights::{Checkpoint, Error, Limits, Mapping};

/// What a header may cost.
const TIME_MAX: Duration = Duration::from_secs(2);
const MEMORY_MAX: u64 = 64 << 20;

/// A folder that goes away with the test.
pub(crate) struct Cage(tempfile::TempDir);

impl Cage {
    pub(crate) fn new() -> Cage {
        Cage(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Runs `work` and holds its time and memory against the contract.
pub(crate) fn watched<T>(what: &str, mut work: impl FnMut() -> T) -> T {
    let mut best = Duration::MAX;
    // Others may be using the machine: the best of a few tries counts.
    for tries in 0.. {
        let start = Instant::now();
        let mut out = None;
        let used = allocation_counter::measure(|| out = Some(work()));
        best = best.min(start.elapsed());
        assert!(used.bytes_max < MEMORY_MAX, "{what}: {} bytes of memory", used.bytes_max);
        if best < TIME_MAX {
            return out.unwrap();
        }
        assert!(tries < 3, "{what}: {best:?}");
    }
    unreachable!()
}

/// Opens `path` mapped and unmapped under watch; both must come to the same end.
pub(crate) fn open(path: &Path) -> Result<Checkpoint, Error> {
    let what = path.display().to_string();
    let unmapped = Limits { mapping: Mapping::Read, ..Limits::DEFAULT };
    let read = watched(&what, || Checkpoint::open_with(path, &unmapped));
    let mapped = watched(&what, || Checkpoint::open(path));
    match (&mapped, &read) {
        (Ok(a), Ok(b)) => assert_eq!(a.tensors(), b.tensors(), "{what}"),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string(), "{what}"),
        _ => panic!("{what}: mapped {mapped:?}, unmapped {read:?}"),
    }
    mapped
}

/// The refusal of a file of these bytes, seen through to its root.
#[track_caller]
pub(crate) fn refused(name: &str, bytes: &[u8]) -> Error {
    let cage = Cage::new();
    let path = cage.put(name, bytes);
    refused_path(&path)
}

/// The refusal of a file or folder.
#[track_caller]
pub(crate) fn refused_path(path: &Path) -> Error {
    let error = open(path).expect_err("a refusal");
    // Whatever a file says, its error is one line without control characters.
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control) && text.len() < 2000, "{text:?}");
    assert!(error.is_refusal() && error.file().is_some(), "{error:?}");
    let mut error = error;
    while let Error::In { source, .. } = error {
        error = *source;
    }
    error
}

#[track_caller]
pub(crate) fn assert_code(name: &str, bytes: &[u8], code: &str) {
    let error = refused(name, bytes);
    assert_eq!(error.code(), code, "{error}");
}

/// The bytes of a GGUF file, put together by hand.
#[derive(Clone, Default)]
pub(crate) struct Raw {
    keys: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: Vec<u8>,
}

pub(crate) const U32: u32 = 4;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STR: u32 = 8;
pub(crate) const ARRAY: u32 = 9;

pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

impl Raw {
    /// An architecture and nothing else.
    pub(crate) fn new() -> Raw {
        Raw::default().key(b"general.architecture", STR, &text(b"llama"))
    }

    pub(crate) fn key(mut self, key: &[u8], kind: u32, value: &[u8]) -> Raw {
        self.keys.push([&text(key), &kind.to_le_bytes()[..], value].concat());
        self
    }

    /// A tensor of F32 or another type; `sizes` fastest axis first.
    pub(crate) fn tensor(mut self, name: &[u8], sizes: &[u64], kind: u32, offset: u64) -> Raw {
        let mut line = text(name);
        line.extend((sizes.len() as u32).to_le_bytes());
        for size in sizes {
            line.extend(size.to_le_bytes());
        }
        line.extend(kind.to_le_bytes());
        line.extend(offset.to_le_bytes());
        self.tensors.push(line);
        self
    }

    pub(crate) fn data(mut self, bytes: usize) -> Raw {
        self.data = vec![0; bytes];
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.counted(self.tensors.len() as u64, self.keys.len() as u64)
    }

    /// With other counts than are true.
    pub(crate) fn counted(&self, tensors: u64, keys: u64) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend(tensors.to_le_bytes());
        out.extend(keys.to_le_bytes());
        self.keys.iter().chain(&self.tensors).for_each(|line| out.extend(line));
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        out
    }
}
