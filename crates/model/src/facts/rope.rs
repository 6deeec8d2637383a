//! Reads a rotation from either vocabulary: `rope_theta` + `rope_scaling` (older `config.json`),
//! `rope_parameters` (transformers 5), or GGUF's `rope.*` keys and factor tensors.

use serde_json::{Map, Value};

use super::{Dialect, Facts, Key, LARGEST, Turning};
use crate::{
    Error,
    rope::{RampEnds, Rope, Scaling, long_rope_attention, yarn_attention},
};

const CONTEXT: Key = ("max_position_embeddings", "context_length");
const ORIGINAL: Key = ("original_max_position_embeddings", "rope.scaling.original_context_length");

/// No head has more turning entries than this.
const MOST_DIMS: usize = 1 << 16;

pub(super) fn read(facts: &Facts<'_>, turning: &Turning<'_>) -> Result<Rope, Error> {
    let mut turning = *turning;
    if turning.dims < 2 || !turning.dims.is_multiple_of(2) {
        let key = ("head_dim", "rope.dimension_count");
        let fault = facts.bad(key, turning.dims, "an even number of turning entries");
        turning.dims = facts.past(fault, (turning.dims & !1).max(2))?;
    }
    if turning.dims > MOST_DIMS {
        let key = ("head_dim", "rope.dimension_count");
        let fault = facts.bad(key, turning.dims, format!("at most {MOST_DIMS} turning entries"));
        turning.dims = facts.past(fault, 2)?;
    }
    let rope = match facts.dialect {
        Dialect::HuggingFace => hugging_face(facts, &turning),
        Dialect::Gguf => gguf(facts, &turning),
    }?;
    for length in [1, LARGEST] {
        let turned = rope.frequencies(length);
        if !turned.attention.is_finite() || turned.turns.iter().any(|turn| !turn.is_finite()) {
            let key = match rope.scaling {
                Scaling::None => ("rope_theta", "rope.freq_base"),
                _ => ("rope_scaling", "rope.scaling.factor"),
            };
            let fault = facts.bad(key, "such that angles overflow", "finite angles");
            return facts.past(fault, rope);
        }
    }
    Ok(rope)
}

fn hugging_face(facts: &Facts<'_>, turning: &Turning<'_>) -> Result<Rope, Error> {
    let dims = turning.dims;
    let empty = Map::new();
    let given = match facts.value(("rope_parameters", "")).or(facts.value(("rope_scaling", ""))) {
        None => &empty,
        Some(Value::Object(map)) => map,
        Some(other) => facts.past(facts.bad(("rope_scaling", ""), other, "an object"), &empty)?,
    };
    // Transformers 5 nests one set of parameters for each kind of layer.
    let given = match turning.kind.and_then(|kind| given.get(kind)) {
        Some(Value::Object(map)) => map,
        _ => given,
    };
    if let Some(kind) =
        ["full_attention", "sliding_attention"].iter().find(|k| given.contains_key(**k))
    {
        facts.past(facts.bad(("rope_parameters", ""), kind, "one set for all layers"), ())?;
    }
    let inner = Facts { values: given, ..*facts };
    let theta = match inner.float_opt(("rope_theta", ""))? {
        Some(theta) => theta,
        None => match facts.float_opt(("rope_theta", ""))? {
            Some(theta) => theta,
            None => facts.float_or(("rotary_emb_base", ""), turning.theta)?,
        },
    };
    let theta = positive(facts, ("rope_theta", ""), theta)?;
    let context = facts.size_or(CONTEXT, turning.context)?;
    // Said twice, it is the configuration's own that counts.
    let original = match facts.size_opt((ORIGINAL.0, ""))?.or(turning.original) {
        Some(original) => original,
        None => inner.size_or((ORIGINAL.0, ""), context)?,
    };
    let factor = || positive(&inner, ("factor", ""), inner.float(("factor", ""))?);
    let name = match inner.text_opt(("rope_type", ""))? {
        Some(name) => name,
        None => inner.text_opt(("type", ""))?.unwrap_or("default"),
    };
    let scaling = match name {
        "default" | "none" | "mrope" => Scaling::None,
        "linear" => Scaling::Linear { factor: factor()? },
        "dynamic" => Scaling::Dynamic { factor: factor()?, original: context },
        "llama3" => Scaling::Llama3 {
            factor: factor()?,
            low: positive(&inner, ("low_freq_factor", ""), inner.float(("low_freq_factor", ""))?)?,
            high: positive(
                &inner,
                ("high_freq_factor", ""),
                inner.float(("high_freq_factor", ""))?,
            )?,
            original,
        },
        "yarn" => {
            let factor = match inner.float_opt(("factor", ""))? {
                Some(_) => factor()?,
                None => context as f64 / original as f64,
            };
            let weights =
                (inner.float_opt(("mscale", ""))?, inner.float_opt(("mscale_all_dim", ""))?);
            let attention = match (inner.float_opt(("attention_factor", ""))?, weights) {
                (Some(attention), _) => attention,
                (None, (Some(one), Some(all))) if one != 0.0 && all != 0.0 => {
                    yarn_attention(factor, one) / yarn_attention(factor, all)
                }
                _ => yarn_attention(factor, 1.0),
            };
            // Zero stands for the usual number.
            let beta = |key: &'static str, usual: f64| -> Result<f64, Error> {
                let given = inner.float_opt((key, ""))?.filter(|beta| *beta != 0.0);
                positive(&inner, (key, ""), given.unwrap_or(usual))
            };
            let exact = !inner.flag_or(("truncate", ""), true)?;
            Scaling::Yarn {
                factor,
                original,
                beta_fast: beta("beta_fast", 32.0)?,
                beta_slow: beta("beta_slow", 1.0)?,
                ends: if exact { RampEnds::Exact } else { RampEnds::Rounded },
                attention,
            }
        }
        "longrope" | "su" => {
            let list = |key: &'static str| divisors(&inner, key, dims);
            let factor = match inner.float_opt(("factor", ""))? {
                Some(_) => factor()?,
                None => context as f64 / original as f64,
            };
            let attention = match inner.float_opt(("attention_factor", ""))? {
                Some(attention) => attention,
                None => long_rope_attention(factor, original),
            };
            Scaling::LongRope {
                short: list("short_factor")?,
                long: list("long_factor")?,
                original,
                attention,
            }
        }
        other => {
            let known = "default, linear, dynamic, llama3, yarn, longrope";
            facts.past(facts.bad(("rope_type", ""), other, known), Scaling::None)?
        }
    };
    Ok(Rope { style: turning.hub, dims, theta, scaling })
}

