//! A model that is ready to answer: the engine's worker, and everything that turns a conversation
//! into its tokens and its tokens into an answer.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

use engine::{Event, sampler::SamplerSettings};
use text::{
    grammar::Vocabulary,
    reasoning::ReasoningFormat,
    template::{ChatTemplate, RenderRequest, Specials, TemplateSet},
    tokenizer::Tokenizer,
    toolcall::ToolFormat,
};

use crate::fault::Fault;

/// Told what a request brings, on the engine's thread: must not block.
pub type Sink = Box<dyn FnMut(Event) -> ControlFlow<()> + Send>;

/// What runs requests: the engine's worker, or in tests a script.
pub trait Runner: Send + Sync {
    /// Takes a request in. Dropping the ticket cancels it.
    fn submit(
        &self,
        request: engine::Request,
        sink: Sink,
    ) -> Result<Box<dyn Ticket>, engine::Error>;
    /// Counters, as of the last step.
    fn metrics(&self) -> engine::Metrics;
    /// Why it can't go on, if it can't.
    fn trouble(&self) -> Option<String>;
    /// Tokens a prompt and its answer may have.
    fn context(&self) -> usize;
    /// Size of the vocabulary.
    fn vocab(&self) -> usize;
    /// In a few words: the backend, its instruction set, its threads.
    fn describe(&self) -> String;
    /// Bytes it holds.
    fn memory(&self) -> engine::Memory;
}

/// A request under way; dropping it cancels what is left.
pub trait Ticket: Send + Sync {
    /// Ends one choice.
    fn stop(&self, choice: u32);
}

impl Runner for engine::Handle {
    fn submit(
        &self,
        request: engine::Request,
        sink: Sink,
    ) -> Result<Box<dyn Ticket>, engine::Error> {
        Ok(Box::new(engine::Handle::submit(self, request, sink)?))
    }

    fn metrics(&self) -> engine::Metrics {
        engine::Handle::metrics(self)
    }

    fn trouble(&self) -> Option<String> {
        match self.state() {
            engine::State::Serving | engine::State::Draining => None,
            engine::State::Stopped => Some("stopped".to_owned()),
            engine::State::Poisoned(why) => Some(why),
        }
    }

    fn context(&self) -> usize {
        engine::Handle::context(self)
    }

    fn vocab(&self) -> usize {
        engine::Handle::vocab(self)
    }

    fn describe(&self) -> String {
        engine::Handle::describe(self)
    }

    fn memory(&self) -> engine::Memory {
        engine::Handle::memory(self)
    }
}

impl Ticket for engine::Ticket {
    fn stop(&self, choice: u32) {
        engine::Ticket::stop(self, choice);
    }
}

/// What a [`Model`] is made of.
pub struct Parts {
    /// Runs its requests.
    pub runner: Box<dyn Runner>,
    /// What must live as long as the runner: the engine's worker.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
    /// Text to ids and back.
    pub tokenizer: Arc<Tokenizer>,
    /// The templates it brings; none for a model that only continues text.
    pub templates: TemplateSet,
    /// The tokens its templates can name.
    pub specials: Specials,
    /// What its files recommend to sample with.
    pub sampler: Option<SamplerSettings>,
    /// What is known of it, for people: architecture, parameters, format.
    pub about: About,
}

/// What is known of a model, for people and programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The architecture's name.
    pub architecture: String,
    /// Weights it has.
    pub parameters: u64,
    /// The number format most weights are in.
    pub format: String,
    /// Tokens it was made for.
    pub context_trained: usize,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its licence, as its files state it.
    pub license: Option<String>,
}

/// See the module.
pub struct Model {
    name: String,
    created: u64,
    parts: Parts,
    vocabulary: OnceLock<Result<Arc<Vocabulary>, String>>,
}

impl Model {
    /// Of these parts, loaded at `created` (seconds since 1970).
    pub fn new(name: impl Into<String>, created: u64, parts: Parts) -> Self {
        Model { name: name.into(), created, parts, vocabulary: OnceLock::new() }
    }

    /// What requests call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was loaded, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// Runs its requests.
    pub fn runner(&self) -> &dyn Runner {
        &*self.parts.runner
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.parts.tokenizer
    }

    /// What is known of it.
    pub fn about(&self) -> &About {
        &self.parts.about
    }

    /// The names of its templates.
    pub fn templates(&self) -> &TemplateSet {
        &self.parts.templates
    }

    /// What a request that says nothing samples with: the model's recommendation, else the model's
    /// own distribution.
    pub fn sampler(&self) -> SamplerSettings {
        self.parts.sampler.clone().unwrap_or_default()
    }

    /// The template for a prompt of this kind.
    pub fn template(&self, request: &RenderRequest<'_>) -> Result<ChatTemplate, Fault> {
        if self.parts.templates.is_empty() {
            let message = format!(
                "the model {:?} brings no chat template, so what it was trained to answer to is unknown; use /v1/completions",
                self.name
            );
            return Err(Fault::field("model", message));
        }
        let template = self.parts.templates.template(None, request, self.parts.specials.clone());
        template.map_err(|error| Fault::field("model", error.to_string()))
    }

    /// How a template's model marks its reasoning, where it does.
    pub fn reasoning(template: &ChatTemplate) -> Option<&'static ReasoningFormat> {
        ReasoningFormat::detect(template.source())
    }

    /// How a template's model writes calls, where it does.
    pub fn calls(template: &ChatTemplate) -> Option<&'static ToolFormat> {
        ToolFormat::detect(template.source())
    }

    /// The vocabulary as grammars see it; built on first use, which takes a moment.
    pub fn vocabulary(&self) -> Result<Arc<Vocabulary>, Fault> {
        let built = self.vocabulary.get_or_init(|| {
            Vocabulary::new(&self.parts.tokenizer).map(Arc::new).map_err(|error| error.to_string())
        });
        built.clone().map_err(Fault::invalid)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({:?}, {})", self.name, self.parts.runner.describe())
    }
}
