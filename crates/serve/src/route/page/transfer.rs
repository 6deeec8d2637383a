//! Conversations as files: out as JSON or Markdown, in from here and elsewhere.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::json;

use super::{Answer, Call, Handling, Route, Verb, asked, route, with_store};
use crate::{
    conversation::{Owner, bundle, markdown, read},
    fault::{Fault, json_response},
    field::{Kind, Lists, required},
};

/// `GET /v1/freehold/export/{id}?format=json|markdown`; `all` is every conversation, as JSON.
pub(crate) const EXPORT: Route = route(
    Verb::Get,
    "/v1/freehold/export/{id}",
    "A conversation, or all of them, as a file: format is json (all branches) or markdown (the one shown)",
    &[],
    Answer::Json("ConversationFile"),
    export,
);

/// `POST /v1/freehold/import`.
pub(crate) const IMPORT: Route = route(
    Verb::Post,
    "/v1/freehold/import",
    "Adds the conversations of a file: our own, llama.cpp's page's, Open WebUI's, or lists of messages",
    FILE,
    Answer::Json("Imported"),
    import,
);

const FILE: Lists = &[&[required("file", Kind::Any("{}"), "the file's JSON, as it is")]];

fn export(call: Call) -> Handling {
    let id = call.part.clone().unwrap_or_default();
    let format = asked(&call, "format");
    let store = call.state.conversations.clone();
    let owner = Owner::new(call.caller.key.as_deref());
    Box::pin(async move {
        let as_text = match format.as_str() {
            "" | "json" => false,
            "markdown" if id != "all" => true,
            _ => return Err(Fault::invalid("format is json, or markdown for one conversation")),
        };
        let work = move || match id.as_str() {
            "all" => store.all(&owner),
            id => store.get(&owner, id).map(|one| vec![one]),
        };
        let found = tokio::task::spawn_blocking(work).await;
        let found = found.map_err(|_| Fault::ours("the conversations cannot be read"))??;
        if !as_text {
            return Ok(json_response(StatusCode::OK, &bundle(&found)));
        }
        let mut response =
            Response::new(Body::from(found.iter().map(markdown).collect::<String>()));
        let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    })
}

fn import(mut call: Call) -> Handling {
    let file = call.fields.take("file").unwrap_or_default();
    with_store(&call, move |store, owner| {
        let imported = store.import(owner, read(&file)?)?;
        Ok(json!({"imported": imported}))
    })
}
