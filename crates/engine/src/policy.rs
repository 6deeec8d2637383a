//! How an engine treats many requests: limits and shares, none of which changes a byte of any answer.

use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Requests that may wait, all together; the next is refused.
    pub queue: usize,
    /// Requests of one tenant that may wait.
    pub queue_per_tenant: usize,
    /// Prompt tokens that a step computes at most while answers are running beside them.
    pub prefill_beside: usize,
    /// How long a step with running answers should take: as few prompt tokens are computed beside them
    /// as measured speed says, but never fewer than [`Policy::PREFILL_MIN`].
    pub step_target: Option<Duration>,
    /// Whether requests share what they have in common.
    pub prefix_cache: PrefixCache,
    /// Whether tokens are guessed and verified together.
    pub speculation: Speculation,
}

/// Whether requests share computed prefixes (within one tenant and salt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrefixCache {
    /// Each computes its own; the answers to one request still share its prompt.
    Off,
    /// A prefix is computed once and kept until its room is needed.
    #[default]
    On,
}

/// Guessing tokens and verifying them in one step. The answer stays the same, byte for byte: every
/// token is chosen from its own logits with its own random number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speculation {
    /// One token a step.
    #[default]
    Off,
    /// Guesses what followed the last time the last few tokens occurred, as many tokens as measurement
    /// says pays, at most `most`.
    PromptLookup {
        /// Guesses in a step, at most.
        most: usize,
    },
    /// As [`Speculation::PromptLookup`], always `most` guesses where there are any: for measurements and
    /// tests.
    PromptLookupAlways {
        /// Guesses in a step.
        most: usize,
    },
    /// Lets a smaller model guess (see [`crate::Engine::with_draft`]), as many tokens as measurement says
    /// pays, at most `most`.
    Draft {
        /// Guesses in a step, at most.
        most: usize,
    },
    /// As [`Speculation::Draft`], always `most` guesses: for measurements and tests.
    DraftAlways {
        /// Guesses in a step.
        most: usize,
    },
}

impl Speculation {
    /// Guesses in a step, at most.
    pub(crate) fn most(self) -> usize {
        match self {
            Speculation::Off => 0,
            Speculation::PromptLookup { most }
            | Speculation::PromptLookupAlways { most }
            | Speculation::Draft { most }
            | Speculation::DraftAlways { most } => most,
        }
    }
}

impl Policy {
    /// Prompt tokens that a step computes whatever the clock says, so that prompts always go on.
    pub const PREFILL_MIN: usize = 16;
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            queue: 1024,
            queue_per_tenant: 1024,
            prefill_beside: 256,
            step_target: Some(Duration::from_millis(250)),
            prefix_cache: PrefixCache::On,
            speculation: Speculation::Off,
        }
    }
}
