//! Calls of tools: whole, streamed, forced, and malformed.

use serde_json::{Value, json};

use super::{client::chat, script::Served};

fn tools() -> Value {
    json!([{"type": "function", "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false},
    }}, {"type": "function", "function": {"name": "now"}}])
}

fn with(more: Value) -> Value {
    let mut all = json!({"tools": tools()});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

const CALL: &str =
    "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";

#[test]
fn a_call_whole_and_as_deltas() {
    let served = Served::saying(&format!("Let me look.\n{CALL}\n{CALL}"));
    let body = chat(served.address, "Hi", with(json!({}))).json();
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "Let me look.");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["function"]["name"], "get_weather");
    let arguments: Value =
        serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Rome"}));
    assert_ne!(calls[0]["id"], calls[1]["id"]);

    let events = chat(served.address, "Hi", with(json!({"stream": true}))).events();
    let deltas: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"].as_array())
        .flatten()
        .collect();
    let opened: Vec<&Value> =
        deltas.iter().copied().filter(|delta| delta["id"].is_string()).collect();
    assert_eq!(opened.len(), 2);
    for index in 0..2 {
        let text: String = deltas
            .iter()
            .filter(|delta| delta["index"] == index)
            .filter_map(|delta| delta["function"]["arguments"].as_str())
            .collect();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"city": "Rome"}));
    }
    assert!(deltas.len() > 6, "arguments come in pieces: {}", deltas.len());
    let last = events.iter().rev().find_map(|event| event["choices"][0]["finish_reason"].as_str());
    assert_eq!(last, Some("tool_calls"));
}

#[test]
fn one_call_where_one_was_asked_for() {
    let served = Served::saying(&format!("{CALL}\n{CALL}"));
    let body = chat(served.address, "Hi", with(json!({"parallel_tool_calls": false}))).json();
    assert_eq!(body["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 1);
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_call_that_must_come_comes_and_fits_its_schema() {
    let served = Served::saying("I would rather not");
    for choice in
        [json!("required"), json!({"type": "function", "function": {"name": "get_weather"}})]
    {
        let body = chat(served.address, "Hi", with(json!({"tool_choice": choice}))).json();
        let call = &body["choices"][0]["message"]["tool_calls"][0]["function"];
        let name = call["name"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
        assert!(arguments.is_object());
        if name == "get_weather" {
            assert!(arguments["city"].is_string(), "{call}");
        }
    }
    let body = chat(served.address, "Hi", with(json!({"tool_choice": "none"}))).json();
    assert_eq!(body["choices"][0]["message"]["content"], "I would rather not");
}

/// What would break the tool's schema cannot be written once the call is open.
#[test]
fn arguments_are_held_to_the_schema_from_the_mark_on() {
    let served = Served::saying(
        "<tool_call>\n{\"name\": \"get_wetter\", \"arguments\": {\"town\": 5}}\n</tool_call>",
    );
    let body = chat(served.address, "Hi", with(json!({}))).json();
    let call = &body["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "get_weather", "{body}");
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string(), "{arguments}");
}

/// In a notation whose arguments no grammar steers (tags), a model can write nonsense.
const TAGGED: &str = "{%- for message in messages %}{{ message.content }}{%- endfor %}{%- if tools %}<function=f><parameter=p>{%- endif %}";

#[test]
fn t13_a_malformed_call_is_a_typed_error_with_its_text() {
    let broken = "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome";
    let served = Served::templated(TAGGED, &format!("Sure. {broken}"));
    let body = chat(served.address, "Hi", with(json!({}))).json();
    let choice = &body["choices"][0];
    assert_eq!(choice["error"]["type"], "malformed_tool_call", "{body}");
    assert!(choice["error"]["text"].as_str().unwrap().contains("Rome"));
    assert!(choice["message"]["content"].as_str().unwrap().contains("<parameter=city>"));
    assert!(choice["message"].get("tool_calls").is_none(), "a void call is no call");
    assert_eq!(choice["finish_reason"], "stop");
    let reply = chat(served.address, "Hi", with(json!({"stream": true})));
    assert_eq!(reply.status, 200);
    let events = reply.events();
    let typed = events.iter().any(|event| {
        let error = if event["error"].is_object() {
            &event["error"]
        } else {
            &event["choices"][0]["error"]
        };
        error["type"] == "malformed_tool_call" && error["text"].as_str().unwrap().contains("Rome")
    });
    assert!(typed && reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
    // Sound calls in that notation are read, and one that must come is refused, for it cannot be held to.
    let good = "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>";
    let served = Served::templated(TAGGED, good);
    let body = chat(served.address, "Hi", with(json!({}))).json();
    let arguments =
        body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str();
    assert_eq!(serde_json::from_str::<Value>(arguments.unwrap()).unwrap(), json!({"city": "Rome"}));
    let must = chat(served.address, "Hi", with(json!({"tool_choice": "required"})));
    assert_eq!((must.status, &must.param()[..]), (400, "tool_choice"));
}

#[test]
fn tools_for_a_template_that_knows_none_are_refused() {
    let served = Served::templated("{{ messages[0].content }}", "x");
    let reply = chat(served.address, "Hi", with(json!({})));
    assert_eq!((reply.status, &reply.param()[..]), (400, "tools"));
}

#[test]
fn tools_that_make_no_sense_are_refused_by_name() {
    let served = Served::saying("x");
    let tool = |name: Value, parameters: Value| json!([{"type": "function", "function": {"name": name, "parameters": parameters}}]);
    for (tools, param) in [
        (json!([{"type": "retrieval"}]), "tools[0].type"),
        (json!([{"type": "function"}]), "tools[0].function"),
        (tool(json!(""), json!({})), "tools[0].function.name"),
        (tool(json!("a b"), json!({})), "tools[0].function.name"),
        (tool(json!("f"), json!([])), "tools[0]"),
        (tool(json!("f"), json!({"properties": {"a": {"type": "lyric"}}})), "tools"),
        (tool(json!("f"), json!({"properties": {"a": {"pattern": "("}}})), "tools"),
        (
            json!([{"type": "function", "function": {"name": "f", "color": "red"}}]),
            "tools[0].function.color",
        ),
        (
            json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}]),
            "tools[1].function.name",
        ),
    ] {
        let reply = chat(served.address, "Hi", json!({"tools": tools}));
        assert_eq!((reply.status, &reply.param()[..]), (400, param), "{}", reply.body);
    }
    let many: Vec<Value> = (0..10_000)
        .map(|n| json!({"type": "function", "function": {"name": format!("f{n}")}}))
        .collect();
    assert_eq!(chat(served.address, "Hi", json!({"tools": many})).status, 400);
    let named = json!({"tools": tools(), "tool_choice": {"type": "function", "function": {"name": "nope"}}});
    assert_eq!(chat(served.address, "Hi", named).param(), "tool_choice");
    assert_eq!(
        chat(served.address, "Hi", json!({"tool_choice": "required"})).param(),
        "tool_choice"
    );
}
