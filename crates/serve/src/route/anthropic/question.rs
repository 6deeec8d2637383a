//! What a message request asks, translated: blocks to messages, tools, thinking.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use text::{
    message::{Content, FunctionCall, Message, Tool, ToolCall},
    template::RenderRequest,
};

use crate::{
    ask::{Ask, Chat, Ends, Parallel, Prompt, ToolChoice},
    fault::Fault,
    field::{Field, Fields, Kind, Object, honoured, neutral, only, required, shared, shown},
    id,
    model::Model,
    route::openai::question::{MESSAGES_MAX, TOOLS_MAX, think},
};

/// Fields of both routes.
pub(super) const SHARED: &[Field] = &[
    honoured("model", Kind::Text, "which model; the first one where it is left out"),
    required(
        "messages",
        Kind::List("{\"type\": \"object\", \"required\": [\"role\", \"content\"]}"),
        "the conversation: text, tool_use, tool_result and thinking blocks",
    ),
    honoured(
        "system",
        Kind::Any("{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\"}]}"),
        "instructions for the whole conversation",
    ),
    honoured("tools", Kind::List("{\"type\": \"object\"}"), "functions the model may call"),
    honoured(
        "tool_choice",
        Kind::Object(
            "{\"required\": [\"type\"], \"properties\": {\"type\": {\"enum\": [\"auto\", \"any\", \"tool\", \"none\"]}}}",
        ),
        "whether tools are to be called; disable_parallel_tool_use for one call",
    ),
    honoured(
        "thinking",
        Kind::Object(
            "{\"required\": [\"type\"], \"properties\": {\"type\": {\"enum\": [\"enabled\", \"disabled\", \"adaptive\"]}}}",
        ),
        "whether to think first, where the template has a switch; a budget is not enforced and is listed in x-freehold-ignored",
    ),
    neutral(
        "cache_control",
        Kind::Object("{}"),
        "computed prefixes are kept and found by themselves",
    ),
    only("mcp_servers", &["[]"], "no server is called on a request's behalf"),
    only("container", &[], "there are no containers"),
];

/// Fields of the route that answers.
pub(super) const ANSWER: &[Field] = &[
    required("max_tokens", Kind::Whole(1, 1 << 24), "tokens of the answer, at most"),
    honoured("temperature", Kind::Real(0.0, 100.0), "0 takes the best token every time"),
    honoured(
        "top_p",
        Kind::Real(0.0, 1.0),
        "keep the fewest tokens whose probabilities reach this",
    ),
    honoured("top_k", Kind::Whole(-1, 1 << 24), "keep the k best tokens"),
    honoured(
        "stop_sequences",
        Kind::List("{\"type\": \"string\"}"),
        "texts before which the answer ends",
    ),
    honoured("stream", Kind::Flag, "send the answer as it comes"),
    neutral("metadata", Kind::Object("{}"), "nothing depends on it"),
    only("service_tier", &["\"auto\"", "\"standard_only\""], "there is one tier"),
];

/// The conversation of a request.
pub(super) fn chat(fields: &mut Fields, model: &Model) -> Result<Chat, Fault> {
    let items = match fields.take("messages") {
        Some(Json::Array(items)) => items,
        _ => vec![],
    };
    if items.is_empty() || items.len() > MESSAGES_MAX {
        let message = format!("messages has {} entries, expected 1 to {MESSAGES_MAX}", items.len());
        return Err(Fault::field("messages", message));
    }
    let mut messages = vec![];
    if let Some(system) = fields.take("system") {
        messages.push(Message::new("system", texts("system", &system)?));
    }
    for (at, item) in items.iter().enumerate() {
        message(at, item, &mut messages)?;
    }
    let tools = tools(fields.take("tools"))?;
    let request = RenderRequest {
        tools: (!tools.is_empty()).then_some(&tools[..]),
        ..RenderRequest::default()
    };
    let template = model.template(&request)?;
    let mut arguments = Map::new();
    if let Some(thinking) = fields.object("thinking")? {
        thinking.only(&["type", "budget_tokens", "display"])?;
        match thinking.needed("type")? {
            "enabled" => think("high", &template, &mut arguments).map_err(renamed)?,
            "disabled" => think("none", &template, &mut arguments).map_err(renamed)?,
            "adaptive" => {}
            other => {
                let message = format!(
                    "thinking.type is {:?}, expected enabled, disabled or adaptive",
                    shown(&json!(other))
                );
                return Err(Fault::field("thinking.type", message));
            }
        }
    }
    let (tool_choice, parallel) = tool_choice(fields)?;
    if tools.is_empty() && matches!(tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return Err(Fault::field(
            "tool_choice",
            "tool_choice asks for a call and there are no tools",
        ));
    }
    Ok(Chat { messages, tools, tool_choice, parallel, arguments, ..Chat::default() })
}

fn renamed(fault: Fault) -> Fault {
    Fault { param: Some("thinking".to_owned()), ..fault }
}

/// What is listed as not enforced.
pub(super) fn ignored(fields: &Fields) -> Option<&'static str> {
    let thinking = fields.get("thinking")?;
    thinking.get("budget_tokens").map(|_| "thinking.budget_tokens")
}

/// Text, or blocks of text.
fn texts(path: &str, value: &Json) -> Result<String, Fault> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Array(blocks) => {
            let text = |(at, block): (usize, &Json)| {
                let block = Object::new(format!("{path}[{at}]"), block)?;
                match block.needed("type")? {
                    "text" => Ok(block.needed("text")?.to_owned()),
                    kind => Err(strange(&block, kind)),
                }
            };
            let all: Vec<String> = blocks.iter().enumerate().map(text).collect::<Result<_, _>>()?;
            Ok(all.join("\n"))
        }
        other => Err(Fault::field(
            path,
            format!("{path} is {}, expected a text or blocks", shown(other)),
        )),
    }
}

