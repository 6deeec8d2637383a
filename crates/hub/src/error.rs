//! What can go wrong while models are brought in, said so that a person can act on it.
//!
//! Every variant names the thing, what was found and what was expected. Text that comes from a server
//! is escaped and cut before it gets here ([`weights::shown`]), addresses are shown without their
//! query (a signed address is a secret), and a token has no way into any of them.

use std::{io, path::PathBuf, time::Duration};

use crate::Digest;

/// Why something was not fetched, found, verified or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is none.
    #[error("`{name}` is no model name: {why}")]
    Name {
        /// What was given.
        name: String,
        /// Which rule it breaks.
        why: String,
    },
    /// A setting that cannot be used.
    #[error("the setting {what} cannot be used: {why}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The network is needed and offline was promised.
    #[error("offline: {missing} is not in the store")]
    Offline {
        /// What would have been fetched.
        missing: String,
    },
    /// The connection failed.
    #[error("{url}: {why}")]
    Network {
        /// The address, without its query.
        url: String,
        /// What the transport says.
        why: String,
    },
    /// The server sends too slowly to ever finish.
    #[error("{url}: fewer than {bytes} bytes in {} s", within.as_secs())]
    Stalled {
        /// The address, without its query.
        url: String,
        /// The least that was expected.
        bytes: u64,
        /// In which time.
        within: Duration,
    },
    /// An answer nobody asked for.
    #[error("{url} answered with status {status}{}", said(said_by_server))]
    Status {
        /// The address, without its query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server says about it, shown.
        said_by_server: String,
    },
    /// The server wants fewer requests.
    #[error("{host} asks for fewer requests{}", wait.map_or(String::new(), |wait| format!(": try again in {} s", wait.as_secs())))]
    RateLimited {
        /// Who.
        host: String,
        /// For how long.
        wait: Option<Duration>,
    },
    /// No such model, file or tag.
    #[error("{what} was not found at {place}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// Where.
        place: String,
    },
    /// The model exists, but not this branch, tag or commit of it.
    #[error("{name} has no revision `{revision}`")]
    NoSuchRevision {
        /// The model.
        name: String,
        /// The revision, shown.
        revision: String,
    },
    /// The publisher lets in only people who accepted its terms.
    #[error("{name} is gated{}", said(said_by_server))]
    Gated {
        /// The model.
        name: String,
        /// Where its terms can be read and accepted.
        page: String,
        /// Whether a token was sent.
        token: TokenUse,
        /// What the server says about it, shown.
        said_by_server: String,
    },
    /// The server does not know us.
    #[error("{host} refuses access to {what} ({status}){}", said(said_by_server))]
    Denied {
        /// Who.
        host: String,
        /// To what.
        what: String,
        /// The HTTP status.
        status: u16,
        /// Whether a token was sent.
        token: TokenUse,
        /// What the server says about it, shown.
        said_by_server: String,
    },
    /// A redirect that is not followed.
    #[error("refused to follow {from} to {to}: {why}")]
    Redirect {
        /// From where, without its query.
        from: String,
        /// To where, without its query.
        to: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// An address on a network a stranger's server may not send us to.
    #[error("refused to connect to {host}: {address} is {class}")]
    Address {
        /// The host name.
        host: String,
        /// The address it resolved to.
        address: String,
        /// What kind of address that is.
        class: &'static str,
    },
    /// An address that would carry data or secrets readable by all.
    #[error("refused to use {url}: {why}")]
    Insecure {
        /// The address, without its query.
        url: String,
        /// Why.
        why: &'static str,
    },
    /// A compressed answer to a request for a plain one.
    #[error("{url}: asked for plain bytes, answered with the encoding `{encoding}`")]
    Encoded {
        /// The address, without its query.
        url: String,
        /// The encoding, shown.
        encoding: String,
    },
    /// More of something than a server may send.
    #[error("{what}: {found}, at most {max} are allowed")]
    OverLimit {
        /// What is counted.
        what: String,
        /// How many were announced or received.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// An answer that is not what the protocol says.
    #[error("{url}: {why}")]
    Answer {
        /// The address, without its query.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file name that would be dangerous somewhere, or two that are one on some systems.
    #[error("{place}: {source}")]
    Path {
        /// What named it.
        place: String,
        /// The rule that is broken.
        source: weights::Error,
    },
    /// A file of the model that cannot be read.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// The server contradicts its own listing.
    #[error("{file}: the listing says {what} {listed}, the server now says {served}")]
    Disagrees {
        /// The file.
        file: String,
        /// Which fact.
        what: &'static str,
        /// As listed.
        listed: String,
        /// As served, shown.
        served: String,
    },
    /// The bytes are not the bytes that were announced.
    #[error("{file}: expected {expected}, found {found}; nothing of it was kept")]
    Mismatch {
        /// The file.
        file: String,
        /// The announced hash.
        expected: Digest,
        /// The hash of what came.
        found: Digest,
    },
    /// A body that is shorter or longer than announced.
    #[error("{file}: {expected} bytes expected, {found} received")]
    Length {
        /// The file.
        file: String,
        /// As announced.
        expected: u64,
        /// As received.
        found: u64,
    },
    /// A stand-in for a large file instead of the file.
    #[error("{file} is not the file but a pointer to it (Git LFS)")]
    Pointer {
        /// The file.
        file: String,
    },
    /// Not enough room on the disk.
    #[error("{place}: {need} bytes are needed, {have} are free")]
    Space {
        /// Where.
        place: PathBuf,
        /// Bytes still to be written, with a margin.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// The operating system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// Something in the store is not what the layout says, and might lead out of it.
    #[error("refused to touch {}: {why}", path.display())]
    Store {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The model is not in the store.
    #[error("{name} is not in the store")]
    NotHeld {
        /// The model.
        name: String,
    },
    /// It is being pulled just now.
    #[error("{name} is being pulled by another process")]
    Busy {
        /// The model.
        name: String,
    },
    /// Nothing to run among the files.
    #[error("{name} has no weights that can be read: {found}")]
    NoWeights {
        /// The model.
        name: String,
        /// What it has instead.
        found: String,
    },
    /// Weights only as pickle, which is a program.
    #[error(
        "{name} has its weights only as pickle ({files}), which is a program and never fetched"
    )]
    OnlyPickle {
        /// The model.
        name: String,
        /// The files, shown.
        files: String,
    },
    /// The model exists, but not in this quantization.
    #[error("{name} has no `{wanted}`; it has {have}")]
    NoSuchQuant {
        /// The model.
        name: String,
        /// What was asked for, shown.
        wanted: String,
        /// What there is.
        have: String,
    },
    /// More than one set of files fits what was asked for.
    #[error("{name}: several sets of files are meant by `{wanted}`: {have}")]
    Ambiguous {
        /// The model.
        name: String,
        /// What was asked for, shown.
        wanted: String,
        /// What there is.
        have: String,
    },
    /// A file that is named by another and does not exist.
    #[error("{named_by} names `{file}`, which the model does not have")]
    MissingFile {
        /// Which file names it.
        named_by: String,
        /// The missing one, shown.
        file: String,
    },
    /// An address without the hash of what lies there.
    #[error("{url}: a plain address needs the sha256 of the file")]
    NoHash {
        /// The address, without its query.
        url: String,
    },
    /// A file of ours that cannot be understood.
    #[error("{}: {why}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong, with the line.
        why: String,
    },
    /// Not the bytes that the lock file pins.
    #[error("{name} is locked: {what} is {locked} in the lock file, found {found}")]
    Locked {
        /// The model.
        name: String,
        /// Which fact.
        what: String,
        /// As locked.
        locked: String,
        /// As found.
        found: String,
    },
    /// Something the source offers in a form that is not read.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// An archive that is not a plain list of files.
    #[error("{archive}: {why}")]
    Archive {
        /// The archive.
        archive: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether a token went with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// One was sent.
    Sent,
    /// There was none to send.
    None,
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" (it says: {text})") }
}

