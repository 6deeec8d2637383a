//! Brings models in, verified: sources, a store that is a Hugging Face cache, pins.
//!
//! [`Hub`] is the way in. A [`ModelName`] says which model; one of the [`SOURCES`] turns it into a
//! [`Listing`] of every file with size and hash at one commit; [`select`] chooses the files that are
//! needed; [`Hub::pull`] fetches them through their hashes into the [`Store`]; a [`LockFile`] pins them.
//! [`Hub::headers`] reads only the headers of remote weights, so that a model can be planned before it
//! is downloaded. [`SECURITY`] says what a hostile server can and cannot do.
//!
//! This crate runs nothing it fetched, reads no environment, and offline opens no socket.

mod alias;
mod archive;
mod digest;
mod error;
mod fetch;
mod headers;
mod hub;
mod limits;
mod listing;
mod lock;
mod name;
mod progress;
mod pull;
mod select;
mod settings;
mod source;
mod store;
mod token;
mod transport;
mod url;

pub use alias::Aliases;
pub use digest::Digest;
pub use error::{Error, TokenUse};
pub use fetch::Outcome;
pub use headers::{Headers, RemoteFile};
pub use hub::{Hub, Outdated, SpaceFn};
pub use limits::Limits;
pub use listing::{About, ListedFile, Listing};
pub use lock::{LockFile, Locked, LockedFile};
pub use name::{ModelName, Place};
pub use progress::{Event, Observer, Progress, Silent};
pub use pull::{Pulled, PulledFile};
pub use select::{Selection, WeightSet, WeightsKind, quant_of, select, weight_sets};
pub use settings::{Access, ENDPOINT, HubSettings, Registry};
pub use source::{Found, SOURCES, SearchQuery, Sort, Source};
pub use store::{Check, CopyTo, HeldFile, HeldModel, HeldRevision, Removed, Store, Trust};
pub use token::Token;

/// What is promised against a hostile server, in words that `doctor` can print.
pub const SECURITY: &[&str] = &[
    "a token goes to the endpoint alone, never to where it redirects, never in a message",
    "nothing is written outside the store, and nothing gets its name before its hash is right",
    "every name, length, count and time a server states is bounded before it is believed",
    "redirects do not leave https and do not enter a private network the endpoint is not part of",
    "pickle and code are never fetched, archives never unpacked to anything but regular files",
    "offline opens no socket",
];
