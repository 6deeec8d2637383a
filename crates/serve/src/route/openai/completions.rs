//! `POST /v1/completions`: text to continue, one or several, as text or as tokens.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use super::{
    super::{Answer, Call, Handling, Route, Verb, server::tokens},
    question, wire,
};
use crate::{
    answer::{Finish, TokenInfo, Told, Usage, What},
    ask::Prompt,
    fault::{Family, Fault, json_response},
    field::{Field, Fields, Kind, honoured, required, shared, whole},
    fim,
    gate::Access,
    generate::{self, Answers},
    http::feed::{self, Feed, Gone},
    id,
    key::{self, Scope},
    model::Model,
};

const PROMPT: &str = r#"{"anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}}]}"#;

/// Prompts of a request, at most.
const PROMPTS_MAX: usize = 128;
/// Tokens of an answer where nothing is said: this API's own default.
const MOST: usize = 16;

const FIELDS: &[Field] = &[
    honoured("model", Kind::Text, "which model; the first one where it is left out"),
    required("prompt", Kind::Any(PROMPT), "a text, tokens, or a list of either"),
    honoured("suffix", Kind::Text, "what comes after the answer, for models trained to fill in"),
    honoured("max_tokens", Kind::Whole(0, 1 << 24), "tokens of an answer, at most; 16 by itself"),
    honoured("echo", Kind::Flag, "give the prompt back before the answer"),
    honoured(
        "logprobs",
        Kind::Whole(0, 20),
        "log-probabilities of each token and of so many others",
    ),
    honoured("best_of", Kind::Whole(1, 128), "as many as n, for all of them are given"),
    honoured(
        "response_format",
        Kind::Object(
            "{\"required\": [\"type\"], \"properties\": {\"type\": {\"type\": \"string\"}}}",
        ),
        "text, json_object, json_schema, regex or lark",
    ),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/v1/completions",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "A text continued",
    fields: &[FIELDS, shared::COMMON, shared::SAMPLER, shared::SHAPE],
    answer: Answer::JsonOrEvents("Completion", "CompletionChunk"),
    handle,
};

/// What every piece bears, and how it is told.
struct Frame {
    id: String,
    created: u64,
    model: Arc<Model>,
    logprobs: Option<u32>,
    echo: bool,
    /// Whether the prompt is told and nothing more.
    only_prompt: bool,
    choices: u32,
    include_usage: bool,
}

impl Frame {
    fn object(&self) -> Json {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model.name(),
        })
    }
}

fn handle(call: Call) -> Handling {
    Box::pin(async move {
        let fields = &call.fields;
        let model = call.state.model(&call.caller, fields.text("model")).await?;
        let choices = fields.whole("n").unwrap_or(1);
        if fields.whole("best_of").is_some_and(|best| best != choices) {
            let message = "best_of must equal n: answers are not ranked and dropped";
            return Err(Fault::field("best_of", message).with_code("unsupported_parameter"));
        }
        let echo = fields.flag("echo") == Some(true);
        let logprobs = fields.whole("logprobs").and_then(|n| u32::try_from(n).ok());
        let most = fields.whole("max_tokens").and_then(|n| usize::try_from(n).ok()).unwrap_or(MOST);
        if most == 0 && !echo {
            return Err(Fault::field(
                "max_tokens",
                "max_tokens is 0, which makes sense only with echo",
            ));
        }
        let frame = Frame {
            id: id::new("cmpl-"),
            created: key::now(),
            logprobs,
            echo,
            only_prompt: most == 0,
            choices: u32::try_from(choices).unwrap_or(1),
            include_usage: question::include_usage(fields)?,
            model: Arc::clone(&model),
        };
        let streams = fields.flag("stream") == Some(true);
        let mut all = vec![];
        for prompt in prompts(fields, &model)? {
            let mut ask = question::ask(fields, &model, &call.caller, prompt)?;
            ask.max_tokens = Some(most);
            ask.sampler.logprobs = logprobs;
            ask.prompt_logprobs = logprobs.filter(|_| echo);
            all.push(generate::begin(&call.state, &call.caller, ask).await?);
        }
        let seed = all.first().map_or(0, |answers| answers.seed);
        let mut response = if streams {
            feed::respond(feed::Kind::Events, Family::OpenAi, move |feed| stream(frame, all, feed))
        } else {
            gathered(&frame, all).await?
        };
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-freehold-seed"), HeaderValue::from(seed));
        Ok(response)
    })
}

