//! One answer with bytes of a file, held to what was asked and to what the listing says.

use std::{
    io::Read,
    ops::Range,
    time::{Duration, Instant},
};

use weights::shown;

use crate::{
    Digest, Error, Limits, ListedFile,
    digest::is_commit,
    listing::{Remote, Secret},
    transport::{Answer, Ask, Client},
    url::Url,
};

/// What a request for bytes needs.
pub(super) struct Request<'a> {
    pub(super) file: &'a ListedFile,
    pub(super) remote: &'a Remote,
    pub(super) client: &'a Client,
    pub(super) limits: &'a Limits,
    pub(super) range: Option<Range<u64>>,
    pub(super) tag: Option<&'a str>,
}

/// Whether the source is asked, which states commit and hash, or the place it led to before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Source,
    Direct,
}

/// What an answer is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The file from its first byte.
    Whole,
    /// The range that was asked for, or a beginning of it.
    Range,
}

/// The body of an answer.
pub(super) struct Stream {
    pub(super) part: Part,
    /// Where it came from in the end.
    pub(super) url: Url,
    /// What the server calls this state of the file; of a strong kind only.
    pub(super) tag: Option<String>,
    reader: Box<dyn Read + Send>,
    left: Option<u64>,
    shown: String,
    trickle: (u64, Duration),
    window: (Instant, u64),
}

impl Request<'_> {
    pub(super) fn open(&self, url: &Url, hop: Hop) -> Result<Stream, Error> {
        let given = match (&self.remote.secret, hop) {
            (Secret::Given(token), Hop::Source) => Some(token.bearer()),
            _ => None,
        };
        let ask = Ask {
            range: self.range.clone(),
            if_range: self.tag,
            authorization: given.as_deref(),
            ..Ask::get(url)
        };
        let answer = self.client.send(&ask)?;
        if answer.status == 416 {
            return Err(self.disagrees(
                "its bytes are",
                &self.file.bytes,
                "fewer than the range that was asked for",
            ));
        }
        let answer = self.remote.understand(answer, &self.file.path)?;
        if hop == Hop::Source {
            self.check_source(&answer)?;
        }
        let part = match (answer.status, &self.range) {
            (206, Some(range)) => {
                self.check_range(&answer, range)?;
                Part::Range
            }
            (200, _) => Part::Whole,
            (status, _) => {
                let why = format!("status {status} is no answer to a request for bytes");
                return Err(Error::Answer { url: answer.url.to_string(), why });
            }
        };
        let left = answer.length();
        if part == Part::Whole
            && let Some(found) = left.filter(|&found| found != self.file.bytes)
        {
            return Err(self.disagrees("its bytes are", &self.file.bytes, &found.to_string()));
        }
        let tag = answer
            .header("etag")
            .filter(|tag| tag.starts_with('"') && tag.len() <= 256)
            .map(str::to_owned);
        let url = answer.url.clone();
        let shown = url.to_string();
        let trickle = (self.limits.trickle_bytes, self.limits.silence);
        let window = (Instant::now(), 0);
        Ok(Stream {
            part,
            url,
            tag,
            reader: Box::new(answer.into_reader()),
            left,
            shown,
            trickle,
            window,
        })
    }

    /// What the hub states about the file on the way has to be what it listed.
    fn check_source(&self, answer: &Answer) -> Result<(), Error> {
        let Some(commit) = &self.remote.commit else { return Ok(()) };
        if let Some(found) = answer.first_header("x-repo-commit")
            && (!is_commit(found) || found != commit)
        {
            return Err(self.disagrees("the commit is", commit, found));
        }
        if let Some(found) = answer.first_header("x-linked-size")
            && found.parse() != Ok(self.file.bytes)
        {
            return Err(self.disagrees("its bytes are", &self.file.bytes, found));
        }
        let linked = answer.first_header("x-linked-etag");
        let own = answer.first_header("etag").filter(|_| answer.status == 200);
        if let Some(found) = linked.or(own) {
            match Digest::parse_etag(found) {
                None => return Err(self.disagrees("its hash is", &self.file.digest, found)),
                // Of a large file, the plain tag may be the hash of its pointer.
                Some(digest) => {
                    let same_kind = matches!(
                        (digest, self.file.digest),
                        (Digest::Git(_), Digest::Git(_)) | (Digest::Sha256(_), Digest::Sha256(_))
                    );
                    if same_kind && digest != self.file.digest {
                        return Err(self.disagrees("its hash is", &self.file.digest, found));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_range(&self, answer: &Answer, range: &Range<u64>) -> Result<(), Error> {
        let stated = answer.header("content-range").unwrap_or_default();
        let parsed = || {
            let (span, total) = stated.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = span.split_once('-')?;
            Some((
                first.parse::<u64>().ok()?,
                last.parse::<u64>().ok()?,
                total.parse::<u64>().ok()?,
            ))
        };
        let Some((first, last, total)) = parsed() else {
            let why =
                format!("a part of a file without a range that can be read: `{}`", shown(stated));
            return Err(Error::Answer { url: answer.url.to_string(), why });
        };
        if total != self.file.bytes {
            return Err(self.disagrees("its bytes are", &self.file.bytes, &total.to_string()));
        }
        let length = last.checked_add(1).and_then(|end| end.checked_sub(first));
        if first != range.start
            || last >= range.end
            || length.is_none()
            || answer.length().is_some_and(|l| Some(l) != length)
        {
            let why = format!(
                "asked for bytes {}-{}, sent {}",
                range.start,
                range.end - 1,
                shown(stated)
            );
            return Err(Error::Answer { url: answer.url.to_string(), why });
        }
        Ok(())
    }

    fn disagrees(&self, what: &'static str, listed: &dyn std::fmt::Display, served: &str) -> Error {
        Error::Disagrees {
            file: self.file.path.clone(),
            what,
            listed: listed.to_string(),
            served: shown(served),
        }
    }
}

impl Stream {
    /// Bytes that are still announced.
    pub(super) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Reads some bytes; 0 at the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let fault = |why: String| Error::Network { url: self.shown.clone(), why };
        let count = loop {
            match self.reader.read(out) {
                Ok(count) => break count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(shown(&error.to_string()))),
            }
        };
        if count == 0 && self.left.is_some_and(|left| left > 0) {
            return Err(fault("the connection ended in the middle".to_owned()));
        }
        self.left = self.left.map(|left| left.saturating_sub(count as u64));
        self.window.1 += count as u64;
        let (least, within) = self.trickle;
        if self.window.0.elapsed() >= within {
            if self.window.1 < least && self.left != Some(0) {
                return Err(Error::Stalled { url: self.shown.clone(), bytes: least, within });
            }
            self.window = (Instant::now(), 0);
        }
        Ok(count)
    }
}
