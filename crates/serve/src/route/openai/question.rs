//! What a chat request asks, translated: messages, tools, shape of the answer, and the numbers all
//! routes of this family share.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use text::{
    grammar::Grammar,
    message::{Content, Document, Message, Tool},
    template::{ChatTemplate, Ending, RenderRequest},
};

use crate::{
    ask::{Ask, Chat, Ends, Parallel, Prompt, ToolChoice},
    fault::Fault,
    field::{Field, Fields, Kind, Object, honoured, required, shared, shown},
    gate::Caller,
    id,
    model::Model,
};

const MESSAGE: &str = r#"{"type": "object", "required": ["role"], "properties": {"role": {"type": "string"}, "content": {}, "reasoning_content": {"type": ["string", "null"]}, "reasoning": {"type": ["string", "null"]}, "tool_calls": {"type": ["array", "null"]}, "tool_call_id": {"type": ["string", "null"]}, "name": {"type": ["string", "null"]}}}"#;

/// Fields of every route that takes a conversation.
pub(crate) const MESSAGES: &[Field] = &[
    required("messages", Kind::List(MESSAGE), "the conversation"),
    TOOLS,
    DOCUMENTS,
    KWARGS,
    EFFORT,
    GENERATE,
    CONTINUE,
];

/// The same where a conversation is one of several ways to ask.
pub(crate) const MESSAGES_MAYBE: &[Field] = &[
    honoured("messages", Kind::List(MESSAGE), "the conversation"),
    TOOLS,
    DOCUMENTS,
    KWARGS,
    EFFORT,
    GENERATE,
    CONTINUE,
];

const TOOLS: Field = honoured(
    "tools",
    Kind::List("{\"type\": \"object\"}"),
    "functions the model may call; arguments are held to their schemas where the notation allows",
);
const DOCUMENTS: Field = honoured(
    "documents",
    Kind::List("{\"type\": \"object\"}"),
    "documents to answer from, where the template knows them",
);
const KWARGS: Field = honoured(
    "chat_template_kwargs",
    Kind::Object("{}"),
    "arguments of the template's own, such as enable_thinking",
);
const EFFORT: Field = honoured(
    "reasoning_effort",
    Kind::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    "how long to think, where the template has a switch for it",
);
const GENERATE: Field = honoured(
    "add_generation_prompt",
    Kind::Flag,
    "end the prompt with what makes the model answer; true by itself",
);
const CONTINUE: Field =
    honoured("continue_final_message", Kind::Flag, "go on inside the last message");

/// Messages of a conversation, at most.
pub(crate) const MESSAGES_MAX: usize = 16_384;
/// Tools, at most.
pub(crate) const TOOLS_MAX: usize = 1024;

/// A conversation and everything that goes into its prompt.
pub(crate) fn chat(fields: &mut Fields, model: &Model) -> Result<Chat, Fault> {
    let messages = match fields.take("messages") {
        Some(Json::Array(items)) => items,
        _ => vec![],
    };
    if messages.is_empty() {
        return Err(Fault::field("messages", "messages is empty, expected at least one"));
    }
    if messages.len() > MESSAGES_MAX {
        let message =
            format!("messages has {} entries, at most {MESSAGES_MAX} are accepted", messages.len());
        return Err(Fault::field("messages", message));
    }
    let tools = tools(fields.take("tools"))?;
    let documents = documents(fields.take("documents"))?;
    let request = RenderRequest {
        tools: (!tools.is_empty()).then_some(&tools[..]),
        documents: (!documents.is_empty()).then_some(&documents[..]),
        ..RenderRequest::default()
    };
    let template = model.template(&request)?;
    let messages: Vec<Message> = messages
        .into_iter()
        .enumerate()
        .map(|(at, message)| self::message(at, message, &template))
        .collect::<Result<_, _>>()?;
    let mut arguments = match fields.take("chat_template_kwargs") {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    };
    if let Some(effort) = fields.text("reasoning_effort") {
        think(effort, &template, &mut arguments)?;
    }
    let ending = match (fields.flag("add_generation_prompt"), fields.flag("continue_final_message"))
    {
        (Some(true), Some(true)) => {
            let message = "add_generation_prompt and continue_final_message cannot both be true";
            return Err(Fault::field("continue_final_message", message));
        }
        (_, Some(true)) => Ending::ContinueFinal,
        (Some(false), _) => Ending::Complete,
        _ => Ending::GenerationPrompt,
    };
    Ok(Chat { messages, tools, documents, arguments, ending, ..Chat::default() })
}

