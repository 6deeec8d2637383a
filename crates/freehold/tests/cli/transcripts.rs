//! Sessions as they were really run: `tests/transcripts/*.txt`.
//!
//! Each holds lines `$ command`, what it printed (both streams), and `[exit N]` where N is not 0.
//! `…` stands for anything within a line. `TRANSCRIPTS=write cargo test` writes what is printed now.

use std::{fmt::Write, fs, path::Path, process::Command};

use crate::support::{gguf, gguf_without_template, hf, home};

#[test]
fn every_transcript_still_happens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = fs::read_to_string(&path).unwrap();
        let commands = expected.lines().filter_map(|line| line.strip_prefix("$ "));
        let happened: String = commands.map(session).collect();
        let write = std::env::var_os("TRANSCRIPTS").is_some_and(|mode| mode == "write");
        match same(&expected, &happened) {
            true => {}
            false if write => fs::write(&path, &happened).unwrap(),
            false => panic!("{}: now\n{happened}", path.display()),
        }
        seen += 1;
    }
    assert!(seen >= 3);
}

fn session(command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_freehold")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("FREEHOLD_HOME", home())
        .env("COLUMNS", "100")
        .current_dir(models())
        .output()
        .unwrap();
    let mut text = format!("$ {command}\n{}", String::from_utf8(output.stdout).unwrap());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        code => writeln!(text, "[exit {}]", code.unwrap_or(-1)).unwrap(),
    }
    text
}

/// Where the models of the transcripts lie: `tiny.gguf`, `bare.gguf`, `tiny/`.
fn models() -> &'static Path {
    gguf_without_template();
    hf();
    Path::new(gguf()).parent().unwrap()
}

fn same(expected: &str, happened: &str) -> bool {
    expected.lines().count() == happened.lines().count()
        && expected.lines().zip(happened.lines()).all(|(pattern, line)| matches(pattern, line))
}

fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((head, tail)) => line.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| matches(tail, rest))
        }),
    }
}
