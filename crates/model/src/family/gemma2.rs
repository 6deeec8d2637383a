//! Gemma 2: norms before and after each half of the block, soft caps on scores and logits, every other
//! layer with a sliding window.
//!
//! Gemma team 2024 (arXiv 2408.00118). Reference: transformers `modeling_gemma2.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk,
    gemma::less_one,
    periodic_windows,
    shared::{Gated, Kept, Projection},
    window,
};
use crate::{
    Dialect, Error, Facts,
    names::{DECODER, Names},
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "gemma2", model_types: &["gemma2"], gguf: &["gemma2"], build };

/// Gemma 2's and 3's names: four norms a layer.
pub(super) const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("post_attention_norm", "post_attention_layernorm"),
            ("ffn_norm", "pre_feedforward_layernorm"),
            ("post_ffw_norm", "post_feedforward_layernorm"),
        ],
        DECODER,
    ],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { heads: None, kv_heads: Some(4), head_dim: Some(256) };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let bias = facts.flag_or(("attention_bias", ""), false)?;
    facts.only(("use_bidirectional_attention", ""), false)?;
    let window = window(facts, Some(4096))?.or((facts.dialect == Dialect::Gguf).then_some(4096));
    let windows = periodic_windows(facts, t.layers, window, 2)?;
    let scale = score_scale(facts, t.hidden, d, t.layers == 46)?;
    let scores = ("attn_logit_softcapping", "attn_logit_softcapping");
    let scores = facts.positive_unless_null(scores, 50.0)?.map(|cap| cap as f32);
    let logits = ("final_logit_softcapping", "final_logit_softcapping");
    let logits = facts.positive_unless_null(logits, 30.0)?.map(|cap| cap as f32);
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_activation", Activation::GeluTanh)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let one = less_one(facts);
    let parts = Parts {
        embedded: &|x| x.scale((t.hidden as f32).sqrt()),
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm").plus(one), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let with = AttendWith { mask, scale, softcap: scores, sinks: None };
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output").bias(bias), t.hidden);
            let x = x + a.rms_norm(l.w("post_attention_norm").plus(one), eps);

            let m = mlp.of(x.rms_norm(l.w("ffn_norm").plus(one), eps), l);
            x + m.rms_norm(l.w("post_ffw_norm").plus(one), eps)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm").plus(one), eps),
        logits: &|x| logits.map_or(x, |cap| x.softcap(cap)),
    };
    t.decoder(facts, &NAMES, &parts)
}

/// Scores are over the root of `query_pre_attn_scalar`. GGUF has no such key: it is the width of a head,
/// but for the one size (`shared_width`) that took the hidden width's share.
pub(super) fn score_scale(
    facts: &Facts<'_>,
    hidden: usize,
    d: HeadDims,
    shared_width: bool,
) -> Result<f32, Error> {
    let scalar = match facts.dialect {
        Dialect::HuggingFace => facts.positive_or(("query_pre_attn_scalar", ""), 256.0)?,
        Dialect::Gguf => {
            if let Some(scale) = facts.float_opt(("", "attention.scale"))? {
                return Ok(scale as f32);
            }
            if shared_width { (hidden / d.heads) as f64 } else { d.head_dim as f64 }
        }
    };
    Ok(scalar.sqrt().recip() as f32)
}
