//! A checkpoint's chat templates, and a conversation's prompt from them.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};
use text::{
    message::{Document, Message, Tool},
    template::{
        ChatTemplate, DateTime, Ending, MAX_SOURCE_BYTES, RenderRequest, Rendered, Specials,
        TemplateSet,
    },
    tokenizer::{Frame, Part, Special, Tokenizer},
};
use weights::{Checkpoint, Folder, GgufMetadata};

use crate::{error::refused, tokenizer::folder_config};

/// Entries of `additional_chat_templates/` that are looked at.
const ADDITIONAL_MAX: usize = 64;

/// Roles of special tokens a template can name.
const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Whether the model is to think before it answers, where its template has a switch for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Think {
    /// Think first
    On,
    /// Answer at once
    Off,
    /// As the model's template does by itself
    #[default]
    Auto,
}

impl Think {
    /// The arguments templates know: `enable_thinking` (Qwen, SmolLM, GLM) and `thinking` (DeepSeek,
    /// Granite).
    pub(crate) fn arguments(self) -> Map<String, Value> {
        let on = match self {
            Think::Auto => return Map::new(),
            Think::On => true,
            Think::Off => false,
        };
        SWITCHES.iter().map(|name| ((*name).to_owned(), Value::Bool(on))).collect()
    }

    /// Whether the template heeds it.
    pub(crate) fn is_heeded_by(self, template: &ChatTemplate) -> bool {
        self == Think::Auto || SWITCHES.iter().any(|name| template.mentions(name))
    }
}

const SWITCHES: [&str; 2] = ["enable_thinking", "thinking"];

/// What goes into a prompt beside the messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// Tools the model may call.
    pub(crate) tools: Option<Vec<Tool>>,
    /// Documents to answer from.
    pub(crate) documents: Option<Vec<Document>>,
    /// Whether to think.
    pub(crate) think: Think,
    /// Which of several templates.
    pub(crate) template: Option<String>,
}

/// The templates of a model and the tokens they name.
pub(crate) struct Chat {
    templates: TemplateSet,
    specials: Specials,
}

impl Chat {
    /// Reads them from a checkpoint.
    pub(crate) fn of(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> anyhow::Result<Self> {
        let metadata = checkpoint.metadata();
        let mut specials = by_id(tokenizer);
        let mut templates = TemplateSet::default();
        if let Some(keys) = metadata.gguf() {
            templates = of_gguf(keys)?;
        } else if let Some(folder) = metadata.folder() {
            let config = folder_config(folder);
            specials.extend(by_name(&config));
            templates = of_folder(folder, &config)?;
        }
        Ok(Chat { templates, specials })
    }

    /// The templates, not read yet, and the tokens they name.
    pub(crate) fn into_parts(self) -> (TemplateSet, Specials) {
        (self.templates, self.specials)
    }

    /// Whether the model brings none.
    pub(crate) fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Refuses a model without a template.
    pub(crate) fn require(&self) -> anyhow::Result<()> {
        if self.is_empty() {
            return Err(refused(
                "this model brings no chat template, so what it was trained to answer to is unknown",
                "continue plain text with --raw, or take the instruction-tuned release of the model",
            ));
        }
        Ok(())
    }

    /// The template for a prompt of this kind.
    pub(crate) fn template(&self, extras: &Extras) -> anyhow::Result<ChatTemplate> {
        self.require()?;
        let request = RenderRequest {
            tools: extras.tools.as_deref(),
            documents: extras.documents.as_deref(),
            ..RenderRequest::default()
        };
        Ok(self.templates.template(extras.template.as_deref(), &request, self.specials.clone())?)
    }
}

/// The prompt of a conversation.
pub(crate) fn render(
    template: &ChatTemplate,
    messages: &[Message],
    extras: &Extras,
    ending: Ending,
) -> anyhow::Result<Rendered> {
    let request = RenderRequest {
        messages,
        tools: extras.tools.as_deref(),
        documents: extras.documents.as_deref(),
        ending,
        extra: extras.think.arguments(),
        now: Some(now()),
    };
    Ok(template.render(&request)?)
}

/// The ids of a prompt: special tokens only where the template wrote them, never two begin tokens.
pub(crate) fn encode(tokenizer: &Tokenizer, prompt: &Rendered) -> anyhow::Result<Vec<u32>> {
    let part = |part: &'_ text::template::Part| {
        if part.trusted { Special::Parse } else { Special::AsText }
    };
    let parts: Vec<Part<'_>> =
        prompt.parts.iter().map(|p| Part { text: &p.text, special: part(p) }).collect();
    Ok(tokenizer.encode_parts(&parts, Frame::Once)?)
}

