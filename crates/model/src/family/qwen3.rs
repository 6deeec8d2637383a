//! Qwen3: Llama's block with RMS norms on every query and key head.
//!
//! Qwen team 2025 (arXiv 2505.09388). Reference: transformers `modeling_qwen3.py`.

use super::{Family, HeadDims, Model, Parts, Trunk, as_is};
use crate::{
    Error, Facts,
    names::LLAMA,
    net::AttendWith,
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "qwen3", model_types: &["qwen3"], gguf: &["qwen3"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let d = HeadDims::read(facts, t.hidden)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let eps = facts.epsilon(("rms_norm_eps", "attention.layer_norm_rms_epsilon"))?;
    let rope = facts.rope(d.head_dim, RopeStyle::Halves)?;
    let bias = facts.flag_or(("attention_bias", ""), false)?;
    let windows = super::windows(facts, t.layers)?;
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let q = h.linear(l.w("attn_q").bias(bias), d.q()).heads(d.heads);
            let k = h.linear(l.w("attn_k").bias(bias), d.kv()).heads(d.kv_heads);
            let v = h.linear(l.w("attn_v").bias(bias), d.kv()).heads(d.kv_heads);
            let q = q.rms_norm(l.w("attn_q_norm"), eps).rope(&rope);
            let k = k.rms_norm(l.w("attn_k_norm"), eps).rope(&rope);
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let a = q.attend(k, v, l, AttendWith::usual(mask, d.head_dim)).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), eps);
            let gate = h.linear(l.w("ffn_gate"), ffn);
            let up = h.linear(l.w("ffn_up"), ffn);
            x + gate.activate_mul(Activation::Silu, up).linear(l.w("ffn_down"), t.hidden)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}
