//! What can go wrong between a file and its logits.

use std::path::PathBuf;

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
    /// No such sequence is open.
    #[error("sequence {0} is not open")]
    NoSuchSequence(u64),
}
