//! What can be wrong with a description of a model.

/// Why a configuration describes no model that can be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// No family answers to this architecture.
    #[error("unknown architecture {found:?}; known are {known}")]
    UnknownArchitecture {
        /// The name the file gives.
        found: String,
        /// Every name there is, comma separated.
        known: String,
    },
    /// A setting the family needs is absent.
    #[error("{family}: the configuration lacks {key}")]
    Missing {
        /// The family that reads it.
        family: &'static str,
        /// The name of the setting, as the file would spell it.
        key: String,
    },
    /// A setting has a value the family can't use.
    #[error("{family}: {key} is {found}, expected {expected}")]
    BadValue {
        /// The family that reads it.
        family: &'static str,
        /// The name of the setting, as the file spells it.
        key: String,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The settings are each sound but contradict one another: every contradiction found.
    #[error("{family}: {}", .faults.join("; "))]
    Unsound {
        /// The family that was being drawn.
        family: &'static str,
        /// Each contradiction, with the place in the source that noticed it.
        faults: Vec<String>,
    },
    /// Several settings are wrong: all that were found.
    #[error("{family}: {} faults: {}", .faults.len(), several(.faults))]
    Several {
        /// The family that reads them.
        family: &'static str,
        /// Each fault.
        faults: Vec<Error>,
    },
}

/// The faults one after another, without the family each would name.
fn several(faults: &[Error]) -> String {
    let one = |error: &Error| match error {
        Error::Missing { key, .. } => format!("the configuration lacks {key}"),
        Error::BadValue { key, found, expected, .. } => {
            format!("{key} is {found}, expected {expected}")
        }
        Error::Unsound { faults, .. } => faults.join("; "),
        other => other.to_string(),
    };
    faults.iter().map(one).collect::<Vec<_>>().join("; ")
}
