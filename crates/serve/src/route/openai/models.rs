//! `GET /v1/models` and `GET /v1/models/{model}`.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, Fault, json_response},
    gate::Access,
    key::Scope,
    models::Listed,
};

pub(crate) const LIST: Route = Route {
    method: Verb::Get,
    path: "/v1/models",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "The models this server offers and this key may use",
    fields: &[],
    answer: Answer::Json("Models"),
    handle: list,
};

pub(crate) const ONE: Route = Route {
    path: "/v1/models/{*model}",
    summary: "One of them",
    answer: Answer::Json("Model"),
    handle: one,
    ..LIST
};

fn list(call: Call) -> Handling {
    Box::pin(async move {
        let models = call.state.models.list().filter(|listed| call.caller.may_use(listed.name));
        let data: Vec<Json> = models.map(|listed| told(&listed)).collect();
        Ok(json_response(StatusCode::OK, &json!({"object": "list", "data": data})))
    })
}

fn one(call: Call) -> Handling {
    Box::pin(async move {
        let name = call.part.unwrap_or_default();
        let mut all = call.state.models.list().filter(|listed| call.caller.may_use(listed.name));
        let found = all.find(|listed| listed.name == name);
        let found = found.ok_or_else(|| {
            let mine = call.state.models.list().filter(|listed| call.caller.may_use(listed.name));
            let known: Vec<&str> = mine.map(|listed| listed.name).collect();
            Fault::no_model(&name, &known.join(", "))
        })?;
        Ok(json_response(StatusCode::OK, &told(&found)))
    })
}

fn told(listed: &Listed<'_>) -> Json {
    let context = listed.loaded.as_ref().map(|model| model.runner().context());
    json!({
        "id": listed.name,
        "object": "model",
        "created": listed.created,
        "owned_by": "freehold",
        "root": listed.name,
        "parent": null,
        "max_model_len": context,
        "meta": {
            "architecture": listed.about.architecture,
            "n_params": listed.about.parameters,
            "format": listed.about.format,
            "n_ctx_train": listed.about.context_trained,
            "size": listed.about.bytes,
            "memory": listed.bytes,
            "license": listed.about.license,
            "loaded": listed.loaded.is_some(),
        },
    })
}