/// The prompts a request holds.
fn prompts(fields: &Fields, model: &Model) -> Result<Vec<Prompt>, Fault> {
    let suffix = fields.text("suffix").filter(|suffix| !suffix.is_empty());
    let vocab = model.runner().vocab();
    let text = |text: &str| match suffix {
        None => Ok(Prompt::Text(text.to_owned())),
        Some(suffix) => fim::encode(model.tokenizer(), text, suffix).map(Prompt::Ids),
    };
    let of_ids = |items: &[Json]| {
        if suffix.is_some() {
            return Err(Fault::field("suffix", "suffix needs a prompt of text"));
        }
        tokens::ids(items, "prompt", vocab).map(Prompt::Ids)
    };
    let wrong = || Fault::field("prompt", "prompt is a text, tokens, or a list of either");
    match fields.get("prompt") {
        Some(Json::String(prompt)) => Ok(vec![text(prompt)?]),
        Some(Json::Array(items)) if items.is_empty() => {
            Err(Fault::field("prompt", "prompt is an empty list"))
        }
        Some(Json::Array(items)) if items.iter().all(|item| whole(item).is_some()) => {
            Ok(vec![of_ids(items)?])
        }
        Some(Json::Array(items)) if items.len() > PROMPTS_MAX => {
            let message =
                format!("prompt has {} entries, at most {PROMPTS_MAX} are accepted", items.len());
            Err(Fault::field("prompt", message))
        }
        Some(Json::Array(items)) => items
            .iter()
            .map(|item| match item {
                Json::String(prompt) => text(prompt),
                Json::Array(ids) => of_ids(ids),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

#[derive(Default)]
struct Choice {
    text: String,
    tokens: Vec<TokenInfo>,
    finish: Option<Finish>,
    usage: Usage,
}

/// All answers, whole.
async fn gathered(frame: &Frame, all: Vec<Answers>) -> Result<Response<Body>, Fault> {
    let mut told = vec![];
    let mut usage = Usage::default();
    for (at, mut answers) in all.into_iter().enumerate() {
        let mut choices: Vec<Choice> = (0..frame.choices).map(|_| Choice::default()).collect();
        let mut prompt_tokens = vec![];
        while let Some(Told { choice, what, tokens }) = answers.next().await {
            let Some(choice) = choices.get_mut(choice as usize) else { continue };
            match what {
                What::PromptToken => prompt_tokens.extend(tokens),
                What::Text(text) => {
                    choice.text += &text;
                    choice.tokens.extend(tokens);
                }
                What::Finished { why, usage } => (choice.finish, choice.usage) = (Some(why), usage),
                What::Failed(fault) => return Err(fault),
                _ => {}
            }
        }
        let own = choices.iter().fold(Usage::default(), |sum, choice| sum.and(choice.usage));
        usage.prompt += own.prompt;
        usage.cached += own.cached;
        usage.completion += own.completion;
        let prompt = if frame.echo {
            generate::text_of(frame.model.tokenizer(), &answers.prompt_ids)
        } else {
            String::new()
        };
        for (index, choice) in choices.into_iter().enumerate() {
            let Some(finish) = choice.finish.filter(|why| *why != Finish::Cancelled) else {
                return Err(Fault::unavailable("the answer was cut off", 5));
            };
            let mut tokens = prompt_tokens.clone();
            if !frame.only_prompt {
                tokens.extend(choice.tokens);
            }
            let text =
                if frame.only_prompt { prompt.clone() } else { format!("{prompt}{}", choice.text) };
            told.push(json!({
                "index": at * frame.choices as usize + index,
                "text": text,
                "logprobs": frame.logprobs.map(|_| wire::plain_logprobs(frame.model.tokenizer(), &tokens, 0)),
                "finish_reason": finish.openai(),
            }));
        }
    }
    let mut body = frame.object();
    body["choices"] = Json::Array(told);
    body["usage"] = wire::usage(&usage);
    Ok(json_response(StatusCode::OK, &body))
}

/// All answers as they come, told apart by their index.
async fn stream(frame: Frame, all: Vec<Answers>, feed: Arc<Feed>) -> Result<(), Gone> {
    let (tell, mut coming) = mpsc::channel::<(usize, Told)>(16);
    let mut offsets = vec![0_usize; all.len() * frame.choices as usize];
    let mut echoes: Vec<Option<String>> = vec![None; offsets.len()];
    for (at, mut answers) in all.into_iter().enumerate() {
        if frame.echo {
            let prompt = generate::text_of(frame.model.tokenizer(), &answers.prompt_ids);
            for choice in 0..frame.choices as usize {
                echoes[at * frame.choices as usize + choice] = Some(prompt.clone());
            }
        }
        let tell = tell.clone();
        tokio::spawn(async move {
            loop {
                let told = tokio::select! {
                    told = answers.next() => told,
                    // The client left; with the answers the work ends.
                    () = tell.closed() => None,
                };
                let Some(told) = told else { return };
                if tell.send((at, told)).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(tell);
    let mut usage = Usage::default();
    let mut prompt_tokens: Vec<Vec<TokenInfo>> = vec![vec![]; offsets.len()];
    while let Some((at, Told { choice, what, tokens })) = coming.recv().await {
        let index = at * frame.choices as usize + choice as usize;
        let piece = |text: &str, logprobs: Option<Json>, why: Option<&str>| {
            let mut chunk = frame.object();
            chunk["choices"] =
                json!([{"index": index, "text": text, "logprobs": logprobs, "finish_reason": why}]);
            if frame.include_usage {
                chunk["usage"] = Json::Null;
            }
            chunk
        };
        if let What::PromptToken = what {
            for choice in 0..frame.choices as usize {
                prompt_tokens[at * frame.choices as usize + choice].extend(tokens.iter().cloned());
            }
            continue;
        }
        if let Some(prompt) = echoes[index].take() {
            let tokens = std::mem::take(&mut prompt_tokens[index]);
            let logprobs =
                frame.logprobs.map(|_| wire::plain_logprobs(frame.model.tokenizer(), &tokens, 0));
            offsets[index] = prompt.chars().count();
            feed.data(&piece(&prompt, logprobs, None)).await?;
        }
        match what {
            What::Text(text) if !frame.only_prompt => {
                let logprobs = frame.logprobs.map(|_| {
                    wire::plain_logprobs(frame.model.tokenizer(), &tokens, offsets[index])
                });
                offsets[index] += text.chars().count();
                feed.data(&piece(&text, logprobs, None)).await?;
            }
            What::Finished { why: Finish::Cancelled, .. } => {
                let fault =
                    Fault::unavailable("the answer was cut off: the server is shutting down", 5);
                feed.fault(&fault, Family::OpenAi).await?;
                return feed.done().await;
            }
            What::Finished { why, usage: own } => {
                if choice == 0 {
                    usage.prompt += own.prompt;
                    usage.cached += own.cached;
                }
                usage.completion += own.completion;
                feed.data(&piece("", None, Some(why.openai()))).await?;
            }
            What::Failed(fault) => {
                feed.fault(&fault, Family::OpenAi).await?;
                return feed.done().await;
            }
            _ => {}
        }
    }
    if frame.include_usage {
        let mut chunk = frame.object();
        chunk["choices"] = json!([]);
        chunk["usage"] = wire::usage(&usage);
        feed.data(&chunk).await?;
    }
    feed.done().await
}
