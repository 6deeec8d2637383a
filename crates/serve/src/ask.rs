//! The one question every API is translated into.

use std::{sync::Arc, time::Instant};

use engine::sampler::SamplerSettings;
use serde_json::{Map, Value as Json};
use text::{
    grammar::Grammar,
    message::{Document, Message, Tool},
    template::Ending,
};

use crate::model::Model;

/// What is asked of a model.
#[derive(Debug)]
pub struct Ask {
    /// Which model.
    pub model: Arc<Model>,
    /// What it is to go on from.
    pub prompt: Prompt,
    /// How many answers.
    pub choices: u32,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// Tokens of an answer, at most; `None`: as the context holds.
    pub max_tokens: Option<usize>,
    /// Tokens before which no answer ends.
    pub min_tokens: usize,
    /// Texts before which an answer ends.
    pub stop: Vec<String>,
    /// Whether the model's end tokens end it.
    pub ends: Ends,
    /// What the answer must look like.
    pub shape: Option<Grammar>,
    /// Log-probabilities of the prompt's tokens, and of so many others in their place.
    pub prompt_logprobs: Option<u32>,
    /// Whose prompts may share computed prefixes with these.
    pub salt: Vec<u8>,
    /// Whether it may wait, or others must.
    pub priority: engine::Priority,
    /// When it is of no use any more.
    pub deadline: Option<Instant>,
}

/// See [`Ask::ends`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// The model ends its answer.
    #[default]
    Heeded,
    /// It goes on past them.
    Ignored,
}

/// What a model is to go on from.
#[derive(Debug)]
pub enum Prompt {
    /// A conversation, in the words of the model's template.
    Chat(Box<Chat>),
    /// Plain text.
    Text(String),
    /// Tokens.
    Ids(Vec<u32>),
}

/// A conversation.
#[derive(Debug, Default)]
pub struct Chat {
    /// What was said.
    pub messages: Vec<Message>,
    /// The tools the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: ToolChoice,
    /// Whether it may call several at once.
    pub parallel: Parallel,
    /// Documents to answer from.
    pub documents: Vec<Document>,
    /// Arguments of the template's own.
    pub arguments: Map<String, Json>,
    /// How the prompt ends.
    pub ending: Ending,
}

/// Whether tools are to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model sees fit.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// Whether several calls may come at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parallel {
    /// Any number.
    #[default]
    Yes,
    /// One.
    No,
}
