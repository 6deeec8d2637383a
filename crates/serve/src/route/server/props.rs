//! `GET /props`: what editor plug-ins ask a server of llama.cpp's kind.

use axum::http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, json_response},
    fim,
    gate::Access,
    key::Scope,
    model::Model,
};
use text::template::RenderRequest;

pub(crate) const ROUTE: Route = Route {
    method: Verb::Get,
    path: "/props",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "The model's settings: context, sampling, template",
    fields: &[],
    answer: Answer::Json("Props"),
    handle,
};

fn handle(call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, None).await?;
        Ok(json_response(
            StatusCode::OK,
            &props(&model, call.state.version, call.state.answers_max),
        ))
    })
}

fn props(model: &Model, version: &str, slots: usize) -> Json {
    let sampler = model.sampler();
    let params: Map<String, Json> =
        sampler.numbers().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let template = model.template(&RenderRequest::default()).ok();
    json!({
        "model": model.name(),
        "model_alias": model.name(),
        "model_path": model.name(),
        "build_info": format!("freehold {version}"),
        "total_slots": slots,
        "default_generation_settings": {"n_ctx": model.runner().context(), "params": params},
        "chat_template": template.as_ref().map_or("", |template| template.source()),
        "chat_template_sha256": template.as_ref().map(text::template::ChatTemplate::sha256),
        "bos_token": token(model, model.tokenizer().specials().bos),
        "eos_token": token(model, model.tokenizer().specials().eos),
        "modalities": {"vision": false, "audio": false},
        "infill": fim::is_known(model.tokenizer()),
        "backend": model.runner().describe(),
        "parameters": model.about().parameters,
        "license": model.about().license,
    })
}

fn token(model: &Model, id: Option<u32>) -> &str {
    id.and_then(|id| model.tokenizer().token_text(id)).unwrap_or_default()
}
