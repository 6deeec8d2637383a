//! Loops for x86-64.
#![allow(clippy::wildcard_imports, reason = "intrinsics have long names and each loop uses dozens")]

pub(crate) mod avx2;
pub(crate) mod avx512;
