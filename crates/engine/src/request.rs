//! What is asked of the engine, and what it tells.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Constraint, Error,
    sampler::{LogProb, SamplerSettings},
};

/// Names a running request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names who asks. Tenants take turns, and never see each other's prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(pub u64);

/// Who goes first. A higher priority always goes before a lower one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// When nobody else wants anything.
    Background,
    /// In turn.
    #[default]
    Normal,
    /// Before all others.
    Urgent,
}

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

/// Text to continue. Its debug form tells neither prompt nor salt, so that no log can.
#[derive(Clone)]
pub struct Request {
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// Tokens of the answer, at most; `None`: as many as the context holds. With 0 only the prompt is
    /// computed, for what comes later.
    pub max_tokens: Option<usize>,
    /// Tokens of the answer before one of `stop` may come.
    pub min_tokens: usize,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// Tokens that end the answer.
    pub stop: Vec<u32>,
    /// What happens at the end of the context.
    pub overflow: Overflow,
    /// Answers wanted, 1 to [`Request::CHOICES_MAX`]. The prompt is computed once; the n-th draws from
    /// the n-th stream of the seed's random numbers, so the first is what one alone would be.
    pub choices: u32,
    /// What the answer may be. Each answer gets its own.
    pub constraint: Option<Box<dyn Constraint>>,
    /// Report log-probabilities of the prompt's tokens, and so many of the most probable in each place.
    /// Such a prompt is computed whole.
    pub prompt_logprobs: Option<u32>,
    /// Whose it is.
    pub tenant: Tenant,
    /// The tenant's share when there is not enough for all, relative to others', 1 to
    /// [`Request::WEIGHT_MAX`].
    pub weight: u32,
    /// Computed prefixes are shared between equal tenants with equal salts, and with nobody else.
    pub salt: Vec<u8>,
    /// Whether it goes before others.
    pub priority: Priority,
    /// When it ends, done or not.
    pub deadline: Option<Instant>,
}

impl Request {
    /// Answers to one prompt, at most.
    pub const CHOICES_MAX: u32 = 128;
    /// The largest weight.
    pub const WEIGHT_MAX: u32 = 1000;
    /// The longest salt, in bytes.
    pub const SALT_MAX: usize = 1024;

    /// One answer to `prompt`, drawn from the model's own distribution until the context is full.
    pub fn new(prompt: Vec<u32>) -> Self {
        Request {
            prompt,
            max_tokens: None,
            min_tokens: 0,
            sampler: SamplerSettings::default(),
            stop: vec![],
            overflow: Overflow::Refuse,
            choices: 1,
            constraint: None,
            prompt_logprobs: None,
            tenant: Tenant::default(),
            weight: 1,
            salt: vec![],
            priority: Priority::Normal,
            deadline: None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("prompt_tokens", &self.prompt.len())
            .field("max_tokens", &self.max_tokens)
            .field("min_tokens", &self.min_tokens)
            .field("choices", &self.choices)
            .field("constraint", &self.constraint)
            .field("prompt_logprobs", &self.prompt_logprobs)
            .field("overflow", &self.overflow)
            .field("tenant", &self.tenant)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it (a stop token), or its constraint is complete.
    Stop,
    /// As long as allowed, or the context is full.
    Length,
    /// The caller ended it.
    Cancelled,
    /// Its deadline has passed.
    Deadline,
}

impl FinishReason {
    /// The field's own word for it.
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Deadline => "deadline",
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

/// What a step brought. Every answer ends with one `Finished` or one `Failed`.
#[derive(Debug)]
pub enum Event {
    /// Its turn has come.
    Started {
        /// Whose.
        request: RequestId,
        /// How long it waited.
        queued: Duration,
        /// Tokens of its prompt that need not be computed.
        cached: usize,
    },
    /// So much of a prompt is computed.
    Prompt {
        /// Whose.
        request: RequestId,
        /// Tokens computed, cached ones included.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// A token of a prompt, if asked for.
    PromptToken {
        /// Whose.
        request: RequestId,
        /// Its place in the prompt.
        position: usize,
        /// The token.
        id: u32,
        /// ln of its probability after all tokens before it; the first has none.
        logprob: Option<f64>,
        /// The most probable tokens in its place.
        top: Vec<LogProb>,
    },
    /// A token of an answer.
    Token {
        /// Whose.
        request: RequestId,
        /// Which of its answers, from 0.
        choice: u32,
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
        /// Which of its answers, from 0.
        choice: u32,
        /// Why.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// An answer can't go on; the others can.
    Failed {
        /// Whose.
        request: RequestId,
        /// Which of its answers, from 0.
        choice: u32,
        /// Why.
        error: Error,
    },
}

impl Event {
    /// Whose it is.
    pub fn request(&self) -> RequestId {
        match self {
            Event::Started { request, .. }
            | Event::Prompt { request, .. }
            | Event::PromptToken { request, .. }
            | Event::Token { request, .. }
            | Event::Finished { request, .. }
            | Event::Failed { request, .. } => *request,
        }
    }

    /// The answer that ends with it.
    pub fn ends(&self) -> Option<u32> {
        match self {
            Event::Finished { choice, .. } | Event::Failed { choice, .. } => Some(*choice),
            _ => None,
        }
    }
}
