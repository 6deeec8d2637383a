//! Keys: every route behind the same check, people kept apart, nothing of theirs in logs.

use std::sync::Arc;

use serde_json::json;
use serve::{
    LocalKeys, Server, Settings,
    key::{Grant, Keys, Scope},
};

use super::{
    client::{raw, request},
    script::{Act, Served, settings},
};

/// Routes that need no key: they tell whether we live, and the page's own files.
const OPEN: [&str; 6] = ["/health", "/v1/health", "/livez", "/ready", "/", "/page/{file}"];

fn guarded(folder: &tempfile::TempDir, more: Settings) -> (Served, Keys) {
    let path = folder.path().join("keys.sqlite");
    let keys = Keys::open(&path).unwrap();
    let settings = Settings { keys: Some(path), local_keys: LocalKeys::Needed, ..more };
    (Served::with(settings, Arc::new(|_| Act::Say("hello".into()))), keys)
}

#[test]
fn r1_every_route_of_the_table_is_behind_the_same_check() {
    let folder = tempfile::tempdir().unwrap();
    let (served, keys) = guarded(&folder, settings());
    let good = keys.create(Grant::default()).unwrap().token;
    let document = serve::openapi("0");
    let mut walked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let operation = &methods[method];
            let open = operation.get("security").is_none();
            let known = OPEN.contains(&&path[..])
                || path.starts_with("/page/")
                || path == "/"
                || path == "/favicon.ico";
            assert_eq!(open, open && known, "{path} is open and is not among those that may be");
            let method = method.to_uppercase();
            let concrete: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let body = (method == "POST").then_some("{}");
            let ask = |headers: &[(&str, &str)], query: &str| {
                raw(served.address, &request(&method, &format!("{concrete}{query}"), headers, body))
                    .status
            };
            walked += 1;
            if open {
                assert_ne!(ask(&[], ""), 401, "{path}");
                continue;
            }
            let wrong = format!("{}0", &good[..good.len() - 1]);
            let bearer = format!("Bearer {wrong}");
            for headers in [
                vec![],
                vec![("authorization", "Bearer ")],
                vec![("authorization", "Bearer")],
                vec![("authorization", &bearer[..])],
                vec![("x-api-key", &wrong[..])],
                vec![("x-api-key", "")],
            ] {
                assert_eq!(ask(&headers, ""), 401, "{method} {path} {headers:?}");
            }
            assert_eq!(
                ask(&[], &format!("?api_key={good}")),
                401,
                "{method} {path} key in the address"
            );
            let bearer = format!("Bearer {good}");
            let status = ask(&[("authorization", &bearer)], "");
            if operation["x-scope"] == "infer" {
                assert!(![401, 403].contains(&status), "{method} {path}: {status}");
            } else {
                assert_eq!(status, 403, "{method} {path}: a key without the scope");
            }
        }
    }
    assert!(walked >= 20, "{walked}");
    // What is not there is told only to those who may ask.
    assert_eq!(raw(served.address, &request("GET", "/nothing", &[], None)).status, 401);
}

#[test]
fn r3_an_address_others_can_reach_needs_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.sqlite");
    let outside =
        || Settings { keys: Some(path.clone()), ..Settings::new("0.0.0.0:0".parse().unwrap()) };
    let bind = || Server::bind(outside(), vec![], Box::new(|_| ()));
    assert!(matches!(bind(), Err(serve::Error::Unguarded { .. })));
    let keys = Keys::open(&path).unwrap();
    let made = keys.create(Grant::default()).unwrap();
    assert!(!matches!(bind(), Err(serve::Error::Unguarded { .. })));
    keys.revoke(&made.key.id).unwrap();
    assert!(matches!(bind(), Err(serve::Error::Unguarded { .. })));
}

fn ask(served: &Served, key: &str, model: &str, more: &[(&str, &str)]) -> (u16, String) {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", &bearer[..])];
    headers.extend(more);
    let body =
        json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10})
            .to_string();
    let reply =
        raw(served.address, &request("POST", "/v1/chat/completions", &headers, Some(&body)));
    (reply.status, reply.body)
}

