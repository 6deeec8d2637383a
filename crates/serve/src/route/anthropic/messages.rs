//! `POST /v1/messages`.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value as Json, json};

use super::{
    super::{Answer, Call, Handling, Route, Verb},
    events, question,
};
use crate::{
    answer::{Finish, Usage},
    fault::{Family, Fault, json_response},
    gate::Access,
    generate::{
        self,
        whole::{Whole, gather},
    },
    id,
    key::Scope,
};

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/v1/messages",
    access: Access::With(Scope::Infer),
    family: Family::Anthropic,
    summary: "An answer in a conversation, by Anthropic's API",
    fields: &[question::SHARED, question::ANSWER],
    answer: Answer::JsonOrEvents("AnthropicMessage", "AnthropicEvent"),
    handle,
};

fn handle(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let chat = question::chat(&mut call.fields, &model)?;
        let ask = question::ask(&call.fields, &model, chat)?;
        let answers = generate::begin(&call.state, &call.caller, ask).await?;
        let (id, prompt) = (id::new("msg_"), answers.prompt_ids.len());
        let mut response = if call.fields.flag("stream") == Some(true) {
            events::stream(id, model.name().to_owned(), prompt, answers)
        } else {
            let choice = gather(answers).await?.into_iter().next();
            let choice = choice.ok_or_else(|| Fault::ours("the answer was cut off"))?;
            json_response(StatusCode::OK, &message(&id, model.name(), choice))
        };
        if let Some(name) = question::ignored(&call.fields) {
            let header = HeaderName::from_static("x-freehold-ignored");
            response.headers_mut().insert(header, HeaderValue::from_static(name));
        }
        Ok(response)
    })
}

fn message(id: &str, model: &str, whole: Whole) -> Json {
    let finish = whole.finish.unwrap_or(Finish::Cancelled);
    let mut content = vec![];
    if !whole.reasoning.is_empty() {
        content.push(json!({"type": "thinking", "thinking": whole.reasoning, "signature": ""}));
    }
    if !whole.text.is_empty() {
        content.push(json!({"type": "text", "text": whole.text}));
    }
    for call in whole.calls.into_values() {
        let input: Json = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        content.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    let mut message = json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason(&finish),
        "stop_sequence": stop_text(&finish),
        "usage": usage(&whole.usage),
    });
    if let Some((text, reason)) = &whole.malformed {
        message["error"] = malformed(text, reason);
    }
    message
}

/// What went wrong with a call, with its text.
pub(super) fn malformed(text: &str, reason: &str) -> Json {
    json!({
        "type": "malformed_tool_call",
        "message": format!("the model wrote a call that cannot be read: {reason}"),
        "text": text,
    })
}

/// Why it ended, in this family's words.
pub(super) fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::Deadline => "max_tokens",
        Finish::StopText(_) => "stop_sequence",
        Finish::Calls => "tool_use",
        Finish::Stop | Finish::Cancelled => "end_turn",
    }
}

pub(super) fn stop_text(finish: &Finish) -> Option<&str> {
    match finish {
        Finish::StopText(text) => Some(text),
        _ => None,
    }
}

pub(super) fn usage(usage: &Usage) -> Json {
    json!({
        "input_tokens": usage.prompt - usage.cached.min(usage.prompt),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    })
}
