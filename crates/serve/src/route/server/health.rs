//! Whether the server lives, is ready, which it is, and its metrics.
//!
//! `/livez` stays 200 while the server drains: it lives. `/ready` and `/health` turn 503 as soon as
//! it drains, and while no model can answer; a router stops sending before the port closes.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::json;

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, Fault, json_response},
    gate::Access,
    key::Scope,
};

const fn route(path: &'static str, summary: &'static str, handle: super::super::Handle) -> Route {
    Route {
        method: Verb::Get,
        path,
        access: Access::Open,
        family: Family::OpenAi,
        summary,
        fields: &[],
        answer: Answer::Json("Health"),
        handle,
    }
}

pub(crate) const HEALTH: Route = route("/health", "200 when ready to answer, 503 otherwise", ready);
pub(crate) const V1_HEALTH: Route = route("/v1/health", "The same as /health", ready);
pub(crate) const READY: Route =
    route("/ready", "200 when ready to answer, 503 while loading or draining", ready);
pub(crate) const LIVE: Route =
    route("/livez", "200 as long as the server lives, draining included", live);
pub(crate) const VERSION: Route = Route {
    answer: Answer::Json("Version"),
    access: Access::With(Scope::Infer),
    ..route("/version", "Which version this is", version)
};
pub(crate) const METRICS: Route = Route {
    answer: Answer::Text,
    access: Access::With(Scope::Metrics),
    ..route("/metrics", "Metrics in Prometheus' format, with vLLM's names beside our own", metrics)
};

fn live(_: Call) -> Handling {
    Box::pin(async { Ok(json_response(StatusCode::OK, &json!({"status": "ok"}))) })
}

fn ready(call: Call) -> Handling {
    Box::pin(async move {
        if call.state.is_draining() {
            return Err(Fault::unavailable("the server is shutting down", 5).with_code("draining"));
        }
        let troubled = call.state.models.loaded().iter().any(|m| m.runner().trouble().is_some());
        if troubled {
            return Err(Fault::unavailable("a model has stopped", 5).with_code("model_stopped"));
        }
        Ok(json_response(StatusCode::OK, &json!({"status": "ok"})))
    })
}

fn version(call: Call) -> Handling {
    let body = json!({"version": call.state.version});
    Box::pin(async move { Ok(json_response(StatusCode::OK, &body)) })
}

fn metrics(call: Call) -> Handling {
    Box::pin(async move {
        let connections = call.state.connections.load(std::sync::atomic::Ordering::Relaxed);
        let page = call.state.metrics().page(&call.state.models.loaded(), connections);
        let mut response = Response::new(Body::from(page));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    })
}
