//! Fetching one file: in parallel ranges, through its hash, resumable after any death.
//!
//! The bytes go to `blobs/<hash>.freehold.incomplete`, and beside it lies a small state file that says
//! how far each segment is ([`state`]). Several connections fill segments in order; one thread follows
//! the unbroken front of what is written and hashes it, so that the hash is known when the last byte
//! is, and a resumed file is hashed while the rest still arrives. Only when the hash is right does
//! the file get its name: nothing partial is ever visible under it. The name is our own, for other
//! programs take `<hash>.incomplete` for a prefix without holes.

mod body;
mod state;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use body::{Part, Stream};
use state::State;

use crate::{
    Check, Digest, Error, Event, Limits, ListedFile, Trust,
    digest::Hasher,
    listing::{Bytes, Remote},
    progress::Meter,
    store::{Receipts, Repo, copy_file, sync_folder, write_whole},
    transport::Client,
    url::Url,
};

/// Bytes read and written at once: small enough to stay in a core's own cache on the way.
const BUFFER: usize = 128 << 10;

/// Bytes per second that are enough for any line: no further connection is opened.
const ENOUGH: u64 = 200 << 20;
/// Between two looks at how fast it goes.
const LOOK: Duration = Duration::from_millis(40);

/// Bytes after which what was written goes to the disk.
const SETTLE: u64 = 64 << 20;

/// What one fetch needs to know.
pub(crate) struct Fetch<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) receipts: &'a Receipts,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) limits: &'a Limits,
    pub(crate) connections: usize,
    pub(crate) trust: Trust,
}

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was there, verified now or earlier.
    Present,
    /// It was fetched or copied, and verified on the way.
    Fetched,
}

/// Why a fetch of ranges ends without being done.
enum Stop {
    Error(Error),
    /// What is there is of no use: begin anew.
    Anew(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

impl Fetch<'_> {
    /// Sees to it that the blob of `file` is there and right. `client` gives the way to the network
    /// when it is needed.
    pub(crate) fn file<'c>(
        &self,
        file: &ListedFile,
        client: impl FnOnce(&Remote) -> Result<std::sync::Arc<Client>, Error> + 'c,
    ) -> Result<Outcome, Error> {
        if self.is_there(file)? {
            return Ok(Outcome::Present);
        }
        let name = file.digest.hex();
        let _lock = self
            .repo
            .lock(&name, || self.meter.tell(Event::Waiting { file: file.path.clone() }))?;
        // Another process may have been at it.
        if self.is_there(file)? {
            return Ok(Outcome::Present);
        }
        match &file.origin {
            Bytes::Inline(bytes) => {
                let found = hash_of(&file.digest, bytes);
                if found != file.digest {
                    return Err(Error::Mismatch {
                        file: file.path.clone(),
                        expected: file.digest,
                        found,
                    });
                }
                write_whole(&self.repo.blob(&file.digest), bytes)?;
                self.meter.found(file.bytes);
            }
            Bytes::Here(path) => self.import(file, path)?,
            Bytes::Remote(remote) => {
                let client = client(remote)?;
                self.download(file, remote, &client)?;
            }
        }
        self.meter.tell(Event::Finished { file: file.path.clone() });
        Ok(Outcome::Fetched)
    }

    /// Whether the blob is there; one that is wrong is removed.
    fn is_there(&self, file: &ListedFile) -> Result<bool, Error> {
        let blob = self.repo.blob(&file.digest);
        let Some(whole) = self.repo.resolve(&blob)? else { return Ok(false) };
        self.meter.tell(Event::Verifying { file: file.path.clone(), bytes: file.bytes });
        match self.receipts.check(&whole, &file.digest, Some(file.bytes), self.trust)? {
            Check::Hashed | Check::Remembered => {
                self.meter.found(file.bytes);
                return Ok(true);
            }
            Check::Wrong { .. } | Check::WrongSize { .. } => {}
        }
        let why = "what is in the store under its name are other bytes".to_owned();
        self.meter.tell(Event::Restarted { file: file.path.clone(), why });
        fs::remove_file(&blob).map_err(Error::io("remove the wrong file", blob))?;
        Ok(false)
    }

