//! What an answer consists of, whatever the API that carries it.

use crate::fault::Fault;

/// Something of one choice.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which of the answers, from 0.
    pub choice: u32,
    /// What came.
    pub what: What,
    /// The tokens of its text, where log-probabilities were asked for.
    pub tokens: Vec<TokenInfo>,
}

/// See [`Told`].
#[derive(Clone, Debug)]
pub enum What {
    /// What the model thought.
    Reasoning(String),
    /// What it says.
    Text(String),
    /// A call opens.
    CallStart {
        /// Its place among the calls of this answer.
        index: usize,
        /// The tool.
        name: String,
        /// Its id: the model's own, or one of ours.
        id: String,
    },
    /// More of a call's arguments.
    CallArguments {
        /// Which call.
        index: usize,
        /// The next stretch of JSON.
        delta: String,
    },
    /// A call is complete.
    CallEnd {
        /// Which call.
        index: usize,
    },
    /// What opened like a call and was none.
    Malformed {
        /// The call that had started, if one had; it is void.
        index: Option<usize>,
        /// The text as the model wrote it.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A token of the prompt, where its log-probabilities were asked for.
    PromptToken,
    /// This choice is complete.
    Finished {
        /// Why.
        why: Finish,
        /// What it took.
        usage: Usage,
    },
    /// This choice can't go on.
    Failed(Fault),
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// Before one of the stop texts.
    StopText(String),
    /// As long as allowed, or the context is full.
    Length,
    /// With calls of tools.
    Calls,
    /// Its time was over.
    Deadline,
    /// Somebody ended it.
    Cancelled,
}

impl Finish {
    /// OpenAI's word for it.
    pub fn openai(&self) -> &'static str {
        match self {
            Finish::Stop | Finish::StopText(_) => "stop",
            Finish::Length => "length",
            Finish::Calls => "tool_calls",
            Finish::Deadline => "timeout",
            Finish::Cancelled => "cancelled",
        }
    }
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Of these, those that did not have to be computed again.
    pub cached: usize,
    /// Tokens of the answer.
    pub completion: usize,
    /// Of these, those of the reasoning.
    pub reasoning: usize,
}

impl Usage {
    /// With another choice of the same prompt.
    pub fn and(self, other: Usage) -> Usage {
        Usage {
            prompt: self.prompt.max(other.prompt),
            cached: self.cached.max(other.cached),
            completion: self.completion + other.completion,
            reasoning: self.reasoning + other.reasoning,
        }
    }
}

/// A token and how probable it was.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenInfo {
    /// The token.
    pub id: u32,
    /// ln of its probability; none for the first token of a prompt.
    pub logprob: Option<f64>,
    /// The most probable tokens in its place.
    pub top: Vec<(u32, f64)>,
}