fn gguf(facts: &Facts<'_>, turning: &Turning<'_>) -> Result<Rope, Error> {
    let dims = turning.dims;
    let key = |name: &'static str| ("", name);
    let theta = facts.float_or(key("rope.freq_base"), turning.theta)?;
    let theta = positive(facts, key("rope.freq_base"), theta)?;
    let context = facts.size_or(CONTEXT, 2048)?;
    let original = facts.size_or(ORIGINAL, context)?;
    let factor = facts.float_or(key("rope.scaling.factor"), 1.0)?;
    let factor = positive(facts, key("rope.scaling.factor"), factor)?;
    let table = |name: &str| -> Result<Option<Vec<f32>>, Error> {
        let Some(table) = facts.tensors.table(name) else { return Ok(None) };
        sound(facts, name, table, dims).map(Some)
    };
    let scaling = match facts.text_opt(key("rope.scaling.type"))?.unwrap_or("none") {
        "none" | "longrope" => match (
            table("rope_freqs.weight")?,
            table("rope_factors_short.weight")?,
            table("rope_factors_long.weight")?,
        ) {
            (_, Some(short), Some(long)) => {
                let stretch = context as f64 / original as f64;
                let attention = match facts.float_opt(key("rope.scaling.attn_factor"))? {
                    Some(attention) => attention,
                    None => long_rope_attention(stretch, original),
                };
                Scaling::LongRope { short, long, original, attention }
            }
            (Some(divisors), ..) => Scaling::Divisors { divisors },
            _ => Scaling::None,
        },
        "linear" => Scaling::Linear { factor },
        "yarn" => Scaling::Yarn {
            factor,
            original,
            beta_fast: facts.float_or(key("rope.scaling.yarn_beta_fast"), 32.0)?,
            beta_slow: facts.float_or(key("rope.scaling.yarn_beta_slow"), 1.0)?,
            ends: RampEnds::Rounded,
            attention: facts.float_or(key("rope.scaling.attn_factor"), 1.0)?
                * yarn_attention(factor, 1.0),
        },
        other => {
            let known = "none, linear, yarn, longrope";
            facts.past(facts.bad(key("rope.scaling.type"), other, known), Scaling::None)?
        }
    };
    Ok(Rope { style: turning.gguf, dims, theta, scaling })
}

fn positive(facts: &Facts<'_>, key: Key, number: f64) -> Result<f64, Error> {
    if number > 0.0 {
        return Ok(number);
    }
    facts.past(facts.bad(key, number, "a positive number"), facts.some_number())
}

fn divisors(facts: &Facts<'_>, key: &'static str, dims: usize) -> Result<Vec<f32>, Error> {
    let Some(list) = facts.list_opt((key, ""))? else {
        return facts.past(facts.missing((key, "")), vec![1.0; dims / 2]);
    };
    let numbers = list.iter().map(|number| number.as_f64().unwrap_or(f64::NAN) as f32).collect();
    sound(facts, key, numbers, dims)
}

/// One positive, finite divisor for each pair.
fn sound(facts: &Facts<'_>, name: &str, list: Vec<f32>, dims: usize) -> Result<Vec<f32>, Error> {
    let bad = |found: String, expected: String| Error::BadValue {
        family: facts.family,
        key: name.to_owned(),
        found,
        expected,
    };
    let ones = || vec![1.0; dims / 2];
    if list.len() != dims / 2 {
        let expected = format!("{}, one a pair", dims / 2);
        return facts.past(bad(format!("{} entries", list.len()), expected), ones());
    }
    match list.iter().find(|divisor| !(divisor.is_finite() && **divisor > 0.0)) {
        Some(divisor) => {
            facts.past(bad(divisor.to_string(), "positive, finite divisors".into()), ones())
        }
        None => Ok(list),
    }
}
