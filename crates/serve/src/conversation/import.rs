//! Conversations out of files: our own, and those people bring from elsewhere.
//!
//! Read are: what [`super::bundle`] writes; the exports of llama.cpp's page (`{conv, messages}`, or a
//! list of them) and of Open WebUI (a list of `{chat: {history}}`); and plain lists of
//! `{role, content}` as the OpenAI API has them. Whatever the file says, the tree that comes out is
//! sound: parents are there and stand before their children, names are plain, nothing is a cycle.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::{Conversation, Ending, Error, Message, Role, check_name, export};

const CONVERSATIONS_MAX: usize = 2_000;
const MESSAGES_MAX: usize = 100_000;

/// The conversations of a file.
pub(crate) fn read(value: &Json) -> Result<Vec<Conversation>, Error> {
    let list = match value {
        Json::Array(items)
            if !items.is_empty() && items.iter().all(|item| item.get("role").is_some()) =>
        {
            vec![value]
        }
        Json::Array(items) => items.iter().collect(),
        Json::Object(map) => match map.get("conversations") {
            Some(Json::Array(items)) => {
                let version = map.get("version").and_then(Json::as_u64).unwrap_or(export::VERSION);
                let ours =
                    map.get("format").and_then(Json::as_str).is_none_or(|f| f == export::FORMAT);
                if !ours || version > export::VERSION {
                    return Err(Error::Format(
                        "the file is of another program or a newer version".into(),
                    ));
                }
                items.iter().collect()
            }
            _ => vec![value],
        },
        _ => vec![],
    };
    if list.is_empty() {
        return Err(Error::Format("none is in the file".into()));
    }
    if list.len() > CONVERSATIONS_MAX {
        return Err(Error::TooLong { what: "a file", found: list.len(), most: CONVERSATIONS_MAX });
    }
    list.into_iter().enumerate().map(|(n, one)| conversation(one, n)).collect()
}

/// A conversation as a file has it, whoever wrote it.
#[derive(Default)]
struct Loose {
    id: String,
    title: String,
    settings: Map<String, Json>,
    current: Option<String>,
    created: i64,
    updated: i64,
    messages: Vec<LooseMessage>,
}

struct LooseMessage {
    id: String,
    parent: Option<String>,
    role: String,
    content: String,
    reasoning: String,
    state: Ending,
    model: Option<String>,
    stats: Option<Map<String, Json>>,
    created: i64,
}

fn conversation(value: &Json, n: usize) -> Result<Conversation, Error> {
    let wrong = |why: &str| Error::Format(format!("conversation {}: {why}", n + 1));
    let loose = if value.get("conv").is_some() {
        llama_cpp(value)
    } else if let Some(chat) = value.get("chat") {
        open_webui(value, chat)
    } else {
        plain(value)
    };
    let loose = loose.ok_or_else(|| wrong("there are no messages in it"))?;
    if loose.messages.len() > MESSAGES_MAX {
        return Err(wrong("it has too many messages"));
    }
    settle(loose).map_err(wrong)
}

/// Our own, and plain lists of messages.
fn plain(value: &Json) -> Option<Loose> {
    let messages = value.get("messages").unwrap_or(value).as_array()?;
    let mut out = Loose {
        id: text(value, "id").unwrap_or_default(),
        title: text(value, "title").unwrap_or_default(),
        settings: value.get("settings").and_then(Json::as_object).cloned().unwrap_or_default(),
        current: text(value, "current"),
        created: whole(value, "created"),
        updated: whole(value, "updated"),
        messages: vec![],
    };
    // Where no message says whom it answers, each answers the one before it.
    let linear = messages.iter().all(|m| m.get("id").is_none() && m.get("parent").is_none());
    for (n, m) in messages.iter().enumerate() {
        let before = linear.then(|| n.checked_sub(1).map(|n| n.to_string())).flatten();
        let state = text(m, "state").and_then(|name| Ending::from_name(&name));
        out.messages.push(LooseMessage {
            id: name(m, "id").unwrap_or_else(|| n.to_string()),
            parent: name(m, "parent").or(before),
            role: text(m, "role")?,
            content: said(m.get("content")?),
            reasoning: text(m, "reasoning")
                .or_else(|| text(m, "reasoning_content"))
                .unwrap_or_default(),
            state: state.unwrap_or_default(),
            model: text(m, "model"),
            stats: m.get("stats").and_then(Json::as_object).cloned(),
            created: whole(m, "created"),
        });
    }
    Some(out)
}

