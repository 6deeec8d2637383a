//! Answers as Ollama's clients read them: one JSON value a line, the last one with the counts.

use std::{collections::BTreeMap, time::Instant};

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use serde_json::{Map, Value as Json, json};

use super::question::{object, time};
use crate::{
    answer::{Finish, Usage, What},
    fault::{Family, Fault, json_response},
    generate::{Answers, whole},
    http::feed::{self, Kind},
    key,
};

/// Which of the two routes answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `message.content`, `message.thinking`, `message.tool_calls`.
    Chat,
    /// `response`, `thinking`.
    Generate,
}

/// What every line bears, and when things happened.
pub(super) struct Teller {
    pub(super) model: String,
    pub(super) shape: Shape,
    pub(super) began: Instant,
}

impl Teller {
    pub(super) fn new(model: &str, shape: Shape) -> Self {
        Teller { model: model.to_owned(), shape, began: Instant::now() }
    }

    fn line(&self, text: &str, thought: &str, calls: Vec<Json>, done: bool) -> Json {
        let mut line = json!({"model": self.model, "created_at": time(key::now())});
        match self.shape {
            Shape::Chat => {
                let mut message = Map::from_iter([
                    ("role".to_owned(), json!("assistant")),
                    ("content".to_owned(), json!(text)),
                ]);
                if !thought.is_empty() {
                    message.insert("thinking".to_owned(), json!(thought));
                }
                if !calls.is_empty() {
                    message.insert("tool_calls".to_owned(), Json::Array(calls));
                }
                line["message"] = Json::Object(message);
            }
            Shape::Generate => {
                line["response"] = json!(text);
                if !thought.is_empty() {
                    line["thinking"] = json!(thought);
                }
            }
        }
        line["done"] = json!(done);
        line
    }

    fn end(&self, mut line: Json, finish: &Finish, usage: &Usage, first: Option<Instant>) -> Json {
        let now = Instant::now();
        let nanos =
            |from: Instant, to: Instant| u64::try_from((to - from).as_nanos()).unwrap_or(u64::MAX);
        let first = first.unwrap_or(now);
        line["done_reason"] = json!(if *finish == Finish::Length { "length" } else { "stop" });
        line["total_duration"] = json!(nanos(self.began, now));
        line["load_duration"] = json!(0);
        line["prompt_eval_count"] = json!(usage.prompt);
        line["prompt_eval_duration"] = json!(nanos(self.began, first));
        line["eval_count"] = json!(usage.completion);
        line["eval_duration"] = json!(nanos(first, now));
        line
    }

    /// The whole answer at once.
    pub(super) async fn whole(self, answers: Answers) -> Result<Response<Body>, Fault> {
        let choice = whole::gather(answers).await?.into_iter().next();
        let choice = choice.ok_or_else(|| Fault::ours("the answer was cut off"))?;
        let calls = choice.calls.values().map(|call| told(&call.name, &call.arguments)).collect();
        let line = self.line(&choice.text, &choice.reasoning, calls, true);
        let finish = choice.finish.unwrap_or(Finish::Cancelled);
        let mut line = self.end(line, &finish, &choice.usage, None);
        if let Some((text, reason)) = &choice.malformed {
            line["error"] = json!(format!("the model wrote a call that cannot be read: {reason}"));
            line["malformed_tool_call"] = json!(text);
        }
        Ok(json_response(StatusCode::OK, &line))
    }

    /// The same as it comes. Calls are told whole: this API has no deltas for them.
    pub(super) fn stream(self, mut answers: Answers) -> Response<Body> {
        feed::respond(Kind::Lines, Family::Ollama, move |feed| async move {
            let mut first = None;
            let mut calls: BTreeMap<usize, (String, String)> = BTreeMap::new();
            while let Some(told) = answers.next().await {
                first.get_or_insert_with(Instant::now);
                match told.what {
                    What::Text(text) => feed.data(&self.line(&text, "", vec![], false)).await?,
                    What::Reasoning(text) => {
                        feed.data(&self.line("", &text, vec![], false)).await?;
                    }
                    What::CallStart { index, name, .. } => {
                        calls.insert(index, (name, String::new()));
                    }
                    What::CallArguments { index, delta } => {
                        if let Some((_, arguments)) = calls.get_mut(&index) {
                            *arguments += &delta;
                        }
                    }
                    What::CallEnd { index } => {
                        if let Some((name, arguments)) = calls.remove(&index) {
                            let call = self::told(&name, &arguments);
                            feed.data(&self.line("", "", vec![call], false)).await?;
                        }
                    }
                    What::PromptToken => {}
                    What::Malformed { text, reason, .. } => {
                        let error = format!("the model wrote a call that cannot be read: {reason}");
                        return feed
                            .data(&json!({"error": error, "malformed_tool_call": text}))
                            .await;
                    }
                    What::Finished { why: Finish::Cancelled, .. } => {
                        return feed.fault(&whole::cut_off(), Family::Ollama).await;
                    }
                    What::Finished { why, usage } => {
                        let line = self.line("", "", vec![], true);
                        feed.data(&self.end(line, &why, &usage, first)).await?;
                    }
                    What::Failed(fault) => return feed.fault(&fault, Family::Ollama).await,
                }
            }
            Ok(())
        })
    }
}

fn told(name: &str, arguments: &str) -> Json {
    json!({"function": {"name": name, "arguments": object(arguments)}})
}
