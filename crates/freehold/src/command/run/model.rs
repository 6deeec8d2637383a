//! The model one talks with: opened, then loaded.

use std::{path::Path, sync::Arc, time::Instant};

use engine::{Cpu, Engine, Error, ModelFile, Overflow, Settings, sampler::SamplerSettings};
use text::{message::Message, reasoning::ReasoningFormat, template::Ending, tokenizer::Tokenizer};

use super::{
    Run,
    answer::{Limits, Prompt, Session},
    sampling::Sampling,
};
use crate::{
    chat::{self, Chat, Extras, Think},
    gate, house,
    kv::Kv,
    load,
    named::{self, HOUSE},
    program::App,
};

/// A model whose files are understood, its weights not yet read.
pub(super) struct Talker {
    /// What to call it.
    pub(super) name: String,
    /// The files.
    pub(super) file: Arc<ModelFile>,
    /// Text to ids and back.
    pub(super) tokenizer: Tokenizer,
    chat: Chat,
    backend: Cpu,
    settings: Settings,
}

/// A conversation's first messages.
pub(super) fn opening(system: Option<&str>, text: &str) -> Vec<Message> {
    let system = system.map(|text| Message::new("system", text));
    system.into_iter().chain([Message::new("user", text)]).collect()
}

impl Talker {
    /// Opens the model `run` names, or the house model.
    pub(super) fn open(run: &Run, app: &App) -> anyhow::Result<Self> {
        let model = run.model.as_deref().unwrap_or(Path::new(HOUSE));
        let located = named::locate(app, model)?;
        let name = if located.is_house() {
            app.output.note(house::INTRODUCTION);
            "The house model".to_owned()
        } else {
            located.name.clone()
        };
        let file = load::file(&located.path)?;
        let tokenizer = load::tokenizer_of(&file)?;
        let chat = Chat::of(file.checkpoint(), &tokenizer)?;
        let kv = Kv::or_of(run.kv, &file);
        let settings = load::engine_settings(&file, run.ctx.map(|ctx| ctx as usize), kv)?;
        let backend = run.running.backend(app).with(run.precision.precision());
        gate::at_run(app, &located, &load::Footprint::of(&file, &backend, &settings)?)?;
        Ok(Talker { name, file, tokenizer, chat, backend, settings })
    }

    /// Refuses a model one cannot talk with.
    pub(super) fn require_template(&self) -> anyhow::Result<()> {
        self.chat.require()
    }

    /// Tokens a conversation may have.
    pub(super) fn context(&self) -> usize {
        self.settings.context_of(self.file.model())
    }

    /// What to sample with.
    pub(super) fn sampling(&self, asked: &Sampling) -> anyhow::Result<SamplerSettings> {
        asked.settings(self.file.checkpoint(), Some(&self.tokenizer))
    }

    /// The prompt of a conversation, in the words of the model's own template.
    pub(super) fn chat_prompt(&self, messages: &[Message], think: Think) -> anyhow::Result<Prompt> {
        let extras = Extras { think, ..Extras::default() };
        let template = self.chat.template(&extras)?;
        let rendered = chat::render(&template, messages, &extras, Ending::GenerationPrompt)?;
        let format = ReasoningFormat::detect(template.source());
        Ok(Prompt {
            ids: chat::encode(&self.tokenizer, &rendered)?,
            reasoning: format.map(|format| (format, format.opened(&rendered.text()))),
            is_turn: true,
        })
    }

    /// Whether the template heeds `think`.
    pub(super) fn heeds(&self, think: Think) -> anyhow::Result<bool> {
        Ok(think.is_heeded_by(&self.chat.template(&Extras::default())?))
    }

    /// Refuses a prompt that has no place in the context, before anything is loaded.
    pub(super) fn fits(&self, prompt: &Prompt, limits: &Limits) -> Result<(), Error> {
        let vocab = self.file.model().vocab;
        if let Some(id) = prompt.ids.iter().find(|id| **id as usize >= vocab) {
            return Err(Error::NoSuchToken { id: *id, vocab });
        }
        if prompt.ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let (prompt, context) = (prompt.ids.len(), self.context());
        if prompt >= context && limits.overflow == Overflow::Refuse {
            return Err(Error::PromptTooLong { prompt, context });
        }
        Ok(())
    }

    /// Loads the weights, if they fit.
    pub(super) fn load(self, app: &App) -> anyhow::Result<Session> {
        let started = Instant::now();
        let engine: Engine = load::engine(app, &self.file, &self.backend, &self.settings)?;
        Session::new(self, engine, started.elapsed())
    }
}