    /// Brings in a file of this computer: by a second name where that is possible, else by a copy.
    fn import(&self, file: &ListedFile, from: &Path) -> Result<(), Error> {
        let blob = self.repo.blob(&file.digest);
        let whole = fs::canonicalize(from).map_err(Error::io("open", from))?;
        if fs::hard_link(&whole, &blob).is_ok() {
            let check = self.receipts.check(&blob, &file.digest, Some(file.bytes), self.trust);
            let fault = match check {
                Ok(check) if check.is_right() => {
                    self.meter.found(file.bytes);
                    return Ok(());
                }
                Ok(Check::Wrong { found }) => {
                    Error::Mismatch { file: file.path.clone(), expected: file.digest, found }
                }
                Ok(_) => {
                    let found = fs::metadata(&whole).map_or(0, |there| there.len());
                    Error::Length { file: file.path.clone(), expected: file.bytes, found }
                }
                Err(fault) => fault,
            };
            _ = fs::remove_file(&blob);
            return Err(fault);
        }
        copy_file(&whole, &blob, Some(&file.digest), &file.path)?;
        self.remember(&blob, &file.digest);
        self.meter.found(file.bytes);
        Ok(())
    }

    fn download(&self, file: &ListedFile, remote: &Remote, client: &Client) -> Result<(), Error> {
        let part = self.repo.blobs().join(format!("{}.freehold.incomplete", file.digest.hex()));
        let notes = self.repo.blobs().join(format!("{}.freehold.state", file.digest.hex()));
        let mut restarts = 0;
        loop {
            let state = State::open(&part, &notes, file.bytes)?;
            let resumed = state.done();
            self.meter.found(resumed);
            let bytes = file.bytes;
            self.meter.tell(Event::Started { file: file.path.clone(), bytes, resumed });
            let run = Run::new(self, file, remote, client, &state, restarts)?;
            let why = match run.go() {
                Ok(found) if found == file.digest => return self.keep(file, &state, &part, &notes),
                // Old bytes may be at fault; fresh ones have no excuse.
                Ok(_) if resumed > 0 && restarts == 0 => {
                    "what an earlier try had left did not fit the rest".to_owned()
                }
                Ok(found) => {
                    self.meter.lost(state.done());
                    discard(&part, &notes);
                    return Err(Error::Mismatch {
                        file: file.path.clone(),
                        expected: file.digest,
                        found,
                    });
                }
                Err(Stop::Anew(why)) if restarts < self.limits.tries => why,
                Err(Stop::Anew(why)) => return Err(Error::Answer { url: remote.shown(), why }),
                Err(Stop::Error(fault)) => {
                    // What came is kept for the next try, which holds all of it to the hash.
                    if state.done() == 0 {
                        discard(&part, &notes);
                    }
                    return Err(fault);
                }
            };
            self.meter.lost(state.done());
            self.meter.tell(Event::Restarted { file: file.path.clone(), why });
            discard(&part, &notes);
            restarts += 1;
        }
    }

    /// The hash is right: to the disk, then to its name.
    fn keep(
        &self,
        file: &ListedFile,
        state: &State,
        part: &Path,
        notes: &Path,
    ) -> Result<(), Error> {
        let blob = self.repo.blob(&file.digest);
        if file.bytes < 1024 && looks_like_pointer(state.file()) {
            discard(part, notes);
            return Err(Error::Pointer { file: file.path.clone() });
        }
        state.file().sync_all().map_err(Error::io("write", part))?;
        fs::rename(part, &blob).map_err(Error::io("put in its place", &blob))?;
        sync_folder(&blob);
        _ = fs::remove_file(notes);
        self.remember(&blob, &file.digest);
        Ok(())
    }

    fn remember(&self, blob: &Path, digest: &Digest) {
        if let Ok(there) = fs::metadata(blob) {
            self.receipts.remember(&there, digest);
        }
    }
}

fn discard(part: &Path, notes: &Path) {
    // The state first: bytes without one are begun anew, a state without bytes would lie.
    _ = fs::remove_file(notes);
    _ = fs::remove_file(part);
}