fn strange(block: &Object<'_>, kind: &str) -> Fault {
    let path = block.path("type");
    let message =
        format!("{path} is {}; blocks of that kind are not honoured here", shown(&json!(kind)));
    Fault::field(path, message).with_code("unsupported_content")
}

/// One message may become several: results of tools are messages of their own.
fn message(at: usize, item: &Json, out: &mut Vec<Message>) -> Result<(), Fault> {
    let path = format!("messages[{at}]");
    let object = Object::new(&path, item)?;
    object.only(&["role", "content"])?;
    let role = object.needed("role")?;
    if !matches!(role, "user" | "assistant" | "system") {
        let path = object.path("role");
        return Err(Fault::field(path, "the role is user or assistant"));
    }
    let content = object
        .get("content")
        .ok_or_else(|| Fault::field(object.path("content"), "the content is missing"))?;
    let Json::Array(blocks) = content else {
        out.push(Message::new(role, texts(&object.path("content"), content)?));
        return Ok(());
    };
    let (mut said, mut thought, mut calls) = (vec![], vec![], vec![]);
    for (at, block) in blocks.iter().enumerate() {
        let block = Object::new(format!("{path}.content[{at}]"), block)?;
        match block.needed("type")? {
            "text" => said.push(block.needed("text")?.to_owned()),
            "thinking" => thought.push(block.needed("thinking")?.to_owned()),
            "tool_use" => calls.push(ToolCall {
                id: Some(block.needed("id")?.to_owned()),
                kind: Some("function".to_owned()),
                function: FunctionCall {
                    name: block.needed("name")?.to_owned(),
                    arguments: block.get("input").cloned().unwrap_or_else(|| json!({})),
                },
                extra: Map::new(),
            }),
            "tool_result" => {
                let result = match block.get("content") {
                    Some(content) => texts(&block.path("content"), content)?,
                    None => String::new(),
                };
                let mut message = Message::new("tool", result);
                message.tool_call_id = Some(block.needed("tool_use_id")?.to_owned());
                out.push(message);
            }
            kind => return Err(strange(&block, kind)),
        }
    }
    if said.is_empty() && thought.is_empty() && calls.is_empty() {
        return Ok(());
    }
    let mut message = Message::new(role, said.join("\n"));
    if said.is_empty() {
        message.content = Content::Text(String::new());
    }
    message.reasoning_content = (!thought.is_empty()).then(|| thought.join("\n"));
    message.tool_calls = (!calls.is_empty()).then_some(calls);
    out.push(message);
    Ok(())
}

fn tools(value: Option<Json>) -> Result<Vec<Tool>, Fault> {
    let Some(Json::Array(items)) = value else { return Ok(vec![]) };
    if items.len() > TOOLS_MAX {
        let message =
            format!("tools has {} entries, at most {TOOLS_MAX} are accepted", items.len());
        return Err(Fault::field("tools", message));
    }
    let tool = |(at, item): (usize, &Json)| {
        let object = Object::new(format!("tools[{at}]"), item)?;
        if let Some(kind) = object.text("type")?.filter(|kind| *kind != "custom") {
            return Err(strange(&object, kind));
        }
        object.only(&["type", "name", "description", "input_schema", "cache_control", "strict"])?;
        let mut function = Map::new();
        function.insert("name".to_owned(), json!(object.needed("name")?));
        if let Some(about) = object.text("description")? {
            function.insert("description".to_owned(), json!(about));
        }
        function.insert(
            "parameters".to_owned(),
            object.get("input_schema").cloned().unwrap_or_else(|| json!({"type": "object"})),
        );
        serde_json::from_value(json!({"type": "function", "function": function}))
            .map_err(|_| Fault::field(format!("tools[{at}]"), "the tool cannot be read"))
    };
    items.iter().enumerate().map(tool).collect()
}

fn tool_choice(fields: &Fields) -> Result<(ToolChoice, Parallel), Fault> {
    let Some(object) = fields.object("tool_choice")? else {
        return Ok((ToolChoice::Auto, Parallel::Yes));
    };
    object.only(&["type", "name", "disable_parallel_tool_use"])?;
    let one = object.flag("disable_parallel_tool_use")? == Some(true);
    let choice = match object.needed("type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(object.needed("name")?.to_owned()),
        other => {
            let message = format!(
                "tool_choice.type is {}, expected auto, any, tool or none",
                shown(&json!(other))
            );
            return Err(Fault::field("tool_choice.type", message));
        }
    };
    Ok((choice, if one { Parallel::No } else { Parallel::Yes }))
}

/// Everything but the prompt.
pub(super) fn ask(fields: &Fields, model: &Arc<Model>, chat: Chat) -> Result<Ask, Fault> {
    let mut sampler = model.sampler();
    sampler.seed = id::seed();
    shared::sample(fields, &mut sampler, model.runner().vocab())?;
    let stop = fields.texts("stop_sequences");
    if stop.len() > 64 || stop.iter().any(String::is_empty) {
        return Err(Fault::field(
            "stop_sequences",
            "stop_sequences are at most 64 texts, none empty",
        ));
    }
    Ok(Ask {
        model: Arc::clone(model),
        prompt: Prompt::Chat(Box::new(chat)),
        choices: 1,
        sampler,
        max_tokens: fields.whole("max_tokens").and_then(|n| usize::try_from(n).ok()),
        min_tokens: 0,
        stop,
        ends: Ends::Heeded,
        shape: None,
        prompt_logprobs: None,
        salt: vec![],
        priority: engine::Priority::Normal,
        deadline: None,
    })
}
