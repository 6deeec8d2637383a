//! `GET /api/tags`, `GET /api/ps`, `POST /api/show`, `GET /api/version`.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use text::template::RenderRequest;

use super::{
    super::{Answer, Call, Handle, Handling, Route, Verb},
    question,
};
use crate::{
    fault::{Family, json_response},
    field::{Field, Kind, honoured, neutral},
    gate::Access,
    key::{Scope, hex},
    model::Model,
    models::Listed,
};

const fn route(
    path: &'static str,
    summary: &'static str,
    answer: &'static str,
    handle: Handle,
) -> Route {
    Route {
        method: Verb::Get,
        path,
        access: Access::With(Scope::Infer),
        family: Family::Ollama,
        summary,
        fields: &[],
        answer: Answer::Json(answer),
        handle,
    }
}

const SHOW_FIELDS: &[Field] = &[
    honoured("model", Kind::Text, "which model"),
    neutral("verbose", Kind::Flag, "everything known is told anyway"),
];

pub(crate) const TAGS: Route =
    route("/api/tags", "The models, by Ollama's API", "OllamaTags", tags);
pub(crate) const PS: Route = route("/api/ps", "The models that are loaded", "OllamaTags", ps);
pub(crate) const VERSION: Route =
    route("/api/version", "Which version this is", "Version", version);
pub(crate) const SHOW: Route = Route {
    method: Verb::Post,
    fields: &[SHOW_FIELDS],
    ..route("/api/show", "What is known of a model", "OllamaShow", show)
};

fn tags(call: Call) -> Handling {
    Box::pin(async move {
        let models = call.state.models.list().filter(|listed| call.caller.may_use(listed.name));
        let all: Vec<Json> = models.map(|listed| told(&listed)).collect();
        Ok(json_response(StatusCode::OK, &json!({"models": all})))
    })
}

fn ps(call: Call) -> Handling {
    Box::pin(async move {
        let models = call.state.models.list().filter(|listed| call.caller.may_use(listed.name));
        let loaded = models.filter(|listed| listed.loaded.is_some()).map(|listed| {
            let mut model = told(&listed);
            model["size"] = json!(listed.bytes);
            model["size_vram"] = json!(0);
            model["expires_at"] = json!("9999-12-31T23:59:59Z");
            model
        });
        let all: Vec<Json> = loaded.collect();
        Ok(json_response(StatusCode::OK, &json!({"models": all})))
    })
}

fn version(call: Call) -> Handling {
    let body = json!({"version": call.state.version});
    Box::pin(async move { Ok(json_response(StatusCode::OK, &body)) })
}

fn show(call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, question::name(&call.fields)).await?;
        Ok(json_response(StatusCode::OK, &shown(&model)))
    })
}

fn shown(model: &Model) -> Json {
    let about = model.about();
    let template = model.template(&RenderRequest::default()).ok();
    let parameters: Vec<String> =
        model.sampler().numbers().map(|(name, value)| format!("{name} {value}")).collect();
    let calls = template.as_ref().is_some_and(|t| t.mentions("tools") && Model::calls(t).is_some());
    let thinks = template.as_ref().is_some_and(|template| Model::reasoning(template).is_some());
    let mut capabilities = vec!["completion"];
    capabilities.extend(calls.then_some("tools"));
    capabilities.extend(thinks.then_some("thinking"));
    capabilities.extend(crate::fim::is_known(model.tokenizer()).then_some("insert"));
    json!({
        "license": about.license,
        "template": template.as_ref().map_or("", |template| template.source()),
        "parameters": parameters.join("\n"),
        "details": details(&about.architecture, &about.format, about.parameters),
        "model_info": {
            "general.architecture": about.architecture,
            "general.parameter_count": about.parameters,
            (format!("{}.context_length", about.architecture)): about.context_trained,
        },
        "capabilities": capabilities,
    })
}

fn told(listed: &Listed<'_>) -> Json {
    let about = listed.about;
    let digest = Sha256::digest(format!("{}:{}", listed.name, about.bytes).as_bytes());
    json!({
        "name": listed.name,
        "model": listed.name,
        "modified_at": question::time(listed.created),
        "size": about.bytes,
        "digest": hex(&digest),
        "details": details(&about.architecture, &about.format, about.parameters),
    })
}

fn details(family: &str, format: &str, parameters: u64) -> Json {
    let size = match parameters {
        n if n >= 1_000_000_000 => format!("{:.1}B", n as f64 / 1e9),
        n => format!("{:.1}M", n as f64 / 1e6),
    };
    json!({
        "parent_model": "", "format": "gguf", "family": family, "families": [family],
        "parameter_size": size, "quantization_level": format,
    })
}
