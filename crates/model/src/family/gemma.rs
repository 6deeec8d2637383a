//! Gemma 1: Llama's block with a scaled embedding, gains stored less one, a GELU gate, and heads wider
//! than their share.
//!
//! Gemma team 2024 (arXiv 2403.08295). Reference: transformers `modeling_gemma.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Gated, Kept, Projection},
};
use crate::{
    Error, Facts,
    facts::Dialect,
    names::LLAMA,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "gemma", model_types: &["gemma"], gguf: &["gemma"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { heads: None, kv_heads: Some(16), head_dim: Some(256) };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let bias = facts.flag_or(("attention_bias", ""), false)?;
    facts.only(("use_bidirectional_attention", ""), false)?;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: activation(facts)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let one = less_one(facts);
    let parts = Parts {
        embedded: &|x| x.scale((t.hidden as f32).sqrt()),
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm").plus(one), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden);
            x + mlp.of(x.rms_norm(l.w("ffn_norm").plus(one), eps), l)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm").plus(one), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}

/// What the hub's checkpoints lack in every gain. GGUF's converter has added it.
pub(super) fn less_one(facts: &Facts<'_>) -> f32 {
    if facts.dialect == Dialect::HuggingFace { 1.0 } else { 0.0 }
}

/// The first files said `gelu` and were trained with its tanh form, which the reference therefore uses.
fn activation(facts: &Facts<'_>) -> Result<Activation, Error> {
    if facts.value(("hidden_activation", "")).is_some() {
        return facts.activation("hidden_activation", Activation::GeluTanh);
    }
    Ok(match facts.activation("hidden_act", Activation::GeluTanh)? {
        Activation::GeluErf => Activation::GeluTanh,
        other => other,
    })
}