/// Fields of a message that we read ourselves.
const KNOWN: [&str; 7] =
    ["role", "content", "reasoning", "reasoning_content", "tool_calls", "tool_call_id", "name"];

/// One message: only text, only fields that the template or we understand.
fn message(at: usize, value: Json, template: &ChatTemplate) -> Result<Message, Fault> {
    let path = format!("messages[{at}]");
    let object = Object::new(&path, &value)?;
    let role = object.needed("role")?;
    if role.is_empty() || role.len() > 64 {
        return Err(Fault::field(object.path("role"), "the role is empty or too long"));
    }
    for (name, value) in object.map() {
        let asks_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !KNOWN.contains(&name.as_str())
            && !asks_nothing
            && !template.source().contains(name.as_str())
        {
            let path = object.path(name);
            let message =
                format!("{path:?} is not honoured: the model's template does not read it");
            return Err(Fault::field(path, message).with_code("unsupported_parameter"));
        }
    }
    if let Some(Json::Array(parts)) = object.get("content") {
        for (part, value) in parts.iter().enumerate() {
            let part = Object::new(format!("{path}.content[{part}]"), value)?;
            let kind = part.needed("type")?;
            if !matches!(kind, "text" | "input_text" | "output_text" | "refusal") {
                let path = part.path("type");
                let message =
                    format!("{path} is {:?}; this model takes text only", shown(&Json::from(kind)));
                return Err(Fault::field(path, message).with_code("unsupported_content"));
            }
            part.needed(if kind == "refusal" { "refusal" } else { "text" })?;
        }
    }
    // A developer is who a system prompt comes from, to templates that know no developers.
    let developer = role == "developer" && !template.source().contains("developer");
    let mut message: Message = serde_json::from_value(value).map_err(|error| {
        let message = format!("{path} is no message: {}", plain(&error));
        Fault::field(path.clone(), message)
    })?;
    if developer {
        "system".clone_into(&mut message.role);
    }
    if let Content::Parts(parts) = &message.content {
        // Many templates read text only; parts of text are text.
        message.content = Content::Text(
            parts.iter().filter_map(|part| part.text()).collect::<Vec<_>>().join("\n"),
        );
    }
    Ok(message)
}

/// What serde says, without what the client sent.
fn plain(error: &serde_json::Error) -> &'static str {
    if error.is_data() { "a field has a wrong type" } else { "it is malformed" }
}

fn tools(value: Option<Json>) -> Result<Vec<Tool>, Fault> {
    let Some(Json::Array(items)) = value else { return Ok(vec![]) };
    if items.len() > TOOLS_MAX {
        let message =
            format!("tools has {} entries, at most {TOOLS_MAX} are accepted", items.len());
        return Err(Fault::field("tools", message));
    }
    let mut seen = std::collections::HashSet::new();
    let read = |(at, item): (usize, Json)| {
        let path = format!("tools[{at}]");
        let object = Object::new(&path, &item)?;
        object.only(&["type", "function"])?;
        if object.needed("type")? != "function" {
            return Err(Fault::field(
                object.path("type"),
                "only tools of the type function are honoured",
            )
            .with_code("unsupported_parameter"));
        }
        let function = object.object("function")?;
        let function = function
            .ok_or_else(|| Fault::field(object.path("function"), "the function is missing"))?;
        function.only(&["name", "description", "parameters", "strict"])?;
        let name = function.needed("name")?.to_owned();
        let sound = (1..=128).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c));
        if !sound {
            return Err(Fault::field(
                function.path("name"),
                "a tool's name is 1 to 128 letters, digits, _ - . :",
            ));
        }
        if !seen.insert(name) {
            return Err(Fault::field(function.path("name"), "two tools have the same name"));
        }
        serde_json::from_value(item).map_err(|error: serde_json::Error| {
            Fault::field(path, format!("the tool cannot be read: {}", plain(&error)))
        })
    };
    items.into_iter().enumerate().map(read).collect()
}

fn documents(value: Option<Json>) -> Result<Vec<Document>, Fault> {
    let Some(value) = value else { return Ok(vec![]) };
    serde_json::from_value(value).map_err(|_| Fault::field("documents", "documents are objects"))
}

