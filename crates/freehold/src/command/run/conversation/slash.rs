//! The commands inside a conversation: one row of [`SLASHES`] each, from which `/help` comes.

use std::{fs, io::Write, path::Path};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use text::message::Message;

use super::{Conversation, Next};
use crate::{
    chat::Think,
    command::run::{MAX_TOKENS_MAX, check_stops, report, sampling},
    error::{usage, usage_hint},
};

/// Takes a limit off: `/set stop none`.
const NONE: &str = "none";
/// Bytes of a saved conversation that is read back.
const SAVED_MAX: u64 = 64 << 20;

/// A command: its name, what follows it, what it does.
pub(super) struct Slash {
    pub(super) name: &'static str,
    rest: &'static str,
    help: &'static str,
    run: fn(&mut Conversation<'_>, &str) -> anyhow::Result<Next>,
}

/// All of them.
pub(super) const SLASHES: &[Slash] = &[
    Slash { name: "help", rest: "", help: "This list", run: help },
    Slash {
        name: "system",
        rest: "[TEXT]",
        help: "Show or set the instructions for the conversation",
        run: system,
    },
    Slash {
        name: "set",
        rest: "[NAME VALUE]",
        help: "Show the settings, or set one: temperature, seed, max_tokens, stop, think …",
        run: set,
    },
    Slash {
        name: "save",
        rest: "FILE",
        help: "Write the conversation to a file (JSON)",
        run: save,
    },
    Slash { name: "load", rest: "FILE", help: "Go on with a saved conversation", run: load },
    Slash {
        name: "regenerate",
        rest: "",
        help: "Answer the last message again, with other random numbers",
        run: regenerate,
    },
    Slash { name: "clear", rest: "", help: "Begin anew; the instructions stay", run: clear },
    Slash {
        name: "stats",
        rest: "",
        help: "Tokens, speed and memory of the last answer",
        run: stats,
    },
    Slash { name: "bye", rest: "", help: "Leave (so does Ctrl-D)", run: bye },
];

impl Conversation<'_> {
    /// Runs a line that began with a slash.
    pub(super) fn command(&mut self, line: &str) -> anyhow::Result<Next> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match SLASHES.iter().find(|slash| slash.name == name) {
            Some(slash) => (slash.run)(self, rest.trim()),
            None => Err(usage_hint(format!("there is no command /{name}"), "/help lists them")),
        }
    }

    fn say(&self, text: &str) -> anyhow::Result<Next> {
        self.app.output.line(text)?;
        Ok(Next::Go)
    }

    fn instructions(&self) -> Option<String> {
        self.messages.first().filter(|message| message.role == "system").map(|m| m.content.text())
    }
}

fn help(c: &mut Conversation<'_>, _: &str) -> anyhow::Result<Next> {
    for slash in SLASHES {
        c.app.output.line(format!(
            "{:<22} {}",
            format!("/{} {}", slash.name, slash.rest),
            slash.help
        ))?;
    }
    c.say("Text of several lines: put it between \"\"\" marks, or end lines with \\. Ctrl-C stops an answer.")
}

fn system(c: &mut Conversation<'_>, text: &str) -> anyhow::Result<Next> {
    let had = c.instructions();
    if text.is_empty() {
        return c.say(&had.unwrap_or_else(|| "(no instructions)".to_owned()));
    }
    if had.is_some() {
        c.messages.remove(0);
    }
    c.messages.insert(0, Message::new("system", text));
    Ok(Next::Go)
}

fn set(c: &mut Conversation<'_>, rest: &str) -> anyhow::Result<Next> {
    let Some((name, value)) = rest.split_once(char::is_whitespace) else {
        return if rest.is_empty() {
            settings(c)
        } else {
            Err(usage_hint(
                format!("/set {rest} lacks a value"),
                "for example: /set temperature 0.7",
            ))
        };
    };
    let value = value.trim();
    match name.replace('-', "_").as_str() {
        "max_tokens" if value == NONE => c.limits.max_tokens = None,
        "stop" if value == NONE => c.limits.stop.clear(),
        "max_tokens" => {
            let number = value.parse().ok().filter(|n| (1..=MAX_TOKENS_MAX).contains(n));
            let number = number.ok_or_else(|| {
                usage(format!("max_tokens is {value}, expected 1 to {MAX_TOKENS_MAX}"))
            })?;
            c.limits.max_tokens = Some(number as usize);
        }
        "stop" => {
            let stops = vec![value.to_owned()];
            check_stops(&stops)?;
            c.limits.stop = stops;
        }
        "think" => {
            let think = <Think as clap::ValueEnum>::from_str(value, true);
            c.think =
                think.map_err(|_| usage(format!("think is {value}, expected on, off or auto")))?;
        }
        name => {
            // Set aside first: a value that is refused changes nothing.
            let mut sampler = c.sampler.clone();
            sampling::set(&mut sampler, name, value)?;
            c.sampler = sampler;
        }
    }
    Ok(Next::Go)
}