fn llama_cpp(value: &Json) -> Option<Loose> {
    let conv = value.get("conv")?;
    let mut out = Loose {
        title: text(conv, "name").unwrap_or_default(),
        current: name(conv, "currNode"),
        updated: whole(conv, "lastModified"),
        ..Loose::default()
    };
    for m in value.get("messages")?.as_array()? {
        let root = text(m, "type").as_deref() == Some("root");
        out.messages.push(LooseMessage {
            id: name(m, "id")?,
            parent: name(m, "parent"),
            // The page's tree hangs on an empty root.
            role: if root { "root".to_owned() } else { text(m, "role")? },
            content: m.get("content").map(said).unwrap_or_default(),
            reasoning: ["reasoningContent", "thinking"]
                .iter()
                .find_map(|k| text(m, k))
                .unwrap_or_default(),
            state: Ending::Done,
            model: text(m, "model"),
            stats: None,
            created: whole(m, "timestamp"),
        });
    }
    Some(out)
}

fn open_webui(value: &Json, chat: &Json) -> Option<Loose> {
    let history = chat.get("history")?;
    let mut out = Loose {
        title: text(value, "title").or_else(|| text(chat, "title")).unwrap_or_default(),
        current: name(history, "currentId"),
        created: whole(value, "created_at").saturating_mul(1000),
        updated: whole(value, "updated_at").saturating_mul(1000),
        ..Loose::default()
    };
    for (id, m) in history.get("messages")?.as_object()? {
        out.messages.push(LooseMessage {
            id: id.clone(),
            parent: name(m, "parentId"),
            role: text(m, "role")?,
            content: m.get("content").map(said).unwrap_or_default(),
            reasoning: String::new(),
            state: Ending::Done,
            model: text(m, "model"),
            stats: None,
            created: whole(m, "timestamp").saturating_mul(1000),
        });
    }
    Some(out)
}

/// Makes a sound tree of what a file says.
fn settle(loose: Loose) -> Result<Conversation, &'static str> {
    let Loose { id, title, mut settings, current, created, updated, messages } = loose;
    let known: HashSet<&str> = messages.iter().map(|m| m.id.as_str()).collect();
    if known.len() != messages.len() {
        return Err("two messages have one name");
    }
    let mut children: HashMap<Option<&str>, Vec<&LooseMessage>> = HashMap::new();
    for message in &messages {
        let parent = message.parent.as_deref().filter(|parent| known.contains(parent));
        children.entry(parent).or_default().push(message);
    }
    // Names of a foreign file may hold anything; then all of them are replaced.
    let keep = messages.iter().all(|m| check_name("message", &m.id).is_ok());
    let mut names: HashMap<&str, Option<String>> = HashMap::new();
    let mut out: Vec<Message> = vec![];
    let mut reached = 0;
    let mut todo: Vec<&LooseMessage> = children.remove(&None).unwrap_or_default();
    todo.reverse();
    while let Some(message) = todo.pop() {
        reached += 1;
        let parent =
            message.parent.as_deref().and_then(|parent| names.get(parent).cloned()).flatten();
        let name = match Role::from_name(&message.role) {
            Some(role) => {
                let id = if keep { message.id.clone() } else { format!("m{}", out.len()) };
                out.push(Message {
                    id: id.clone(),
                    parent,
                    role,
                    content: message.content.clone(),
                    reasoning: message.reasoning.clone(),
                    state: message.state,
                    model: message.model.clone(),
                    stats: message.stats.clone(),
                    created: message.created,
                });
                Some(id)
            }
            None if message.role == "root" => parent,
            None if message.role == "system" || message.role == "developer" => {
                if !message.content.trim().is_empty() {
                    settings.entry("system").or_insert(Json::from(message.content.clone()));
                }
                parent
            }
            None => return Err("a message is of neither user nor assistant"),
        };
        names.insert(&message.id, name);
        todo.extend(
            children.remove(&Some(message.id.as_str())).unwrap_or_default().into_iter().rev(),
        );
    }
    if reached != messages.len() {
        return Err("its messages answer each other in a circle");
    }
    let current = current.and_then(|id| names.get(id.as_str()).cloned()).flatten();
    let current = current.or_else(|| out.last().map(|message| message.id.clone()));
    let first = out.iter().find(|message| message.role == Role::User);
    let title = if title.trim().is_empty() {
        first.map(|message| {
            message.content.lines().next().unwrap_or_default().chars().take(60).collect()
        })
    } else {
        Some(title.chars().take(200).collect())
    };
    Ok(Conversation {
        id,
        title: title.unwrap_or_default(),
        settings,
        current,
        created,
        updated,
        messages: out,
    })
}

