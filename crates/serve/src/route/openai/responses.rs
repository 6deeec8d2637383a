//! `POST /v1/responses`: a conversation as items. Nothing is stored, so every request brings its whole
//! conversation, and `store`, `previous_response_id` and `background` are refused where they ask for more.

mod events;
mod items;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{
    super::{Answer, Call, Handling, Route, Verb},
    question,
};
use crate::{
    answer::{Finish, Usage},
    ask::Prompt,
    fault::{Family, Fault, json_response},
    field::{Field, Fields, Kind, Object, honoured, neutral, only, required, shared},
    gate::Access,
    generate::{
        self,
        whole::{Whole, gather},
    },
    id,
    key::{self, Scope},
};

const INPUT: &str =
    r#"{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}"#;

const FIELDS: &[Field] = &[
    honoured("model", Kind::Text, "which model; the first one where it is left out"),
    required(
        "input",
        Kind::Any(INPUT),
        "a text, or items: messages, function_call, function_call_output, reasoning",
    ),
    honoured("instructions", Kind::Text, "instructions for the whole conversation"),
    honoured("max_output_tokens", Kind::Whole(1, 1 << 24), "tokens of the answer, at most"),
    honoured("temperature", Kind::Real(0.0, 100.0), "0 takes the best token every time"),
    honoured(
        "top_p",
        Kind::Real(0.0, 1.0),
        "keep the fewest tokens whose probabilities reach this",
    ),
    honoured("seed", Kind::Whole(i64::MIN, i64::MAX), "the same seed gives the same answer"),
    honoured("tools", Kind::List("{\"type\": \"object\"}"), "functions the model may call"),
    honoured(
        "tool_choice",
        Kind::Any(
            "{\"anyOf\": [{\"enum\": [\"none\", \"auto\", \"required\"]}, {\"type\": \"object\"}]}",
        ),
        "whether tools are to be called",
    ),
    honoured("parallel_tool_calls", Kind::Flag, "whether several calls may come at once"),
    honoured("text", Kind::Object("{}"), "format: text, json_object or json_schema"),
    honoured("reasoning", Kind::Object("{}"), "effort, where the template has a switch for it"),
    honoured("stream", Kind::Flag, "send the answer as it comes"),
    neutral("metadata", Kind::Object("{}"), "nothing is stored; it is given back"),
    neutral("user", Kind::Text, "nothing depends on it"),
    neutral("safety_identifier", Kind::Text, "nothing depends on it"),
    neutral("prompt_cache_key", Kind::Text, "computed prefixes are found by themselves"),
    only("store", &["false"], "nothing is stored"),
    only("background", &["false"], "an answer lives as long as its request"),
    only("previous_response_id", &[], "nothing is stored: send the conversation"),
    only("conversation", &[], "nothing is stored: send the conversation"),
    only("include", &["[]"], "everything there is is given"),
    only("truncation", &["\"disabled\""], "prompts are never cut"),
    only("service_tier", &["\"auto\"", "\"default\""], "there is one tier"),
    only("top_logprobs", &["0"], "use /v1/chat/completions"),
    only("max_tool_calls", &[], "there are no built-in tools to count"),
    only("prompt", &[], "there are no stored prompts"),
    only(
        "stream_options",
        &["{}", "{\"include_obfuscation\":false}"],
        "padding of pieces is not honoured",
    ),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/v1/responses",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "An answer to items, by OpenAI's newer API",
    fields: &[FIELDS, shared::SAMPLER],
    answer: Answer::JsonOrEvents("Response", "ResponseEvent"),
    handle,
};

/// What every state of a response bears.
struct Header {
    id: String,
    created: u64,
    model: String,
    /// Fields of the request that are given back.
    asked: Map<String, Json>,
}

impl Header {
    fn json(&self, status: &str, output: &[Json], usage: Option<&Usage>) -> Json {
        let mut body = json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Json::Null },
            "model": self.model,
            "output": output,
            "previous_response_id": null,
            "store": false,
            "truncation": "disabled",
            "usage": usage.map(counted),
        });
        for (name, value) in &self.asked {
            body[name] = value.clone();
        }
        body
    }
}

fn counted(usage: &Usage) -> Json {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    })
}

fn handle(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let header = Header {
            id: id::new("resp_"),
            created: key::now(),
            model: model.name().to_owned(),
            asked: given_back(&call.fields),
        };
        let streams = call.fields.flag("stream") == Some(true);
        let mut fields = as_chat(&mut call.fields)?;
        let mut chat = question::chat(&mut fields, &model).map_err(renamed)?;
        chat.tool_choice = question::tool_choice(&fields)?;
        chat.parallel = question::parallel(&fields);
        let mut ask = question::ask(&fields, &model, &call.caller, Prompt::Chat(Box::new(chat)))
            .map_err(renamed)?;
        ask.max_tokens = fields.whole("max_output_tokens").and_then(|n| usize::try_from(n).ok());
        let answers = generate::begin(&call.state, &call.caller, ask).await.map_err(renamed)?;
        let seed = HeaderValue::from(answers.seed);
        let mut response = if streams {
            events::stream(header, answers)
        } else {
            let choice = gather(answers).await?.into_iter().next();
            let choice = choice.ok_or_else(|| Fault::ours("the answer was cut off"))?;
            json_response(StatusCode::OK, &whole(&header, choice))
        };
        response.headers_mut().insert(HeaderName::from_static("x-freehold-seed"), seed);
        Ok(response)
    })
}

