//! `GET /v1/compat`: field by field, what each route honours.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::super::{Answer, Call, Handling, ROUTES, Route, Verb};
use crate::{
    fault::{Family, json_response},
    field::{Compat, Field, How, Need, all},
    gate::Access,
    key::Scope,
    openapi::written,
};

pub(crate) const ROUTE: Route = Route {
    method: Verb::Get,
    path: "/v1/compat",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "Field by field, what each route honours, and why it does not honour the rest",
    fields: &[],
    answer: Answer::Json("Compat"),
    handle,
};

fn handle(call: Call) -> Handling {
    let mode = match call.state.compat {
        Compat::Strict => "strict",
        Compat::Lenient => "lenient",
    };
    Box::pin(async move {
        let routes: Vec<Json> = ROUTES.iter().map(told).collect();
        Ok(json_response(
            StatusCode::OK,
            &json!({
                "mode": mode,
                "unknown_fields": if mode == "strict" { "refused by name" } else { "left out, listed in x-freehold-ignored" },
                "routes": routes,
            }),
        ))
    })
}

fn told(route: &Route) -> Json {
    let fields: Vec<Json> = all(route.fields).map(field).collect();
    json!({
        "method": route.method.http().as_str(),
        "path": written(route.path),
        "summary": route.summary,
        "fields": fields,
    })
}

fn field(field: &Field) -> Json {
    let (status, why) = match field.how {
        How::Honoured => ("honoured", None),
        How::Neutral(why) => ("no effect", Some(why)),
        How::Only(_, why) => ("refused", Some(why)),
    };
    let values = match field.how {
        How::Only(values, _) => json!(values.iter().chain(&["null"]).collect::<Vec<_>>()),
        _ => json!(field.kind.expected()),
    };
    json!({
        "name": field.name,
        "status": status,
        "values": values,
        "required": field.need == Need::Required,
        "about": field.about,
        "why": why,
    })
}
