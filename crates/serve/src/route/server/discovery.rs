//! What routers ask of a server to know which model it has (sglang-router's four questions).

use axum::http::StatusCode;
use serde_json::json;

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, json_response},
    gate::Access,
    key::Scope,
};

const fn route(path: &'static str, answer: &'static str, handle: super::super::Handle) -> Route {
    Route {
        method: Verb::Get,
        path,
        access: Access::With(Scope::Infer),
        family: Family::OpenAi,
        summary: "Which model this server has, as routers ask for it",
        fields: &[],
        answer: Answer::Json(answer),
        handle,
    }
}

pub(crate) const SERVER_INFO: Route = route("/server_info", "ServerInfo", server);
pub(crate) const GET_SERVER_INFO: Route = route("/get_server_info", "ServerInfo", server);
pub(crate) const MODEL_INFO: Route = route("/model_info", "ModelInfo", model);
pub(crate) const GET_MODEL_INFO: Route = route("/get_model_info", "ModelInfo", model);

fn server(call: Call) -> Handling {
    let name = call.state.models.default_name();
    let body = json!({
        "model_path": name,
        "served_model_name": name,
        "tp_size": 1,
        "dp_size": 1,
        "version": call.state.version,
        "uptime_seconds": call.state.started.elapsed().as_secs(),
    });
    Box::pin(async move { Ok(json_response(StatusCode::OK, &body)) })
}

fn model(call: Call) -> Handling {
    let first = call.state.models.list().next();
    let (name, architecture) =
        first.map_or(("", ""), |listed| (listed.name, &listed.about.architecture[..]));
    let body = json!({
        "model_path": name,
        "is_generation": true,
        "model_type": architecture,
        "architectures": [architecture],
    });
    Box::pin(async move { Ok(json_response(StatusCode::OK, &body)) })
}
