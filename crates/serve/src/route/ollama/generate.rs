//! `POST /api/generate`.

use axum::http::StatusCode;
use serde_json::json;
use text::message::Message;

use super::{
    super::{Answer, Call, Handling, Route, Verb},
    answer::{Shape, Teller},
    question,
};
use crate::{
    ask::{Chat, Prompt},
    fault::{Family, Fault, json_response},
    field::{Field, Kind, honoured, only},
    fim,
    gate::Access,
    generate,
    key::{self, Scope},
};

const FIELDS: &[Field] = &[
    honoured("prompt", Kind::Text, "what to say; empty only makes sure that the model is loaded"),
    honoured("suffix", Kind::Text, "what comes after the answer, for models trained to fill in"),
    honoured("system", Kind::Text, "instructions"),
    honoured("raw", Kind::Flag, "continue the prompt as it is, without the model's template"),
    only("template", &["\"\""], "the model's own template is what it was trained on; use raw"),
    only("context", &["[]"], "computed prefixes are found by themselves"),
    only("images", &["[]"], "text is all there is"),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/api/generate",
    access: Access::With(Scope::Infer),
    family: Family::Ollama,
    summary: "An answer to a prompt, by Ollama's API",
    fields: &[FIELDS, question::SHARED],
    answer: Answer::JsonOrEvents("OllamaGenerate", "OllamaGenerate"),
    handle,
};

fn handle(call: Call) -> Handling {
    Box::pin(async move {
        let fields = &call.fields;
        let model = call.state.model(&call.caller, question::name(fields)).await?;
        let teller = Teller::new(model.name(), Shape::Generate);
        let text = fields.text("prompt").unwrap_or_default();
        let suffix = fields.text("suffix").filter(|suffix| !suffix.is_empty());
        if text.is_empty() && suffix.is_none() {
            return Ok(json_response(
                StatusCode::OK,
                &json!({
                    "model": model.name(), "created_at": question::time(key::now()),
                    "response": "", "done": true, "done_reason": "load",
                }),
            ));
        }
        let prompt = match suffix {
            Some(suffix) => Prompt::Ids(fim::encode(model.tokenizer(), text, suffix)?),
            None if fields.flag("raw") == Some(true) => {
                if fields.has("system") || fields.has("think") {
                    return Err(Fault::field(
                        "raw",
                        "raw leaves out the template, so system and think would be ignored",
                    ));
                }
                Prompt::Text(text.to_owned())
            }
            None => {
                let system = fields.text("system").map(|text| Message::new("system", text));
                let messages = system.into_iter().chain([Message::new("user", text)]).collect();
                let arguments = question::thinking(fields, &model)?;
                Prompt::Chat(Box::new(Chat { messages, arguments, ..Chat::default() }))
            }
        };
        let ask = question::ask(fields, &model, prompt)?;
        let answers = generate::begin(&call.state, &call.caller, ask).await?;
        if fields.flag("stream") == Some(false) {
            return teller.whole(answers).await;
        }
        Ok(teller.stream(answers))
    })
}