impl Error {
    /// Whether this is a refusal by design rather than a failure: trying again changes nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Error::Offline { .. }
                | Error::Gated { .. }
                | Error::Redirect { .. }
                | Error::Address { .. }
                | Error::Insecure { .. }
                | Error::Encoded { .. }
                | Error::OverLimit { .. }
                | Error::Path { .. }
                | Error::Disagrees { .. }
                | Error::Mismatch { .. }
                | Error::Pointer { .. }
                | Error::Space { .. }
                | Error::Store { .. }
                | Error::OnlyPickle { .. }
                | Error::NoHash { .. }
                | Error::File { .. }
                | Error::Locked { .. }
                | Error::Archive { .. }
        )
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Offline { .. } => "pull it once while online, or bring the store from elsewhere with `cp`".to_owned(),
            Error::Gated { page, token: TokenUse::None, .. } => {
                format!("accept the terms at {page}, then set HF_TOKEN to a token of that account")
            }
            Error::Gated { page, token: TokenUse::Sent, .. } => {
                format!("the token's account has not been let in: accept the terms at {page} or ask for access there")
            }
            Error::Denied { token: TokenUse::None, .. } => {
                "if the model is private, set HF_TOKEN; if it is not, check its spelling".to_owned()
            }
            Error::Denied { token: TokenUse::Sent, .. } => {
                "the token is not valid here, or may not read this: check HF_TOKEN".to_owned()
            }
            Error::NoSuchQuant { .. } | Error::Ambiguous { .. } => {
                "name one of them after a colon: `org/model:NAME`".to_owned()
            }
            Error::NoHash { .. } => "append `#sha256=` and the 64 digits its publisher states".to_owned(),
            Error::OnlyPickle { .. } => "look for a safetensors or GGUF conversion of it".to_owned(),
            Error::Space { .. } => "free some room, choose a smaller quantization, or move the cache with HF_HUB_CACHE".to_owned(),
            Error::Mismatch { .. } => "the server or the way to it changes bytes: try another endpoint, or report it".to_owned(),
            Error::Locked { .. } => "the publisher changed it: look at the difference, then pull without --locked to accept".to_owned(),
            Error::NotFound { .. } => {
                "check its spelling; a private model is found only with a token (HF_TOKEN)".to_owned()
            }
            Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some room; the same command goes on where it stopped".to_owned()
            }
            Error::Busy { .. } => "wait until that is done".to_owned(),
            Error::RateLimited { .. } => "a token (HF_TOKEN) raises the limit".to_owned(),
            Error::Stalled { .. } | Error::Network { .. } => "run the same command again: it goes on where it stopped".to_owned(),
            _ => return None,
        };
        Some(text)
    }

    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { what, path, source }
    }

    /// Whether another try may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Network { .. }
            | Error::Stalled { .. }
            | Error::RateLimited { .. }
            | Error::Length { .. } => true,
            Error::Status { status, .. } => matches!(status, 408 | 425 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}
