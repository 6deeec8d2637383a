//! A conversation, at a terminal that `script` (util-linux) makes.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use crate::support::{folder, gguf, home};

/// What the line editor sends to the terminal when it is ready for a line.
const READY: &str = "\x1b[?2004h";
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal somebody types into. Keys typed before the editor is ready are lost, as in life.
struct Terminal {
    child: Child,
    shown: String,
    more: Receiver<Vec<u8>>,
}

impl Terminal {
    /// `None` without `script`.
    fn open(name: &str, arguments: &str) -> Option<Self> {
        // Without a shell in between, which Ctrl-C would reach too.
        let line = format!(
            "stty cols 80 rows 24; exec {} run {} {arguments}",
            env!("CARGO_BIN_EXE_freehold"),
            gguf()
        );
        let child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("FREEHOLD_HOME", home().join(name))
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no program `script` here");
            return None;
        };
        let mut out = child.stdout.take().unwrap();
        let (send, more) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Terminal { child, shown: String::new(), more })
    }

    /// Waits until `enough` of what is shown.
    fn wait(&mut self, enough: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !enough(&self.shown) {
            assert!(begun.elapsed() < PATIENCE, "{}", self.shown);
            match self.more.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Types each of `lines` (the last one leaves) and gives all that was shown.
    fn talk(mut self, lines: &[&str]) -> String {
        for (already, line) in lines.iter().enumerate() {
            self.wait(|shown| shown.matches(READY).count() > already);
            for part in line.lines() {
                self.press(&format!("{part}\r"));
                // The editor drops what comes while it redraws a text of several lines.
                thread::sleep(Duration::from_millis(200));
            }
        }
        self.wait(|_| false);
        assert!(self.child.wait().unwrap().success(), "{}", self.shown);
        std::mem::take(&mut self.shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn typed(name: &str, arguments: &str, lines: &[&str]) -> Option<String> {
    Some(Terminal::open(name, arguments)?.talk(lines))
}

#[test]
fn a_conversation_keeps_what_it_has_computed_and_its_history() {
    let lines = [
        "hello",
        "and you",
        "/stats",
        "/regenerate",
        "/set temperature -1",
        "/set top_k 3",
        "/nonsense",
        "/bye",
    ];
    let Some(text) = typed("talks", "-n 4 --temperature 0", &lines) else { return };
    assert!(text.contains("of them kept from before"), "{text}");
    assert!(text.contains("found -1, expected a number from 0"), "{text}");
    assert!(text.contains("there is no command /nonsense"), "{text}");
    let history = std::fs::read_to_string(home().join("talks/history")).unwrap();
    assert!(history.contains("and you"), "{history}");
}

#[test]
fn a_conversation_is_saved_and_gone_on_with() {
    let file = folder().join("talk.json");
    drop(std::fs::remove_file(&file));
    let lines = [
        "/system Be kind.",
        "\"\"\"\ntwo\nlines\"\"\"",
        "/save talk.json",
        "/clear",
        "/load talk.json",
        "/bye",
    ];
    let Some(text) = typed("saves", "-n 4 --temperature 0", &lines) else { return };
    assert!(text.contains("3 messages from talk.json"), "{text}");
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["messages"][0]["content"], "Be kind.");
    assert_eq!(saved["messages"][1]["content"], "two\nlines");
    assert_eq!(saved["messages"][2]["role"], "assistant");
}

#[test]
fn what_cannot_be_answered_does_not_end_the_conversation() {
    let long = "x".repeat(400);
    let Some(text) = typed("long", "-n 4 --temperature 0", &[&long, "hello", "/stats", "/bye"])
    else {
        return;
    };
    assert!(text.contains("the context holds 128"), "{text}");
    assert!(text.contains("answer      "), "{text}");
}

#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let endless =
        "--raw --overflow shift --temperature 1 --logit-bias 259=-inf --logit-bias 257=-inf";
    let Some(mut terminal) = Terminal::open("stops", endless) else { return };
    terminal.wait(|shown| shown.contains(READY));
    terminal.press("hello\r");
    let begun = terminal.shown.len();
    // Well into an answer that would never end.
    terminal.wait(|shown| shown.len() > begun + 2000);
    terminal.press("\x03");
    terminal.wait(|shown| shown.contains("(stopped)") && shown.matches(READY).count() == 2);
    terminal.press("/stats\r");
    terminal.wait(|shown| shown.contains("(cancelled)") && shown.matches(READY).count() == 3);
    // Ctrl-D leaves.
    terminal.press("\x04");
    terminal.wait(|_| false);
    assert!(terminal.child.wait().unwrap().success());
}
