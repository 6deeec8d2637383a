//! Bytes in and out: the listener with its limits, and bodies that come piece by piece.

pub(crate) mod accept;
pub(crate) mod feed;
mod guard;
pub(crate) mod tls;
