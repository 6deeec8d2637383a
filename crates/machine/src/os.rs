//! The operating system.

use serde::Serialize;

/// The operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Os {
    /// As it calls itself, with its version.
    pub name: String,
    /// Its kernel, with its version.
    pub kernel: String,
}