/// A repository may hold the pointer itself as a file: right by its hash, and of no use.
fn looks_like_pointer(file: &File) -> bool {
    let mut head = [0; 40];
    read_at(file, &mut head, 0)
        .is_ok_and(|()| head.starts_with(b"version https://git-lfs.github.com/spec/"))
}

pub(crate) fn hash_of(like: &Digest, bytes: &[u8]) -> Digest {
    let mut hasher = like.hasher(bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()
}

/// One try at one file.
struct Run<'a> {
    fetch: &'a Fetch<'a>,
    file: &'a ListedFile,
    remote: &'a Remote,
    client: &'a Client,
    state: &'a State,
    connections: usize,
    url: Url,
    /// Whether another tag means another file; of a server that proved fickle, the hash decides.
    tags: Tags,
    /// Where redirects ended, to go there at once for the next range.
    direct: Mutex<Option<Url>>,
    stopped: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tags {
    Heeded,
    Ignored,
}

impl<'a> Run<'a> {
    fn new(
        fetch: &'a Fetch<'a>,
        file: &'a ListedFile,
        remote: &'a Remote,
        client: &'a Client,
        state: &'a State,
        restarts: u32,
    ) -> Result<Run<'a>, Error> {
        let url = Url::parse(&remote.url)?;
        let (direct, stopped) = (Mutex::new(None), AtomicBool::new(false));
        // Once bitten: one connection, and the hash alone to judge.
        let (connections, tags) = match restarts {
            0 => (fetch.connections.max(1), Tags::Heeded),
            _ => (1, Tags::Ignored),
        };
        Ok(Run { fetch, file, remote, client, state, connections, url, tags, direct, stopped })
    }

    /// Fetches what is missing and hashes all of it; returns the hash.
    fn go(&self) -> Result<Digest, Stop> {
        if self.file.bytes == 0 {
            return Ok(self.file.digest.hasher(0).finish());
        }
        // The first answer tells whether the server knows ranges at all.
        let mut first = None;
        let mut tries = 0;
        while let Some(segment) = self.state.claim() {
            let stream = self.patiently(segment)?;
            if stream.part == Part::Range {
                first = Some((segment, stream));
                break;
            }
            if self.state.done() > 0 {
                return Err(Stop::Anew("the server sends the whole file again".to_owned()));
            }
            match self.whole(stream) {
                Err(Stop::Error(fault)) if fault.is_passing() => {
                    tries = if self.state.done() > 0 { 1 } else { tries + 1 };
                    self.pause(tries, fault)?;
                    self.state.rewind();
                }
                other => return other,
            }
        }
        let faults: Mutex<Vec<Stop>> = Mutex::new(Vec::new());
        let digest = thread::scope(|scope| {
            let hasher = scope.spawn(|| self.follow());
            let front = hasher.thread().clone();
            scope.spawn(|| self.settle());
            let missing = self.state.missing_segments();
            let mut workers = Vec::new();
            for number in 0..self.connections.min(missing.max(1)) {
                let mine = if number == 0 { first.take() } else { None };
                let (front, faults) = (front.clone(), &faults);
                workers.push(scope.spawn(move || {
                    if !self.is_needed(number) {
                        return;
                    }
                    if let Err(stop) = self.work(mine, &front) {
                        self.stopped.store(true, Ordering::Release);
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push(stop);
                    }
                    front.unpark();
                }));
            }
            for worker in workers {
                _ = worker.join();
            }
            // Whatever became of the workers, the hasher must not wait for more.
            if !self.state.is_complete() {
                self.stopped.store(true, Ordering::Release);
            }
            front.unpark();
            hasher.join().unwrap_or(Ok(None))
        });
        let mut faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        // That the server starts over matters more than how the other connections ended.
        if let Some(at) = faults.iter().position(|stop| matches!(stop, Stop::Anew(_))) {
            return Err(faults.swap_remove(at));
        }
        if let Some(stop) = faults.pop() {
            return Err(stop);
        }
        digest?.ok_or_else(|| {
            Stop::Error(Error::Length {
                file: self.file.path.clone(),
                expected: self.file.bytes,
                found: self.state.done(),
            })
        })
    }

    /// Whether one more connection helps. They begin one after the other, and only while those there
    /// are bring less than [`ENOUGH`]: on a fast line more of them only stand in each other's way at
    /// the one file they write.
    fn is_needed(&self, number: usize) -> bool {
        let mut slow = 0;
        let mut done = self.state.done();
        while slow < number {
            thread::sleep(LOOK);
            if self.stopped.load(Ordering::Acquire) || self.state.is_complete() {
                return false;
            }
            let now = self.state.done();
            slow += usize::from(now - done < ENOUGH / 1000 * LOOK.as_millis() as u64);
            done = now;
        }
        true
    }

    /// One connection: takes segments until none is left.
    fn work(&self, mut first: Option<(usize, Stream)>, front: &thread::Thread) -> Result<(), Stop> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let (segment, mut stream) = match first.take() {
                Some(begun) => begun,
                None => {
                    let Some(segment) = self.state.claim() else { return Ok(()) };
                    (segment, self.patiently(segment)?)
                }
            };
            let mut tries = 0;
            loop {
                if stream.part == Part::Whole {
                    return Err(Stop::Anew("the server stopped answering with ranges".to_owned()));
                }
                let before = self.state.position(segment);
                let fault = match self.fill(segment, &mut stream, &mut buffer, front) {
                    Ok(()) if self.state.left(segment) == 0 => break,
                    // The server sent less than the range that was asked for.
                    Ok(()) if self.state.position(segment) > before => None,
                    Ok(()) => Some(Error::Length {
                        file: self.file.path.clone(),
                        expected: self.state.left(segment),
                        found: 0,
                    }),
                    Err(fault) if fault.is_passing() => Some(fault),
                    Err(fault) => return Err(fault.into()),
                };
                if self.stopped.load(Ordering::Acquire) {
                    return Ok(());
                }
                if let Some(fault) = fault {
                    tries = if self.state.position(segment) > before { 1 } else { tries + 1 };
                    self.pause(tries, fault)?;
                }
                stream = self.patiently(segment)?;
            }
        }
    }

    /// Without ranges: one stream from the first byte to the last, hashed as it comes.
    fn whole(&self, mut stream: Stream) -> Result<Digest, Stop> {
        let mut hasher = self.file.digest.hasher(self.file.bytes);
        let mut buffer = vec![0; BUFFER];
        let mut at = 0;
        while at < self.file.bytes {
            let room =
                buffer.len().min(usize::try_from(self.file.bytes - at).unwrap_or(usize::MAX));
            let count = stream.read(&mut buffer[..room])?;
            if count == 0 {
                let file = self.file.path.clone();
                return Err(Error::Length { file, expected: self.file.bytes, found: at }.into());
            }
            hasher.update(&buffer[..count]);
            self.state.write_in_order(&buffer[..count], at)?;
            self.fetch.meter.arrived(count as u64);
            at += count as u64;
        }
        self.check_end(&mut stream)?;
        Ok(hasher.finish())
    }

    /// Copies from the stream into the segment until either is at its end.
    fn fill(
        &self,
        segment: usize,
        stream: &mut Stream,
        buffer: &mut [u8],
        front: &thread::Thread,
    ) -> Result<(), Error> {
        loop {
            let left = self.state.left(segment);
            if left == 0 || self.stopped.load(Ordering::Acquire) {
                if left == 0 && stream.left() == Some(0) {
                    // Reading the end gives the connection back for the next segment.
                    self.check_end(stream)?;
                }
                return Ok(());
            }
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = stream.read(&mut buffer[..room])?;
            if count == 0 {
                return Ok(());
            }
            self.state.write(segment, &buffer[..count])?;
            self.fetch.meter.arrived(count as u64);
            front.unpark();
        }
    }

    fn check_end(&self, stream: &mut Stream) -> Result<(), Error> {
        let mut more = [0; 1];
        if stream.read(&mut more).is_ok_and(|count| count > 0) {
            return Err(Error::Disagrees {
                file: self.file.path.clone(),
                what: "its bytes are",
                listed: self.file.bytes.to_string(),
                served: "more".to_owned(),
            });
        }
        Ok(())
    }

    /// Opens a stream for what is missing of a segment, trying again where that may help.
    fn patiently(&self, segment: usize) -> Result<Stream, Stop> {
        let mut tries = 0;
        loop {
            match self.open(segment) {
                Err(Stop::Error(fault)) if fault.is_passing() => {
                    tries += 1;
                    self.pause(tries, fault)?;
                }
                other => return other,
            }
        }
    }

    fn pause(&self, tries: u32, fault: Error) -> Result<(), Stop> {
        if tries >= self.fetch.limits.tries {
            return Err(fault.into());
        }
        let mut pause = self.fetch.limits.pause.saturating_mul(1 << (tries - 1).min(6));
        if let Error::RateLimited { wait: Some(wait), .. } = &fault {
            pause = (*wait).clamp(pause, Duration::from_mins(2).max(pause));
        }
        let (file, why) = (self.file.path.clone(), fault.to_string());
        self.fetch.meter.tell(Event::Retrying { file, why, pause });
        thread::sleep(pause);
        Ok(())
    }

    /// Hashes the unbroken front of the file as it grows; `None` when it stopped growing.
    fn follow(&self) -> Result<Option<Digest>, Stop> {
        let mut hasher: Hasher = self.file.digest.hasher(self.file.bytes);
        let mut piece = vec![0; BUFFER];
        let mut at = 0;
        while at < self.file.bytes {
            let front = self.state.front(at);
            if front == at {
                if self.stopped.load(Ordering::Acquire) {
                    return Ok(None);
                }
                thread::park_timeout(Duration::from_millis(20));
                continue;
            }
            let count = piece.len().min(usize::try_from(front - at).unwrap_or(usize::MAX));
            read_at(self.state.file(), &mut piece[..count], at)
                .map_err(Error::io("read back", self.state.path()))?;
            hasher.update(&piece[..count]);
            at += count as u64;
        }
        Ok(Some(hasher.finish()))
    }

    /// Hands what was written to the disk while the rest still comes, so that the end need not wait
    /// for all of it.
    fn settle(&self) {
        let mut settled = self.state.done();
        while !self.stopped.load(Ordering::Acquire) && !self.state.is_complete() {
            if self.state.done() >= settled + SETTLE {
                settled = self.state.done();
                // The last sync, before the file gets its name, is the one whose word counts.
                _ = self.state.file().sync_data();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn open(&self, segment: usize) -> Result<Stream, Stop> {
        let range = self.state.range(segment);
        let plain = self.state.is_single() && self.state.done() == 0;
        let known = self.direct.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tag = self.state.tag().filter(|_| self.tags == Tags::Heeded);
        let request = body::Request {
            file: self.file,
            remote: self.remote,
            client: self.client,
            limits: self.fetch.limits,
            range: (!plain).then(|| range.clone()),
            tag: tag.as_deref(),
        };
        let stream = match known {
            None => request.open(&self.url, body::Hop::Source)?,
            Some(direct) => match request.open(&direct, body::Hop::Direct) {
                // A signed address runs out; its source gives another.
                Err(Error::Denied { .. } | Error::NotFound { .. }) => {
                    request.open(&self.url, body::Hop::Source)?
                }
                other => other?,
            },
        };
        if stream.url != self.url {
            *self.direct.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.url.clone());
        }
        match (&tag, &stream.tag) {
            (Some(held), Some(served)) if held != served => {
                return Err(Stop::Anew(format!(
                    "the file on the server changed (it was {}, it is {})",
                    weights::shown(held),
                    weights::shown(served)
                )));
            }
            (None, Some(served)) => self.state.set_tag(served)?,
            _ => {}
        }
        Ok(stream)
    }
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, out: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut out: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !out.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, out, offset)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[count..];
        offset += count as u64;
    }
    Ok(())
}

#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[count..];
        offset += count as u64;
    }
    Ok(())
}

/// Where the state of an interrupted download lies; how many of its bytes are there.
pub(crate) fn resumable(repo: &Repo, file: &ListedFile) -> u64 {
    let notes: PathBuf = repo.blobs().join(format!("{}.freehold.state", file.digest.hex()));
    state::done_in(&notes, file.bytes)
}
