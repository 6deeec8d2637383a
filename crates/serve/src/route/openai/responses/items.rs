//! Items to messages, and back.

use serde_json::{Value as Json, json};

use super::object;
use crate::{
    fault::Fault,
    field::{Object, shown},
};

/// The conversation that items tell.
pub(super) fn messages(instructions: Option<String>, input: &Json) -> Result<Vec<Json>, Fault> {
    let mut out: Vec<Json> = vec![];
    out.extend(instructions.map(|text| json!({"role": "system", "content": text})));
    match input {
        Json::String(text) => out.push(json!({"role": "user", "content": text})),
        Json::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                item_to(&object(format!("input[{at}]"), item)?, &mut out)?;
            }
        }
        _ => return Err(Fault::field("input", "input is a text or a list of items, not empty")),
    }
    Ok(out)
}

fn item_to(item: &Object<'_>, out: &mut Vec<Json>) -> Result<(), Fault> {
    match item.text("type")?.unwrap_or("message") {
        "message" => {
            item.only(&["type", "id", "status", "role", "content", "phase"])?;
            let role = item.needed("role")?;
            let content = text(item, "content")?;
            if role == "assistant"
                && is_assistant(out.last())
                && out.last().is_some_and(|m| m.get("content").is_none())
            {
                if let Some(last) = out.last_mut() {
                    last["content"] = json!(content);
                }
                return Ok(());
            }
            out.push(json!({"role": role, "content": content}));
        }
        "reasoning" => {
            let mut thought = parts(item, "content", "reasoning_text")?;
            thought.extend(parts(item, "summary", "summary_text")?);
            if !thought.is_empty() {
                out.push(json!({"role": "assistant", "reasoning_content": thought.join("\n")}));
            }
        }
        "function_call" => {
            let call = json!({"id": item.needed("call_id")?, "type": "function", "function": {
                "name": item.needed("name")?, "arguments": item.needed("arguments")?,
            }});
            if !is_assistant(out.last()) {
                out.push(json!({"role": "assistant", "content": ""}));
            }
            if let Some(last) = out.last_mut() {
                match last.get_mut("tool_calls").and_then(Json::as_array_mut) {
                    Some(calls) => calls.push(call),
                    None => last["tool_calls"] = json!([call]),
                }
                if last.get("content").is_none() {
                    last["content"] = json!("");
                }
            }
        }
        "function_call_output" => {
            out.push(json!({"role": "tool", "tool_call_id": item.needed("call_id")?, "content": text(item, "output")?}));
        }
        kind => {
            let path = item.path("type");
            let message =
                format!("{path} is {}; items of that kind are not honoured", shown(&json!(kind)));
            return Err(Fault::field(path, message).with_code("unsupported_content"));
        }
    }
    Ok(())
}

fn is_assistant(message: Option<&Json>) -> bool {
    message.is_some_and(|message| message["role"] == "assistant")
}

/// A text, or parts of text.
fn text(item: &Object<'_>, name: &str) -> Result<String, Fault> {
    match item.get(name) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Array(list)) => {
            let part = |(at, part): (usize, &Json)| {
                let part = object(format!("{}[{at}]", item.path(name)), part)?;
                match part.needed("type")? {
                    "input_text" | "output_text" | "text" => Ok(part.needed("text")?.to_owned()),
                    "refusal" => Ok(part.needed("refusal")?.to_owned()),
                    kind => {
                        let path = part.path("type");
                        let message = format!(
                            "{path} is {}; this model takes text only",
                            shown(&json!(kind))
                        );
                        Err(Fault::field(path, message).with_code("unsupported_content"))
                    }
                }
            };
            let all: Vec<String> = list.iter().enumerate().map(part).collect::<Result<_, _>>()?;
            Ok(all.join("\n"))
        }
        _ => Err(Fault::field(
            item.path(name),
            format!("{} is a text or parts of text", item.path(name)),
        )),
    }
}

/// The texts of parts of a kind.
fn parts(item: &Object<'_>, name: &str, kind: &str) -> Result<Vec<String>, Fault> {
    let list = item.list(name)?.unwrap_or_default();
    let texts =
        list.iter().filter(|part| part["type"] == kind).filter_map(|part| part["text"].as_str());
    Ok(texts.map(str::to_owned).collect())
}

/// `text.format` as chat completions say it.
pub(super) fn format(format: &Object<'_>) -> Result<Json, Fault> {
    if format.needed("type")? != "json_schema" {
        return Ok(Json::Object(format.map().clone()));
    }
    format.only(&["type", "name", "description", "schema", "strict"])?;
    let mut wrapper = format.map().clone();
    wrapper.shift_remove("type");
    Ok(json!({"type": "json_schema", "json_schema": wrapper}))
}

/// Flat tools as chat completions say them.
pub(super) fn tools(tools: &[Json]) -> Result<Vec<Json>, Fault> {
    let one = |(at, tool): (usize, &Json)| {
        let tool = object(format!("tools[{at}]"), tool)?;
        if tool.needed("type")? != "function" {
            let path = tool.path("type");
            return Err(Fault::field(path, "only tools of the type function are honoured")
                .with_code("unsupported_parameter"));
        }
        let mut function = tool.map().clone();
        function.shift_remove("type");
        Ok(json!({"type": "function", "function": function}))
    };
    tools.iter().enumerate().map(one).collect()
}

/// `tool_choice` as chat completions say it.
pub(super) fn tool_choice(choice: &Json) -> Result<Json, Fault> {
    let Json::Object(_) = choice else { return Ok(choice.clone()) };
    let choice = object("tool_choice".to_owned(), choice)?;
    choice.only(&["type", "name"])?;
    if choice.needed("type")? != "function" {
        return Err(Fault::field("tool_choice.type", "only functions can be chosen")
            .with_code("unsupported_parameter"));
    }
    Ok(json!({"type": "function", "function": {"name": choice.needed("name")?}}))
}

pub(super) fn reasoning(id: &str, text: &str) -> Json {
    json!({"id": id, "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]})
}

pub(super) fn part(text: &str) -> Json {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

pub(super) fn message(id: &str, status: &str, text: &str) -> Json {
    let content = if status == "in_progress" { json!([]) } else { json!([part(text)]) };
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

pub(super) fn call(id: &str, status: &str, call_id: &str, name: &str, arguments: &str) -> Json {
    json!({"id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": arguments})
}

/// What went wrong with a call, with its text.
pub(super) fn malformed(text: &str, reason: &str) -> Json {
    json!({
        "code": "malformed_tool_call",
        "message": format!("the model wrote a call that cannot be read: {reason}"),
        "text": text,
    })
}