#[test]
fn r8_people_share_no_prefixes_and_do_not_see_each_others_models() {
    let folder = tempfile::tempdir().unwrap();
    let (served, keys) = guarded(&folder, settings());
    let one = keys.create(Grant::default()).unwrap().token;
    let two =
        keys.create(Grant { models: vec!["private".into()], ..Grant::default() }).unwrap().token;
    assert_eq!(ask(&served, &one, "scripted", &[]).0, 200);
    let three =
        keys.create(Grant { models: vec!["scripted".into()], ..Grant::default() }).unwrap().token;
    assert_eq!(ask(&served, &three, "scripted", &[]).0, 200);
    let tenants = served.seen.tenants.lock().unwrap().clone();
    assert!(tenants[0] != tenants[1] && tenants.iter().all(|tenant| *tenant != 0));
    let (status, body) = ask(&served, &two, "scripted", &[]);
    assert_eq!(status, 404);
    assert!(!body.contains("there is: scripted"), "{body}");
}

#[test]
fn quotas_hold_and_what_was_used_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (served, keys) = guarded(&folder, settings());
    let made = keys.create(Grant { tokens_per_day: Some(150), ..Grant::default() }).unwrap();
    let (status, body) = ask(&served, &made.token, "scripted", &[]);
    assert_eq!(status, 200, "{body}");
    let used = keys.used(&made.key.id, 0).unwrap();
    assert!((20..100).contains(&used), "{used} tokens on disk when the answer is out");
    let statuses: Vec<u16> = (0..6).map(|_| ask(&served, &made.token, "scripted", &[]).0).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(keys.revoke(&made.key.id).unwrap());
    assert_eq!(ask(&served, &made.token, "scripted", &[]).0, 401);
    let none =
        keys.create(Grant { scopes: vec![Scope::Metrics], ..Grant::default() }).unwrap().token;
    assert_eq!(ask(&served, &none, "scripted", &[]).0, 403);
}

#[test]
fn r9_no_prompt_and_no_key_ever_reaches_a_log_a_metric_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.sqlite");
    let keys = Keys::open(&path).unwrap();
    let key = keys.create(Grant { scopes: vec![Scope::Admin], ..Grant::default() }).unwrap().token;
    let settings = Settings { keys: Some(path), local_keys: LocalKeys::Needed, ..settings() };
    let served = Served::with(
        settings,
        Arc::new(|prompt: &str| {
            if prompt.contains("panic") { Act::Panic } else { Act::Say("canary-answer".into()) }
        }),
    );
    let bearer = format!("Bearer {key}");
    let canary = "canary-7c1\\n{\\\"event\\\":\\\"forged\\\"}\\u001b[31m";
    let mut seen = String::new();
    for body in [
        format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"{canary}\"}}]}}"),
        format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"panic {canary}\"}}]}}"),
        format!(
            "{{\"messages\": [{{\"role\": \"user\", \"content\": \"{canary}\"}}], \"stream\": true}}"
        ),
        format!("{{\"messages\": \"{canary}\"}}"),
        format!("{{\"messages\": [{{\"role\": \"{canary} {}\"}}]}}", "x".repeat(100)),
        format!("{{\"messages\": \"{canary}"),
    ] {
        let headers = [("authorization", &bearer[..]), ("x-request-id", "id-1")];
        let reply =
            raw(served.address, &request("POST", "/v1/chat/completions", &headers, Some(&body)));
        // What is wrong with a request is told to who sent it; all else is told nobody.
        if reply.status >= 500 {
            seen += &reply.body;
        }
    }
    let wrong = "Bearer fh-canary-7c1-secret";
    seen +=
        &raw(served.address, &request("GET", "/v1/models", &[("authorization", wrong)], None)).body;
    seen +=
        &raw(served.address, &request("GET", "/canary-7c1", &[("authorization", &bearer)], None))
            .body;
    seen +=
        &raw(served.address, &request("GET", "/metrics", &[("authorization", &bearer)], None)).body;
    seen += &served.seen.lines.lock().unwrap().join("\n");
    assert!(seen.contains("\"request\":\"id-1\""));
    for secret in ["canary-7c1", "canary-answer", &key[4..], "forged"] {
        assert!(!seen.contains(secret), "{secret} leaked");
    }
    for line in served.seen.lines.lock().unwrap().iter() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert!(!line.contains('\n') && !line.contains('\u{1b}'));
    }
    assert!(served.seen.live.load(std::sync::atomic::Ordering::SeqCst) < 10);
}
