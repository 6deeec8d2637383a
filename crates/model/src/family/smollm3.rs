//! SmolLM3: Llama's block, every fourth layer without any rotation.
//!
//! Hugging Face 2025; NoPE layers after Yang et al. 2025 (arXiv 2501.18795). Reference: transformers
//! `modeling_smollm3.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is, listed_windows,
    shared::{Gated, Kept, Projection},
    window,
};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    names::LLAMA,
    net::AttendWith,
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "smollm3", model_types: &["smollm3"], gguf: &["smollm3"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(4), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let theta = if facts.dialect == Dialect::Gguf { 10_000.0 } else { 2e6 };
    let dims = facts.whole_heads_turn(d.head_dim)?;
    let rope = facts.rope_as(&Turning { theta, ..Turning::usual(dims, RopeStyle::Interleaved) })?;
    let turns = turns(facts, t.layers)?;
    let windows = windows(facts, &turns)?;
    let bias = facts.flag_or(("attention_bias", ""), facts.gguf_has("blk.0.attn_q.bias"))?;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: facts.flag_or(("mlp_bias", ""), facts.gguf_has("blk.0.ffn_up.bias"))?.into(),
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [mut q, mut k, v] = d.project(h, l, Projection::plain(bias));
            if turns.get(l.index()).is_none_or(|turns| *turns) {
                (q, k) = (q.rope(&rope), k.rope(&rope));
            }
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let a = q.attend(k, v, l, AttendWith::usual(mask, d.head_dim)).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden);
            x + mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}

/// For each layer, whether its heads are rotated.
fn turns(facts: &Facts<'_>, layers: usize) -> Result<Vec<bool>, Error> {
    const LIST: crate::facts::Key = ("no_rope_layers", "");
    let Some(list) = facts.list_opt(LIST)? else {
        let every = facts.size_or(("no_rope_layer_interval", ""), 4)?;
        return Ok((1..=layers).map(|layer| !layer.is_multiple_of(every)).collect());
    };
    let one = |value: &serde_json::Value| match (value.as_u64(), value.as_bool()) {
        (Some(0), _) | (_, Some(false)) => Ok(false),
        (Some(1), _) | (_, Some(true)) => Ok(true),
        _ => {
            let expected = "1 for a layer that turns, 0 for one that does not";
            facts.past(facts.bad(LIST, value, expected), true)
        }
    };
    if list.len() < layers {
        let found = format!("{} entries", list.len());
        let fault = facts.bad(LIST, found, format!("{layers}, one a layer"));
        return facts.past(fault, vec![true; layers]);
    }
    list.iter().take(layers).map(one).collect()
}

/// With `use_sliding_window`, the layers that `layer_types` says, or those without rotation.
fn windows(facts: &Facts<'_>, turns: &[bool]) -> Result<Vec<Mask>, Error> {
    let on = facts.flag_or(("use_sliding_window", ""), false)?;
    let window = window(facts, None)?;
    let listed = listed_windows(facts, turns.len(), window.or(Some(1)))?;
    let slides = |masks: &[Mask]| masks.iter().any(|mask| *mask != Mask::Causal);
    Ok(match (on, window, listed) {
        (false, _, Some(masks)) if slides(&masks) => {
            let expected = "true, as layer_types has sliding_attention";
            facts.past(facts.bad(("use_sliding_window", ""), on, expected), masks)?
        }
        (true, None, Some(masks)) if slides(&masks) => {
            facts.past(facts.missing(("sliding_window", "")), masks)?
        }
        (true, _, Some(masks)) => masks,
        (false, ..) | (true, None, None) => vec![Mask::Causal; turns.len()],
        (true, Some(window), None) => {
            turns.iter().map(|t| if *t { Mask::Causal } else { Mask::Window(window) }).collect()
        }
    })
}
