//! Conversations, kept for the people who have them on the server's own page.
//!
//! A conversation is a tree of messages: an edit or another answer grows a branch and nothing said is
//! lost. Whoever has it is named by the id of their key (the person at this machine has none), and no
//! question here can be asked without that name. Names of conversations and messages are chosen by
//! the page, so that a save whose answer was lost can be sent again and changes nothing.
//!
//! Every change is one SQLite transaction in a write-ahead log that is on disk (`synchronous = full`)
//! before the call returns: a process killed at any moment loses at most the change under way.
//! Everything has a limit ([`Limits`]), and what was deleted is overwritten (`secure_delete`).

mod export;
mod import;
mod search;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub(crate) use export::{bundle, markdown};
pub(crate) use import::read;
pub(crate) use search::{Cursor, Search};
pub(crate) use store::Store;

/// Whose a conversation is: the id of a key, or nobody's in particular on a machine without keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner(String);

impl Owner {
    pub(crate) fn new(key: Option<&str>) -> Self {
        Owner(key.unwrap_or_default().to_owned())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

/// How much one owner may keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) conversations: usize,
    /// Messages of one conversation, on all its branches.
    pub(crate) messages: usize,
    pub(crate) message_bytes: usize,
    /// Of all conversations together.
    pub(crate) bytes: usize,
    pub(crate) title_chars: usize,
    pub(crate) settings_bytes: usize,
    pub(crate) stats_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            conversations: 10_000,
            messages: 4_000,
            message_bytes: 1 << 20,
            bytes: 64 << 20,
            title_chars: 200,
            settings_bytes: 64 << 10,
            stats_bytes: 4 << 10,
        }
    }
}

/// A whole conversation. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) title: String,
    /// What its owner set for it: model, system prompt, sampling; the page's own affair.
    #[serde(default)]
    pub(crate) settings: Map<String, Json>,
    /// The last message of the path that is shown.
    #[serde(default)]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) created: i64,
    #[serde(default)]
    pub(crate) updated: i64,
    /// Parents stand before their children.
    pub(crate) messages: Vec<Message>,
}

/// A message of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// What it answers; none: it opens the conversation.
    #[serde(default)]
    pub(crate) parent: Option<String>,
    pub(crate) role: Role,
    pub(crate) content: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reasoning: String,
    #[serde(default)]
    pub(crate) state: Ending,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Tokens and times, as the page measured them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<Map<String, Json>>,
    #[serde(default)]
    pub(crate) created: i64,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Assistant,
}

impl Role {
    pub(crate) const NAMES: &[&str] = &["user", "assistant"];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Role::User, Role::Assistant].into_iter().find(|role| role.name() == name)
    }
}

/// How far a message got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// Still being written; where nobody writes any more, cut off.
    Partial,
    /// Whole.
    #[default]
    Done,
    /// As long as it was allowed to be.
    Length,
    /// Its reader had enough.
    Stopped,
    /// The connection broke.
    Interrupted,
    /// The server gave up.
    Failed,
}

impl Ending {
    const ALL: [Ending; 6] = [
        Ending::Partial,
        Ending::Done,
        Ending::Length,
        Ending::Stopped,
        Ending::Interrupted,
        Ending::Failed,
    ];
    pub(crate) const NAMES: &[&str] =
        &["partial", "done", "length", "stopped", "interrupted", "failed"];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.name() == name)
    }
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// How many messages, on all branches.
    pub(crate) messages: usize,
    /// Where the words that were searched for stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snippet: Option<String>,
}

/// What is to be changed of a conversation; what is none stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) title: Option<String>,
    pub(crate) settings: Option<Map<String, Json>>,
    pub(crate) current: Option<String>,
}

/// Why a conversation cannot be read or changed. Holds names and numbers, never what was said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such {0}")]
    Missing(&'static str),
    #[error("{0} is no name for this, expected 1 to 64 letters, digits, - or _")]
    Name(&'static str),
    #[error("{what} has {found}, at most {most} fit")]
    TooLong { what: &'static str, found: usize, most: usize },
    #[error("there is no more room: {what}, at most {most}")]
    Full { what: &'static str, most: usize },
    #[error("a message keeps its {0}; another one takes a new name")]
    Changed(&'static str),
    #[error("these are no conversations this server can read: {0}")]
    Format(String),
    #[error("the conversations' file: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Refuses what is no name of a conversation or message.
pub(crate) fn check_name(what: &'static str, id: &str) -> Result<(), Error> {
    let sound = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(sound);
    if fits { Ok(()) } else { Err(Error::Name(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (ending, name) in Ending::ALL.into_iter().zip(Ending::NAMES) {
            assert_eq!((ending.name(), Ending::from_name(name)), (*name, Some(ending)));
            assert_eq!(serde_json::to_value(ending).unwrap(), *name);
        }
        for name in Role::NAMES {
            assert_eq!(Role::from_name(name).map(Role::name), Some(*name));
        }
        assert_eq!(Role::from_name("system"), None);
    }

    #[test]
    fn names_are_plain_and_short() {
        for good in ["a", "0f3-_Z", &"x".repeat(64)] {
            check_name("message", good).unwrap();
        }
        for bad in ["", "a b", "ä", "../x", "a\0", "'", &"x".repeat(65)] {
            assert!(check_name("message", bad).is_err(), "{bad:?}");
        }
    }
}
