//! Why a server does not start, or its keys cannot be read.

use std::{io, path::PathBuf};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address that others can reach, and no key to keep them out.
    #[error(
        "{address} can be reached from outside and there is no key: make one with freehold key create, or listen on 127.0.0.1"
    )]
    Unguarded {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate or its key is unusable.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("{path}: {source}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A query failed.
    #[error("keys and usage: {0}")]
    Query(#[from] rusqlite::Error),
    /// The runtime could not be started.
    #[error("the server's threads cannot be started: {0}")]
    Runtime(io::Error),
    /// A model that must be there at the start could not be loaded.
    #[error("{name}: {reason}")]
    Model {
        /// The model.
        name: String,
        /// What went wrong.
        reason: String,
    },
    /// Two models of one name, or none at all.
    #[error("{0}")]
    Models(String),
}
