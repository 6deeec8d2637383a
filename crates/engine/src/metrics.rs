//! What an engine has done and is doing, as plain numbers.

/// A snapshot. Totals only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Answers being computed.
    pub running: usize,
    /// Answers that wait for their turn, those put back included.
    pub waiting: usize,
    /// Pages of the cache, each of [`kernels::PAGE_TOKENS`] tokens.
    pub pages: usize,
    /// Of these, held by running answers.
    pub pages_held: usize,
    /// Of these, held by nobody, kept for prompts that begin the same.
    pub pages_cached: usize,
    /// Of these, empty.
    pub pages_free: usize,
    /// Steps computed.
    pub steps: u64,
    /// Seconds they took together.
    pub step_seconds: f64,
    /// Seconds the last one took.
    pub last_step_seconds: f64,
    /// Rows the last one computed.
    pub last_step_rows: usize,
    /// Prompt tokens computed, those computed again included.
    pub prompt_tokens: u64,
    /// Prompt tokens that did not have to be computed.
    pub cached_tokens: u64,
    /// Answer tokens.
    pub generated_tokens: u64,
    /// Answers put back for want of room.
    pub preemptions: u64,
    /// Further answers to one prompt.
    pub forks: u64,
    /// Answers ended by the model or a constraint.
    pub finished_stop: u64,
    /// Answers ended by their length.
    pub finished_length: u64,
    /// Answers ended by their caller.
    pub cancelled: u64,
    /// Answers ended by their deadline.
    pub deadlines: u64,
    /// Answers that failed.
    pub failed: u64,
    /// Requests refused because the queue was full.
    pub refused: u64,
    /// Tokens guessed.
    pub drafted: u64,
    /// Guesses that were right.
    pub accepted: u64,
}