fn text(value: &Json, name: &str) -> Option<String> {
    value.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// A name, which may be a number elsewhere; `-1` is how older pages wrote "none".
fn name(value: &Json, field: &str) -> Option<String> {
    match value.get(field)? {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(n) if n.as_i64() != Some(-1) => Some(n.to_string()),
        _ => None,
    }
}

fn whole(value: &Json, name: &str) -> i64 {
    value.get(name).and_then(Json::as_f64).map_or(0, |n| n as i64)
}

/// The text of a content, which may be a list of parts.
fn said(content: &Json) -> String {
    match content {
        Json::String(text) => text.clone(),
        Json::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Json::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(one: &Conversation) -> Vec<(&str, Option<&str>, &str)> {
        one.messages
            .iter()
            .map(|m| (m.id.as_str(), m.parent.as_deref(), m.content.as_str()))
            .collect()
    }

    #[test]
    fn what_was_written_is_read_again() {
        let one = read(&json!({"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
            {"role": "assistant", "content": "Hi."},
        ]}))
        .unwrap();
        assert_eq!(one[0].settings["system"], "Be brief.");
        assert_eq!(one[0].title, "Hello?");
        assert_eq!(shape(&one[0]), [("1", None, "Hello?"), ("2", Some("1"), "Hi.")]);
        assert_eq!(one[0].current.as_deref(), Some("2"));
        assert_eq!(read(&export::bundle(&one)).unwrap(), one);
        let bare = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
        assert_eq!(read(&bare).unwrap()[0].messages.len(), 2);
    }

    #[test]
    fn trees_of_other_pages_come_along() {
        let llama = json!({"conv": {"id": "x", "name": "L", "currNode": 3, "lastModified": 5}, "messages": [
            {"id": 1, "type": "root", "role": "system", "content": "", "parent": -1, "timestamp": 1},
            {"id": 2, "type": "text", "role": "user", "content": "q", "parent": 1, "timestamp": 2},
            {"id": 4, "type": "text", "role": "assistant", "content": "b", "parent": 2, "timestamp": 4},
            {"id": 3, "type": "text", "role": "assistant", "content": "a", "parent": 2, "timestamp": 3},
        ]});
        let one = &read(&llama).unwrap()[0];
        assert_eq!(shape(one), [("2", None, "q"), ("4", Some("2"), "b"), ("3", Some("2"), "a")]);
        assert_eq!((one.title.as_str(), one.current.as_deref()), ("L", Some("3")));
        let webui = json!([{"title": "W", "updated_at": 7, "chat": {"history": {"currentId": "b c", "messages": {
            "b c": {"id": "b c", "parentId": "a/", "role": "assistant", "content": "y", "timestamp": 2},
            "a/": {"id": "a/", "parentId": null, "role": "user", "content": "x", "timestamp": 1},
        }}}}]);
        let one = &read(&webui).unwrap()[0];
        assert_eq!(shape(one), [("m0", None, "x"), ("m1", Some("m0"), "y")]);
        assert_eq!((one.updated, one.current.as_deref()), (7000, Some("m1")));
    }

    #[test]
    fn what_is_no_conversation_is_refused_in_words() {
        let user = |id: &str, parent: &str| json!({"id": id, "parent": parent, "role": "user", "content": ""});
        for (value, why) in [
            (json!(3), "none is in the file"),
            (json!([]), "none is in the file"),
            (json!({}), "no messages"),
            (json!({"conversations": []}), "none is in the file"),
            (json!({"format": "other", "conversations": [1]}), "another program"),
            (json!({"version": 2, "conversations": [1]}), "newer version"),
            (json!({"messages": [{"role": "user"}]}), "no messages"),
            (json!({"messages": [{"role": "wizard", "content": ""}]}), "neither"),
            (json!({"messages": [user("a", "b"), user("b", "a")]}), "circle"),
            (json!({"messages": [user("a", "x"), user("a", "x")]}), "one name"),
            (json!({"conv": 1}), "no messages"),
            (json!({"chat": {"history": []}}), "no messages"),
        ] {
            let error = read(&value).unwrap_err().to_string();
            assert!(error.contains(why), "{value}: {error}");
        }
        // A parent that is not there makes a beginning, not an error.
        let orphan = json!({"messages": [user("a", "gone")]});
        assert_eq!(read(&orphan).unwrap()[0].messages[0].parent, None);
        let long = Json::from(vec![json!({"messages": []}); CONVERSATIONS_MAX + 1]);
        assert!(matches!(read(&long), Err(Error::TooLong { .. })));
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let many: Vec<Json> =
            (0..50_000).map(|n| json!({"role": "user", "content": n.to_string()})).collect();
        assert_eq!(read(&json!({"messages": many})).unwrap()[0].messages.len(), 50_000);
    }
}
