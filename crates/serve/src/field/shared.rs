//! Fields that several routes share: the sampler's numbers, what bounds an answer, what shapes it.

use serde_json::Value as Json;

use super::{Field, Fields, Kind, honoured, neutral, only};
use crate::fault::Fault;
use engine::sampler::SamplerSettings;

/// The sampler's numbers beyond what OpenAI's API names, and the other names they go by.
pub(crate) const SAMPLER: &[Field] = &[
    honoured("top_k", Kind::Whole(-1, 1 << 24), "keep the k best tokens; 0 and -1 keep all"),
    honoured(
        "min_p",
        Kind::Real(0.0, 1.0),
        "keep tokens with this share of the best one's probability",
    ),
    honoured(
        "typical_p",
        Kind::Real(0.0, 1.0),
        "keep tokens of typical surprise up to this probability",
    ),
    honoured("epsilon_cutoff", Kind::Real(0.0, 1.0), "keep tokens of at least this probability"),
    honoured(
        "eta_cutoff",
        Kind::Real(0.0, 1.0),
        "as epsilon, lower where the distribution is flat",
    ),
    honoured(
        "repetition_penalty",
        Kind::Real(1e-6, 100.0),
        "weaken tokens of prompt and answer by this factor",
    ),
    honoured("repeat_penalty", Kind::Real(1e-6, 100.0), "another name of repetition_penalty"),
    honoured(
        "penalty_window",
        Kind::Whole(0, 1 << 24),
        "tokens the penalties look back on; 0 for all",
    ),
    honoured(
        "repeat_last_n",
        Kind::Whole(-1, 1 << 24),
        "another name of penalty_window; -1 for all",
    ),
    honoured(
        "no_repeat_ngram_size",
        Kind::Whole(0, 1 << 24),
        "forbid repeating any run of so many tokens",
    ),
    honoured("dry_multiplier", Kind::Real(0.0, 100.0), "Don't Repeat Yourself: strength"),
    honoured("dry_base", Kind::Real(1.0, 100.0), "DRY: growth with the length of a repetition"),
    honoured(
        "dry_allowed_length",
        Kind::Whole(1, 1 << 24),
        "DRY: the shortest repetition penalised",
    ),
    honoured("dry_window", Kind::Whole(0, 1 << 24), "DRY: tokens searched"),
    honoured("xtc_probability", Kind::Real(0.0, 1.0), "Exclude Top Choices: how often"),
    honoured("xtc_threshold", Kind::Real(0.0, 1.0), "XTC: the probability of a top choice"),
    honoured(
        "mirostat_tau",
        Kind::Real(1e-6, 100.0),
        "Mirostat 2: surprise per token, in bits; switches it on",
    ),
    honoured(
        "mirostat_eta",
        Kind::Real(1e-6, 10.0),
        "Mirostat 2: how fast it corrects; switches it on",
    ),
];

/// What OpenAI's API says of sampling, and bounds of an answer.
pub(crate) const COMMON: &[Field] = &[
    honoured("temperature", Kind::Real(0.0, 100.0), "0 takes the best token every time"),
    honoured(
        "top_p",
        Kind::Real(0.0, 1.0),
        "keep the fewest tokens whose probabilities reach this",
    ),
    honoured(
        "presence_penalty",
        Kind::Real(-100.0, 100.0),
        "subtracted from the logits of tokens the answer holds",
    ),
    honoured(
        "frequency_penalty",
        Kind::Real(-100.0, 100.0),
        "subtracted for each time the answer holds a token",
    ),
    honoured(
        "logit_bias",
        Kind::Object("{\"additionalProperties\": {\"type\": \"number\"}}"),
        "token id → what is added to its logit; -100 and less forbid it",
    ),
    honoured(
        "seed",
        Kind::Whole(i64::MIN, i64::MAX),
        "the same seed gives the same answer, alone or among others",
    ),
    honoured("n", Kind::Whole(1, 128), "how many answers"),
    honoured("min_tokens", Kind::Whole(0, 1 << 24), "tokens before which no answer ends"),
    honoured("stop", Kind::Texts(64), "texts before which the answer ends"),
    honoured("ignore_eos", Kind::Flag, "go on past the tokens with which the model ends"),
    honoured("stream", Kind::Flag, "send the answer as it comes"),
    honoured(
        "stream_options",
        Kind::Object(
            "{\"properties\": {\"include_usage\": {\"type\": \"boolean\"}}, \"additionalProperties\": false}",
        ),
        "include_usage: a last piece with the usage",
    ),
    neutral("user", Kind::Text, "nothing depends on it"),
    honoured("cache_salt", Kind::Text, "prompts share computed prefixes only under the same salt"),
    honoured(
        "priority",
        Kind::Whole(-1, 1),
        "-1 background, 0 normal, 1 urgent (keys with the scope admin)",
    ),
];

