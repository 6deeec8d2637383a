//! Where models come from: one file each, one line in [`SOURCES`].
//!
//! A source does one thing: it turns a name into a [`Listing`], every file with size and hash, at one
//! commit. Everything after that is the same for all of them.

mod hugging_face;
mod local;
mod manifest;
mod oci;
mod ollama;
mod url;

use crate::{Error, Hub, Listing, ModelName};

pub use hugging_face::{Found, SearchQuery, Sort};
pub(crate) use hugging_face::{head as hub_head, search};

/// One kind of place models come from.
#[derive(Debug)]
pub struct Source {
    /// What its names begin with, as [`ModelName::scheme`] gives it.
    pub scheme: &'static str,
    /// What it is, in one line.
    pub what: &'static str,
    /// How its names look.
    pub form: &'static str,
    pub(crate) list: fn(&Hub, &ModelName) -> Result<Listing, Error>,
}

/// All of them.
pub const SOURCES: &[Source] =
    &[hugging_face::SOURCE, url::SOURCE, local::SOURCE, ollama::SOURCE, oci::SOURCE];

/// The source a name belongs to.
pub(crate) fn source_of(name: &ModelName) -> Result<&'static Source, Error> {
    SOURCES.iter().find(|source| source.scheme == name.scheme()).ok_or_else(|| Error::Name {
        name: name.to_string(),
        why: "no source has this scheme".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_one_source_and_its_form_parses() {
        for source in SOURCES {
            let name = ModelName::parse(&source.form.replace("HASH", &"a".repeat(64))).unwrap();
            assert_eq!(name.scheme(), source.scheme);
            assert_eq!(SOURCES.iter().filter(|other| other.scheme == source.scheme).count(), 1);
        }
    }
}
