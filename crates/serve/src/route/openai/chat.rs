//! `POST /v1/chat/completions`.

mod events;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{
    super::{Answer, Call, Handling, Route, Verb},
    question, wire,
};
use crate::{
    answer::{Finish, Usage},
    ask::Prompt,
    fault::{Family, Fault, json_response},
    field::{Field, Kind, honoured, neutral, only, shared},
    gate::Access,
    generate::{
        self, Answers,
        whole::{Call as ToolCall, Whole, gather},
    },
    id,
    key::{self, Scope},
    model::Model,
};

const CHAT: &[Field] = &[
    honoured("model", Kind::Text, "which model; the first one where it is left out"),
    honoured("max_tokens", Kind::Whole(1, 1 << 24), "tokens of an answer, at most (older name)"),
    honoured("max_completion_tokens", Kind::Whole(1, 1 << 24), "tokens of an answer, at most"),
    honoured("logprobs", Kind::Flag, "the log-probability of each token of the answer's text"),
    honoured("top_logprobs", Kind::Whole(0, 20), "and of so many others in its place"),
    honoured(
        "tool_choice",
        Kind::Any(
            "{\"anyOf\": [{\"type\": \"string\", \"enum\": [\"none\", \"auto\", \"required\", \"any\"]}, {\"type\": \"object\"}]}",
        ),
        "whether tools are to be called",
    ),
    honoured("parallel_tool_calls", Kind::Flag, "whether several calls may come at once"),
    honoured(
        "response_format",
        Kind::Object(
            "{\"required\": [\"type\"], \"properties\": {\"type\": {\"type\": \"string\"}}}",
        ),
        "text, json_object, json_schema, regex or lark",
    ),
    neutral("metadata", Kind::Object("{}"), "nothing is stored, so there is nothing to tag"),
    neutral("safety_identifier", Kind::Text, "nothing depends on it"),
    neutral("prompt_cache_key", Kind::Text, "computed prefixes are found by themselves"),
    neutral("prompt_cache_retention", Kind::Text, "prefixes are kept as long as there is room"),
    only("store", &["false"], "nothing is stored"),
    only("service_tier", &["\"auto\"", "\"default\""], "there is one tier"),
    only("modalities", &["[\"text\"]"], "text is all there is"),
    only("verbosity", &["\"medium\""], "no template has such a switch"),
    only("audio", &[], "text is all there is"),
    only("prediction", &[], "predicted outputs are not supported"),
    only("web_search_options", &[], "there is no web search"),
    only("functions", &["[]"], "give tools"),
    only("function_call", &["\"none\"", "\"auto\""], "give tool_choice"),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/v1/chat/completions",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "An answer in a conversation",
    fields: &[CHAT, question::MESSAGES, shared::COMMON, shared::SAMPLER, shared::SHAPE],
    answer: Answer::JsonOrEvents("ChatCompletion", "ChatChunk"),
    handle,
};

/// What every piece of an answer bears.
struct Header {
    id: String,
    created: u64,
    model: std::sync::Arc<Model>,
    fingerprint: String,
}

impl Header {
    fn object(&self, kind: &str) -> Json {
        json!({
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model.name(),
            "system_fingerprint": self.fingerprint,
        })
    }
}

