//! What can go wrong between a file and its logits.

use std::path::PathBuf;

/// Whose queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of all tenants together.
    All,
    /// That of the request's own tenant.
    Tenant,
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Whose::All => "in all",
            Whose::Tenant => "of this tenant",
        })
    }
}

/// Why a model can't be loaded or a step can't be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file itself is unsound.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// The configuration describes no model we can run.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// A kernel could not be set up.
    #[error(transparent)]
    Kernels(#[from] kernels::Error),
    /// A number format could not be decoded.
    #[error("tensor {tensor}: {source}")]
    Format {
        /// The tensor.
        tensor: String,
        /// What the format says.
        source: quant::Error,
    },
    /// Sampler settings or logits are unusable.
    #[error(transparent)]
    Sampler(#[from] crate::sampler::Error),
    /// Tensors and configuration don't fit together: everything found.
    #[error("{path}: {}", .faults.join("; "))]
    Tensors {
        /// The checkpoint.
        path: PathBuf,
        /// Missing, misshapen and unexpected tensors, by name.
        faults: Vec<String>,
    },
    /// The file doesn't say what model it is.
    #[error("{path} does not say its architecture; expected {expected}")]
    NoArchitecture {
        /// The checkpoint.
        path: PathBuf,
        /// The setting that should be there.
        expected: &'static str,
    },
    /// Loading would not fit into memory.
    #[error("{needed} needed ({breakdown}), {available} available")]
    DoesNotFit {
        /// The sum.
        needed: machine::Bytes,
        /// Its parts.
        breakdown: String,
        /// What there is.
        available: machine::Bytes,
    },
    /// A prompt is longer than the context.
    #[error("the prompt has {prompt} tokens, the context holds {context}")]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens the context holds (at least one is kept for the answer).
        context: usize,
    },
    /// A prompt without tokens.
    #[error("the prompt has no tokens; at least one is needed to predict from")]
    EmptyPrompt,
    /// A token the vocabulary lacks.
    #[error("token {id} is outside the vocabulary of {vocab}")]
    NoSuchToken {
        /// The token.
        id: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// All pages of the cache are taken.
    #[error("the cache has {free} of {pages} pages free, {wanted} are needed")]
    CacheFull {
        /// Pages left.
        free: usize,
        /// Pages in all.
        pages: usize,
        /// Pages asked for.
        wanted: usize,
    },
    /// A setting of the engine makes no sense.
    #[error("{name} is {found}, expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
    /// As many requests wait as may.
    #[error("{waiting} requests {whose} are waiting, {most} may")]
    QueueFull {
        /// Requests that wait.
        waiting: usize,
        /// Requests that may wait.
        most: usize,
        /// Whose they are.
        whose: Whose,
    },
    /// No new requests are taken; those under way are finished.
    #[error("the engine finishes its work and takes no new requests")]
    Draining,
    /// The engine has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// The engine can't be trusted any more and must be loaded anew.
    #[error("the engine is out of order: {0}")]
    Poisoned(String),
    /// A step could not be computed.
    #[error("the backend failed: {0}")]
    Backend(String),
    /// The request's constraint can't go on.
    #[error("the constraint failed: {0}")]
    Constraint(String),
    /// No such sequence is open.
    #[error("sequence {0} is not open")]
    NoSuchSequence(u64),
}
