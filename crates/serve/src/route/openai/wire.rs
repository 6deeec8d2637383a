//! Pieces of JSON both kinds of completion share.

use serde_json::{Value as Json, json};
use text::tokenizer::Tokenizer;

use crate::{
    answer::{TokenInfo, Usage},
    generate::token_text,
};

/// Tokens counted.
pub(super) fn usage(usage: &Usage) -> Json {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// Log-probabilities as chat completions give them.
pub(super) fn chat_logprobs(tokenizer: &Tokenizer, tokens: &[TokenInfo]) -> Json {
    let one = |id: u32, logprob: Option<f64>| {
        let (text, bytes) = token_text(tokenizer, id);
        json!({"token": text, "logprob": finite(logprob), "bytes": bytes})
    };
    let content: Vec<Json> = tokens
        .iter()
        .map(|token| {
            let mut entry = one(token.id, token.logprob);
            let top = token.top.iter().map(|(id, logprob)| one(*id, Some(*logprob)));
            entry["top_logprobs"] = Json::Array(top.collect());
            entry
        })
        .collect();
    json!({"content": content, "refusal": null})
}

/// Log-probabilities as plain completions give them; `offset` is where the first token's text begins,
/// in characters.
pub(super) fn plain_logprobs(
    tokenizer: &Tokenizer,
    tokens: &[TokenInfo],
    mut offset: usize,
) -> Json {
    let (mut texts, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for token in tokens {
        let (text, _) = token_text(tokenizer, token.id);
        offsets.push(offset);
        offset += text.chars().count();
        texts.push(text);
        logprobs.push(token.logprob.map(|logprob| finite(Some(logprob))));
        tops.push(token.logprob.map(|_| {
            let top = token
                .top
                .iter()
                .map(|(id, p)| (token_text(tokenizer, *id).0, json!(finite(Some(*p)))));
            Json::Object(top.collect())
        }));
    }
    json!({"tokens": texts, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets})
}

/// JSON knows no infinity; what has no probability has a very small one.
fn finite(logprob: Option<f64>) -> f64 {
    logprob.filter(|logprob| logprob.is_finite()).unwrap_or(-9999.0)
}
