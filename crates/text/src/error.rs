//! What can go wrong between text and ids.

/// An error of this crate. Every message names the thing, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A chat template that cannot be read or rendered.
    #[error(transparent)]
    Template(#[from] crate::template::TemplateError),
    /// A tokenizer file or a vocabulary is larger than Freehold accepts.
    #[error("{what} has {found}, at most {limit} are accepted")]
    TokenizerTooLarge {
        /// What was measured.
        what: &'static str,
        /// The size found.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A tokenizer description that cannot be read or contradicts itself.
    #[error("{what}: {reason}")]
    Tokenizer {
        /// The file or part it concerns.
        what: &'static str,
        /// What was found, and what was expected.
        reason: String,
    },
    /// A part of a tokenizer description that Freehold does not know.
    #[error("unknown {part} `{name}`; known are: {known}")]
    UnknownTokenizerPart {
        /// Which kind of part: a model, a normalizer, a pre-tokenizer, a scheme.
        part: &'static str,
        /// The name found.
        name: String,
        /// The names known.
        known: String,
    },
    /// A list of a vocabulary that does not have one entry per token.
    #[error("{what} has {found} entries for {expected} tokens")]
    VocabularyMismatch {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The number of tokens.
        expected: usize,
    },
    /// An id outside the vocabulary.
    #[error("{what} is {id}, but the vocabulary ends at {size}")]
    IdOutOfVocabulary {
        /// What names the id.
        what: &'static str,
        /// The id.
        id: u64,
        /// The number of ids.
        size: usize,
    },
    /// A splitting pattern of the model that needed more steps than a text of this size may take.
    #[error("the splitting pattern `{pattern}` did not finish within its budget")]
    PatternBudget {
        /// The pattern, shortened.
        pattern: String,
    },
    /// A text that the model has no tokens for.
    #[error("the vocabulary has no token for `{text}` and no token for unknown text")]
    Unencodable {
        /// The piece of text, shortened.
        text: String,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
