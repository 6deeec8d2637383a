//! OLMo 2 and 3: norms after attention and feed-forward network instead of before, and over all queries
//! and all keys at once. OLMo 3 adds a window to three layers of four and stretches the others' rotation.
//!
//! OLMo team 2024 (arXiv 2501.00656). Reference: transformers `modeling_olmo2.py`, `modeling_olmo3.py`.
//! OLMo 3's GGUF files say `olmo2` and give a window.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is, periodic_windows,
    shared::{Gated, Kept, local_rope},
    window,
};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    names::{DECODER, Names},
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "olmo2", model_types: &["olmo2"], gguf: &["olmo2"], build: olmo2 };

/// See the module.
pub const OLMO3: Family =
    Family { name: "olmo3", model_types: &["olmo3"], gguf: &["olmo3"], build: olmo3 };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("post_attention_norm", "post_attention_layernorm"),
            ("post_ffw_norm", "post_feedforward_layernorm"),
        ],
        DECODER,
    ],
};

fn olmo2(facts: &Facts<'_>) -> Result<Model, Error> {
    match facts.dialect {
        Dialect::HuggingFace => build(facts, None, 10_000.0),
        Dialect::Gguf => build(facts, window(facts, None)?, 10_000.0),
    }
}

fn olmo3(facts: &Facts<'_>) -> Result<Model, Error> {
    build(facts, window(facts, Some(4096))?, 500_000.0)
}

fn build(facts: &Facts<'_>, window: Option<usize>, theta: f64) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let d = HeadDims::read(facts, t.hidden)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-5)?;
    let dims = facts.whole_heads_turn(d.head_dim)?;
    let kind = window.map(|_| "full_attention");
    let turning = Turning { kind, theta, ..Turning::usual(dims, RopeStyle::Halves) };
    let full = facts.rope_as(&turning)?;
    let local = local_rope(facts, &turning, full.theta)?;
    let windows = match window {
        Some(_) => periodic_windows(facts, t.layers, window, 4)?,
        None => vec![Mask::Causal; t.layers],
    };
    let bias: Bias = facts.flag_or(("attention_bias", ""), false)?.into();
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let rope = if mask == Mask::Causal { &full } else { &local };
            let q = x.linear(l.w("attn_q").bias(bias), d.q()).rms_norm(l.w("attn_q_norm"), eps);
            let k = x.linear(l.w("attn_k").bias(bias), d.kv()).rms_norm(l.w("attn_k_norm"), eps);
            let v = x.linear(l.w("attn_v").bias(bias), d.kv()).heads(d.kv_heads);
            let (q, k) = (q.heads(d.heads).rope(rope), k.heads(d.kv_heads).rope(rope));
            let a = q.attend(k, v, l, AttendWith::usual(mask, d.head_dim)).flat();
            let a = a.linear(l.w("attn_output").bias(bias), t.hidden);
            let x = x + a.rms_norm(l.w("post_attention_norm"), eps);
            x + mlp.of(x, l).rms_norm(l.w("post_ffw_norm"), eps)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
