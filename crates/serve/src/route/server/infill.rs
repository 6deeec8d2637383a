//! `POST /infill`: the text between two others, as llama.vscode and llama.vim ask for it.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::super::{Answer, Call, Handling, Route, Verb, openai::question};
use crate::{
    answer::Finish,
    ask::Prompt,
    fault::{Family, Fault, json_response},
    field::{Field, Kind, Object, honoured, neutral, only, required, shared},
    fim,
    gate::Access,
    generate::{self, whole::gather},
    key::Scope,
};

const FIELDS: &[Field] = &[
    honoured("model", Kind::Text, "which model; the first one where it is left out"),
    required("input_prefix", Kind::Text, "what comes before"),
    required("input_suffix", Kind::Text, "what comes after"),
    honoured(
        "input_extra",
        Kind::List("{\"type\": \"object\"}"),
        "other files, each with text and filename; they go before the prefix",
    ),
    honoured(
        "prompt",
        Kind::Text,
        "the beginning of the line the cursor is in; it follows the prefix",
    ),
    honoured(
        "n_predict",
        Kind::Whole(-1, 1 << 24),
        "tokens of the answer, at most; 0 only computes the prompt",
    ),
    honoured(
        "n_indent",
        Kind::Whole(0, 1000),
        "accepted when 0: lines are not cut by their indentation",
    ),
    neutral("cache_prompt", Kind::Flag, "computed prefixes are kept and found by themselves"),
    neutral(
        "t_max_prompt_ms",
        Kind::Whole(0, 1 << 31),
        "a prompt is computed whole; a client that leaves ends it",
    ),
    neutral("t_max_predict_ms", Kind::Whole(0, 1 << 31), "a client that leaves ends it"),
    neutral("id_slot", Kind::Whole(-1, 1 << 20), "there are no slots to choose"),
    neutral(
        "samplers",
        Kind::List("{\"type\": \"string\"}"),
        "the sampler's steps have one documented order",
    ),
    neutral("response_fields", Kind::List("{\"type\": \"string\"}"), "all fields are given"),
    neutral("speculative.n_max", Kind::Whole(0, 1 << 20), "guessing changes no answer"),
    only("lora", &["[]"], "there are no adapters yet"),
];

pub(crate) const ROUTE: Route = Route {
    method: Verb::Post,
    path: "/infill",
    access: Access::With(Scope::Infer),
    family: Family::OpenAi,
    summary: "The text between two others, for editors",
    fields: &[FIELDS, shared::COMMON, shared::SAMPLER],
    answer: Answer::Json("Infill"),
    handle,
};

fn handle(call: Call) -> Handling {
    Box::pin(async move {
        let fields = &call.fields;
        let model = call.state.model(&call.caller, fields.text("model")).await?;
        if fields.flag("stream") == Some(true) {
            return Err(Fault::field("stream", "this route answers at once")
                .with_code("unsupported_parameter"));
        }
        if fields.whole("n").is_some_and(|n| n > 1) {
            return Err(
                Fault::field("n", "this route gives one answer").with_code("unsupported_parameter")
            );
        }
        if fields.whole("n_indent").is_some_and(|n| n > 0) {
            return Err(Fault::field("n_indent", "lines are not cut by their indentation")
                .with_code("unsupported_parameter"));
        }
        let mut before = String::new();
        if let Some(Json::Array(files)) = fields.get("input_extra") {
            for (at, file) in files.iter().enumerate() {
                let file = Object::new(format!("input_extra[{at}]"), file)?;
                file.only(&["text", "filename", "time"])?;
                let name = file.text("filename")?.unwrap_or_default();
                for part in [name, "\n", file.needed("text")?, "\n\n"] {
                    before.push_str(part);
                }
            }
        }
        before += fields.text("input_prefix").unwrap_or_default();
        before += fields.text("prompt").unwrap_or_default();
        let suffix = fields.text("input_suffix").unwrap_or_default();
        let ids = fim::encode(model.tokenizer(), &before, suffix)?;
        let mut ask = question::ask(fields, &model, &call.caller, Prompt::Ids(ids))?;
        ask.max_tokens = fields.whole("n_predict").and_then(|n| usize::try_from(n).ok());
        let answers = generate::begin(&call.state, &call.caller, ask).await?;
        let choice = gather(answers).await?.into_iter().next();
        let choice = choice.ok_or_else(|| Fault::ours("the answer was cut off"))?;
        let finish = choice.finish.unwrap_or(Finish::Cancelled);
        let kind = match &finish {
            Finish::Length => "limit",
            Finish::StopText(_) => "word",
            _ => "eos",
        };
        let word = if let Finish::StopText(word) = &finish { &word[..] } else { "" };
        Ok(json_response(
            StatusCode::OK,
            &json!({
                "content": choice.text,
                "stop": true,
                "stop_type": kind,
                "stopping_word": word,
                "truncated": false,
                "model": model.name(),
                "tokens_evaluated": choice.usage.prompt,
                "tokens_cached": choice.usage.cached,
                "tokens_predicted": choice.usage.completion,
            }),
        ))
    })
}