/// Whether to call tools.
pub(crate) fn tool_choice(fields: &Fields) -> Result<ToolChoice, Fault> {
    let wrong = || {
        let message = "tool_choice is none, auto, required, or {\"type\": \"function\", \"function\": {\"name\": …}}";
        Fault::field("tool_choice", message).with_code("unsupported_parameter")
    };
    match fields.get("tool_choice") {
        None => Ok(ToolChoice::Auto),
        Some(Json::String(word)) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(wrong()),
        },
        Some(value) => {
            let object = Object::new("tool_choice", value)?;
            object.only(&["type", "function"])?;
            if object.text("type")? != Some("function") {
                return Err(wrong());
            }
            let function = object.object("function")?.ok_or_else(wrong)?;
            function.only(&["name"])?;
            Ok(ToolChoice::Named(function.needed("name")?.to_owned()))
        }
    }
}

/// How long to think, by the switch the template has.
pub(crate) fn think(
    effort: &str,
    template: &ChatTemplate,
    arguments: &mut Map<String, Json>,
) -> Result<(), Fault> {
    if template.mentions("reasoning_effort") {
        arguments.insert("reasoning_effort".to_owned(), json!(effort));
        return Ok(());
    }
    let switch = ["enable_thinking", "thinking"].into_iter().find(|name| template.mentions(name));
    match switch {
        Some(switch) => {
            arguments.entry(switch).or_insert(json!(effort != "none"));
            Ok(())
        }
        // A model that does not think does as it is told.
        None if effort == "none" && Model::reasoning(template).is_none() => Ok(()),
        None => {
            let message = "this model's template has no switch for how long to think";
            Err(Fault::field("reasoning_effort", message).with_code("unsupported_parameter"))
        }
    }
}

