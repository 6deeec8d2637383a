//! What a pickle checkpoint would have done: a report for its refusal, made without running it.
//!
//! A pickle is a program for a small stack machine that imports and calls what it likes. We read its
//! operations, follow the strings that become names, and list what it would import, marking what the
//! plain checkpoints of PyTorch need. The list says what to expect of a file before somebody converts
//! it elsewhere; it never makes us load one. Opcodes: CPython's `Lib/pickletools.py`.

mod archive;
mod machine;

use std::{fmt, path::Path};

use crate::{Limits, error::shown, source::read_head};

/// Imports that are kept in a report.
const IMPORTS_MAX: usize = 32;

/// Something a pickle would import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `module.name`, escaped and cut; or that it is computed.
    pub name: String,
    /// Whether plain weights need it.
    pub expected: bool,
}

/// What reading a pickle's operations told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PickleReport {
    /// What it would import, in order of first mention (at most 32 are kept).
    pub imports: Vec<Import>,
    /// How many different imports there are beyond those kept.
    pub more_imports: usize,
    /// Operations that call something.
    pub calls: usize,
    /// Operations read.
    pub operations: usize,
    /// Why it could not be read to its end.
    pub fault: Option<String>,
}

impl PickleReport {
    /// The imports that plain weights do not need.
    pub fn unexpected(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.expected)
    }

    fn add(&mut self, name: &str, expected: bool) {
        let name = shown(name);
        if self.imports.iter().any(|import| import.name == name) {
            return;
        }
        if self.imports.len() < IMPORTS_MAX {
            self.imports.push(Import { name, expected });
        } else {
            self.more_imports += 1;
        }
    }

    fn fail(&mut self, why: impl Into<String>) {
        self.fault.get_or_insert(why.into());
    }
}

impl fmt::Display for PickleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unexpected: Vec<&str> = self.unexpected().map(|import| import.name.as_str()).collect();
        match (self.imports.is_empty(), unexpected.is_empty()) {
            (true, _) => write!(f, "no imports were found in it")?,
            (false, true) => write!(f, "it imports only what plain weights need")?,
            (false, false) => {
                write!(f, "it would import {}", unexpected[..unexpected.len().min(8)].join(", "))?;
                if unexpected.len() > 8 {
                    write!(f, " and {} more", unexpected.len() - 8)?;
                }
            }
        }
        if self.more_imports > 0 {
            write!(f, "; {} further imports are not listed", self.more_imports)?;
        }
        match &self.fault {
            None => write!(f, ", with {} calls", self.calls),
            Some(fault) => write!(f, ", with {} calls; not read to its end: {fault}", self.calls),
        }
    }
}

/// Whether the first bytes are those of a pickle or of PyTorch's archive around one.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || matches!(head, [0x80, 0..=5, ..])
}

/// Whether a file is named like a pickle checkpoint.
pub(crate) fn is_named_like(name: &str) -> bool {
    let extension = Path::new(name)
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let Some(extension) = extension else { return false };
    matches!(extension.as_str(), "pt" | "pth" | "ckpt" | "pkl" | "pickle")
        || (extension == "bin"
            && (name.starts_with("pytorch_model") || name.starts_with("adapter_model")))
}

/// The report on a file.
pub(crate) fn report_file(path: &Path, limits: &Limits) -> PickleReport {
    match read_head(path, 4) {
        Ok(head) if head.starts_with(b"PK") => match archive::program(path, limits) {
            Ok(program) => report(&program, limits),
            Err(why) => PickleReport { fault: Some(why), ..PickleReport::default() },
        },
        Ok(_) => match read_head(path, limits.pickle_bytes) {
            Ok(program) => report(&program, limits),
            Err(error) => {
                PickleReport { fault: Some(error.to_string()), ..PickleReport::default() }
            }
        },
        Err(error) => PickleReport { fault: Some(error.to_string()), ..PickleReport::default() },
    }
}

/// The report on a pickle program (or several in a row, as old checkpoints have them).
pub fn report(program: &[u8], limits: &Limits) -> PickleReport {
    let mut report = PickleReport::default();
    machine::follow(program, limits.pickle_operations, &mut report);
    report
}
