//! `POST /api/chat`.

use serde_json::{Value as Json, json};

use super::{
    super::{Answer, Call, Handling, Route, Verb, openai},
    answer::{Shape, Teller},
    question,
};
use crate::{
    ask::Prompt,
    fault::{Family, Fault},
    field::{Field, Fields, Kind, Object, honoured, required},
    gate::Access,
    generate,
    key::Scope,
    model::Model,
};

const FIELDS: &[Field] = &[
    required(
        "messages",
        Kind::List("{\"type\": \"object\", \"required\": [\"role\"]}"),
        "the conversation",
    ),
    honoured("tools", Kind::List("{\"type\": \"object\"}"), "functions the model may call"),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/api/chat",
    access: Access::With(Scope::Infer),
    family: Family::Ollama,
    summary: "An answer in a conversation, by Ollama's API",
    fields: &[FIELDS, question::SHARED],
    answer: Answer::JsonOrEvents("OllamaChat", "OllamaChat"),
    handle,
};

fn handle(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, question::name(&call.fields)).await?;
        let teller = Teller::new(model.name(), Shape::Chat);
        let mut chat = chat(&mut call.fields, &model)?;
        chat.arguments = question::thinking(&call.fields, &model)?;
        let ask = question::ask(&call.fields, &model, Prompt::Chat(Box::new(chat)))?;
        let answers = generate::begin(&call.state, &call.caller, ask).await?;
        if call.fields.flag("stream") == Some(false) {
            return teller.whole(answers).await;
        }
        Ok(teller.stream(answers))
    })
}

/// Ollama's messages in the shape the others have: `thinking` is their `reasoning_content`, a tool's name
/// their `name`, and arguments are objects already.
fn chat(fields: &mut Fields, model: &Model) -> Result<crate::ask::Chat, Fault> {
    let mut items = match fields.take("messages") {
        Some(Json::Array(items)) => items,
        _ => vec![],
    };
    for (at, item) in items.iter_mut().enumerate() {
        let object = Object::new(format!("messages[{at}]"), item)?;
        if object.list("images")?.is_some_and(|images| !images.is_empty()) {
            let message = "this model takes text only";
            return Err(
                Fault::field(object.path("images"), message).with_code("unsupported_content")
            );
        }
        if let Json::Object(map) = item {
            map.shift_remove("images");
            if let Some(thought) = map.shift_remove("thinking") {
                map.insert("reasoning_content".to_owned(), thought);
            }
            if let Some(name) = map.shift_remove("tool_name") {
                map.insert("name".to_owned(), name);
            }
        }
    }
    let mut asked = serde_json::Map::from_iter([("messages".to_owned(), Json::Array(items))]);
    if let Some(Json::Array(tools)) = fields.take("tools") {
        let typed = tools.into_iter().map(|mut tool| {
            if let Json::Object(map) = &mut tool {
                map.entry("type").or_insert_with(|| json!("function"));
            }
            tool
        });
        asked.insert("tools".to_owned(), Json::Array(typed.collect()));
    }
    openai::question::chat(&mut Fields::new(asked), model)
}