/// What an answer must look like, in the names vLLM and llama.cpp use beside response_format.
pub(crate) const SHAPE: &[Field] = &[
    honoured("guided_json", Kind::Any("{}"), "the answer is JSON of this schema"),
    honoured("guided_regex", Kind::Text, "the answer matches this pattern"),
    honoured("guided_choice", Kind::List("{\"type\": \"string\"}"), "the answer is one of these"),
    honoured("guided_grammar", Kind::Text, "the answer follows this Lark grammar"),
    honoured(
        "structured_outputs",
        Kind::Object("{}"),
        "one of json, regex, choice, grammar, json_object",
    ),
    only("guided_decoding_backend", &["\"auto\"", "\"guidance\""], "there is one backend"),
];

/// Names under which a number goes beside its own.
const ALIASES: [(&str, &str); 2] =
    [("repeat_penalty", "repetition_penalty"), ("repeat_last_n", "penalty_window")];

/// Puts what a body says of sampling over `settings`.
pub(crate) fn sample(
    fields: &Fields,
    settings: &mut SamplerSettings,
    vocab: usize,
) -> Result<(), Fault> {
    let names: Vec<&'static str> = settings.numbers().map(|(name, _)| name).collect();
    for name in names.into_iter().filter(|name| *name != "logprobs") {
        if let Some(value) = fields.real(name) {
            set(settings, name, value)?;
        }
    }
    for (alias, name) in ALIASES {
        let Some(value) = fields.real(alias) else { continue };
        if fields.has(name) && fields.real(name) != Some(value) {
            let message = format!("{alias} and {name} are the same and differ");
            return Err(Fault::field(alias, message));
        }
        set(settings, name, value)?;
    }
    if let Some(seed) = fields.whole("seed") {
        settings.seed = seed.cast_unsigned();
    }
    if let Some(biases) = fields.object("logit_bias")? {
        settings.logit_bias = bias(biases.map(), vocab)?;
    }
    settings.validate().map_err(|error| Fault::from(engine::Error::from(error)))
}

fn set(settings: &mut SamplerSettings, name: &'static str, value: f64) -> Result<(), Fault> {
    // "No limit" is -1 to some clients and 0 to us.
    let value =
        if value == -1.0 && matches!(name, "top_k" | "penalty_window") { 0.0 } else { value };
    settings.set(name, value).map_err(|error| Fault::from(engine::Error::from(error)))
}

fn bias(biases: &serde_json::Map<String, Json>, vocab: usize) -> Result<Vec<(u32, f32)>, Fault> {
    let most = engine::sampler::MAX_LOGIT_BIAS;
    if biases.len() > most {
        let message =
            format!("logit_bias has {} entries, at most {most} are accepted", biases.len());
        return Err(Fault::field("logit_bias", message));
    }
    biases
        .iter()
        .map(|(id, bias)| {
            let wrong = |what: String| Fault::field(format!("logit_bias.{id}"), what);
            let token: u32 =
                id.parse().ok().filter(|token| (*token as usize) < vocab).ok_or_else(|| {
                    wrong(format!("logit_bias names token {id:?}, expected an id below {vocab}"))
                })?;
            let value = bias.as_f64().filter(|bias| bias.abs() <= 1000.0).ok_or_else(|| {
                wrong(format!(
                    "logit_bias of token {id} is {}, expected a number from -1000 to 1000",
                    super::shown(bias)
                ))
            })?;
            // OpenAI's -100 means "never".
            Ok((token, if value <= -100.0 { f32::NEG_INFINITY } else { value as f32 }))
        })
        .collect()
}