fn handle(mut call: Call) -> Handling {
    Box::pin(async move {
        let fields = &mut call.fields;
        let model = call.state.model(&call.caller, fields.text("model")).await?;
        let mut chat = question::chat(fields, &model)?;
        chat.tool_choice = question::tool_choice(fields)?;
        chat.parallel = question::parallel(fields);
        if chat.tools.is_empty()
            && fields.has("tool_choice")
            && chat.tool_choice != crate::ask::ToolChoice::None
            && chat.tool_choice != crate::ask::ToolChoice::Auto
        {
            return Err(Fault::field(
                "tool_choice",
                "tool_choice asks for a call and there are no tools",
            ));
        }
        let mut ask = question::ask(fields, &model, &call.caller, Prompt::Chat(Box::new(chat)))?;
        ask.max_tokens = most(fields.whole("max_tokens"), fields.whole("max_completion_tokens"))?;
        let top = fields.whole("top_logprobs").and_then(|n| u32::try_from(n).ok());
        ask.sampler.logprobs = match (fields.flag("logprobs"), top) {
            (Some(true), top) => Some(top.unwrap_or(0)),
            (_, Some(1..)) => {
                return Err(Fault::field("top_logprobs", "top_logprobs needs logprobs: true"));
            }
            _ => None,
        };
        let streams = fields.flag("stream") == Some(true);
        let include_usage = question::include_usage(fields)?;
        let logprobs = ask.sampler.logprobs.is_some();
        let answers = generate::begin(&call.state, &call.caller, ask).await?;
        let header = Header {
            id: id::new("chatcmpl-"),
            created: key::now(),
            fingerprint: format!("freehold-{}", call.state.version),
            model,
        };
        let seed = HeaderValue::from(answers.seed);
        let mut response = if streams {
            events::stream(header, answers, include_usage, logprobs)
        } else {
            json_response(StatusCode::OK, &whole(&header, answers, logprobs).await?)
        };
        response.headers_mut().insert(HeaderName::from_static("x-freehold-seed"), seed);
        Ok(response)
    })
}

/// The bound by either of its names.
fn most(old: Option<i64>, new: Option<i64>) -> Result<Option<usize>, Fault> {
    match (old, new) {
        (Some(old), Some(new)) if old != new => {
            let message = "max_tokens and max_completion_tokens are the same and differ";
            Err(Fault::field("max_completion_tokens", message))
        }
        (old, new) => Ok(new.or(old).and_then(|n| usize::try_from(n).ok())),
    }
}

/// What went wrong with a call, with its text.
fn malformed(text: &str, reason: &str) -> Json {
    json!({
        "type": "malformed_tool_call",
        "code": "malformed_tool_call",
        "message": format!("the model wrote a call that cannot be read: {reason}"),
        "param": null,
        "text": text,
    })
}

fn told(whole: Whole, index: usize, model: &Model, logprobs: bool) -> Json {
    let finish = whole.finish.unwrap_or(Finish::Cancelled);
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let silent = whole.text.is_empty() && !whole.calls.is_empty();
    message.insert("content".to_owned(), if silent { Json::Null } else { json!(whole.text) });
    if !whole.reasoning.is_empty() {
        // Clients read either name.
        message.insert("reasoning_content".to_owned(), json!(whole.reasoning));
        message.insert("reasoning".to_owned(), json!(whole.reasoning));
    }
    if !whole.calls.is_empty() {
        let calls = whole.calls.into_values().map(|ToolCall { id, name, arguments }| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        });
        message.insert("tool_calls".to_owned(), Json::Array(calls.collect()));
    }
    message.insert("refusal".to_owned(), Json::Null);
    let mut choice = json!({
        "index": index,
        "message": message,
        "logprobs": logprobs.then(|| wire::chat_logprobs(model.tokenizer(), &whole.tokens)),
        "finish_reason": finish.openai(),
    });
    if let Finish::StopText(text) = &finish {
        choice["stop_reason"] = json!(text);
    }
    if let Some((text, reason)) = &whole.malformed {
        choice["error"] = malformed(text, reason);
    }
    choice
}

/// The whole answer at once.
async fn whole(header: &Header, answers: Answers, logprobs: bool) -> Result<Json, Fault> {
    let choices = gather(answers).await?;
    let usage = choices.iter().fold(Usage::default(), |sum, choice| sum.and(choice.usage));
    let mut body = header.object("chat.completion");
    let choices: Vec<Json> = choices
        .into_iter()
        .enumerate()
        .map(|(index, choice)| told(choice, index, &header.model, logprobs))
        .collect();
    body["choices"] = Json::Array(choices);
    body["usage"] = wire::usage(&usage);
    Ok(body)
}
