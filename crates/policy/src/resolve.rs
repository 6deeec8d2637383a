//! Which licence a repository carries, and how we know.
//!
//! Order: the text's hash, its marks, the card's `license`, `license_name`, `license_link`, the GGUF
//! header. Text wins over name; what disagrees is a finding, never silently one or the other. A text
//! nobody knows, under a name whose true text we would know, resolves to unknown: the name may lie.

mod text_files;

use serde::Serialize;

use crate::licence::{Match, normal, recognise};
use crate::plain::shown;
use crate::{Class, Facts, Licences};

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
    let mut evidence = Vec::new();
    let mut findings = Vec::new();
    let mut find = |kind, says: String| {
        findings.push(Finding { kind, model: shown(&facts.id), says });
    };

    let declared = declared(facts, licences);
    let card: Vec<&Evidence> = declared.iter().filter(|e| e.basis < Basis::Gguf).collect();
    // Where declarations disagree, the strictest counts: a permissive word beside a strict one is more
    // often a slip than a gift.
    let class = |e: &&Evidence| e.licence.as_ref().map(|id| licences.get(id).class);
    let strictest = declared.iter().filter_map(|e| class(&e)).max();
    let first = declared.iter().find(|e| e.licence.is_some() && class(e) == strictest);
    if let Some(first) = first {
        let mine = |e: &&&Evidence| {
            first.basis < Basis::Gguf && e.licence.is_some() && e.licence != first.licence
        };
        for other in card.iter().filter(mine) {
            let (a, b) = (told(first), told(other));
            find(
                FindingKind::DeclarationsDisagree,
                format!("the card says two things: {a}, but {b}; the stricter counts"),
            );
        }
        let mut others =
            declared.iter().filter(|e| e.licence.is_some() && e.licence != first.licence);
        if let Some(header) =
            others.rfind(|e| (e.basis == Basis::Gguf) != (first.basis == Basis::Gguf))
        {
            let (a, b) = (told(first), told(header));
            find(
                FindingKind::HeaderDisagrees,
                format!("the card and the file disagree: {a}, but {b}; the stricter counts"),
            );
        }
    }

    let mut by_text = None;
    let mut unknown_text = None;
    for file in text_files::of_weights(&facts.texts) {
        let text = normal(text_files::cut(&file.text));
        let place = shown(&file.path);
        let (basis, licence, found) = match recognise(&text, licences) {
            Match::Hash(id, of) => (Basis::TextHash, id, of),
            Match::HashWithMore(id, of, rest) => {
                let rest = shown(&rest);
                find(
                    FindingKind::TextHasMore,
                    format!("{place} holds {of} and more, which has to be read: \"{rest}…\""),
                );
                (Basis::TextMarkers, id, format!("{of}, with more text beside it"))
            }
            Match::Markers(id, others) => {
                if !others.is_empty() {
                    let others = crate::plain::list(&others);
                    find(
                        FindingKind::TextHasMore,
                        format!(
                            "{place} bears the marks of {id}, and of {others} too: it has to be read"
                        ),
                    );
                }
                let name = &licences.get(&id).name;
                (Basis::TextMarkers, id.clone(), format!("the marks of {name}"))
            }
            Match::Nothing => {
                let short = text_files::words(&file.text);
                evidence.push(Evidence {
                    basis: Basis::TextMarkers,
                    place: place.clone(),
                    found: short,
                    licence: None,
                });
                if unknown_text.is_none() && text_files::is_a_licence(&text) {
                    unknown_text = Some((place, text_files::limits(&text)));
                }
                continue;
            }
        };
        // A permissive text with anything beside it that speaks of limits is not believed.
        let permissive = licences.get(&licence).class <= Class::OpenWeightPermissive;
        let limit = text_files::limits(&text).filter(|_| permissive);
        let licence = match limit {
            None => licence,
            Some(limit) => {
                find(
                    FindingKind::TextLimitsUse,
                    format!(
                        "{place} looks like {licence}, but speaks of \"{limit}\": it has to be read"
                    ),
                );
                Licences::UNKNOWN.to_owned()
            }
        };
        let item = Evidence { basis, place, found, licence: Some(licence.clone()) };
        if by_text.is_none() {
            by_text = Some((basis, licence, item.place.clone()));
            evidence.insert(0, item);
        } else {
            evidence.push(item);
        }
    }
    if by_text.is_none()
        && unknown_text.is_none()
        && let Some(prompt) = facts.card.as_ref().and_then(|card| card.gated_prompt.as_ref())
        && let Match::Markers(id, _) = recognise(&normal(prompt), licences)
    {
        let place = "README.md: extra_gated_prompt".to_owned();
        let found = format!("the marks of {}", licences.get(&id).name);
        let (basis, licence) = (Basis::TextMarkers, Some(id.clone()));
        evidence.push(Evidence { basis, place: place.clone(), found, licence });
        by_text = Some((Basis::TextMarkers, id, place));
    }
    if by_text.is_some()
        && let Some((place, limits)) = &unknown_text
    {
        find(
            FindingKind::TextUnknown,
            format!("{place} beside it is a text nobody here knows: it has to be read"),
        );
        if let Some(limit) = limits {
            find(FindingKind::TextLimitsUse, format!("{place} speaks of \"{limit}\""));
            by_text = Some((Basis::TextMarkers, Licences::UNKNOWN.to_owned(), place.clone()));
        }
    }
    evidence.extend(declared.iter().cloned());

    let (licence, basis) = match (by_text, first) {
        (Some((basis, licence, place)), first) => {
            let names =
                declared.iter().filter(|e| e.licence.as_ref().is_some_and(|id| *id != licence));
            for other in names {
                find(
                    FindingKind::NameAndTextDisagree,
                    format!(
                        "{}, but the text in {place} is {}: the text counts",
                        told(other),
                        licences.get(&licence).name
                    ),
                );
            }
            let unnamed = declared.iter().find(|e| first.is_none() && e.licence.is_none());
            if let Some(other) = unnamed.filter(|e| !is_other(&e.found)) {
                find(FindingKind::NameUnknown, unknown_name(other));
            }
            (licence, basis)
        }
        (None, Some(first)) => {
            let id = first.licence.clone().unwrap_or_default();
            if let Some((place, limits)) = unknown_text {
                let known = licences.find(&id).is_some_and(|l| !l.text.markers.is_empty());
                if let Some(limit) = &limits {
                    find(
                        FindingKind::TextLimitsUse,
                        format!("the text in {place} is not known and speaks of \"{limit}\""),
                    );
                }
                if known || limits.is_some() {
                    find(
                        FindingKind::NameAndTextDisagree,
                        format!(
                            "{}, but the text in {place} is another that nobody here knows: no permission is assumed",
                            told(first)
                        ),
                    );
                    (Licences::UNKNOWN.to_owned(), Basis::TextMarkers)
                } else {
                    find(
                        FindingKind::TextUnknown,
                        format!("the text in {place} is not known; {}", told(first)),
                    );
                    (id, first.basis)
                }
            } else {
                (id, first.basis)
            }
        }
        (None, None) => {
            if let Some((place, limits)) = unknown_text {
                let limit =
                    limits.map_or(String::new(), |limit| format!(" and speaks of \"{limit}\""));
                find(
                    FindingKind::TextUnknown,
                    format!("the text in {place} is not known{limit}: it has to be read"),
                );
            }
            for item in declared.iter().filter(|e| !is_other(&e.found)) {
                find(FindingKind::NameUnknown, unknown_name(item));
            }
            if declared.iter().all(|e| is_other(&e.found)) && facts.texts.is_empty() {
                find(FindingKind::NothingDeclared, "it names no licence".to_owned());
            }
            (Licences::UNKNOWN.to_owned(), Basis::Nothing)
        }
    };
    findings.sort();
    findings.dedup();
    Resolution { licence, basis, evidence, findings }
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
