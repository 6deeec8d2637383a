//! The other families: Anthropic's blocks, Ollama's lines, the editors' infill.

use serde_json::{Value, json};

use super::{
    client::{Reply, get, post, raw, request},
    script::Served,
};

const CALL: &str =
    "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";

fn anthropic(served: &Served, more: Value) -> Reply {
    let mut body = json!({"model": "scripted", "max_tokens": 500, "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    post(served.address, "/v1/messages", &body)
}

fn tool() -> Value {
    json!([{"name": "get_weather", "description": "weather", "input_schema": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}}])
}

/// `(event, data)` of each event.
fn named(reply: &Reply) -> Vec<(String, Value)> {
    let events = reply.body.split("\n\n").filter_map(|event| event.strip_prefix("event: "));
    events
        .map(|event| {
            let (name, data) = event.split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[test]
fn anthropic_messages_whole() {
    let served = Served::saying(&format!("<think>\nhm\n</think>\n\nLet me look.\n{CALL}"));
    let reply = anthropic(
        &served,
        json!({"tools": tool(), "system": [{"type": "text", "text": "Be kind."}]}),
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    assert_eq!(
        (&body["type"], &body["role"], &body["stop_reason"]),
        (&json!("message"), &json!("assistant"), &json!("tool_use"))
    );
    let kinds: Vec<_> = body["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(body["content"][2]["input"], json!({"city": "Rome"}));
    assert!(body["usage"]["input_tokens"].as_u64() > Some(0));
    let stopped = anthropic(&Served::saying("one two"), json!({"stop_sequences": ["two"]})).json();
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!("two"))
    );
    let cut = anthropic(&Served::saying("one two"), json!({"max_tokens": 3})).json();
    assert_eq!(cut["stop_reason"], "max_tokens");
}

#[test]
fn anthropic_messages_streamed_block_by_block() {
    let served = Served::saying(&format!("<think>\nhm\n</think>\n\nLook.\n{CALL}"));
    let reply = anthropic(&served, json!({"tools": tool(), "stream": true}));
    let events = named(&reply);
    assert_eq!((&events[0].0[..], &events[1].0[..]), ("message_start", "ping"));
    assert_eq!(events.last().unwrap().0, "message_stop");
    let opened: Vec<_> = events
        .iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, data)| {
            (data["index"].as_u64().unwrap(), data["content_block"]["type"].as_str().unwrap())
        })
        .collect();
    assert_eq!(opened, [(0, "thinking"), (1, "text"), (2, "tool_use")]);
    assert_eq!(events.iter().filter(|(name, _)| name == "content_block_stop").count(), 3);
    let input: String =
        events.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), json!({"city": "Rome"}));
    let delta = events.iter().find(|(name, _)| name == "message_delta").unwrap();
    assert_eq!(delta.1["delta"]["stop_reason"], "tool_use");
    assert!(delta.1["usage"]["output_tokens"].as_u64() > Some(10));
}

#[test]
fn anthropic_conversations_counts_and_errors() {
    let served = Served::saying("ok");
    let messages = json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Rome"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]}, {"type": "text", "text": "Thanks", "cache_control": {"type": "ephemeral"}}]},
    ], "tools": tool()});
    assert_eq!(anthropic(&served, messages.clone()).status, 200);
    let mut counted = messages;
    counted["model"] = json!("scripted");
    let count = post(served.address, "/v1/messages/count_tokens", &counted).json();
    let prompts = served.seen.prompts.lock().unwrap();
    assert_eq!(count["input_tokens"], prompts[0].len());
    drop(prompts);
    for (more, word) in [
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"made_up": 1}), "made_up"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}),
            "messages[0].content[0].type",
        ),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "tools[0].type"),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
        (json!({"messages": [{"role": "user", "content": "x".repeat(30_000)}]}), "30"),
    ] {
        let reply = anthropic(&served, more.clone());
        let body = reply.json();
        assert_eq!(
            (reply.status, &body["type"], &body["error"]["type"]),
            (400, &json!("error"), &json!("invalid_request_error")),
            "{more}"
        );
        assert!(body["error"]["message"].as_str().unwrap().contains(word), "{more}: {body}");
    }
    assert_eq!(
        anthropic(&served, json!({"model": "other"})).json()["error"]["type"],
        "not_found_error"
    );
    let thinks = Served::saying("hm</think>ok");
    let reply = anthropic(&thinks, json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}));
    assert_eq!(reply.header("x-freehold-ignored"), Some("thinking.budget_tokens"));
    assert_eq!(reply.json()["content"][0]["type"], "thinking");
}

