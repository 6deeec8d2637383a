//! The same as it comes: blocks opened, filled and closed, one after another.

use std::sync::Arc;

use axum::{body::Body, http::Response};
use serde_json::{Value as Json, json};

use super::messages::{malformed, reason, stop_text, usage};
use crate::{
    answer::{Finish, Usage, What},
    fault::Family,
    generate::{Answers, whole},
    http::feed::{self, Feed, Gone, Kind},
};

pub(super) fn stream(id: String, model: String, prompt: usize, answers: Answers) -> Response<Body> {
    feed::respond(Kind::Events, Family::Anthropic, move |feed| {
        let writer = Writer { feed, open: Open::Nothing, index: 0 };
        writer.write(id, model, prompt, answers)
    })
}

/// The block being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call(usize),
}

struct Writer {
    feed: Arc<Feed>,
    open: Open,
    /// The place of the open block, or of the next.
    index: usize,
}

impl Writer {
    async fn write(
        mut self,
        id: String,
        model: String,
        prompt: usize,
        mut answers: Answers,
    ) -> Result<(), Gone> {
        let begin = Usage { prompt, ..Usage::default() };
        let message = json!({
            "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage(&begin),
        });
        self.feed
            .event("message_start", &json!({"type": "message_start", "message": message}))
            .await?;
        self.feed.event("ping", &json!({"type": "ping"})).await?;
        while let Some(told) = answers.next().await {
            match told.what {
                What::Text(text) => {
                    self.enter(Open::Text, json!({"type": "text", "text": ""})).await?;
                    self.delta(json!({"type": "text_delta", "text": text})).await?;
                }
                What::Reasoning(text) => {
                    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
                    self.enter(Open::Thinking, block).await?;
                    self.delta(json!({"type": "thinking_delta", "thinking": text})).await?;
                }
                What::CallStart { index, name, id } => {
                    let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                    self.enter(Open::Call(index), block).await?;
                }
                What::CallArguments { delta, .. } => {
                    self.delta(json!({"type": "input_json_delta", "partial_json": delta})).await?;
                }
                What::CallEnd { .. } => self.leave().await?,
                What::PromptToken => {}
                What::Malformed { text, reason, .. } => {
                    // A client may hold the beginning of this call: it must not act on it.
                    let error = malformed(&text, &reason);
                    return self
                        .feed
                        .event("error", &json!({"type": "error", "error": error}))
                        .await;
                }
                What::Finished { why: Finish::Cancelled, .. } => {
                    return self.feed.fault(&whole::cut_off(), Family::Anthropic).await;
                }
                What::Finished { why, usage: own } => {
                    self.leave().await?;
                    let delta = json!({
                        "type": "message_delta",
                        "delta": {"stop_reason": reason(&why), "stop_sequence": stop_text(&why)},
                        "usage": usage(&own),
                    });
                    self.feed.event("message_delta", &delta).await?;
                }
                What::Failed(fault) => return self.feed.fault(&fault, Family::Anthropic).await,
            }
        }
        self.feed.event("message_stop", &json!({"type": "message_stop"})).await
    }

    /// Opens a block unless it is the open one.
    async fn enter(&mut self, what: Open, block: Json) -> Result<(), Gone> {
        if self.open == what {
            return Ok(());
        }
        self.leave().await?;
        self.open = what;
        let start =
            json!({"type": "content_block_start", "index": self.index, "content_block": block});
        self.feed.event("content_block_start", &start).await
    }

    async fn delta(&self, delta: Json) -> Result<(), Gone> {
        let told = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        self.feed.event("content_block_delta", &told).await
    }

    async fn leave(&mut self) -> Result<(), Gone> {
        if self.open == Open::Nothing {
            return Ok(());
        }
        self.open = Open::Nothing;
        let stop = json!({"type": "content_block_stop", "index": self.index});
        self.index += 1;
        self.feed.event("content_block_stop", &stop).await
    }
}
