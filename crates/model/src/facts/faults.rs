//! What is wrong with a configuration: all of it, at once.
//!
//! A reading does not stop at a setting that is wrong: the fault is noted and a number stands in for
//! the setting, so that the settings after it are looked at too. What then fails may only follow from
//! that number; so a faulty configuration is read twice, with different numbers standing in, and what
//! both readings found is what is wrong with the file.

use std::cell::RefCell;

use super::{Facts, Key};
use crate::Error;

/// No more faults than these are told.
const MOST: usize = 32;

/// The faults a reading found, and what stands in for wrong settings.
#[derive(Debug)]
pub(crate) struct Faults {
    found: RefCell<Vec<Error>>,
    with: StandIns,
}

/// Numbers that stand in for wrong ones, such that usual models can be drawn with them.
#[derive(Clone, Copy, Debug)]
struct StandIns {
    /// For heads and layers.
    count: usize,
    /// For other sizes.
    width: usize,
    /// For numbers between 0 and 1.
    number: f64,
}

const FIRST: StandIns = StandIns { count: 2, width: 128, number: 0.5 };
const SECOND: StandIns = StandIns { count: 4, width: 384, number: 0.25 };

impl Faults {
    fn new(with: StandIns) -> Self {
        Faults { found: RefCell::default(), with }
    }

    fn note(&self, error: Error) {
        let mut found = self.found.borrow_mut();
        if found.len() < MOST && !found.contains(&error) {
            found.push(error);
        }
    }
}

impl Facts<'_> {
    /// Goes on past a fault with `stand_in` where all faults are being collected; otherwise the fault.
    pub(crate) fn past<T>(&self, fault: Error, stand_in: T) -> Result<T, Error> {
        match self.faults {
            None => Err(fault),
            Some(faults) => {
                faults.note(fault);
                Ok(stand_in)
            }
        }
    }

    /// A size that stands in for a wrong one.
    pub(crate) fn some_size(&self, key: Key) -> usize {
        let with = self.faults.map_or(FIRST, |faults| faults.with);
        let counts = ["head_count", "num_attention_heads", "key_value_heads", "layer", "block"];
        let few = |name: &str| counts.iter().any(|count| name.contains(count));
        if few(key.0) || few(key.1) { with.count } else { with.width }
    }

    /// A number between 0 and 1 that stands in for a wrong one.
    pub(super) fn some_number(&self) -> f64 {
        self.faults.map_or(FIRST, |faults| faults.with).number
    }
}

/// What a family's `read` makes of the facts, or everything that is wrong with them.
pub(crate) fn all<T>(
    family: &'static str,
    facts: &Facts<'_>,
    read: impl Fn(&Facts<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let once = |with| {
        let faults = Faults::new(with);
        let result = read(&Facts { family, faults: Some(&faults), ..*facts });
        let mut found = faults.found.into_inner();
        match result {
            Ok(value) if found.is_empty() => return Ok(value),
            Ok(_) => {}
            Err(error) => found.extend(one_by_one(error)),
        }
        Err(found)
    };
    let first = match once(FIRST) {
        Ok(value) => return Ok(value),
        Err(found) => found,
    };
    let second = once(SECOND).err().unwrap_or_default();
    let (sure, unsure): (Vec<Error>, _) = first.into_iter().partition(|e| second.contains(e));
    // The first fault stands before any number stood in, so both readings found it.
    let faults = if sure.is_empty() { unsure } else { sure };
    Err(joined(family, faults))
}

/// A list of contradictions as so many errors.
fn one_by_one(error: Error) -> Vec<Error> {
    match error {
        Error::Unsound { family, faults } => {
            faults.into_iter().map(|fault| Error::Unsound { family, faults: vec![fault] }).collect()
        }
        error => vec![error],
    }
}

/// One error that says them all.
fn joined(family: &'static str, mut faults: Vec<Error>) -> Error {
    if faults.len() == 1 {
        return faults.remove(0);
    }
    let contradiction = |error: &Error| match error {
        Error::Unsound { faults, .. } => faults.first().cloned(),
        _ => None,
    };
    match faults.iter().map(contradiction).collect::<Option<Vec<String>>>() {
        Some(faults) => Error::Unsound { family, faults },
        None => Error::Several { family, faults },
    }
}
