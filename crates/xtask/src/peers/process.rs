//! Programs that are run and watched.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// What a program printed, how long it ran and the most memory it held.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) printed: String,
    pub(super) seconds: f64,
    /// Megabytes (10^6 bytes), where the system tells.
    pub(super) peak_mb: Option<f64>,
}

/// Runs a program to its end; its words on stderr are shown if it fails.
pub(super) fn run(command: &mut Command) -> anyhow::Result<Done> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
    let out = child.stdout.take().map(reader);
    let err = child.stderr.take().map(reader);
    let mut peak_mb = None;
    let status = loop {
        // A high-water mark: only what grew since the last look can be missed.
        peak_mb = peak_of(&child).or(peak_mb);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    let (printed, complaint) = (text(out), text(err));
    ensure!(status.success(), "{command:?} ended with {status}: {}", tail(&complaint));
    Ok(Done { printed, seconds, peak_mb })
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The most memory a running child has held: its high-water mark of resident pages, files' too.
pub(super) fn peak_of(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

fn tail(text: &str) -> &str {
    let text = text.trim_end();
    &text[text.ceil_char_boundary(text.len().saturating_sub(600))..]
}

/// A program that is ended when this goes out of scope.
#[derive(Debug)]
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
