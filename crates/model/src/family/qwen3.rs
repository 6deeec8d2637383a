//! Qwen3: Llama's block with RMS norms on every query and key head.
//!
//! Qwen team 2025 (arXiv 2505.09388). Reference: transformers `modeling_qwen3.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Gated, Kept, Projection},
};
use crate::{
    Error, Facts,
    names::LLAMA,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "qwen3", model_types: &["qwen3"], gguf: &["qwen3"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(32), head_dim: Some(128), heads: None };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let [bias, output_bias] = facts.attention_biases()?;
    let windows = super::windows(facts, t.layers)?;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let q = q.rms_norm(l.w("attn_q_norm"), eps).rope(&rope);
            let k = k.rms_norm(l.w("attn_k_norm"), eps).rope(&rope);
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let a = q.attend(k, v, l, AttendWith::usual(mask, d.head_dim)).flat();
            let x = x + a.linear(l.w("attn_output").bias(output_bias), t.hidden);
            x + mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}
