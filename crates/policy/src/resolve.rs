//! Which licence a repository carries, and how we know.
//!
//! Order: the text's hash, its marks, the card's `license`, `license_name`, `license_link`, the GGUF
//! header. Text wins over name; what disagrees is a finding, never silently one or the other. A text
//! nobody knows, under a name whose true text we would know, resolves to unknown: the name may lie.

mod reading;
mod text_files;

use serde::Serialize;

use crate::plain::shown;
use crate::{Facts, Licences};
use reading::Reading;

/// A licence, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The licence's id; [`Licences::UNKNOWN`] where no permission was found.
    pub licence: String,
    /// What decided.
    pub basis: Basis,
    /// Everything that was looked at and said something, what decided first.
    pub evidence: Vec<Evidence>,
    /// What does not fit together.
    pub findings: Vec<Finding>,
}

/// What a resolution rests on, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The very text, by its hash.
    TextHash,
    /// Phrases of the text.
    TextMarkers,
    /// The card's `license`.
    License,
    /// The card's `license_name`.
    LicenseName,
    /// The card's `license_link`.
    LicenseLink,
    /// The GGUF header.
    Gguf,
    /// The repository's name alone.
    Name,
    /// What it was made from; it says nothing of its own.
    Ancestors,
    /// Nothing.
    Nothing,
}

impl Basis {
    /// In plain words.
    pub fn means(self) -> &'static str {
        match self {
            Self::TextHash => "the licence file's text is, word for word, a known one",
            Self::TextMarkers => {
                "the licence file bears the marks of a known text, but is not word for word one"
            }
            Self::License => "the model card names it",
            Self::LicenseName => "the model card's license_name names it",
            Self::LicenseLink => "the model card links to it",
            Self::Gguf => "the GGUF file's header names it",
            Self::Name => "only the repository's name tells it; its card was not at hand",
            Self::Ancestors => "it says nothing of its own; what it was made from counts",
            Self::Nothing => "nothing names a licence",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What kind of thing.
    pub basis: Basis,
    /// Where, such as `LICENSE` or `README.md: license`.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// Which licence that means; `None` where it means none we know.
    pub licence: Option<String>,
}

/// Something that does not fit together, or that one should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// Of which model.
    pub model: String,
    /// In plain words.
    pub says: String,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The name says one licence, the text is another.
    NameAndTextDisagree,
    /// Two declarations name different licences.
    DeclarationsDisagree,
    /// The card and the GGUF header name different licences.
    HeaderDisagrees,
    /// The licence file's text is not known.
    TextUnknown,
    /// A known text has more before or after it.
    TextHasMore,
    /// The text of an unknown licence limits use.
    TextLimitsUse,
    /// A name nobody knows.
    NameUnknown,
    /// Nothing is said.
    NothingDeclared,
    /// A model seems to be made from one that it does not name.
    AncestorNotNamed,
    /// The facts of an ancestor are not at hand.
    AncestorNotAtHand,
    /// A mere copy in another format names another licence than what it copies.
    CopySaysOther,
    /// An ancestor's licence is stricter than what the model says of itself.
    StricterThanDeclared,
    /// Models name each other as ancestors.
    Cycle,
    /// The chain of ancestors is longer than is followed.
    TooDeep,
    /// The licence's terms were not read.
    TermsNotRead,
    /// The licensor can change the terms.
    TermsCanChange,
}

/// Which licence a repository carries, by what stands in it alone; its ancestors are not looked at.
pub fn resolve(facts: &Facts, licences: &Licences) -> Resolution {
    let declared = declared(facts, licences);
    let mut reading = Reading::new(facts, licences);
    let named = reading.strictest(&declared);
    let texts = reading.texts();
    let (licence, basis) = match (&texts.known, named) {
        (Some(known), _) => reading.text_counts(known, &declared),
        (None, Some(named)) => reading.name_counts(named, &texts, &declared),
        (None, None) => reading.nothing_counts(&texts, &declared),
    };
    reading.done(licence, basis, &declared)
}

/// What is declared, in the order it counts.
fn declared(facts: &Facts, licences: &Licences) -> Vec<Evidence> {
    let mut all = Vec::new();
    let mut say = |basis, place: &str, found: &str, licence: Option<String>| {
        all.push(Evidence { basis, place: place.to_owned(), found: shown(found), licence });
    };
    if let Some(card) = &facts.card {
        let tags = card.license_tags().filter(|_| card.license.is_empty());
        for name in card.license.iter().map(String::as_str).chain(tags) {
            say(Basis::License, "README.md: license", name, licences.by_license(name));
        }
        if let Some(name) = &card.license_name {
            let found = licences.by_license_name(name).or_else(|| licences.by_license(name));
            say(Basis::LicenseName, "README.md: license_name", name, found);
        }
        if let Some(link) = &card.license_link {
            say(Basis::LicenseLink, "README.md: license_link", link, licences.by_link(link));
        }
    }
    if let Some(gguf) = &facts.gguf {
        if let Some(name) = &gguf.license {
            say(Basis::Gguf, "GGUF: general.license", name, licences.by_license(name));
        }
        if let Some(name) = &gguf.license_name {
            let found = licences.by_license_name(name).or_else(|| licences.by_license(name));
            say(Basis::Gguf, "GGUF: general.license.name", name, found);
        }
        if let Some(link) = &gguf.license_link {
            say(Basis::Gguf, "GGUF: general.license.link", link, licences.by_link(link));
        }
    }
    all
}

/// `other` and `unknown` are the hub's words for "see elsewhere" and "not said"; links stand by themselves.
fn is_other(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["other", "unknown", "none", "license", "license.md", "license.txt"].contains(&name.as_str())
        || name.contains("://")
}

/// A name nobody knows, with what is said of it elsewhere.
fn unknown_name(item: &Evidence) -> String {
    let hint = crate::licence::hint(&item.found)
        .map_or(String::new(), |says| format!("; a survey calls it: {says}"));
    format!("{}, which is no known licence{hint}", told(item))
}

fn told(item: &Evidence) -> String {
    format!("{} says \"{}\"", item.place, item.found)
}
