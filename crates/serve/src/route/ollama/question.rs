//! What both kinds of question share: options, format, thinking, and the names models go by here.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use text::{grammar::Grammar, template::RenderRequest};

use crate::{
    ask::{Ask, Ends, Prompt},
    fault::Fault,
    field::{Field, Fields, Kind, Object, honoured, neutral, only, shown, whole},
    id,
    model::Model,
    route::openai::question::think,
};

pub(super) const SHARED: &[Field] = &[
    honoured("model", Kind::Text, "which model; :latest may be left out"),
    honoured("stream", Kind::Flag, "send the answer as it comes; true by itself"),
    honoured(
        "format",
        Kind::Any("{\"anyOf\": [{\"enum\": [\"json\", \"\"]}, {\"type\": \"object\"}]}"),
        "json, or a JSON schema the answer follows",
    ),
    honoured(
        "options",
        Kind::Object("{}"),
        "temperature, top_k, top_p, min_p, typical_p, seed, num_predict, num_ctx, stop, the penalties, mirostat",
    ),
    honoured(
        "think",
        Kind::Any(
            "{\"anyOf\": [{\"type\": \"boolean\"}, {\"enum\": [\"low\", \"medium\", \"high\"]}]}",
        ),
        "whether to think first, where the template has a switch",
    ),
    neutral("keep_alive", Kind::Any("{}"), "how long models stay loaded is the server's --idle"),
    only("logprobs", &["false"], "use /v1/chat/completions"),
    only("top_logprobs", &["0"], "use /v1/chat/completions"),
];

/// The name without what Ollama adds to it.
pub(super) fn name(fields: &Fields) -> Option<&str> {
    fields.text("model").map(|name| name.strip_suffix(":latest").unwrap_or(name))
}

/// Everything but the prompt.
pub(super) fn ask(fields: &Fields, model: &Arc<Model>, prompt: Prompt) -> Result<Ask, Fault> {
    let mut ask = Ask {
        model: Arc::clone(model),
        prompt,
        choices: 1,
        sampler: model.sampler(),
        max_tokens: None,
        min_tokens: 0,
        stop: vec![],
        ends: Ends::Heeded,
        shape: shape(fields)?,
        prompt_logprobs: None,
        salt: vec![],
        priority: engine::Priority::Normal,
        deadline: None,
    };
    ask.sampler.seed = id::seed();
    if let Some(options) = fields.object("options")? {
        for (name, value) in options.map().iter().filter(|(_, value)| !value.is_null()) {
            option(&mut ask, model, &options, name, value)?;
        }
    }
    ask.sampler.validate().map_err(|error| Fault::from(engine::Error::from(error)))?;
    Ok(ask)
}

/// One of the options.
fn option(
    ask: &mut Ask,
    model: &Model,
    options: &Object<'_>,
    name: &str,
    value: &Json,
) -> Result<(), Fault> {
    let path = options.path(name);
    let wrong = |expected: &str| {
        let message = format!("{path} is {}, expected {expected}", shown(value));
        Err(Fault::field(path.clone(), message))
    };
    let set = |ask: &mut Ask, name: &str, value: f64| {
        let set = ask.sampler.set(name, value).map_err(engine::Error::from);
        set.map_err(|error| Fault { param: Some(path.clone()), ..Fault::from(error) })
    };
    let Some(number) = value.as_f64() else {
        if name == "stop" {
            let texts: Option<Vec<String>> = match value {
                Json::String(text) => Some(vec![text.clone()]),
                Json::Array(items) => {
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
                }
                _ => None,
            };
            match texts
                .filter(|texts| texts.len() <= 64 && texts.iter().all(|text| !text.is_empty()))
            {
                Some(texts) => ask.stop = texts,
                None => return wrong("at most 64 texts, none empty"),
            }
            return Ok(());
        }
        return wrong("a number");
    };
    match name {
        "temperature" | "top_k" | "top_p" | "min_p" | "typical_p" | "presence_penalty"
        | "frequency_penalty" => set(ask, name, number),
        "repeat_penalty" => set(ask, "repetition_penalty", number),
        "repeat_last_n" => set(ask, "penalty_window", if number == -1.0 { 0.0 } else { number }),
        "mirostat_tau" | "mirostat_eta"
            if options.get("mirostat").and_then(Json::as_i64) == Some(2) =>
        {
            set(ask, name, number)
        }
        "mirostat" if number == 0.0 => Ok(()),
        "mirostat" if number == 2.0 => {
            ask.sampler.mirostat.get_or_insert_default();
            Ok(())
        }
        "mirostat" => wrong("0 or 2"),
        // Without Mirostat they say nothing.
        "mirostat_tau" | "mirostat_eta" => Ok(()),
        "seed" => match whole(value).and_then(|seed| i64::try_from(seed).ok()) {
            Some(seed) => {
                ask.sampler.seed = seed.cast_unsigned();
                Ok(())
            }
            None => wrong("a whole number"),
        },
        "num_predict" => match whole(value) {
            // As far as the context holds.
            Some(-1 | -2) => Ok(()),
            Some(n @ 1..=16_777_216) => {
                ask.max_tokens = usize::try_from(n).ok();
                Ok(())
            }
            _ => wrong("a whole number from 1, or -1"),
        },
        "num_ctx" => {
            let context = model.runner().context();
            match whole(value).and_then(|n| usize::try_from(n).ok()) {
                Some(n) if (1..=context).contains(&n) => Ok(()),
                _ => wrong(&format!(
                    "1 to {context}, the context this server gives the model (--ctx)"
                )),
            }
        }
        _ => {
            let message = format!("{path:?} is not honoured here; see GET /v1/compat");
            Err(Fault::field(path.clone(), message).with_code("unsupported_parameter"))
        }
    }
}

fn shape(fields: &Fields) -> Result<Option<Grammar>, Fault> {
    match fields.get("format") {
        None => Ok(None),
        Some(Json::String(text)) if text.is_empty() => Ok(None),
        Some(Json::String(text)) if text == "json" => Ok(Some(Grammar::Object)),
        Some(schema @ Json::Object(_)) => Ok(Some(Grammar::Schema(schema.clone()))),
        Some(other) => {
            let message = format!("format is {}, expected json or a JSON schema", shown(other));
            Err(Fault::field("format", message))
        }
    }
}

/// The template's arguments for `think`.
pub(super) fn thinking(fields: &Fields, model: &Model) -> Result<Map<String, Json>, Fault> {
    let mut arguments = Map::new();
    let effort = match fields.get("think") {
        None => return Ok(arguments),
        Some(Json::Bool(true)) => "high",
        Some(Json::Bool(false)) => "none",
        Some(Json::String(effort)) if ["low", "medium", "high"].contains(&effort.as_str()) => {
            effort
        }
        Some(other) => {
            let message =
                format!("think is {}, expected true, false, low, medium or high", shown(other));
            return Err(Fault::field("think", message));
        }
    };
    let template = model.template(&RenderRequest::default())?;
    think(effort, &template, &mut arguments)
        .map_err(|fault| Fault { param: Some("think".to_owned()), ..fault })?;
    Ok(arguments)
}

/// The time as Ollama writes it.
pub(super) fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, by eras of 400 years (Howard Hinnant's algorithm).
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A call's arguments as an object.
pub(super) fn object(arguments: &str) -> Json {
    serde_json::from_str(arguments).unwrap_or_else(|_| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(time(4_102_444_799), "2099-12-31T23:59:59Z");
    }
}
