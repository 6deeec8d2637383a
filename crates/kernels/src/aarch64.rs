//! Loops for 64-bit Arm.
#![allow(clippy::wildcard_imports, reason = "intrinsics have long names and each loop uses dozens")]

pub(crate) mod neon;
