//! Qwen2-MoE (Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B): Qwen2's attention, then routed SwiGLUs beside a shared
//! one that a sigmoid gates.
//!
//! Qwen team 2024 (arXiv 2407.10671). Reference: transformers `modeling_qwen2_moe.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is, moe,
    shared::{Gated, Kept},
};
use crate::{
    Dialect, Error, Facts,
    names::{DECODER, Names},
    net::{AttendWith, Bias},
    op::{Activation, Mask, Renormalise},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "qwen2_moe", model_types: &["qwen2_moe"], gguf: &["qwen2moe"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("ffn_gate_inp_shexp", "mlp.shared_expert_gate"),
            ("ffn_gate_shexp", "mlp.shared_expert.gate_proj"),
            ("ffn_up_shexp", "mlp.shared_expert.up_proj"),
            ("ffn_down_shexp", "mlp.shared_expert.down_proj"),
        ],
        DECODER,
    ],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(16), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let bias = facts.flag_or(("qkv_bias", ""), true)?;
    let windows = windows(facts, t.layers)?;
    let experts = moe::Experts::read(facts, Renormalise::No)?;
    let sparse = moe::sparse_layers(facts, t.layers)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let shared_key = ("shared_expert_intermediate_size", "expert_shared_feed_forward_length");
    let shared = facts.size(shared_key)?;
    let dense = Gated { ffn, act: experts.act, bias: Bias::No, kept: Kept::Apart };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let q = h.linear(l.w("attn_q").bias(bias), d.q()).heads(d.heads).rope(&rope);
            let k = h.linear(l.w("attn_k").bias(bias), d.kv()).heads(d.kv_heads).rope(&rope);
            let v = h.linear(l.w("attn_v").bias(bias), d.kv()).heads(d.kv_heads);
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let a = q.attend(k, v, l, AttendWith::usual(mask, d.head_dim)).flat();
            let x = x + a.linear(l.w("attn_output"), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), eps);
            if !sparse[l.index()] {
                return x + dense.of(h, l);
            }
            let gate = h.linear(l.w("ffn_gate_shexp"), shared);
            let up = h.linear(l.w("ffn_up_shexp"), shared);
            let mixed = gate.activate_mul(experts.act, up);
            let own = mixed.linear(l.w("ffn_down_shexp"), t.hidden);
            let open = h.linear(l.w("ffn_gate_inp_shexp"), 1).activate(Activation::Sigmoid);
            x + experts.swiglu(h, l, None) + own * open
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}

/// Where no list says which, the reference gives a window to every other layer below `max_window_layers`,
/// the first one included. (Qwen2's own rule is another.)
fn windows(facts: &Facts<'_>, layers: usize) -> Result<Vec<Mask>, Error> {
    let on = facts.flag_or(("use_sliding_window", ""), false)?;
    if !on
        && let Some(masks) = super::listed_windows(facts, layers, Some(1))?
        && masks.iter().any(|mask| *mask != Mask::Causal)
    {
        let expected = "true, as layer_types has sliding_attention";
        facts.past(facts.bad(("use_sliding_window", ""), on, expected), ())?;
    }
    if facts.dialect == Dialect::Gguf || !on || facts.value(("layer_types", "")).is_some() {
        return super::windows(facts, layers);
    }
    let window = super::window(facts, Some(4096))?;
    let below = facts.count_or(("max_window_layers", ""), 28)?;
    let mask = |layer: usize| match window {
        Some(window) if layer.is_multiple_of(2) && layer < below => Mask::Window(window),
        _ => Mask::Causal,
    };
    Ok((0..layers).map(mask).collect())
}
