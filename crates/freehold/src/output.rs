//! Printing: answers on stdout, everything about the work on stderr, colours only where a person
//! sees them.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Work shorter than this shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// Where and how to print.
#[derive(Clone)]
pub(crate) struct Output {
    colours: Colours,
    colours_err: Colours,
    terminal: bool,
    terminal_err: bool,
}

#[expect(
    clippy::unused_self,
    reason = "printing goes through here, so that where it goes can change"
)]
impl Output {
    /// Looks at stdout, stderr and `NO_COLOR`.
    pub(crate) fn detect() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let (terminal, terminal_err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let colours = |terminal| if wanted && terminal { Colours::On } else { Colours::Off };
        Output {
            colours: colours(terminal),
            colours_err: colours(terminal_err),
            terminal,
            terminal_err,
        }
    }

    /// Whether a person reads stdout as it is written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Colours for stdout.
    pub(crate) fn styles(&self) -> Colours {
        self.colours
    }

    /// Colours for stderr.
    pub(crate) fn styles_err(&self) -> Colours {
        self.colours_err
    }

    /// A line on stdout.
    pub(crate) fn line(&self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(())
    }

    /// Text on stdout as it is, at once.
    pub(crate) fn text(&self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{text}")?;
        out.flush()?;
        Ok(())
    }

    /// Bytes on stdout.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(())
    }

    /// One JSON value on a line of its own on stdout.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    /// A remark on stderr, dim.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        self.complain(&self.colours_err.dim(&text.to_string()));
    }

    /// A line on stderr. That nobody listens is no reason to stop.
    pub(crate) fn complain(&self, text: &str) {
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Progress through `bytes` on stderr, shown once it takes longer than a second.
    pub(crate) fn progress(&self, what: &str, bytes: u64) -> Progress {
        Progress::new(what, bytes, "{bytes}/{total_bytes}", self.terminal_err)
    }

    /// Progress through `bytes` that come from elsewhere, with their rate and the time left.
    pub(crate) fn transfer(&self, what: &str, bytes: u64) -> Progress {
        Progress::new(what, bytes, "{bytes}/{total_bytes} {prefix}", self.terminal_err)
    }

    /// The same, counted in tokens.
    pub(crate) fn progress_tokens(&self, what: &str, tokens: u64) -> Progress {
        Progress::new(what, tokens, "{pos}/{len} tokens", self.terminal_err)
    }
}

/// A progress bar that short work never shows.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    terminal: bool,
}

impl Progress {
    fn new(what: &str, total: u64, count: &str, terminal: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template = format!("{{msg}} {{wide_bar:.dim}} {count}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Progress { bar, started: Instant::now(), terminal }
    }

    /// So much of so much is done.
    pub(crate) fn set(&self, done: u64, total: u64) {
        if self.terminal && self.bar.is_hidden() && self.started.elapsed() >= PROGRESS_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// The same, at a rate in bytes a second, with so much time left.
    pub(crate) fn set_at(&self, done: u64, total: u64, rate: f64, left: Option<Duration>) {
        let rate = format!("{}/s", machine::Bytes(rate.max(0.0) as u64));
        let left = left.map(|left| format!(", {} left", crate::clock::words(left)));
        self.bar.set_prefix(rate + &left.unwrap_or_default());
        self.set(done, total);
    }

    /// A line above the bar.
    pub(crate) fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            drop(writeln!(io::stderr().lock(), "{text}"));
        } else {
            self.bar.println(text);
        }
    }

    /// Takes it off the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether text is dressed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    /// With escape sequences.
    On,
    /// Plain.
    Off,
}

impl Colours {
    fn dress(self, code: &str, text: &str) -> String {
        match self {
            Colours::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colours::Off => text.to_owned(),
        }
    }

    /// Bold.
    pub(crate) fn bold(self, text: &str) -> String {
        self.dress("1", text)
    }

    /// Dim: what is beside the point.
    pub(crate) fn dim(self, text: &str) -> String {
        self.dress("2", text)
    }

    /// Red and bold: what is wrong.
    pub(crate) fn red(self, text: &str) -> String {
        self.dress("1;31", text)
    }

    /// Green: what is well.
    pub(crate) fn green(self, text: &str) -> String {
        self.dress("32", text)
    }

    /// Yellow: what needs a look.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.dress("33", text)
    }
}
