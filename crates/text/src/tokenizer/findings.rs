//! What is odd about a tokenizer without making it unusable.
//!
//! A tokenizer can be a way in: a token that shadows ordinary words changes what a model reads,
//! two tokens with one id hide one behind the other. Such things are reported, not refused.

use std::fmt;

use super::limits;

/// A kind of oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// An added token takes ordinary text out of the model's hands.
    ShadowsText,
    /// One id names two tokens.
    ReusedId,
    /// One text has two ids.
    DuplicateToken,
    /// A token looks like a byte token but is none; it is ordinary text.
    MalformedByteToken,
    /// A merge names a token that is not in the vocabulary; it never applies.
    UnusableMerge,
    /// Some bytes have no token, so texts with them lose them or become unknown.
    MissingBytes,
    /// A mark of a turn that the file lists as ordinary text; it is taken as control.
    MistypedMark,
    /// The file does not say how to split text.
    GuessedScheme,
    /// An added token that can never be matched.
    UnusableToken,
}

/// One oddity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    kind: FindingKind,
    detail: String,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, mut detail: String) -> Self {
        detail.truncate(detail.floor_char_boundary(300));
        Self { kind, detail }
    }

    /// Its kind.
    pub fn kind(&self) -> FindingKind {
        self.kind
    }

    /// The tokens and ids concerned.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FindingKind::ShadowsText => "added token shadows ordinary text",
            FindingKind::ReusedId => "id used twice",
            FindingKind::DuplicateToken => "token listed twice",
            FindingKind::MalformedByteToken => "malformed byte token",
            FindingKind::UnusableMerge => "merge of an unknown token",
            FindingKind::MissingBytes => "bytes without a token",
            FindingKind::MistypedMark => "turn mark listed as text",
            FindingKind::GuessedScheme => "unstated splitting scheme",
            FindingKind::UnusableToken => "token that cannot be matched",
        };
        write!(f, "{what}: {}", self.detail)
    }
}

/// The findings of one tokenizer: the first of each kind up to a limit, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    total: usize,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.total += 1;
        let of_kind = self.kept.iter().filter(|kept| kept.kind == finding.kind).count();
        if of_kind < limits::FINDINGS {
            self.kept.push(finding);
        }
    }

    pub(crate) fn kept(&self) -> &[Finding] {
        &self.kept
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }
}
