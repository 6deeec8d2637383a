//! Clients that are slow, large, many, or gone.

use std::{
    io::{Read, Write},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use serve::{Ended, Settings};

use super::{
    client::{chat, connect, get, raw, read, request},
    script::{Act, Served, settings},
};

fn hasty() -> Settings {
    Settings { patience: Duration::from_millis(600), body_bytes: 1 << 20, ..settings() }
}

#[test]
fn r5_slow_large_and_contradictory_requests_end_with_a_word_and_in_time() {
    let served = Served::with(hasty(), Arc::new(|_| Act::Say("ok".into())));
    let began = Instant::now();
    // A head that never ends.
    let mut slow = connect(served.address);
    slow.write_all(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-A: ").unwrap();
    assert!(matches!(read(&mut slow).status, 0 | 400 | 408));
    // A body that never comes.
    let head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"";
    assert_eq!(raw(served.address, head.as_bytes()).status, 408);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // A head too large, and one of too many lines.
    let long = "x".repeat(70 << 10);
    assert_eq!(
        raw(served.address, &request("GET", "/health", &[("x-long", &long)], None)).status,
        431
    );
    let lines: Vec<(String, String)> =
        (0..150).map(|n| (format!("x-{n}"), "y".to_owned())).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    assert_eq!(raw(served.address, &request("GET", "/health", &lines, None)).status, 431);
    // A body said to be a gigabyte, and one in endless chunks.
    let head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{";
    let reply = raw(served.address, head.as_bytes());
    assert!(matches!(reply.status, 408 | 413), "{reply:?}");
    let mut chunks = connect(served.address);
    chunks.write_all(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..64 {
        if chunks.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let reply = read(&mut chunks);
    assert!(matches!(reply.status, 0 | 413), "{reply:?}");
    // Two lengths.
    let both = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(raw(served.address, both.as_bytes()).status, 400);
    assert_eq!(get(served.address, "/health").status, 200, "and it lives");
}

#[test]
fn r5_connections_are_bounded_and_the_next_waits_for_its_turn() {
    let settings = Settings { connections: 2, ..hasty() };
    let served = Served::with(settings, Arc::new(|_| Act::Say("ok".into())));
    let idle: Vec<_> = (0..2).map(|_| connect(served.address)).collect();
    let began = Instant::now();
    assert_eq!(get(served.address, "/health").status, 200);
    assert!(began.elapsed() > Duration::from_millis(200), "it waited for a place");
    drop(idle);
}

#[test]
fn r6_there_is_no_http2_to_flood() {
    let served = Served::with(hasty(), Arc::new(|_| Act::Say("ok".into())));
    let reply = raw(served.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(matches!(reply.status, 0 | 400 | 505), "{reply:?}");
    assert_eq!(get(served.address, "/health").status, 200);
}

#[test]
fn r7_a_client_that_leaves_ends_its_work_whether_it_streams_or_waits() {
    let served = Served::acting(Arc::new(|_| Act::Go(Duration::from_millis(1))));
    for stream in [true, false] {
        for _ in 0..20 {
            let body = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": stream})
                .to_string();
            let mut client = connect(served.address);
            client.write_all(&request("POST", "/v1/chat/completions", &[], Some(&body))).unwrap();
            if stream {
                let mut some = [0; 256];
                assert!(client.read(&mut some).unwrap() > 0);
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
            drop(client);
        }
        served.calm();
    }
    assert_eq!(served.seen.cancelled.load(Ordering::SeqCst), 40);
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let served = Served::acting(Arc::new(|_| Act::Full));
    let reply = chat(served.address, "Hi", json!({}));
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(reply.json()["error"]["code"], "queue_full");
    let narrow = Settings { answers: 1, ..settings() };
    let served = Served::with(narrow, Arc::new(|_| Act::Go(Duration::from_millis(5))));
    let body = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": true}).to_string();
    let mut first = connect(served.address);
    first.write_all(&request("POST", "/v1/chat/completions", &[], Some(&body))).unwrap();
    let mut some = [0; 64];
    assert!(first.read(&mut some).unwrap() > 0);
    assert_eq!(chat(served.address, "Hi", json!({})).status, 429);
    drop(first);
    served.calm();
}

#[test]
fn draining_fails_readiness_first_finishes_what_is_under_way_and_then_closes() {
    let settings = Settings { drain_delay: Duration::from_millis(500), ..settings() };
    let mut served = Served::with(settings, Arc::new(|_| Act::Go(Duration::from_millis(2))));
    let body =
        json!({"messages": [{"role": "user", "content": "Hi"}], "stream": true, "max_tokens": 400})
            .to_string();
    let mut client = connect(served.address);
    client.write_all(&request("POST", "/v1/chat/completions", &[], Some(&body))).unwrap();
    let mut some = [0; 64];
    assert!(client.read(&mut some).unwrap() > 0);
    let address = served.address;
    served.stop.ask();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(
        (
            get(address, "/ready").status,
            get(address, "/health").status,
            get(address, "/livez").status
        ),
        (503, 503, 200)
    );
    let rest = std::thread::spawn(move || {
        let mut all = String::new();
        let _ = client.read_to_string(&mut all);
        all
    });
    // The second word is not given: it ends by itself.
    let ended = served.finish();
    assert_eq!(ended, Ended::Drained);
    assert!(rest.join().unwrap().contains("[DONE]"), "the stream was finished");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_second_word_ends_at_once() {
    let mut served = Served::acting(Arc::new(|_| Act::Go(Duration::from_millis(5))));
    let body = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": true}).to_string();
    let mut client = connect(served.address);
    client.write_all(&request("POST", "/v1/chat/completions", &[], Some(&body))).unwrap();
    let mut some = [0; 64];
    assert!(client.read(&mut some).unwrap() > 0);
    let began = Instant::now();
    served.stop.ask();
    assert_eq!(served.end(), Ended::Cut(1));
    assert!(began.elapsed() < Duration::from_secs(5));
}
