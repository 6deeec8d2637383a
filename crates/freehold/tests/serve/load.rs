//! Many at once: the same bytes as alone, and an orderly end.

use std::time::Duration;

use serde_json::{Value, json};

use super::{client::post, program::Running};

const WORDS: [&str; 8] = [
    "What is open-weight AI?",
    "Tell me a short story about a fox.",
    "What is 12 plus 30?",
    "Say something polite.",
    "What is the plural of mouse?",
    "Name three colours.",
    "Hello!",
    "Who are you?",
];

fn body(n: usize) -> Value {
    // Different lengths, seeds and samplers; a third of them constrained.
    let mut body = json!({
        "model": "house",
        "messages": [{"role": "user", "content": WORDS[n % WORDS.len()].repeat(1 + n % 3)}],
        "seed": n,
        "temperature": 0.3 + (n % 5) as f64 * 0.3,
        "top_p": 0.95,
        "max_tokens": 8 + n % 25,
        "n": 1 + n % 2,
    });
    if n.is_multiple_of(3) {
        body["guided_regex"] = json!("[a-z ]{5,60}\\.");
    }
    body
}

fn texts(server: &Running, n: usize) -> Vec<String> {
    let reply = post(server.address, "/v1/chat/completions", &body(n));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let choices = reply.json()["choices"].clone();
    choices.as_array().unwrap().iter().map(|c| c["message"]["content"].to_string()).collect()
}

/// Every answer is the same, byte for byte, alone and among others: on a server that is asked one thing
/// at a time, and on one that is asked everything at once.
#[test]
fn two_hundred_seeded_requests_under_load_are_those_of_a_quiet_run() {
    let home = tempfile::tempdir().unwrap();
    let quiet = Running::start(home.path(), &["--ctx", "512", "--log", "off"]);
    let alone: Vec<Vec<String>> = (0..200).map(|n| texts(&quiet, n)).collect();
    drop(quiet);
    let busy = Running::start(home.path(), &["--ctx", "512", "--log", "off", "--parallel", "12"]);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if n >= 200 {
                        return;
                    }
                    // Not in the order of the quiet run.
                    let n = n * 67 % 200;
                    assert_eq!(texts(&busy, n), alone[n], "request {n}");
                }
            });
        }
    });
}

#[test]
fn sigterm_finishes_what_is_under_way_and_ends_well() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Running::start(home.path(), &["--ctx", "1024"]);
    let address = server.address;
    let busy = std::thread::spawn(move || {
        let body = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 300, "ignore_eos": true, "stream": true});
        post(address, "/v1/chat/completions", &body)
    });
    std::thread::sleep(Duration::from_millis(60));
    server.signal("-TERM");
    assert_eq!(server.wait().code(), Some(0));
    let reply = busy.join().unwrap();
    assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
    assert!(reply.body.contains("\"finish_reason\":\"length\""));
}
