//! The server's own page and its conversations, over real sockets; in a real browser where there is
//! one (`FREEHOLD_TEST_NODE_MODULES` names a folder with playwright-core and axe-core), and its
//! scripts under Node where there is that.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod scripted;

use std::{net::SocketAddr, path::Path, process::Command};

use client::Client;
use serde_json::json;
use serve::{
    LocalKeys, Server, Settings, Stop,
    key::{Grant, Keys},
};

/// A server with the scripted model, stopped at the end of the test.
struct Running {
    address: SocketAddr,
    stop: Stop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new("127.0.0.1:0".parse().unwrap());
        settings.drain_delay = std::time::Duration::ZERO;
        change(&mut settings);
        let server = Server::bind(settings, vec![scripted::source()], Box::new(|_| ())).unwrap();
        server.load_first().unwrap();
        let (address, stop) = (server.address(), Stop::new());
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            server.run(&told);
        });
        Running { address, stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client { address: self.address, key: None }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.ask();
        self.stop.ask();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[test]
fn the_page_is_served_with_its_policy_and_never_twice() {
    let server = Running::start(|_| ());
    let client = server.client();
    let page = client.get("/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "trusted-types 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.header("cache-control"), "no-cache");
    let again = client.send("GET", "/", &[("If-None-Match", page.header("etag"))], "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    // Every file the page names is there.
    for part in page.body.split('"').filter(|part| part.starts_with("page/")) {
        let file = client.get(&format!("/{part}"));
        assert_eq!(file.status, 200, "{part}");
        assert!(!file.header("content-security-policy").is_empty());
    }
    for path in [
        "/page/",
        "/page/nothing.js",
        "/page/../Cargo.toml",
        "/page/%2e%2e/Cargo.toml",
        "/page/..%2fsrc/page.rs",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn conversations_are_kept_searched_exported_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("conversations.sqlite");
    let server = Running::start(|settings| settings.conversations = Some(file.clone()));
    let client = server.client();
    let one = "/v1/freehold/conversations/c1";
    let head = client.post(one, &json!({"title": "Walnuts", "settings": {"seed": 7}}));
    assert_eq!((head.status, head.json()["title"].as_str()), (200, Some("Walnuts")));
    let user = json!({"conversation": "c1", "role": "user", "content": "how tall?"});
    assert_eq!(client.post("/v1/freehold/messages/u", &user).status, 200);
    let answer = json!({"conversation": "c1", "parent": "u", "role": "assistant", "content": "Rather.", "state": "stopped"});
    for _ in 0..2 {
        assert_eq!(client.post("/v1/freehold/messages/a", &answer).status, 200);
    }
    let whole = client.get(one).json();
    assert_eq!(whole["messages"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&whole["current"], &whole["messages"][1]["state"]),
        (&json!("a"), &json!("stopped"))
    );
    for (query, found) in
        [("", 1), ("?q=TALL", 1), ("?q=walnut&limit=1", 1), ("?q=oak", 0), ("?q=how%20tall%3F", 1)]
    {
        let list = client.get(&format!("/v1/freehold/conversations{query}")).json();
        assert_eq!(list["data"].as_array().unwrap().len(), found, "{query}");
    }
    let markdown = client.get("/v1/freehold/export/c1?format=markdown");
    assert_eq!(markdown.body, "# Walnuts\n\n## You\n\nhow tall?\n\n## Answer\n\nRather.\n");
    let all = client.get("/v1/freehold/export/all");
    let imported = client.post("/v1/freehold/import", &json!({"file": all.json()}));
    assert_eq!(imported.json(), json!({"imported": 1}));
    assert_eq!(
        client.get("/v1/freehold/conversations").json()["data"].as_array().unwrap().len(),
        2
    );
    drop(server);

    let server = Running::start(|settings| settings.conversations = Some(file.clone()));
    let client = server.client();
    assert_eq!(client.get(one).json(), whole, "after a restart");
    assert_eq!(client.send("DELETE", one, &[], "").json()["deleted"], true);
    assert_eq!(client.get(one).status, 404);
    assert_eq!(client.send("DELETE", one, &[], "").status, 404);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let server = Running::start(|_| ());
    let client = server.client();
    client.post("/v1/freehold/conversations/c", &json!({}));
    for (path, body, status, part) in [
        ("conversations/c", json!({"titel": "x"}), 400, "titel"),
        ("conversations/c", json!({"title": 3}), 400, "title"),
        ("conversations/c", json!({"title": "x".repeat(201)}), 413, "title has 201"),
        ("conversations/c", json!({"current": "gone"}), 404, "message"),
        ("conversations/a%20b", json!({}), 400, "no name"),
        ("messages/m", json!({"conversation": "c", "role": "system", "content": ""}), 400, "role"),
        ("messages/m", json!({"conversation": "c", "role": "user"}), 400, "content"),
        (
            "messages/m",
            json!({"conversation": "d", "role": "user", "content": ""}),
            404,
            "conversation",
        ),
        (
            "messages/m",
            json!({"conversation": "c", "parent": "x", "role": "user", "content": ""}),
            404,
            "parent",
        ),
        (
            "messages/m",
            json!({"conversation": "c", "role": "user", "content": "x".repeat((1 << 20) + 1)}),
            413,
            "message has",
        ),
        ("import", json!({"file": [1, 2]}), 400, "conversation 1"),
        (
            "import",
            json!({"file": {"messages": [{"role": "user", "content": "a", "id": "a", "parent": "a"}]}}),
            400,
            "circle",
        ),
    ] {
        let answer = client.post(&format!("/v1/freehold/{path}"), &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{path}: {message}");
    }
    for query in ["?limit=x", "?before=x", "?limit=-1"] {
        assert_eq!(
            client.get(&format!("/v1/freehold/conversations{query}")).status,
            400,
            "{query}"
        );
    }
    assert_eq!(client.get("/v1/freehold/export/all?format=markdown").status, 400);
    assert_eq!(client.get("/v1/freehold/export/c?format=pdf").status, 400);
}

#[test]
fn keys_have_conversations_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.sqlite");
    let keys = Keys::open(&file).unwrap();
    let [ann, bob] = ["ann", "bob"]
        .map(|name| keys.create(Grant { name: name.into(), ..Grant::default() }).unwrap().token);
    let server = Running::start(|settings| {
        settings.keys = Some(file.clone());
        settings.local_keys = LocalKeys::Needed;
    });
    let nobody = server.client();
    let [ann, bob] = [ann, bob].map(|key| Client { key: Some(key), ..server.client() });
    assert_eq!(nobody.get("/").status, 200);
    let list = "/v1/freehold/conversations";
    let one = "/v1/freehold/conversations/c";
    for path in [list, one, "/v1/freehold/export/all"] {
        assert_eq!(nobody.get(path).status, 401, "{path}");
    }
    assert_eq!(nobody.post(one, &json!({})).status, 401);
    assert_eq!(nobody.send("DELETE", one, &[], "").status, 401);
    ann.post(one, &json!({"title": "Ann's"}));
    for path in [one, "/v1/freehold/export/c"] {
        assert_eq!((ann.get(path).status, bob.get(path).status), (200, 404), "{path}");
    }
    assert_eq!(bob.send("DELETE", one, &[], "").status, 404);
    bob.post(one, &json!({"title": "Bob's"}));
    assert_eq!(ann.get(one).json()["title"], "Ann's");
    assert_eq!(bob.get(list).json()["data"].as_array().unwrap().len(), 1);
    assert!(folder.path().join("conversations.sqlite").exists(), "kept beside the keys");
}

#[test]
fn another_page_cannot_read_or_change_them() {
    let server = Running::start(|_| ());
    let client = server.client();
    for (name, value) in
        [("Origin", "http://evil.example"), ("Origin", "null"), ("Host", "evil.example")]
    {
        for (method, body) in [("GET", ""), ("DELETE", ""), ("POST", "{}")] {
            let answer =
                client.send(method, "/v1/freehold/conversations/c", &[(name, value)], body);
            assert!(
                matches!(answer.status, 403 | 421),
                "{method} {name}: {value}: {}",
                answer.status
            );
        }
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}

#[test]
fn the_scripts_hold_under_node() {
    if Command::new("node").arg("--version").output().is_err() {
        println!("skipped: node is not here");
        return;
    }
    let tests = ["markdown.test.mjs", "page.test.mjs"];
    let ran =
        Command::new("node").arg("--test").args(tests).current_dir(folder()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn the_page_holds_in_a_browser() {
    let Ok(modules) = std::env::var("FREEHOLD_TEST_NODE_MODULES") else {
        println!(
            "skipped: FREEHOLD_TEST_NODE_MODULES names no folder with playwright-core and axe-core"
        );
        return;
    };
    let folder_of_keys = tempfile::tempdir().unwrap();
    let file = folder_of_keys.path().join("keys.sqlite");
    let key = Keys::open(&file).unwrap().create(Grant::default()).unwrap().token;
    let server = Running::start(|_| ());
    let locked = Running::start(|settings| {
        settings.keys = Some(file.clone());
        settings.local_keys = LocalKeys::Needed;
    });
    let ran = Command::new("node")
        .arg("browser.mjs")
        .arg(format!("http://{}/", server.address))
        .env("FREEHOLD_TEST_NODE_MODULES", modules)
        .env("FREEHOLD_TEST_SCRIPTED", "1")
        .env("FREEHOLD_TEST_LOCKED", format!("http://{}/", locked.address))
        .env("FREEHOLD_TEST_KEY", key)
        .current_dir(folder())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    println!("{told}");
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
}
