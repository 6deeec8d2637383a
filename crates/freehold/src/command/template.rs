//! `freehold template`: the prompt a conversation becomes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use text::{message::Message, template::Ending};

use super::Command;
use crate::{
    chat::{self, Chat, Extras, Think},
    error::usage,
    load, named,
    program::App,
    tokenizer,
};

/// Bytes of a file with messages, tools or documents.
const FILE_MAX: u64 = 64 << 20;

/// Arguments of `freehold template`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Template {
    /// A GGUF file or a folder; weights are not needed
    model: PathBuf,
    /// JSON: a list of messages, or an object with "messages" (and "tools", "documents"); - for
    /// standard input
    #[arg(long, value_name = "FILE")]
    messages: PathBuf,
    /// JSON: a list of tools
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// JSON: a list of documents
    #[arg(long, value_name = "FILE")]
    documents: Option<PathBuf>,
    /// End with the last message instead of what makes the model answer
    #[arg(long)]
    no_generation_prompt: bool,
    /// Let the model go on with the last message
    #[arg(long, conflicts_with = "no_generation_prompt")]
    continue_final: bool,
    /// Whether the model is to think first
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    think: Think,
    /// Which template, where the model brings several
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print the template itself
    #[arg(long)]
    source: bool,
    /// Print JSON: {"text", "ids"}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Prompt {
    text: String,
    ids: Vec<u32>,
}

impl Command for Template {
    const NAME: &'static str = "template";
    const ABOUT: &'static str =
        "Print the prompt that a model's chat template makes of a conversation";
    const DETAILS: &'static str = "The template is the model's own; there is no fallback. The ids show what the model is \
        given: special tokens that a user typed stay text.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold template model.gguf --messages messages.json",
        "echo '[{\"role\": \"user\", \"content\": \"hi\"}]' | freehold template model.gguf --messages -",
        "freehold template model.gguf --messages messages.json --tools tools.json --think off --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let mut request = read_value(&self.messages)?;
        let mut list = |name: &str| request.get_mut(name).map(Value::take);
        let (messages, tools, documents) = (list("messages"), list("tools"), list("documents"));
        let messages: Vec<Message> = typed(messages.unwrap_or(request), &self.messages)?;
        let extras = Extras {
            tools: given(self.tools.as_deref(), tools, &self.messages)?,
            documents: given(self.documents.as_deref(), documents, &self.messages)?,
            think: self.think,
            template: self.name,
        };
        let checkpoint = load::checkpoint(&named::locate(app, &self.model)?.path)?;
        let tokenizer = tokenizer::of(&checkpoint)?;
        let template = Chat::of(&checkpoint, &tokenizer)?.template(&extras)?;
        if self.source {
            return app.output.line(template.source());
        }
        if !extras.think.is_heeded_by(&template) {
            app.output.note("this model's template has no switch for thinking");
        }
        let ending = match (self.no_generation_prompt, self.continue_final) {
            (true, _) => Ending::Complete,
            (_, true) => Ending::ContinueFinal,
            _ => Ending::GenerationPrompt,
        };
        let prompt = chat::render(&template, &messages, &extras, ending)?;
        if self.json {
            let ids = chat::encode(&tokenizer, &prompt)?;
            return app.output.json(&Prompt { text: prompt.text(), ids });
        }
        // As it is, for a diff against what another program makes of it.
        app.output.text(prompt.text())
    }
}

/// What a file of its own gives, else what stood beside the messages.
fn given<T: DeserializeOwned>(
    path: Option<&Path>,
    beside: Option<Value>,
    messages: &Path,
) -> anyhow::Result<Option<T>> {
    match (path, beside) {
        (Some(path), _) => typed(read_value(path)?, path).map(Some),
        (None, Some(Value::Null) | None) => Ok(None),
        (None, Some(value)) => typed(value, messages).map(Some),
    }
}

fn read_value(path: &Path) -> anyhow::Result<Value> {
    let shown = path.display();
    let text = if path == Path::new("-") {
        crate::input::stdin("the conversation")?
    } else {
        let unreadable = |error| usage(format!("{shown} cannot be read: {error}"));
        let bytes = fs::metadata(path).map_err(unreadable)?.len();
        if bytes > FILE_MAX {
            return Err(usage(format!(
                "{shown} has {bytes} bytes, at most {FILE_MAX} are accepted"
            )));
        }
        fs::read_to_string(path).map_err(unreadable)?
    };
    serde_json::from_str(&text).map_err(|error| usage(format!("{shown} is no JSON: {error}")))
}

fn typed<T: DeserializeOwned>(value: Value, path: &Path) -> anyhow::Result<T> {
    serde_json::from_value(value).map_err(|error| usage(format!("{}: {error}", path.display())))
}
