//! Offline is a promise: no socket is opened, seen from outside by tracing every call to the kernel.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    hub::Room,
    support::{done, gguf, program},
};

const NAME: &str = "org/tiny-GGUF:F32";

/// Variables and arguments of a command.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// The calls about sockets that a command makes; `None` where nothing can be traced here.
fn sockets(room: &Room, environment: &[(&str, &str)], arguments: &[&str]) -> Option<Vec<String>> {
    let trace = room.path("trace");
    let program = program();
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-e", "trace=%network", "-o"])
        .arg(&trace)
        .arg(program.get_program())
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("FREEHOLD_THREADS", "2")
        .stdin(Stdio::null());
    room.furnish(&mut command);
    command.envs(environment.iter().copied());
    let output = command.output().ok()?;
    let text = fs::read_to_string(&trace).ok()?;
    fs::remove_file(&trace).unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("PTRACE") {
        return None;
    }
    // What the kernel tells of signals and exits is no call.
    let calls = text.lines().filter(|line| line.contains('(') && !line.contains("+++"));
    Some(calls.map(str::to_owned).collect())
}

#[test]
fn no_socket_is_opened_however_offline_is_said() {
    let room = Room::new();
    match sockets(&room, &[], &["pull", NAME]) {
        // So the eye sees what it is to see.
        Some(calls) => assert!(calls.iter().any(|call| call.contains("connect(")), "{calls:?}"),
        None => return println!("skipped: no strace here, or it may not trace"),
    }
    room.hub.forget();
    let cases: [Case<'_>; 14] = [
        (&[], &["--offline", "pull", NAME]),
        (&[("HF_HUB_OFFLINE", "1")], &["pull", NAME]),
        (&[("FREEHOLD_OFFLINE", "1")], &["pull", "org/not-here"]),
        (&[], &["run", NAME, "hello", "--raw", "-n", "2", "--offline"]),
        (&[("FREEHOLD_OFFLINE", "true")], &["show", NAME]),
        (&[], &["plan", "org/not-here", "--offline"]),
        (&[], &["licence", NAME, "--offline"]),
        (&[], &["openness", NAME, "--offline"]),
        (&[], &["search", "qwen3", "--offline"]),
        (&[], &["outdated", "--offline"]),
        (&[], &["verify", "--force", "--offline"]),
        (&[], &["policy", "explain", NAME, "--offline"]),
        (&[], &["ls", "--offline"]),
        (&[], &["inspect", NAME, "--offline"]),
    ];
    for (environment, arguments) in cases {
        let calls = sockets(&room, environment, arguments).unwrap();
        assert!(calls.is_empty(), "{environment:?} {arguments:?}: {calls:?}");
    }
    assert_eq!(room.hub.connections(), 0);
}

#[test]
fn what_is_not_here_is_refused_offline_with_a_way_out() {
    let room = Room::new();
    room.run(&["pull", NAME, "--offline"]).refused(3, &["offline", "pull it once while online"]);
    room.run(&["outdated", "--offline"]);
    let mut wrong = room.program();
    done(wrong.args(["ls"]).env("FREEHOLD_OFFLINE", "perhaps")).refused(2, &["FREEHOLD_OFFLINE"]);
    // A file needs no hub at all, not even one that could be named.
    let mut bare = room.program();
    bare.env_remove("HF_HOME").args(["inspect", gguf(), "--offline"]);
    assert_eq!(done(&mut bare).code, 0);
}
