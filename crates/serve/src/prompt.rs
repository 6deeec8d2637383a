//! From what was asked to tokens: the model's own template, and who wrote which byte.

use std::time::{SystemTime, UNIX_EPOCH};

use text::{
    reasoning::{Opened, ReasoningFormat},
    template::{ChatTemplate, DateTime, RenderRequest, Rendered},
    tokenizer::{Frame, Part, Special, Specials, Tokenizer},
    toolcall::ToolFormat,
};

use crate::{
    ask::{Chat, Parallel, Prompt, ToolChoice},
    fault::Fault,
    model::Model,
};

/// A prompt ready for the engine, and how to read what comes after it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its tokens.
    pub(crate) ids: Vec<u32>,
    /// How the model marks its reasoning.
    pub(crate) reasoning: Option<(&'static ReasoningFormat, Opened)>,
    /// How it writes calls, where tools were given.
    pub(crate) calls: Option<ToolCalls>,
    /// Whether special tokens are written out, for marks among them must be seen.
    pub(crate) specials: Specials,
    /// Whether the answer is a turn of its own rather than the rest of a text.
    pub(crate) is_turn: bool,
}

/// What is known of the calls that may come.
#[derive(Clone, Debug)]
pub(crate) struct ToolCalls {
    pub(crate) format: &'static ToolFormat,
    pub(crate) tools: Vec<text::message::Tool>,
    pub(crate) choice: ToolChoice,
    pub(crate) parallel: Parallel,
}

/// A conversation in the model's own words, before tokens.
pub(crate) struct Worded {
    pub(crate) template: ChatTemplate,
    pub(crate) rendered: Rendered,
}

/// Turns a prompt into tokens. Takes as long as the prompt is: not for a thread that others wait on.
pub(crate) fn prepare(model: &Model, prompt: &mut Prompt) -> Result<Prepared, Fault> {
    let tokenizer = model.tokenizer();
    let encoding = |error: text::Error| Fault::invalid(error.to_string());
    let plain = |ids: Vec<u32>| Prepared {
        is_turn: ids.iter().all(|id| tokenizer.is_special(*id)),
        ids,
        reasoning: None,
        calls: None,
        specials: Specials::Skip,
    };
    match prompt {
        Prompt::Ids(ids) => Ok(plain(std::mem::take(ids))),
        Prompt::Text(text) => {
            let ids = tokenizer.encode_framed(text, Special::Parse, Frame::Once);
            Ok(plain(ids.map_err(encoding)?))
        }
        Prompt::Chat(chat) => {
            let Worded { template, rendered } = worded(model, chat)?;
            let ids = encode(tokenizer, &rendered).map_err(encoding)?;
            let reasoning =
                Model::reasoning(&template).map(|format| (format, format.opened(&rendered.text())));
            let calls = calls(chat, &template)?;
            let specials = specials(tokenizer, reasoning, calls.as_ref());
            Ok(Prepared { ids, reasoning, calls, specials, is_turn: true })
        }
    }
}

/// Renders a conversation with the model's template.
pub(crate) fn worded(model: &Model, chat: &mut Chat) -> Result<Worded, Fault> {
    for message in &mut chat.messages {
        message.parse_arguments();
        message.name_reasoning_both_ways();
    }
    let offered = chat.tool_choice != ToolChoice::None && !chat.tools.is_empty();
    let request = RenderRequest {
        messages: &chat.messages,
        tools: offered.then_some(&chat.tools[..]),
        documents: (!chat.documents.is_empty()).then_some(&chat.documents[..]),
        ending: chat.ending,
        extra: chat.arguments.clone(),
        now: Some(now()),
    };
    let template = model.template(&request)?;
    if offered && !template.mentions("tools") {
        let message =
            format!("the template of {:?} knows no tools, so they would be ignored", model.name());
        return Err(Fault::field("tools", message).with_code("unsupported_parameter"));
    }
    if !chat.documents.is_empty() && !template.mentions("documents") {
        let message = format!("the template of {:?} knows no documents", model.name());
        return Err(Fault::field("documents", message).with_code("unsupported_parameter"));
    }
    if let Some(name) = chat.arguments.keys().find(|name| !template.mentions(name)) {
        let message = format!("the template of {:?} does not read {name:?}", model.name());
        let path = format!("chat_template_kwargs.{name}");
        return Err(Fault::field(path, message).with_code("unsupported_parameter"));
    }
    let rendered = template
        .render(&request)
        .map_err(|error| Fault::field("messages", format!("the model's template: {error}")))?;
    Ok(Worded { template, rendered })
}

/// The ids of a rendered prompt: special tokens only where the template wrote them.
fn encode(tokenizer: &Tokenizer, rendered: &Rendered) -> text::Result<Vec<u32>> {
    let part = |part: &'_ text::template::Part| {
        if part.trusted { Special::Parse } else { Special::AsText }
    };
    let parts: Vec<Part<'_>> =
        rendered.parts.iter().map(|p| Part { text: &p.text, special: part(p) }).collect();
    tokenizer.encode_parts(&parts, Frame::Once)
}

fn calls(chat: &Chat, template: &ChatTemplate) -> Result<Option<ToolCalls>, Fault> {
    if chat.tools.is_empty() || chat.tool_choice == ToolChoice::None {
        return Ok(None);
    }
    let format = Model::calls(template).ok_or_else(|| {
        Fault::field("tools", "how this model writes calls is not known, so none could be read")
            .with_code("unsupported_parameter")
    })?;
    if let ToolChoice::Named(name) = &chat.tool_choice
        && !chat.tools.iter().any(|tool| tool.name() == name)
    {
        let message = format!("tool_choice names {name:?}, which is not among the tools");
        return Err(Fault::field("tool_choice", message));
    }
    Ok(Some(ToolCalls {
        format,
        tools: chat.tools.clone(),
        choice: chat.tool_choice.clone(),
        parallel: chat.parallel,
    }))
}

/// Marks that are special tokens must reach who reads them; otherwise special tokens are no text.
fn specials(
    tokenizer: &Tokenizer,
    reasoning: Option<(&'static ReasoningFormat, Opened)>,
    calls: Option<&ToolCalls>,
) -> Specials {
    let special = |mark: &str| tokenizer.id_of(mark).is_some_and(|id| tokenizer.is_special(id));
    let thinks = reasoning.is_some_and(|(format, _)| format.name != "think" || special("<think>"));
    let calls = calls.is_some_and(|calls| calls.format.marks().any(special));
    if thinks || calls { Specials::Keep } else { Specials::Skip }
}

/// The time, in UTC.
fn now() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DateTime::from_unix(since.as_secs().cast_signed(), 0)
}
