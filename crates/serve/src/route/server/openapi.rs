//! `GET /openapi.json`.

use axum::http::StatusCode;

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, json_response},
    gate::Access,
    key::Scope,
};

pub(crate) const ROUTE: Route = Route {
    method: Verb::Get,
    path: "/openapi.json",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "This document",
    fields: &[],
    answer: Answer::Json("OpenApi"),
    handle,
};

fn handle(call: Call) -> Handling {
    Box::pin(async move {
        let document = crate::openapi::document(call.state.version);
        Ok(json_response(StatusCode::OK, &document))
    })
}