/// The time, in UTC: the zone of the machine is nobody's business but the user's.
fn now() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DateTime::from_unix(since.as_secs() as i64, 0)
}

fn by_id(tokenizer: &Tokenizer) -> Specials {
    let ids = tokenizer.specials();
    let ids = [ids.bos, ids.eos, ids.unk, ids.sep, ids.pad, ids.cls, ids.mask];
    let named =
        ROLES.iter().zip(ids).filter_map(|(role, id)| Some((*role, tokenizer.token_text(id?)?)));
    named.map(|(role, text)| (role.to_owned(), text.to_owned())).collect()
}

/// Tokens a configuration names, as text or as an object with `content`.
fn by_name(config: &Map<String, Value>) -> Specials {
    let text = |value: &Value| -> Option<String> {
        value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
    };
    ROLES.iter().filter_map(|role| Some(((*role).to_owned(), text(config.get(*role)?)?))).collect()
}

/// The templates a checkpoint brings, by name, not read yet.
pub(crate) fn templates(checkpoint: &Checkpoint) -> anyhow::Result<TemplateSet> {
    let metadata = checkpoint.metadata();
    match (metadata.gguf(), metadata.folder()) {
        (Some(keys), _) => of_gguf(keys),
        (None, Some(folder)) => of_folder(folder, &folder_config(folder)),
        (None, None) => Ok(TemplateSet::default()),
    }
}

fn of_gguf(keys: &GgufMetadata) -> anyhow::Result<TemplateSet> {
    const KEY: &str = "tokenizer.chat_template";
    let mut set = TemplateSet::default();
    for key in keys.keys().filter(|key| key.starts_with(KEY)) {
        if key == KEY {
            set.insert("default", keys.str(key)?)?;
        } else if let Some(name) = key.strip_prefix("tokenizer.chat_template.") {
            set.insert(name, keys.str(key)?)?;
        }
    }
    Ok(set)
}

/// `chat_template.jinja` and `additional_chat_templates/`, else `chat_template.json`, else what
/// `tokenizer_config.json` holds, as transformers does.
fn of_folder(folder: &Folder, config: &Map<String, Value>) -> anyhow::Result<TemplateSet> {
    if let Some(source) = folder.chat_template()? {
        let mut set = TemplateSet::single(source);
        add_additional(folder, &mut set)?;
        return Ok(set);
    }
    let stated = folder.parsed("chat_template.json").and_then(|map| map.get("chat_template"));
    let stated = stated.or_else(|| config.get("chat_template"));
    Ok(TemplateSet::from_config(stated.unwrap_or(&Value::Null))?)
}

fn add_additional(folder: &Folder, set: &mut TemplateSet) -> anyhow::Result<()> {
    const NAME: &str = "additional_chat_templates";
    if !folder.has(NAME) {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(folder.path().join(NAME)) else { return Ok(()) };
    for entry in entries.take(ADDITIONAL_MAX).filter_map(Result::ok) {
        let path = entry.path();
        let is_template = path.extension().is_some_and(|extension| extension == "jinja");
        let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if let (true, Some(name)) = (is_template, path.file_stem().and_then(|stem| stem.to_str())) {
            if bytes > MAX_SOURCE_BYTES as u64 {
                let message = format!(
                    "{} has {bytes} bytes, at most {MAX_SOURCE_BYTES} are accepted",
                    path.display()
                );
                return Err(refused(message, "no template in use comes near that: do not use it"));
            }
            set.insert(name, &fs::read_to_string(&path)?)?;
        }
    }
    Ok(())
}
