//! Qwen3-MoE: Qwen3's attention (normalised query and key heads), then the best few of many SwiGLUs.
//!
//! Qwen team 2025 (arXiv 2505.09388). Reference: transformers `modeling_qwen3_moe.py`. GGUF files do
//! not say whether weights are renormalised; all releases do.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is, moe,
    shared::{Gated, Kept},
};
use crate::{
    Dialect, Error, Facts,
    names::LLAMA,
    net::{AttendWith, Bias},
    op::{Mask, Renormalise},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "qwen3_moe", model_types: &["qwen3_moe"], gguf: &["qwen3moe"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(4), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let [bias, output_bias] = facts.attention_biases()?;
    let windows = windows(facts, t.layers)?;
    let unsaid = match facts.dialect {
        Dialect::Gguf => Renormalise::Yes,
        Dialect::HuggingFace => Renormalise::No,
    };
    let experts = moe::Experts::read(facts, unsaid)?;
    let sparse = moe::sparse_layers(facts, t.layers)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let dense = Gated { ffn, act: experts.act, bias: Bias::No, kept: Kept::Apart };
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
            let x = x + a.linear(l.w("attn_output").bias(output_bias), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), eps);
            if sparse[l.index()] { x + experts.swiglu(h, l, None) } else { x + dense.of(h, l) }
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}

/// The reference knows one mask for all layers: a window where `use_sliding_window` says so.
fn windows(facts: &Facts<'_>, layers: usize) -> Result<Vec<Mask>, Error> {
    let on = facts.flag_or(("use_sliding_window", ""), false)?;
    if facts.dialect == Dialect::Gguf || !on {
        return super::windows(facts, layers);
    }
    let window = super::window(facts, Some(4096))?;
    let masks = vec![window.map_or(Mask::Causal, Mask::Window); layers];
    match super::listed_windows(facts, layers, window)? {
        Some(listed) if listed != masks => {
            let expected = "one kind for all layers";
            facts.past(facts.bad(("layer_types", ""), "several kinds", expected), masks)
        }
        _ => Ok(masks),
    }
}
