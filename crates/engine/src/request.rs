//! What is asked of the engine, and what it tells.

use crate::{
    Error,
    sampler::{LogProb, SamplerSettings},
};

/// Names a running request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a conversation whose computed prefix is kept from one request to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// What to do when prompt and answer outgrow the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Refuse a longer prompt; end the answer where the context ends.
    #[default]
    Refuse,
    /// Drop tokens after the first `keep`, oldest first, half of what is left at a time, and compute
    /// the rest anew. Only ever by the user's choice.
    Shift {
        /// Tokens at the start that stay.
        keep: usize,
    },
}

/// Text to continue.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// Tokens of the answer, at most; `None`: as many as the context holds.
    pub max_tokens: Option<usize>,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// Tokens that end the answer.
    pub stop: Vec<u32>,
    /// What happens at the end of the context.
    pub overflow: Overflow,
    /// The conversation it belongs to.
    pub session: Option<SessionId>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it (a stop token).
    Stop,
    /// As long as allowed, or the context is full.
    Length,
    /// The caller ended it.
    Cancelled,
}

impl FinishReason {
    /// The field's own word for it.
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "cancelled",
        }
    }
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, those that did not have to be computed again.
    pub cached_tokens: usize,
    /// Tokens of the answer, the one that ended it included.
    pub completion_tokens: usize,
}

/// What a step brought.
#[derive(Debug)]
pub enum Event {
    /// So much of a prompt is computed.
    Prompt {
        /// Whose.
        request: RequestId,
        /// Tokens computed, cached ones included.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// A token of an answer.
    Token {
        /// Whose.
        request: RequestId,
        /// The token.
        id: u32,
        /// ln of its probability, if asked for.
        logprob: Option<f64>,
        /// The most probable tokens in its place, if asked for.
        top: Vec<LogProb>,
    },
    /// An answer is complete.
    Finished {
        /// Whose.
        request: RequestId,
        /// Why.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// An answer can't go on; the others can.
    Failed {
        /// Whose.
        request: RequestId,
        /// Why.
        error: Error,
    },
}
