//! The request as values: what comes from outside is marked so, to its last string.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::fault::{Res, TemplateError};
use super::meter::Meter;
use super::text::{Text, Trust};
use super::value::{Dict, Value};
use super::{Ending, RenderRequest, Specials};

/// Roles a template may build control tokens from. Others are words from outside.
const ROLES: [&str; 14] = [
    "system",
    "user",
    "assistant",
    "tool",
    "developer",
    "function",
    "ipython",
    "model",
    "chatbot",
    "environment",
    "observation",
    "documents",
    "tools",
    "tool_response",
];

/// Names of the context that no extra argument may take.
const RESERVED: [&str; 4] = ["messages", "tools", "documents", "add_generation_prompt"];

/// A request as JSON, and its size.
pub(super) struct Input {
    messages: Vec<Json>,
    tools: Option<Vec<Json>>,
    documents: Option<Vec<Json>>,
    extra: Map<String, Json>,
    generation: bool,
    /// Bytes of all strings and a few for every value.
    pub(super) bytes: usize,
}

impl Input {
    pub(super) fn read(request: &RenderRequest<'_>) -> Res<Self> {
        let refuse = |message: String| Err(Box::new(TemplateError::Request(message)));
        for name in request.extra.keys() {
            if RESERVED.contains(&name.as_str()) {
                return refuse(format!("{name} cannot be given as an extra argument"));
            }
        }
        let mut messages = Vec::new();
        for message in request.messages {
            match serde_json::to_value(message) {
                Ok(json) => messages.push(json),
                Err(error) => return refuse(format!("a message cannot be read: {error}")),
            }
        }
        let tools = request
            .tools
            .map(|tools| tools.iter().map(|tool| Json::Object(tool.as_json().clone())).collect());
        let documents = request
            .documents
            .map(|documents| documents.iter().map(|d| Json::Object(d.0.clone())).collect());
        let mut input = Self {
            messages,
            tools,
            documents,
            extra: request.extra.clone(),
            generation: request.ending == Ending::GenerationPrompt,
            bytes: 0,
        };
        let lists = [Some(&input.messages), input.tools.as_ref(), input.documents.as_ref()];
        let listed = lists.into_iter().flatten().flatten().map(size).sum::<usize>();
        input.bytes = listed + input.extra.iter().map(|(k, v)| k.len() + size(v)).sum::<usize>();
        Ok(input)
    }

    pub(super) fn values(
        self,
        meter: &Rc<Meter>,
        specials: &Specials,
    ) -> Res<HashMap<String, Value>> {
        let mut context = HashMap::new();
        let mut messages = Vec::new();
        for message in &self.messages {
            messages.push(self::message(meter, message)?);
        }
        context.insert("messages".to_owned(), Value::list(meter, messages)?);
        for (name, given) in [("tools", &self.tools), ("documents", &self.documents)] {
            let value = match given {
                Some(items) => {
                    let items: Res<Vec<_>> = items.iter().map(|item| value(meter, item)).collect();
                    Value::list(meter, items?)?
                }
                None => Value::None,
            };
            context.insert(name.to_owned(), value);
        }
        context.insert("add_generation_prompt".to_owned(), Value::Bool(self.generation));
        for (name, token) in specials {
            context.insert(name.clone(), Value::text(meter, token)?);
        }
        for (name, json) in &self.extra {
            context.insert(name.clone(), value(meter, json)?);
        }
        Ok(context)
    }
}

/// Roughly the bytes a value takes.
fn size(json: &Json) -> usize {
    match json {
        Json::String(text) => 8 + text.len(),
        Json::Array(items) => 16 + items.iter().map(size).sum::<usize>(),
        Json::Object(map) => {
            16 + map.iter().map(|(key, value)| 16 + key.len() + size(value)).sum::<usize>()
        }
        _ => 8,
    }
}

fn message(meter: &Rc<Meter>, json: &Json) -> Res<Value> {
    let mut dict = Dict::new(meter)?;
    for (key, item) in json.as_object().into_iter().flatten() {
        let value = match item {
            Json::String(role) if key == "role" && ROLES.contains(&role.as_str()) => {
                Value::text(meter, role)?
            }
            item => value(meter, item)?,
        };
        dict.insert(outside(meter, key)?, value)?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

fn outside(meter: &Rc<Meter>, text: &str) -> Res<Value> {
    Ok(Value::Text(Text::new(meter, text, Trust::Outside)?))
}

fn value(meter: &Rc<Meter>, json: &Json) -> Res<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number.into()),
            (None, Some(number)) => Value::Int(number.into()),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => outside(meter, text)?,
        Json::Array(items) => {
            let items: Res<Vec<_>> = items.iter().map(|item| value(meter, item)).collect();
            Value::list(meter, items?)?
        }
        Json::Object(map) => {
            let mut dict = Dict::new(meter)?;
            for (key, item) in map {
                dict.insert(outside(meter, key)?, value(meter, item)?)?;
            }
            Value::Dict(Rc::new(dict))
        }
    })
}
