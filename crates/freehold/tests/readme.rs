//! The README's first session is a tested transcript: every question it shows gets the answer it shows.
//!
//! Asked one by one, greedily: the built-in model answers these the same whether or not others came before.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

const README: &str = include_str!("../../../README.md");

/// Questions and answers of the README's conversation.
fn conversation() -> Vec<(String, String)> {
    let mut turns: Vec<(String, String)> = vec![];
    let mut inside = false;
    for line in README.lines() {
        let line = line.strip_prefix("    ").unwrap_or("");
        if let Some(question) = line.strip_prefix(">>> ") {
            inside = question != "/bye";
            if inside {
                turns.push((question.to_owned(), String::new()));
            }
        } else if inside && let Some((_, answer)) = turns.last_mut() {
            answer.push_str(line);
        }
    }
    turns
}

fn freehold(arguments: &[&str]) -> std::process::Output {
    let home = std::env::temp_dir().join(format!("freehold-readme-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_freehold"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env("FREEHOLD_HOME", home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_first_session_says_what_the_readme_shows() {
    let turns = conversation();
    assert_eq!(turns.len(), 10, "the README shows ten questions");
    for (question, answer) in turns {
        let output = freehold(&["run", "house", &question, "--temperature", "0"]);
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), answer, "{question}");
    }
}

#[test]
fn the_commands_the_readme_shows_run() {
    let model = "house/release/freehold-house-q8_0.gguf";
    let shown =
        |command: &str| README.lines().any(|line| line.trim() == format!("$ freehold {command}"));
    for command in [format!("inspect {model}"), format!("plan {model}")] {
        assert!(shown(&command), "{command}");
        let output = freehold(&command.split(' ').collect::<Vec<_>>());
        let printed = String::from_utf8(output.stdout).unwrap();
        let first = printed.lines().next().unwrap();
        assert!(README.contains(first), "{command} begins with {first}");
    }
    let bench = format!("bench {model} -p 128 -n 64 -r 3");
    assert!(shown(&bench), "{bench}");
    freehold(&["bench", model, "-p", "16", "-n", "4", "-r", "1"]);
}
