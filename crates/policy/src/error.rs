//! What can be wrong with data, policies and logs.

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A licence's or catalogue's data file is not of its form.
    #[error("data file {file}: {why}")]
    Data {
        /// The file's name.
        file: String,
        /// What was found and what was expected.
        why: String,
    },
    /// A policy file is not of its form: an unknown key, a wrong value, broken TOML.
    #[error("policy file, line {line}, column {column}: {why}")]
    Policy {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What was found and what was expected.
        why: String,
    },
    /// A date is not of the form 2026-09-01.
    #[error("found {found:?}, expected a date such as 2026-09-01")]
    Date {
        /// The text.
        found: String,
    },
    /// An anchor of an audit log is not of its form.
    #[error("found {found:?}, expected an anchor such as \"freehold-audit/1 42 <64 hex digits>\"")]
    Anchor {
        /// The text.
        found: String,
    },
    /// An audit entry cannot be written.
    #[error("audit entry: {why}")]
    Entry {
        /// What was found and what was expected.
        why: String,
    },
}
