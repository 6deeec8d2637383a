//! The same as it comes: role first, then deltas, then why it ended, then the usage where asked for.

use std::sync::Arc;

use axum::{body::Body, http::Response};
use serde_json::{Value as Json, json};

use super::{super::wire, Header, malformed};
use crate::{
    answer::{Finish, Told, Usage, What},
    fault::Family,
    generate::{Answers, whole},
    http::feed::{self, Feed, Gone, Kind},
};

/// What of a choice's delta is told how.
struct Writer {
    header: Header,
    feed: Arc<Feed>,
    include_usage: bool,
    logprobs: bool,
}

pub(super) fn stream(
    header: Header,
    answers: Answers,
    include_usage: bool,
    logprobs: bool,
) -> Response<Body> {
    feed::respond(Kind::Events, Family::OpenAi, move |feed| {
        let writer = Writer { header, feed, include_usage, logprobs };
        writer.write(answers)
    })
}

impl Writer {
    async fn write(self, mut answers: Answers) -> Result<(), Gone> {
        for choice in 0..answers.choices {
            let delta = json!({"role": "assistant", "content": ""});
            self.send(choice, delta, None, None).await?;
        }
        let mut usage = Usage::default();
        while let Some(told) = answers.next().await {
            if let What::Finished { usage: own, .. } = &told.what {
                usage = usage.and(*own);
            }
            if !self.told(told).await? {
                return self.feed.done().await;
            }
        }
        if self.include_usage {
            let mut chunk = self.header.object("chat.completion.chunk");
            chunk["choices"] = json!([]);
            chunk["usage"] = wire::usage(&usage);
            self.feed.data(&chunk).await?;
        }
        self.feed.done().await
    }

    /// Tells one thing; false when the stream is over by it.
    async fn told(&self, told: Told) -> Result<bool, Gone> {
        let choice = told.choice;
        let logprobs = (self.logprobs && !told.tokens.is_empty())
            .then(|| wire::chat_logprobs(self.header.model.tokenizer(), &told.tokens));
        let delta = match told.what {
            What::Text(text) => json!({"content": text}),
            What::Reasoning(text) => json!({"reasoning_content": text, "reasoning": text}),
            What::CallStart { index, name, id } => json!({"tool_calls": [{
                "index": index, "id": id, "type": "function",
                "function": {"name": name, "arguments": ""},
            }]}),
            What::CallArguments { index, delta } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": delta}}]})
            }
            What::CallEnd { .. } | What::PromptToken => return Ok(true),
            What::Malformed { index: None, text, reason } => {
                let mut chunk = self.chunk(choice, json!({"content": text}), None, None);
                chunk["choices"][0]["error"] = malformed(&text, &reason);
                self.feed.data(&chunk).await?;
                return Ok(true);
            }
            What::Malformed { index: Some(index), text, reason } => {
                // A client already holds the beginning of this call: it must not act on it.
                let mut error = malformed(&text, &reason);
                error["choice"] = json!(choice);
                error["index"] = json!(index);
                self.feed.data(&json!({"error": error})).await?;
                return Ok(false);
            }
            What::Finished { why: Finish::Cancelled, .. } => {
                let fault = whole::cut_off();
                self.feed.fault(&fault, Family::OpenAi).await?;
                return Ok(false);
            }
            What::Finished { why, .. } => {
                self.send(choice, json!({}), None, Some(&why)).await?;
                return Ok(true);
            }
            What::Failed(fault) => {
                self.feed.fault(&fault, Family::OpenAi).await?;
                return Ok(false);
            }
        };
        self.send(choice, delta, logprobs, None).await?;
        Ok(true)
    }

    fn chunk(
        &self,
        choice: u32,
        delta: Json,
        logprobs: Option<Json>,
        why: Option<&Finish>,
    ) -> Json {
        let mut chunk = self.header.object("chat.completion.chunk");
        let mut told = json!({
            "index": choice,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": why.map(Finish::openai),
        });
        if let Some(Finish::StopText(text)) = why {
            told["stop_reason"] = json!(text);
        }
        chunk["choices"] = Json::Array(vec![told]);
        if self.include_usage {
            chunk["usage"] = Json::Null;
        }
        chunk
    }

    async fn send(
        &self,
        choice: u32,
        delta: Json,
        logprobs: Option<Json>,
        why: Option<&Finish>,
    ) -> Result<(), Gone> {
        self.feed.data(&self.chunk(choice, delta, logprobs, why)).await
    }
}
