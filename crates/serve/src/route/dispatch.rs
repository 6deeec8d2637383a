//! What happens to every request, whichever route it takes: the check, the body, the fields, the
//! handler, the log.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    routing::{MethodFilter, on},
};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value as Json};

use super::{Call, ROUTES, Route, Verb};
use crate::{
    fault::{Family, Fault},
    field::{self, Fields},
    gate::Caller,
    id, log,
    state::State,
};

/// Bytes of a request's head.
const HEAD_BYTES: usize = 32 << 10;
const IGNORED: HeaderName = HeaderName::from_static("x-freehold-ignored");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of the table, and an answer to everything else.
pub(crate) fn router(state: Arc<State>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Delete => MethodFilter::DELETE,
        };
        let state = Arc::clone(&state);
        router = router.route(
            route.path,
            on(filter, move |request: Request| serve(Some(route), state, request)),
        );
    }
    let other = Arc::clone(&state);
    let unknown = move |request: Request| serve(None, other, request);
    router.fallback(unknown.clone()).method_not_allowed_fallback(unknown)
}

/// One request, from the check to the log.
async fn serve(
    route: Option<&'static Route>,
    state: Arc<State>,
    request: Request,
) -> Response<Body> {
    let began = Instant::now();
    let id = request_id(&request);
    let origin =
        request.headers().get(header::ORIGIN).and_then(|origin| state.gate.allowed_origin(origin));
    let method = request.method().clone();
    let family = route.map_or_else(|| family_of(request.uri().path()), |route| route.family);
    let mut key = None;
    let work = AssertUnwindSafe(answer(route, &state, request, &id, &mut key)).catch_unwind();
    let result = work.await.unwrap_or_else(|_| {
        // The panic's own message may hold what a client sent: it goes nowhere.
        Err(Fault::ours("this request met a fault of the server; others are not affected"))
    });
    let code = result.as_ref().err().and_then(|fault| fault.code);
    let mut response = result.unwrap_or_else(|fault| fault.response(family));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    let path = route.map_or("other", |route| route.path);
    state.metrics().request(path, response.status().as_u16());
    state.log().request(&log::Request {
        id: &id,
        method: method.as_str(),
        route: path,
        status: response.status().as_u16(),
        code,
        key: key.as_deref(),
        took: began.elapsed(),
    });
    response
}