/// What the answer must look like, if it must.
pub(crate) fn shape(fields: &Fields) -> Result<Option<Grammar>, Fault> {
    let mut shapes: Vec<(&'static str, Grammar)> = vec![];
    if let Some(format) = fields.object("response_format")? {
        shapes.extend(response_format(&format)?.map(|grammar| ("response_format", grammar)));
    }
    if let Some(schema) = fields.get("guided_json") {
        shapes.push(("guided_json", of_json(schema, "guided_json")?));
    }
    if let Some(pattern) = fields.text("guided_regex") {
        shapes.push(("guided_regex", Grammar::Pattern(pattern.to_owned())));
    }
    if fields.has("guided_choice") {
        let texts = fields.texts("guided_choice");
        shapes.push(("guided_choice", Grammar::Choice(texts)));
    }
    if let Some(source) = fields.text("guided_grammar") {
        shapes.push(("guided_grammar", Grammar::Lark(source.to_owned())));
    }
    if let Some(outputs) = fields.object("structured_outputs")? {
        shapes.extend(
            structured(&outputs)?.into_iter().map(|grammar| ("structured_outputs", grammar)),
        );
    }
    if let [(first, _), (second, _), ..] = &shapes[..] {
        let message =
            format!("{first} and {second} both say what the answer must look like; give one");
        return Err(Fault::field(*second, message));
    }
    Ok(shapes.pop().map(|(_, grammar)| grammar))
}

fn response_format(format: &Object<'_>) -> Result<Option<Grammar>, Fault> {
    match format.needed("type")? {
        "text" => {
            format.only(&["type"])?;
            Ok(None)
        }
        "json_object" => {
            format.only(&["type", "schema"])?;
            Ok(Some(match format.get("schema") {
                Some(schema) => of_json(schema, "response_format.schema")?,
                None => Grammar::Object,
            }))
        }
        "json_schema" => {
            format.only(&["type", "json_schema"])?;
            let wrapper = format.object("json_schema")?.ok_or_else(|| {
                Fault::field(
                    "response_format.json_schema",
                    "response_format.json_schema is missing",
                )
            })?;
            wrapper.only(&["name", "description", "schema", "strict"])?;
            wrapper.flag("strict")?;
            let schema = wrapper.get("schema").ok_or_else(|| {
                Fault::field("response_format.json_schema.schema", "the schema is missing")
            })?;
            Ok(Some(Grammar::Schema(schema.clone())))
        }
        "regex" => {
            format.only(&["type", "pattern"])?;
            Ok(Some(Grammar::Pattern(format.needed("pattern")?.to_owned())))
        }
        "grammar" | "lark" => {
            format.only(&["type", "grammar"])?;
            Ok(Some(Grammar::Lark(format.needed("grammar")?.to_owned())))
        }
        _ => {
            let message =
                "response_format.type is one of text, json_object, json_schema, regex, lark";
            Err(Fault::field("response_format.type", message).with_code("unsupported_parameter"))
        }
    }
}

fn structured(outputs: &Object<'_>) -> Result<Vec<Grammar>, Fault> {
    outputs.only(&["json", "regex", "choice", "grammar", "json_object"])?;
    let mut shapes = vec![];
    if let Some(schema) = outputs.get("json") {
        shapes.push(of_json(schema, "structured_outputs.json")?);
    }
    if let Some(pattern) = outputs.text("regex")? {
        shapes.push(Grammar::Pattern(pattern.to_owned()));
    }
    if let Some(texts) = outputs.list("choice")? {
        let text = |text: &Json| text.as_str().map(str::to_owned);
        let texts: Option<Vec<String>> = texts.iter().map(text).collect();
        let wrong = || Fault::field("structured_outputs.choice", "the choices are texts");
        shapes.push(Grammar::Choice(texts.ok_or_else(wrong)?));
    }
    if let Some(source) = outputs.text("grammar")? {
        shapes.push(Grammar::Lark(source.to_owned()));
    }
    if outputs.flag("json_object")? == Some(true) {
        shapes.push(Grammar::Object);
    }
    Ok(shapes)
}

/// A schema, or the text of one.
fn of_json(schema: &Json, path: &'static str) -> Result<Grammar, Fault> {
    match schema {
        Json::String(text) => serde_json::from_str(text)
            .map(Grammar::Schema)
            .map_err(|_| Fault::field(path, format!("{path} is no JSON"))),
        schema => Ok(Grammar::Schema(schema.clone())),
    }
}

/// Everything but the prompt, as all routes of this family say it.
pub(crate) fn ask(
    fields: &Fields,
    model: &Arc<Model>,
    caller: &Caller,
    prompt: Prompt,
) -> Result<Ask, Fault> {
    let mut sampler = model.sampler();
    sampler.seed = id::seed();
    shared::sample(fields, &mut sampler, model.runner().vocab())?;
    let size = |name: &str| fields.whole(name).and_then(|n| usize::try_from(n).ok());
    let stop = fields.texts("stop");
    if stop.iter().any(String::is_empty) {
        return Err(Fault::field(
            "stop",
            "stop holds an empty text, which would end every answer at once",
        ));
    }
    let (least, most) = (size("min_tokens").unwrap_or(0), size("max_tokens"));
    if most.is_some_and(|most| least > most) {
        return Err(Fault::field("min_tokens", "min_tokens is more than max_tokens"));
    }
    let priority = match fields.whole("priority").unwrap_or(0) {
        0 => engine::Priority::Normal,
        n if n < 0 => engine::Priority::Background,
        _ if caller.is_admin() => engine::Priority::Urgent,
        _ => return Err(Fault::field("priority", "only keys of the scope admin may be urgent")),
    };
    let ignored = fields.flag("ignore_eos") == Some(true);
    Ok(Ask {
        model: Arc::clone(model),
        prompt,
        choices: fields.whole("n").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        sampler,
        max_tokens: most,
        min_tokens: least,
        stop,
        ends: if ignored { Ends::Ignored } else { Ends::Heeded },
        shape: shape(fields)?,
        prompt_logprobs: None,
        salt: fields.text("cache_salt").unwrap_or_default().as_bytes().to_vec(),
        priority,
        deadline: None,
    })
}

/// Whether several calls may come.
pub(crate) fn parallel(fields: &Fields) -> Parallel {
    match fields.flag("parallel_tool_calls") {
        Some(false) => Parallel::No,
        _ => Parallel::Yes,
    }
}

/// Whether a last piece with the usage was asked for.
pub(crate) fn include_usage(fields: &Fields) -> Result<bool, Fault> {
    let Some(options) = fields.object("stream_options")? else { return Ok(false) };
    if fields.flag("stream") != Some(true) {
        return Err(Fault::field("stream_options", "stream_options needs stream: true"));
    }
    options.only(&["include_usage", "include_obfuscation"])?;
    if options.flag("include_obfuscation")? == Some(true) {
        let path = "stream_options.include_obfuscation";
        return Err(Fault::field(path, "padding of pieces is not honoured")
            .with_code("unsupported_parameter"));
    }
    Ok(options.flag("include_usage")?.unwrap_or(false))
}
