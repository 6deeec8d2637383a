//! Conversations on the server: the list, one, changes, messages.
//!
//! The page chooses the names; every save can be sent again and changes nothing the second time.

use serde_json::{Value as Json, json};

use super::{Answer, Call, Handling, Route, Verb, asked, route, with_store};
use crate::{
    conversation::{Change, Cursor, Ending, Message, Role, Search},
    fault::Fault,
    field::{Fields, Kind, Lists, honoured, required},
};

const PAGE: usize = 50;

/// `GET /v1/freehold/conversations?q=&before=&limit=`.
pub(crate) const LIST: Route = route(
    Verb::Get,
    "/v1/freehold/conversations",
    "The conversations kept for this key, newest first: q searches, before and limit turn pages",
    &[],
    Answer::Json("Conversations"),
    list,
);

/// `GET /v1/freehold/conversations/{id}`.
pub(crate) const ONE: Route = route(
    Verb::Get,
    "/v1/freehold/conversations/{id}",
    "A conversation with all its branches",
    &[],
    Answer::Json("Conversation"),
    one,
);

/// `POST /v1/freehold/conversations/{id}`.
pub(crate) const SAVE: Route = route(
    Verb::Post,
    "/v1/freehold/conversations/{id}",
    "Begins a conversation, or changes the fields that are named",
    HEAD,
    Answer::Json("ConversationHead"),
    save,
);

/// `DELETE /v1/freehold/conversations/{id}`.
pub(crate) const DELETE: Route = route(
    Verb::Delete,
    "/v1/freehold/conversations/{id}",
    "Deletes a conversation and everything said in it",
    &[],
    Answer::Json("Deleted"),
    delete,
);

/// `POST /v1/freehold/messages/{id}`.
pub(crate) const MESSAGE: Route = route(
    Verb::Post,
    "/v1/freehold/messages/{id}",
    "Stores a message under its parent, or more of one that is there",
    SAID,
    Answer::Json("Saved"),
    message,
);

const HEAD: Lists = &[&[
    honoured("title", Kind::Text, "what it is called, at most 200 letters"),
    honoured("settings", Kind::Object("{}"), "what is set for it: model, system prompt, sampling"),
    honoured("current", Kind::Text, "the last message of the branch that is shown"),
]];

const SAID: Lists = &[&[
    required("conversation", Kind::Text, "which conversation it is of"),
    honoured("parent", Kind::Text, "the message it answers; none: it opens the conversation"),
    required("role", Kind::OneOf(Role::NAMES), "who speaks"),
    required("content", Kind::Text, "what is said"),
    honoured("reasoning", Kind::Text, "what was thought before it"),
    honoured("state", Kind::OneOf(Ending::NAMES), "how far it got"),
    honoured("model", Kind::Text, "which model answered"),
    honoured("stats", Kind::Object("{}"), "tokens and times"),
]];

fn list(call: Call) -> Handling {
    let before = asked(&call, "before");
    let cursor = Cursor::parse(&before);
    let limit = asked(&call, "limit");
    let count = if limit.is_empty() { Some(PAGE) } else { limit.parse().ok() };
    let (true, Some(count)) = (before.is_empty() || cursor.is_some(), count) else {
        let message = "before is an answer's next, limit a whole number from 1 to 200";
        return Box::pin(async move { Err(Fault::invalid(message)) });
    };
    let search = Search::new(&asked(&call, "q"), cursor, count);
    with_store(&call, move |store, owner| {
        let listed = store.list(owner, &search)?;
        let next = listed.next.map(|next| next.to_string());
        Ok(json!({"object": "list", "data": listed.found, "next": next}))
    })
}

fn one(call: Call) -> Handling {
    let id = call.part.clone().unwrap_or_default();
    with_store(&call, move |store, owner| Ok(json!(store.get(owner, &id)?)))
}

fn save(mut call: Call) -> Handling {
    let id = call.part.clone().unwrap_or_default();
    let change = Change {
        title: text(&mut call.fields, "title"),
        settings: object(&mut call.fields, "settings"),
        current: text(&mut call.fields, "current"),
    };
    with_store(&call, move |store, owner| Ok(json!(store.save(owner, &id, change)?)))
}

fn delete(call: Call) -> Handling {
    let id = call.part.clone().unwrap_or_default();
    with_store(&call, move |store, owner| {
        store.delete(owner, &id)?;
        Ok(json!({"id": id, "deleted": true}))
    })
}

fn message(mut call: Call) -> Handling {
    let fields = &mut call.fields;
    let conversation = text(fields, "conversation").unwrap_or_default();
    let role = text(fields, "role").and_then(|name| Role::from_name(&name)).unwrap_or(Role::User);
    let state = text(fields, "state").and_then(|name| Ending::from_name(&name)).unwrap_or_default();
    let message = Message {
        id: call.part.clone().unwrap_or_default(),
        parent: text(fields, "parent"),
        role,
        content: text(fields, "content").unwrap_or_default(),
        reasoning: text(fields, "reasoning").unwrap_or_default(),
        state,
        model: text(fields, "model"),
        stats: object(fields, "stats"),
        created: 0,
    };
    with_store(&call, move |store, owner| {
        store.save_message(owner, &conversation, &message)?;
        Ok(json!({"id": message.id, "conversation": conversation}))
    })
}

fn text(fields: &mut Fields, name: &str) -> Option<String> {
    match fields.take(name) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    }
}

fn object(fields: &mut Fields, name: &str) -> Option<serde_json::Map<String, Json>> {
    match fields.take(name) {
        Some(Json::Object(map)) => Some(map),
        _ => None,
    }
}