async fn answer(
    route: Option<&'static Route>,
    state: &Arc<State>,
    request: Request,
    id: &str,
    key: &mut Option<String>,
) -> Result<Response<Body>, Fault> {
    let head: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head + request.uri().path().len() > HEAD_BYTES {
        let message = format!("the head of the request has more than {HEAD_BYTES} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Fault::invalid(message).with_status(status));
    }
    state.gate.comes_here(request.headers(), request.uri())?;
    if request.method() == axum::http::Method::OPTIONS {
        return preflight(state, &request);
    }
    let (access, path) = match route {
        Some(route) => (route.access, route.path),
        // What is not there is told to those only who may ask.
        None => (crate::gate::Access::With(crate::key::Scope::Infer), "other"),
    };
    let admitted = state.gate.admit(access, request.headers(), request.uri(), id.to_owned(), path);
    let caller: Caller = admitted?;
    key.clone_from(&caller.key);
    let Some(route) = route else { return Err(unknown(&request)) };
    let part = part_of(route.path, request.uri().path());
    let (head, body) = request.into_parts();
    let (fields, ignored) = match route.method {
        Verb::Get | Verb::Delete => (Fields::default(), vec![]),
        Verb::Post => {
            let body = read(&head.headers, body, state).await?;
            field::check(route.fields, body, state.compat)?
        }
    };
    let call = Call { state: Arc::clone(state), caller, head, fields, part };
    let mut response = (route.handle)(call).await?;
    if !ignored.is_empty()
        && let Ok(value) = HeaderValue::from_str(&listed(&ignored))
    {
        response.headers_mut().insert(IGNORED, value);
    }
    Ok(response)
}

/// Names of fields for a header: only what a header can hold.
fn listed(names: &[String]) -> String {
    let plain = |name: &String| -> String {
        name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect()
    };
    names.iter().take(64).map(plain).collect::<Vec<_>>().join(", ")
}

/// A body of JSON: an object of bounded size that arrives in bounded time.
async fn read(
    headers: &axum::http::HeaderMap,
    body: Body,
    state: &State,
) -> Result<Map<String, Json>, Fault> {
    let (most, patience) = (state.body_bytes_max, state.patience);
    if headers.contains_key(header::CONTENT_LENGTH)
        && headers.contains_key(header::TRANSFER_ENCODING)
    {
        return Err(Fault::invalid("the request states its length in two ways"));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "the body must be JSON, with Content-Type: application/json";
        return Err(Fault::invalid(message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let collected = tokio::time::timeout(patience, Limited::new(body, most).collect()).await;
    let late = |_| {
        let message = format!("the body did not arrive within {} s", patience.as_secs());
        Fault::invalid(message).with_status(StatusCode::REQUEST_TIMEOUT)
    };
    let bytes = collected.map_err(late)?.map_err(|error| {
        if error.downcast_ref::<http_body_util::LengthLimitError>().is_some() {
            let message = format!("the body has more than {most} bytes");
            return Fault::invalid(message).with_status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Fault::invalid("the body did not arrive whole")
    })?;
    let value: Json = serde_json::from_slice(&bytes.to_bytes()).map_err(|error| {
        Fault::invalid(format!(
            "the body is no JSON: {} at line {}, column {}",
            kind_of(&error),
            error.line(),
            error.column()
        ))
    })?;
    match value {
        Json::Object(map) => Ok(map),
        other => {
            Err(Fault::invalid(format!("the body is {}, expected an object", field::shown(&other))))
        }
    }
}

fn kind_of(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it ends too soon" } else { "it is malformed, too deep or no UTF-8" }
}

/// The client's own id where it is one, else one of ours.
fn request_id(request: &Request) -> String {
    let stated = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let sound = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    stated.filter(sound).map_or_else(|| id::new("req_"), str::to_owned)
}

/// A page asks whether it may ask.
fn preflight(state: &State, request: &Request) -> Result<Response<Body>, Fault> {
    let origin = request.headers().get(header::ORIGIN);
    if origin.and_then(|origin| state.gate.allowed_origin(origin)).is_none() {
        return Err(Fault::forbidden("pages of that origin may not use this server"));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let allow =
        "authorization, content-type, x-api-key, x-request-id, anthropic-version, anthropic-beta";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allow));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Ok(response)
}

/// There is no such route, or not by that method.
fn unknown(request: &Request) -> Fault {
    let path = request.uri().path();
    let same: Vec<&Route> = ROUTES.iter().filter(|route| matches(route.path, path)).collect();
    if same.is_empty() {
        return Fault::not_found("there is no such route; GET /openapi.json lists them");
    }
    let methods: Vec<String> = same.iter().map(|route| route.method.http().to_string()).collect();
    Fault::invalid(format!("this route is called by {}", methods.join(" or ")))
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('{') {
        None => pattern == path,
        Some((before, _)) => path.strip_prefix(before).is_some_and(|rest| !rest.is_empty()),
    }
}

/// What the `{…}` at the end of a route's path stands for.
fn part_of(pattern: &str, path: &str) -> Option<String> {
    let (before, _) = pattern.split_once('{')?;
    let rest = path.strip_prefix(before)?;
    Some(decoded(rest))
}

/// Percent signs undone.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn family_of(path: &str) -> Family {
    match path {
        path if path.starts_with("/v1/messages") => Family::Anthropic,
        path if path.starts_with("/api/") => Family::Ollama,
        _ => Family::OpenAi,
    }
}
