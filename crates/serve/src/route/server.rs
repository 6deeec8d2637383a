//! Routes of the server itself: health, tokens, what it is and honours.

pub(super) mod compat;
pub(super) mod discovery;
pub(super) mod health;
pub(super) mod infill;
pub(super) mod openapi;
pub(super) mod props;
pub(super) mod tokens;
