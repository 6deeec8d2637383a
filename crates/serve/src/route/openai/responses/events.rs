//! The same as it comes: named and numbered events, items opened and closed one after another, exactly
//! one event that ends it.

use std::sync::Arc;

use axum::{body::Body, http::Response};
use serde_json::{Value as Json, json};

use super::{Header, items, status};
use crate::{
    answer::{Finish, Usage, What},
    fault::{Family, Fault},
    generate::{Answers, whole},
    http::feed::{self, Feed, Gone, Kind},
    id,
};

pub(super) fn stream(header: Header, answers: Answers) -> Response<Body> {
    feed::respond(Kind::Events, Family::OpenAi, move |feed| {
        let writer = Writer { header, feed, number: 0, open: None, output: vec![] };
        writer.write(answers)
    })
}

/// An item being written.
struct Open {
    id: String,
    text: String,
    kind: Item,
}

#[derive(Clone, PartialEq, Eq)]
enum Item {
    Reasoning,
    Message,
    Call { id: String, name: String },
}

struct Writer {
    header: Header,
    feed: Arc<Feed>,
    number: u64,
    open: Option<Open>,
    output: Vec<Json>,
}

impl Writer {
    async fn write(mut self, mut answers: Answers) -> Result<(), Gone> {
        let begun = self.header.json("in_progress", &[], None);
        self.send("response.created", json!({"response": begun})).await?;
        self.send("response.in_progress", json!({"response": begun})).await?;
        while let Some(told) = answers.next().await {
            match told.what {
                What::Text(text) => {
                    self.enter(Item::Message, "msg_").await?;
                    self.delta("response.output_text.delta", &text).await?;
                }
                What::Reasoning(text) => {
                    self.enter(Item::Reasoning, "rs_").await?;
                    self.delta("response.reasoning_text.delta", &text).await?;
                }
                What::CallStart { name, id, .. } => {
                    self.enter(Item::Call { id, name }, "fc_").await?;
                }
                What::CallArguments { delta, .. } => {
                    self.delta("response.function_call_arguments.delta", &delta).await?;
                }
                What::CallEnd { .. } => self.leave().await?,
                What::PromptToken => {}
                What::Malformed { text, reason, .. } => {
                    self.open = None;
                    return self.failed(items::malformed(&text, &reason)).await;
                }
                What::Finished { why: Finish::Cancelled, .. } => {
                    return self.fault(&whole::cut_off()).await;
                }
                What::Finished { why, usage } => return self.finish(&why, &usage).await,
                What::Failed(fault) => return self.fault(&fault).await,
            }
        }
        self.fault(&whole::cut_off()).await
    }

    async fn finish(mut self, why: &Finish, usage: &Usage) -> Result<(), Gone> {
        if self.open.is_none() && self.output.is_empty() {
            self.enter(Item::Message, "msg_").await?;
        }
        self.leave().await?;
        let status = status(why);
        let response = self.header.json(status, &self.output, Some(usage));
        self.send(&format!("response.{status}"), json!({"response": response})).await
    }

    async fn fault(self, fault: &Fault) -> Result<(), Gone> {
        let code = fault.code.unwrap_or(fault.kind);
        self.failed(json!({"code": code, "message": fault.message})).await
    }

    async fn failed(mut self, error: Json) -> Result<(), Gone> {
        let mut response = self.header.json("failed", &self.output, None);
        response["error"] = error;
        self.send("response.failed", json!({"response": response})).await
    }

    async fn send(&mut self, name: &str, mut data: Json) -> Result<(), Gone> {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.number);
        self.number += 1;
        self.feed.event(name, &data).await
    }

    /// Opens an item unless it is the open one.
    async fn enter(&mut self, kind: Item, prefix: &str) -> Result<(), Gone> {
        if self.open.as_ref().is_some_and(|open| open.kind == kind) {
            return Ok(());
        }
        self.leave().await?;
        let id = id::new(prefix);
        let item = told(&id, &kind, "in_progress", "");
        let place = self.output.len();
        self.send("response.output_item.added", json!({"output_index": place, "item": item}))
            .await?;
        let part = match kind {
            Item::Message => Some(items::part("")),
            Item::Reasoning => Some(json!({"type": "reasoning_text", "text": ""})),
            Item::Call { .. } => None,
        };
        if let Some(part) = part {
            let data =
                json!({"item_id": id, "output_index": place, "content_index": 0, "part": part});
            self.send("response.content_part.added", data).await?;
        }
        self.open = Some(Open { id, text: String::new(), kind });
        Ok(())
    }

    async fn delta(&mut self, name: &str, text: &str) -> Result<(), Gone> {
        let place = self.output.len();
        let Some(open) = &mut self.open else { return Ok(()) };
        open.text += text;
        let mut data = json!({"item_id": open.id, "output_index": place, "delta": text});
        if !matches!(open.kind, Item::Call { .. }) {
            data["content_index"] = json!(0);
        }
        if open.kind == Item::Message {
            data["logprobs"] = json!([]);
        }
        self.send(name, data).await
    }

    async fn leave(&mut self) -> Result<(), Gone> {
        let Some(Open { id, text, kind }) = self.open.take() else { return Ok(()) };
        let place = self.output.len();
        let at = json!({"item_id": id, "output_index": place});
        let with = |more: Json| {
            let mut data = at.clone();
            if let (Json::Object(data), Json::Object(more)) = (&mut data, more) {
                data.extend(more);
            }
            data
        };
        match &kind {
            Item::Message => {
                self.send(
                    "response.output_text.done",
                    with(json!({"content_index": 0, "text": text, "logprobs": []})),
                )
                .await?;
                self.send(
                    "response.content_part.done",
                    with(json!({"content_index": 0, "part": items::part(&text)})),
                )
                .await?;
            }
            Item::Reasoning => {
                self.send(
                    "response.reasoning_text.done",
                    with(json!({"content_index": 0, "text": text})),
                )
                .await?;
                let part = json!({"type": "reasoning_text", "text": text});
                self.send(
                    "response.content_part.done",
                    with(json!({"content_index": 0, "part": part})),
                )
                .await?;
            }
            Item::Call { name, .. } => {
                self.send(
                    "response.function_call_arguments.done",
                    with(json!({"name": name, "arguments": text})),
                )
                .await?;
            }
        }
        let item = told(&id, &kind, "completed", &text);
        self.send("response.output_item.done", json!({"output_index": place, "item": item}))
            .await?;
        self.output.push(item);
        Ok(())
    }
}

fn told(id: &str, kind: &Item, status: &str, text: &str) -> Json {
    match kind {
        Item::Message => items::message(id, status, text),
        Item::Reasoning if status == "in_progress" => {
            json!({"id": id, "type": "reasoning", "summary": [], "content": []})
        }
        Item::Reasoning => items::reasoning(id, text),
        Item::Call { id: call, name } => items::call(id, status, call, name, text),
    }
}
