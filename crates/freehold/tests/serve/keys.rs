//! Keys from the command line, guarded addresses, TLS, and what survives a kill.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    client::{Reply, raw, request},
    program::{Running, output, program},
};

fn ask(server: &Running, key: &str) -> Reply {
    let bearer = format!("Bearer {key}");
    let body =
        json!({"model": "house", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3});
    let headers = [("authorization", &bearer[..])];
    raw(server.address, &request("POST", "/v1/chat/completions", &headers, Some(&body.to_string())))
}

#[test]
fn r3_an_address_others_can_reach_is_refused_without_keys() {
    let home = tempfile::tempdir().unwrap();
    let done = output(program(home.path()).args(["serve", "--listen", "0.0.0.0:0"]));
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("freehold key create"), "{said}");
}

#[test]
fn a_key_is_made_used_listed_and_taken_back_while_the_server_runs() {
    let home = tempfile::tempdir().unwrap();
    let key = |arguments: &[&str]| {
        let done = output(program(home.path()).arg("key").args(arguments));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let server = Running::start(home.path(), &["--require-key"]);
    assert_eq!(ask(&server, "").status, 401);
    let made: Value = serde_json::from_str(&key(&["create", "--name", "ann", "--json"])).unwrap();
    let (id, token) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(ask(&server, token).status, 200);
    let listed = key(&["ls"]);
    assert!(listed.contains("ann") && listed.contains(id) && listed.contains("good"), "{listed}");
    assert!(!listed.contains(&token[token.len() - 20..]), "the secret is nowhere");
    key(&["revoke", id]);
    assert_eq!(ask(&server, token).status, 401);
    let again = output(program(home.path()).args(["key", "revoke", id]));
    assert_eq!(again.status.code(), Some(1));
}

#[test]
fn kill_nine_during_traffic_loses_no_key_and_no_record_of_a_finished_answer() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("keys.sqlite");
    let store = serve::key::Keys::open(&file).unwrap();
    let made = store.create(serve::key::Grant::default()).unwrap();
    let mut server = Running::start(home.path(), &["--require-key"]);
    let mut counted = 0;
    for _ in 0..5 {
        let body = ask(&server, &made.token).json();
        counted += body["usage"]["total_tokens"].as_u64().unwrap();
    }
    let pending = std::thread::scope(|scope| {
        let (server_address, token) = (server.address, made.token.clone());
        let busy = scope.spawn(move || {
            let bearer = format!("Bearer {token}");
            let body = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 400, "ignore_eos": true});
            let headers = [("authorization", &bearer[..])];
            raw(server_address, &request("POST", "/v1/chat/completions", &headers, Some(&body.to_string()))).status
        });
        std::thread::sleep(std::time::Duration::from_millis(30));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        busy.join().unwrap()
    });
    println!("the request in flight ended with {pending}");
    let store = serve::key::Keys::open(&file).unwrap();
    assert!(store.find(&made.token).unwrap().is_some());
    assert!(store.used(&made.key.id, 0).unwrap() >= counted);
    let server = Running::start(home.path(), &["--require-key"]);
    assert_eq!(ask(&server, &made.token).status, 200);
}

#[test]
fn tls_is_served_and_plain_text_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (chain, key) = (home.path().join("chain.pem"), home.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&chain)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: there is no openssl here to make a certificate with");
        return;
    }
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let server = Running::start(home.path(), &["--tls-cert", chain, "--tls-key", key]);
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-servername",
            "localhost",
            "-verify_return_error",
            "-CAfile",
            chain,
            "-connect",
        ])
        .arg(server.address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = client.stdin.take().unwrap();
    pipe.write_all(&request("GET", "/health", &[], None)).unwrap();
    let said = client.wait_with_output().unwrap();
    drop(pipe);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_ne!(raw(server.address, &request("GET", "/health", &[], None)).status, 200);
    let wrong = output(program(home.path()).args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        key,
        "--tls-key",
        key,
    ]));
    assert_eq!(wrong.status.code(), Some(3), "{}", String::from_utf8_lossy(&wrong.stderr));
}
