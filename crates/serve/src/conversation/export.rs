//! Conversations as files: all branches as JSON, the path that is shown as Markdown.

use std::{collections::HashMap, fmt::Write};

use serde_json::{Value as Json, json};

use super::{Conversation, Message, Role};

/// How our own files name themselves.
pub(super) const FORMAT: &str = "freehold.conversations";
pub(super) const VERSION: u64 = 1;

/// Conversations as JSON, to be read again by [`super::read`].
pub(crate) fn bundle(all: &[Conversation]) -> Json {
    json!({"format": FORMAT, "version": VERSION, "conversations": all})
}

/// What is shown of a conversation, for people.
pub(crate) fn markdown(one: &Conversation) -> String {
    let mut out = format!("# {}\n", one.title);
    if let Some(system) = one.settings.get("system").and_then(Json::as_str) {
        write!(out, "\n## System\n\n{}\n", system.trim()).expect("a String takes all");
    }
    for message in path(one) {
        let name = match message.role {
            Role::User => "You".to_owned(),
            Role::Assistant => message.model.clone().unwrap_or_else(|| "Answer".to_owned()),
        };
        write!(out, "\n## {name}\n\n{}\n", message.content.trim()).expect("a String takes all");
    }
    out
}

/// The messages from the first to the current one.
fn path(one: &Conversation) -> Vec<&Message> {
    let by_id: HashMap<&str, &Message> = one.messages.iter().map(|m| (m.id.as_str(), m)).collect();
    let last = one.current.as_deref().or_else(|| one.messages.last().map(|m| m.id.as_str()));
    let mut at = last.and_then(|id| by_id.get(id)).copied();
    let mut out = vec![];
    while let Some(message) = at.filter(|_| out.len() < one.messages.len()) {
        out.push(message);
        at = message.parent.as_deref().and_then(|id| by_id.get(id)).copied();
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Ending;

    #[test]
    fn markdown_holds_the_path_shown_and_nothing_else() {
        let message = |id: &str, parent: Option<&str>, role, content: &str| Message {
            id: id.into(),
            parent: parent.map(Into::into),
            role,
            content: content.into(),
            reasoning: "secret thought".into(),
            state: Ending::Done,
            model: Some("house".into()),
            stats: None,
            created: 1,
        };
        let one = Conversation {
            id: "c".into(),
            title: "T".into(),
            settings: serde_json::from_str(r#"{"system": "Be kind."}"#).unwrap(),
            current: Some("a2".into()),
            created: 1,
            updated: 1,
            messages: vec![
                message("u", None, Role::User, "hello"),
                message("a1", Some("u"), Role::Assistant, "first"),
                message("a2", Some("u"), Role::Assistant, "second"),
            ],
        };
        let expected = "# T\n\n## System\n\nBe kind.\n\n## You\n\nhello\n\n## house\n\nsecond\n";
        assert_eq!(markdown(&one), expected);
    }
}