fn settings(c: &mut Conversation<'_>) -> anyhow::Result<Next> {
    for (name, value) in c.sampler.numbers() {
        // Numbers are kept in 32 bits; print them as they were typed.
        c.app.output.line(format!("{name:<22} {}", value as f32))?;
    }
    let max = c.limits.max_tokens.map_or(NONE.to_owned(), |max| max.to_string());
    c.app.output.line(format!("{:<22} {max}", "max_tokens"))?;
    c.app.output.line(format!("{:<22} {:?}", "stop", c.limits.stop))?;
    c.say(&format!("{:<22} {}", "seed", c.sampler.seed))
}

/// A conversation in a file.
#[derive(Serialize, Deserialize)]
struct Saved {
    messages: Vec<Message>,
}

fn save(c: &mut Conversation<'_>, rest: &str) -> anyhow::Result<Next> {
    let path = path(rest, "save")?;
    let text = serde_json::to_string_pretty(&Saved { messages: c.messages.clone() })?;
    // Beside, then renamed: what was saved before stays whole until this is.
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("{} cannot be written", path.display());
    let mut beside = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    writeln!(beside, "{text}").with_context(cannot)?;
    beside.persist(path).with_context(cannot)?;
    c.app.output.note(format!("{} messages in {}", c.messages.len(), path.display()));
    Ok(Next::Go)
}

fn load(c: &mut Conversation<'_>, rest: &str) -> anyhow::Result<Next> {
    let path = path(rest, "load")?;
    let cannot = || format!("{} cannot be read", path.display());
    let bytes = fs::metadata(path).with_context(cannot)?.len();
    if bytes > SAVED_MAX {
        return Err(usage(format!(
            "{} has {bytes} bytes, at most {SAVED_MAX} are accepted",
            path.display()
        )));
    }
    let text = fs::read_to_string(path).with_context(cannot)?;
    let saved: Saved = serde_json::from_str(&text)
        .with_context(|| format!("{} is no saved conversation", path.display()))?;
    c.messages = saved.messages;
    c.last = None;
    c.app.output.note(format!("{} messages from {}", c.messages.len(), path.display()));
    Ok(Next::Go)
}

fn path<'r>(rest: &'r str, command: &str) -> anyhow::Result<&'r Path> {
    if rest.is_empty() {
        let hint = format!("for example: /{command} talk.json");
        return Err(usage_hint(format!("/{command} lacks a file"), hint));
    }
    Ok(Path::new(rest))
}

fn regenerate(c: &mut Conversation<'_>, _: &str) -> anyhow::Result<Next> {
    let Some(answer) = c.messages.pop_if(|message| message.role == "assistant") else {
        return Err(usage("there is no answer to give again"));
    };
    let question = c.messages.last().cloned();
    c.again += 1;
    if let Err(failure) = c.respond() {
        // The old answer stands.
        c.messages.extend(question);
        c.messages.push(answer);
        return Err(failure);
    }
    Ok(Next::Go)
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
fn clear(c: &mut Conversation<'_>, _: &str) -> anyhow::Result<Next> {
    c.messages.retain(|message| message.role == "system");
    c.last = None;
    Ok(Next::Go)
}

fn stats(c: &mut Conversation<'_>, _: &str) -> anyhow::Result<Next> {
    match &c.last {
        Some((answer, sampler)) => c.say(&report::lines(answer, &c.session, sampler).join("\n")),
        None => c.say("(no answer yet)"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
fn bye(_: &mut Conversation<'_>, _: &str) -> anyhow::Result<Next> {
    Ok(Next::Leave)
}
