//! The OpenAPI document, printed from the table of routes and their fields; the answers' schemas lie
//! in `openapi/schemas.json`.

use serde_json::{Map, Value as Json, json};

use crate::{
    field::{Field, How, Need, all},
    gate::Access,
    route::{Answer, ROUTES, Route, Verb},
};

/// Shapes of answers and errors.
const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// The document.
pub fn document(version: &str) -> Json {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(written(route.path)).or_insert_with(|| json!({}));
        path[verb(route)] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Freehold",
            "version": version,
            "description": "Models of one's own, by the APIs clients already speak. Every field a route takes is listed; any other is refused by name.",
            "license": {"name": "Apache-2.0 OR MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": serde_json::from_str::<Json>(SCHEMAS).unwrap_or_default(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    })
}

/// A path as OpenAPI writes it.
pub(crate) fn written(path: &str) -> String {
    path.replace("{*", "{")
}

fn verb(route: &Route) -> &'static str {
    match route.method {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Delete => "delete",
    }
}

fn operation(route: &Route) -> Json {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
        "responses": responses(route),
    });
    if let Access::With(scope) = route.access {
        operation["security"] = json!([{"bearer": []}, {"apiKey": []}]);
        operation["x-scope"] = json!(scope.name());
    }
    if let Some((_, part)) = route.path.split_once('{') {
        let name = part.trim_start_matches('*').trim_end_matches('}');
        operation["parameters"] = json!([
            {"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}
        ]);
    }
    if route.method == Verb::Post {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": body(route)}},
        });
    }
    operation
}

fn name(route: &Route) -> String {
    let words = written(route.path).replace(['/', '{', '}', '-'], " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    format!("{}_{}", verb(route), words.join("_"))
}

fn body(route: &Route) -> Json {
    let mut properties = Map::new();
    for field in all(route.fields) {
        properties.insert(field.name.to_owned(), property(field));
    }
    let required: Vec<&str> = all(route.fields)
        .filter(|field| field.need == Need::Required)
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(field: &Field) -> Json {
    let mut schema = match field.how {
        How::Only(values, _) => {
            let mut values: Vec<Json> =
                values.iter().filter_map(|value| serde_json::from_str(value).ok()).collect();
            values.push(Json::Null);
            json!({"enum": values})
        }
        _ if field.need == Need::Required => field.kind.schema(),
        _ => json!({"anyOf": [field.kind.schema(), {"type": "null"}]}),
    };
    schema["description"] = json!(field.about);
    schema
}

fn responses(route: &Route) -> Json {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let content = match route.answer {
        Answer::Text => json!({"text/plain": {"schema": {"type": "string"}}}),
        Answer::Json(name) => json!({"application/json": {"schema": reference(name)}}),
        Answer::JsonOrEvents(name, event) => {
            // Each event's data, or each line, is of this schema.
            let stream = json!({"schema": {"type": "string"}, "x-item-schema": reference(event)});
            let kind = match route.family {
                crate::Family::Ollama => "application/x-ndjson",
                _ => "text/event-stream",
            };
            json!({"application/json": {"schema": reference(name)}, kind: stream})
        }
    };
    let error = match route.family {
        crate::Family::OpenAi => "Error",
        crate::Family::Anthropic => "AnthropicError",
        crate::Family::Ollama => "OllamaError",
    };
    let failed = |text: &str| json!({"description": text, "content": {"application/json": {"schema": reference(error)}}});
    let mut all = json!({"200": {"description": "Done.", "content": content}});
    for (status, text) in STATUSES {
        let needs_body = matches!(*status, "400" | "408" | "413" | "415");
        let needs_key = matches!(*status, "401" | "403");
        if (needs_body && route.method != Verb::Post) || (needs_key && route.access == Access::Open)
        {
            continue;
        }
        all[*status] = failed(text);
    }
    if route.method != Verb::Post {
        all["400"] = failed("The request makes no sense.");
    }
    all
}

/// What else may come of a request.
const STATUSES: &[(&str, &str)] = &[
    ("400", "The request makes no sense, or names a field that is not honoured."),
    ("401", "A key is needed."),
    ("403", "This key, or this page, may not."),
    ("404", "There is no such model or route."),
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    ("415", "The body is not declared as JSON."),
    ("421", "This server does not go by that name."),
    ("429", "Too many requests; Retry-After says when to try again."),
    ("500", "The server failed on this request."),
    ("503", "Not now: loading or shutting down."),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The document as it is checked in; `FREEHOLD_BLESS=1 cargo test -p serve` writes it anew.
    #[test]
    fn the_document_is_the_one_that_is_checked_in() {
        let text = format!("{:#}\n", document("0"));
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        if std::env::var_os("FREEHOLD_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "openapi.json differs; look at it with FREEHOLD_BLESS=1");
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let document = document("0");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        for route in ROUTES {
            if let Answer::JsonOrEvents(_, event) = route.answer {
                assert!(schemas.contains_key(event), "{event}");
            }
        }
    }
}