fn lines(reply: &Reply) -> Vec<Value> {
    reply
        .body
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn ollama_chat_and_generate_by_lines_and_whole() {
    let served = Served::saying("<think>\nhm\n</think>\n\nHello");
    let ask = |more: Value| {
        let mut body =
            json!({"model": "scripted:latest", "messages": [{"role": "user", "content": "Hi"}]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        post(served.address, "/api/chat", &body)
    };
    let reply = ask(json!({}));
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let all = lines(&reply);
    let text: String = all.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    let thought: String =
        all.iter().filter_map(|line| line["message"]["thinking"].as_str()).collect();
    assert_eq!((&text[..], &thought[..]), ("Hello", "hm"));
    let last = all.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    for count in [
        "total_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ] {
        assert!(last[count].is_u64(), "{count}");
    }
    let whole = ask(json!({"stream": false, "options": {"num_predict": 200, "temperature": 0, "seed": 1, "num_ctx": 4096, "stop": ["lo"]}})).json();
    assert_eq!(whole["message"]["content"], "Hel");
    let prompt = json!({"model": "scripted", "prompt": "Hi", "stream": false});
    assert_eq!(post(served.address, "/api/generate", &prompt).json()["response"], "Hello");
    let empty = post(served.address, "/api/generate", &json!({"model": "scripted"})).json();
    assert_eq!(empty["done_reason"], "load");
    for (more, word) in [
        (json!({"options": {"num_gpu": 1}}), "options.num_gpu"),
        (json!({"options": {"num_ctx": 1_000_000}}), "20000"),
        (json!({"options": {"temperature": "x"}}), "options.temperature"),
        (json!({"format": "xml"}), "format"),
        (json!({"messages": [{"role": "user", "content": "a", "images": ["aGk="]}]}), "text only"),
        (json!({"made_up": 1}), "made_up"),
    ] {
        let reply = ask(more.clone());
        assert_eq!(reply.status, 400, "{more}");
        assert!(reply.json()["error"].as_str().unwrap().contains(word), "{more}: {}", reply.body);
    }
    assert_eq!(ask(json!({"model": "other"})).status, 404);
}

#[test]
fn ollama_tools_formats_and_models() {
    let served = Served::saying(CALL);
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let messages = json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
        {"role": "tool", "content": "sunny", "tool_name": "get_weather"},
    ]);
    let body = json!({"model": "scripted", "messages": messages, "tools": tools});
    let reply = post(served.address, "/api/chat", &body);
    let calls: Vec<Value> = lines(&reply)
        .iter()
        .filter_map(|line| line["message"]["tool_calls"].as_array().cloned())
        .flatten()
        .collect();
    assert_eq!(
        calls,
        [json!({"function": {"name": "get_weather", "arguments": {"city": "Rome"}}})],
        "{}",
        reply.body
    );
    let talk = Served::saying("words");
    let shaped = json!({"model": "scripted", "stream": false, "messages": [{"role": "user", "content": "Hi"}], "format": {"type": "object", "properties": {"a": {"type": "integer", "maximum": 9, "minimum": 0}}, "required": ["a"], "additionalProperties": false}});
    let content = post(talk.address, "/api/chat", &shaped).json()["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(serde_json::from_str::<Value>(&content).unwrap()["a"].is_u64(), "{content}");
    assert_eq!(get(talk.address, "/api/tags").json()["models"][0]["name"], "scripted");
    assert_eq!(get(talk.address, "/api/ps").json()["models"].as_array().unwrap().len(), 1);
    assert!(get(talk.address, "/api/version").json()["version"].is_string());
    let show = post(talk.address, "/api/show", &json!({"model": "scripted"})).json();
    assert_eq!(show["capabilities"], json!(["completion", "tools", "thinking"]));
}

#[test]
fn infill_is_refused_by_name_where_a_model_cannot() {
    let served = Served::saying("x");
    // As llama.vscode sends it.
    let body = json!({"input_prefix": "fn a() {", "input_suffix": "}", "input_extra": [{"filename": "b.rs", "text": "fn b() {}"}], "prompt": "", "n_predict": 128, "top_k": 40, "top_p": 0.99, "samplers": ["top_k", "top_p", "infill"], "stream": false, "n_indent": 0, "cache_prompt": true, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000});
    let reply = post(served.address, "/infill", &body);
    assert_eq!((reply.status, &reply.param()[..]), (400, "suffix"), "{}", reply.body);
}

#[test]
fn other_families_get_errors_in_their_own_shape_from_the_gate_too() {
    let served = Served::saying("x");
    let evil = [("host", "evil.example")];
    let messages = raw(served.address, &request("POST", "/v1/messages", &evil, Some("{}")));
    assert_eq!((messages.status, &messages.json()["type"]), (421, &json!("error")));
    let chat = raw(served.address, &request("POST", "/api/chat", &evil, Some("{}")));
    assert!(chat.status == 421 && chat.json()["error"].is_string());
}

fn responses(served: &Served, more: Value) -> Reply {
    let mut body = json!({"model": "scripted", "input": "Hi"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    post(served.address, "/v1/responses", &body)
}

fn flat_tool() -> Value {
    json!([{"type": "function", "name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}}])
}

#[test]
fn responses_whole_and_streamed_tell_the_same() {
    let served = Served::saying(&format!("<think>\nhm\n</think>\n\nLook.\n{CALL}"));
    let reply = responses(&served, json!({"tools": flat_tool(), "instructions": "Be kind."}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    assert_eq!((&body["status"], &body["store"]), (&json!("completed"), &json!(false)));
    let kinds = |body: &Value| -> Vec<String> {
        body["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&body), ["reasoning", "message", "function_call"]);
    assert_eq!(body["output"][1]["content"][0]["text"], "Look.");
    assert_eq!(body["output"][2]["name"], "get_weather");
    let streamed = responses(&served, json!({"tools": flat_tool(), "stream": true}));
    let events = named(&streamed);
    assert_eq!(events[0].0, "response.created");
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.completed");
    assert_eq!(kinds(&last["response"]), kinds(&body));
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let arguments: String = events
        .iter()
        .filter(|(name, _)| name == "response.function_call_arguments.delta")
        .map(|(_, data)| data["delta"].as_str().unwrap())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"city": "Rome"}));
    let ends = ["response.completed", "response.incomplete", "response.failed"];
    assert_eq!(events.iter().filter(|(name, _)| ends.contains(&&name[..])).count(), 1);
}

#[test]
fn responses_take_items_and_refuse_what_would_need_a_memory() {
    let served = Served::saying("It is sunny.");
    let input = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "get_weather", "arguments": "{\"city\": \"Rome\"}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ]);
    let body = responses(&served, json!({"input": input, "tools": flat_tool()})).json();
    assert_eq!(body["output"][0]["content"][0]["text"], "It is sunny.", "{body}");
    let cut = responses(&served, json!({"max_output_tokens": 5})).json();
    assert_eq!(
        (&cut["status"], &cut["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let format =
        json!({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"enum": [7]}}}});
    assert_eq!(responses(&served, format).json()["output"][0]["content"][0]["text"], "7");
    for (more, param) in [
        (json!({"store": true}), "store"),
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"input": []}), "input"),
        (json!({"input": [{"type": "item_reference", "id": "x"}]}), "input[0].type"),
        (json!({"made_up": 1}), "made_up"),
        (json!({"input": "x".repeat(30_000)}), "input"),
    ] {
        let reply = responses(&served, more.clone());
        assert_eq!((reply.status, &reply.param()[..]), (400, param), "{more}: {}", reply.body);
    }
}
