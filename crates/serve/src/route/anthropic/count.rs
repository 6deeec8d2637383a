//! `POST /v1/messages/count_tokens`.

use axum::http::StatusCode;
use serde_json::json;

use super::{
    super::{Answer, Call, Handling, Route, Verb},
    question,
};
use crate::{
    ask::Prompt,
    fault::{Family, Fault, json_response},
    gate::Access,
    key::Scope,
    prompt,
};

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/v1/messages/count_tokens",
    access: Access::With(Scope::Infer),
    family: Family::Anthropic,
    summary: "The tokens a conversation's prompt has",
    fields: &[question::SHARED],
    answer: Answer::Json("InputTokens"),
    handle,
};

fn handle(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let chat = question::chat(&mut call.fields, &model)?;
        let work = move || prompt::prepare(&model, &mut Prompt::Chat(Box::new(chat)));
        let prepared = tokio::task::spawn_blocking(work).await;
        let prepared =
            prepared.map_err(|_| Fault::ours("this request met a fault of the server"))??;
        Ok(json_response(StatusCode::OK, &json!({"input_tokens": prepared.ids.len()})))
    })
}
