//! Requests that make no sense, and a model that fails.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};
use serve::{Compat, Settings};

use super::{
    client::{chat, get, post, raw, request},
    script::{Act, CONTEXT, Served, settings},
};

#[test]
fn t9_bodies_that_are_no_text_are_refused() {
    let served = Served::saying("ok");
    let head = |length: usize| {
        format!(
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    for body in [
        &b"{\"prompt\": \"\xff\xfe\"}"[..],
        b"{\"prompt\": \"\xc0\xaf\"}",
        b"{\"prompt\": \"\xed\xa0\x80\"}",
        b"{\"prompt\": \"\\ud800\"}",
        b"\xef\xbb\xbf{\"prompt\": \"a\"}",
        b"",
        b"[]",
        b"\"prompt\"",
        b"{\"prompt\": \"a\"",
        b"{\"prompt\": NaN}",
    ] {
        let bytes = [head(body.len()).as_bytes(), body].concat();
        assert_eq!(raw(served.address, &bytes).status, 400, "{}", String::from_utf8_lossy(body));
    }
    let deep = format!("{{\"prompt\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        raw(served.address, &[head(deep.len()).as_bytes(), deep.as_bytes()].concat()).status,
        400
    );
    assert_eq!(
        post(served.address, "/v1/completions", &json!({"prompt": "a\u{0}b"})).status,
        200,
        "NUL is a character"
    );
    let form = request("POST", "/v1/completions", &[("content-type", "text/plain")], Some("{}"));
    assert_eq!(raw(served.address, &form).status, 415);
    assert!(served.seen.prompts.lock().unwrap().len() == 1);
}

#[test]
fn t10_senseless_values_are_refused_by_name_before_anything_is_computed() {
    let served = Served::saying("ok");
    let many: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let biases: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (n.to_string(), json!(1))).collect();
    for (name, value) in [
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(9_223_372_036_854_775_808_u64)),
        ("max_tokens", json!("5")),
        ("max_tokens", json!(1_000_000_000)),
        ("max_tokens", json!(CONTEXT + 1)),
        ("n", json!(0)),
        ("n", json!(10_000)),
        ("n", json!(1.5)),
        ("stop", json!(many)),
        ("stop", json!([""])),
        ("stop", json!([1])),
        ("temperature", json!(-0.1)),
        ("temperature", json!(1e300)),
        ("temperature", json!("hot")),
        ("top_p", json!(1.1)),
        ("top_k", json!(-2)),
        ("min_p", json!(2)),
        ("logit_bias", json!(biases)),
        ("logprobs", json!(5)),
        ("top_logprobs", json!(5)),
        ("n_discard", json!(-1)),
        ("slot_id", json!(0)),
        ("prompt_embeds", json!("gASV")),
        ("stream", json!("yes")),
        ("stream_options", json!({"include_usage": true})),
        ("messages", json!([])),
        ("messages", json!("hi")),
        ("tools", json!({})),
        ("seed", json!(1e30)),
        ("store", json!(true)),
        ("priority", json!(5)),
    ] {
        let reply = chat(served.address, "Hi", json!({name: value}));
        assert_eq!(
            (reply.status, reply.param().split('.').next().unwrap()),
            (400, name),
            "{}",
            reply.body
        );
    }
    let bias = chat(served.address, "Hi", json!({"logit_bias": {"999999": 1}}));
    assert_eq!(bias.param(), "logit_bias.999999");
    let part = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]});
    let t14 = post(served.address, "/v1/chat/completions", &part);
    assert_eq!((t14.status, &t14.param()[..]), (400, "messages[0].content[1].type"));
    let long = chat(served.address, &"x".repeat(CONTEXT + 5), json!({}));
    assert_eq!(
        (long.status, long.json()["error"]["code"].as_str()),
        (400, Some("context_length_exceeded"))
    );
    let message = long.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&CONTEXT.to_string()) && message.contains("20022"), "{message}");
    assert!(served.seen.prompts.lock().unwrap().is_empty(), "nothing reached the engine");
}

#[test]
fn t11_t12_grammars_that_make_no_sense_are_refused_and_the_next_request_is_served() {
    let served = Served::saying("ok");
    let began = Instant::now();
    for more in [
        json!({"guided_regex": "foo**"}),
        json!({"guided_regex": "("}),
        json!({"guided_choice": []}),
        json!({"guided_choice": [1]}),
        json!({"guided_grammar": "start: x"}),
        json!({"guided_json": "{"}),
        json!({"guided_json": {"$ref": "http://169.254.169.254/"}}),
        json!({"guided_json": {"$ref": "#"}}),
        json!({"guided_json": {"type": "object"}, "guided_regex": "a"}),
        json!({"response_format": {"type": "xml"}}),
        json!({"response_format": {"type": "json_schema"}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"uniqueItems": true, "type": "array"}}}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": vec![1; 30_000]}}}}),
        json!({"structured_outputs": {"poetry": "ode"}}),
    ] {
        let reply = chat(served.address, "Hi", more.clone());
        assert_eq!(reply.status, 400, "{more}: {}", reply.body);
        assert_eq!(chat(served.address, "Hi", json!({"guided_choice": ["a"]})).status, 200);
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn lenient_leaves_out_what_it_lacks_and_says_so() {
    let lenient = Settings { compat: Compat::Lenient, ..settings() };
    let served = Served::with(lenient, Arc::new(|_| Act::Say("ok".into())));
    let reply = chat(served.address, "Hi", json!({"store": true, "best_guess": 1, "we\nird": 2}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let mut listed: Vec<&str> = reply.header("x-freehold-ignored").unwrap().split(", ").collect();
    listed.sort_unstable();
    assert_eq!(listed, ["best_guess", "store", "weird"]);
    let strict = Served::saying("ok");
    let reply = chat(strict.address, "Hi", json!({"best_guess": 1}));
    assert_eq!((reply.status, &reply.param()[..]), (400, "best_guess"));
    assert_eq!(reply.json()["error"]["code"], "unsupported_parameter");
}

#[test]
fn r16_what_breaks_one_request_breaks_no_other() {
    let served = Served::acting(Arc::new(|prompt: &str| match prompt {
        p if p.contains("panic") => Act::Panic,
        p if p.contains("fail") => Act::Fail,
        p if p.contains("die") => Act::Die,
        _ => Act::Say("fine".into()),
    }));
    for (word, status) in [("panic", 500), ("fail", 500), ("die", 503)] {
        let reply = chat(served.address, word, json!({}));
        assert_eq!(reply.status, status, "{word}: {}", reply.body);
        assert_eq!(chat(served.address, "Hi", json!({})).status, 200);
    }
    for word in ["fail", "die"] {
        let reply = chat(served.address, word, json!({"stream": true}));
        assert_eq!(reply.status, 200);
        let events = reply.events();
        let error = events.iter().find(|event| event["error"].is_object()).unwrap();
        assert!(error["error"]["type"].is_string(), "{error}");
        assert!(reply.body.ends_with("data: [DONE]\n\n"));
    }
    assert_eq!(get(served.address, "/health").status, 200);
}