/// What clients expect to read again.
fn given_back(fields: &Fields) -> Map<String, Json> {
    let or =
        |name: &str, other: Json| (name.to_owned(), fields.get(name).cloned().unwrap_or(other));
    Map::from_iter([
        or("instructions", Json::Null),
        or("max_output_tokens", Json::Null),
        or("metadata", json!({})),
        or("parallel_tool_calls", json!(true)),
        or("reasoning", json!({"effort": null, "summary": null})),
        or("temperature", Json::Null),
        or("text", json!({"format": {"type": "text"}})),
        or("tool_choice", json!("auto")),
        or("tools", json!([])),
        or("top_p", Json::Null),
    ])
}

/// The same request in the shape of a chat completion.
fn as_chat(fields: &mut Fields) -> Result<Fields, Fault> {
    let mut asked = Map::new();
    let instructions = fields.text("instructions").map(str::to_owned);
    let input = fields.take("input").unwrap_or(Json::Null);
    asked.insert("messages".to_owned(), Json::Array(items::messages(instructions, &input)?));
    if let Some(text) = fields.object("text")? {
        text.only(&["format", "verbosity"])?;
        if text.text("verbosity")?.is_some_and(|verbosity| verbosity != "medium") {
            let path = text.path("verbosity");
            return Err(Fault::field(path, "no template has such a switch")
                .with_code("unsupported_parameter"));
        }
        if let Some(format) = text.object("format")? {
            asked.insert("response_format".to_owned(), items::format(&format)?);
        }
    }
    if let Some(reasoning) = fields.object("reasoning")? {
        reasoning.only(&["effort", "summary", "generate_summary"])?;
        if reasoning
            .get("summary")
            .or(reasoning.get("generate_summary"))
            .is_some_and(|s| *s != "auto")
        {
            let path = reasoning.path("summary");
            return Err(Fault::field(path, "reasoning is given whole, not summarised")
                .with_code("unsupported_parameter"));
        }
        if let Some(effort) = reasoning.text("effort")? {
            asked.insert("reasoning_effort".to_owned(), json!(effort));
        }
    }
    if let Some(Json::Array(tools)) = fields.take("tools") {
        asked.insert("tools".to_owned(), Json::Array(items::tools(&tools)?));
    }
    if let Some(choice) = fields.take("tool_choice") {
        asked.insert("tool_choice".to_owned(), items::tool_choice(&choice)?);
    }
    let same = ["temperature", "top_p", "seed", "parallel_tool_calls", "max_output_tokens"];
    let numbers = shared::SAMPLER.iter().map(|field| field.name);
    for name in same.into_iter().chain(numbers) {
        if let Some(value) = fields.take(name) {
            asked.insert(name.to_owned(), value);
        }
    }
    Ok(Fields::new(asked))
}

/// Faults name the fields of this API.
fn renamed(fault: Fault) -> Fault {
    let rename = |param: String| match param.strip_prefix("messages") {
        Some(rest) => format!("input{rest}"),
        None if param.starts_with("response_format") => "text.format".to_owned(),
        None if param == "reasoning_effort" => "reasoning.effort".to_owned(),
        None => param,
    };
    Fault { param: fault.param.map(rename), ..fault }
}

/// The whole response at once.
fn whole(header: &Header, choice: Whole) -> Json {
    let mut output = vec![];
    if !choice.reasoning.is_empty() {
        output.push(items::reasoning(&id::new("rs_"), &choice.reasoning));
    }
    if !choice.text.is_empty() || choice.calls.is_empty() {
        output.push(items::message(&id::new("msg_"), "completed", &choice.text));
    }
    for call in choice.calls.values() {
        output.push(items::call(
            &id::new("fc_"),
            "completed",
            &call.id,
            &call.name,
            &call.arguments,
        ));
    }
    let finish = choice.finish.unwrap_or(Finish::Cancelled);
    let mut body = header.json(status(&finish), &output, Some(&choice.usage));
    if let Some((text, reason)) = &choice.malformed {
        body["error"] = items::malformed(text, reason);
        body["status"] = json!("failed");
    }
    body
}

fn status(finish: &Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::Deadline => "incomplete",
        _ => "completed",
    }
}

/// A path inside an object, for faults.
fn object(path: String, value: &Json) -> Result<Object<'_>, Fault> {
    Object::new(path, value)
}
