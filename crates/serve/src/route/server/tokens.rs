//! `/tokenize`, `/detokenize`, `/apply-template`: text to tokens and back, as vLLM and llama.cpp
//! name the fields.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};
use text::tokenizer::{Frame, Special, Specials};

use super::super::{Answer, Call, Handling, Route, Verb, openai::question};
use crate::{
    ask::Prompt,
    fault::{Family, Fault, json_response},
    field::{Field, Kind, Lists, honoured, required, whole},
    gate::Access,
    generate,
    key::Scope,
    prompt,
};

const fn route(
    path: &'static str,
    summary: &'static str,
    fields: Lists,
    answer: &'static str,
    handle: super::super::Handle,
) -> Route {
    Route {
        method: Verb::Post,
        path,
        access: Access::With(Scope::Infer),
        family: Family::OpenAi,
        summary,
        fields,
        answer: Answer::Json(answer),
        handle,
    }
}

const MODEL: &[Field] =
    &[honoured("model", Kind::Text, "which model; the first one where it is left out")];

pub(crate) const TOKENIZE: Route = route(
    "/tokenize",
    "The tokens of a text, or of a conversation in the model's template",
    &[
        MODEL,
        &[
            honoured("content", Kind::Text, "the text (llama.cpp's name)"),
            honoured("prompt", Kind::Text, "the text (vLLM's name)"),
            honoured("add_special", Kind::Flag, "with what the tokenizer puts around a text"),
            honoured("add_special_tokens", Kind::Flag, "the same"),
            honoured(
                "parse_special",
                Kind::Flag,
                "special tokens written in the text become theirs; true by itself",
            ),
            honoured("with_pieces", Kind::Flag, "give each token with its text"),
            honoured("return_token_strs", Kind::Flag, "give the tokens' texts too"),
        ],
        question::MESSAGES_MAYBE,
    ],
    "Tokens",
    tokenize,
);

pub(crate) const DETOKENIZE: Route = route(
    "/detokenize",
    "The text of some tokens",
    &[MODEL, &[required("tokens", Kind::List("{\"type\": \"integer\"}"), "token ids")]],
    "Text",
    detokenize,
);

pub(crate) const APPLY_TEMPLATE: Route = route(
    "/apply-template",
    "The prompt of a conversation, as the model's template writes it",
    &[MODEL, question::MESSAGES],
    "Prompt",
    apply_template,
);

/// More ids than any context holds.
const IDS_MAX: usize = 1 << 20;

fn tokenize(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let framed = call.fields.flag("add_special").or(call.fields.flag("add_special_tokens"));
        let parse = call.fields.flag("parse_special").unwrap_or(true);
        let prompt = if call.fields.has("messages") {
            Prompt::Chat(Box::new(question::chat(&mut call.fields, &model)?))
        } else {
            let text = call.fields.text("content").or(call.fields.text("prompt"));
            let text = text
                .ok_or_else(|| Fault::field("content", "content, prompt or messages is missing"))?;
            Prompt::Text(text.to_owned())
        };
        let for_model = std::sync::Arc::clone(&model);
        let work = move || -> Result<Vec<u32>, Fault> {
            let mut prompt = prompt;
            if let Prompt::Text(text) = &prompt {
                let special = if parse { Special::Parse } else { Special::AsText };
                let frame = if framed.unwrap_or(false) { Frame::Once } else { Frame::Bare };
                let ids = for_model.tokenizer().encode_framed(text, special, frame);
                return ids.map_err(|error| Fault::invalid(error.to_string()));
            }
            Ok(prompt::prepare(&for_model, &mut prompt)?.ids)
        };
        let ids = blocking(work).await?;
        let tokenizer = model.tokenizer();
        let with_pieces = call.fields.flag("with_pieces").unwrap_or(false);
        let tokens: Vec<Json> = ids
            .iter()
            .map(|id| {
                if with_pieces {
                    json!({"id": id, "piece": generate::token_text(tokenizer, *id).0})
                } else {
                    json!(id)
                }
            })
            .collect();
        let mut body = json!({
            "tokens": tokens,
            "count": ids.len(),
            "max_model_len": model.runner().context(),
        });
        if call.fields.flag("return_token_strs").unwrap_or(false) {
            let texts: Vec<&str> =
                ids.iter().map(|id| tokenizer.token_text(*id).unwrap_or_default()).collect();
            body["token_strs"] = json!(texts);
        }
        Ok(json_response(StatusCode::OK, &body))
    })
}

fn detokenize(call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let listed = call.fields.get("tokens").and_then(Json::as_array);
        let ids = ids(listed.map_or(&[][..], |ids| ids), "tokens", model.tokenizer().vocab_size())?;
        let text = model.tokenizer().decode(&ids, Specials::Keep);
        Ok(json_response(StatusCode::OK, &json!({"prompt": text, "content": text})))
    })
}

fn apply_template(mut call: Call) -> Handling {
    Box::pin(async move {
        let model = call.state.model(&call.caller, call.fields.text("model")).await?;
        let mut chat = question::chat(&mut call.fields, &model)?;
        let text = blocking(move || Ok(prompt::worded(&model, &mut chat)?.rendered.text())).await?;
        Ok(json_response(StatusCode::OK, &json!({"prompt": text})))
    })
}

/// Token ids out of a list.
pub(crate) fn ids(items: &[Json], path: &str, vocab: usize) -> Result<Vec<u32>, Fault> {
    if items.len() > IDS_MAX {
        let message = format!("{path} has {} tokens, at most {IDS_MAX} are accepted", items.len());
        return Err(Fault::field(path, message));
    }
    let id = |item: &Json| {
        let id =
            whole(item).and_then(|id| u32::try_from(id).ok()).filter(|id| (*id as usize) < vocab);
        id.ok_or_else(|| {
            let message = format!(
                "{path} holds {}, expected token ids below {vocab}",
                crate::field::shown(item)
            );
            Fault::field(path, message)
        })
    };
    items.iter().map(id).collect()
}

/// Work that takes as long as its text is.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::ours("this request met a fault of the server"))?
}
