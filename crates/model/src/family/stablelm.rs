//! StableLM 3B, 2 1.6B and 2 12B: Llama's block with layer norms and partly rotated heads; optionally
//! both halves side by side, and norms on every query and key head, each with a gain of its own.
//!
//! Bellagente et al. 2024 (arXiv 2402.17834). Reference: transformers `modeling_stablelm.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Gated, Kept, Projection},
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
    Family { name: "stablelm", model_types: &["stablelm"], gguf: &["stablelm"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("attn_q_norm", "self_attn.q_layernorm.norms.{expert}"),
            ("attn_k_norm", "self_attn.k_layernorm.norms.{expert}"),
        ],
        DECODER,
    ],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(32), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("layer_norm_eps", "attention.layer_norm_epsilon"), 1e-5)?;
    let rope = facts.rope(facts.rotary_dims(d.head_dim, 0.25)?, RopeStyle::Halves)?;
    let bias = facts.flag_or(("use_qkv_bias", ""), facts.gguf_has("blk.0.attn_q.bias"))?;
    let parallel = match facts.dialect {
        Dialect::HuggingFace => facts.flag_or(("use_parallel_residual", ""), false)?,
        // What a file says of it is not to be relied on; the second norm is.
        Dialect::Gguf => !facts.gguf_has("blk.0.ffn_norm.weight"),
    };
    let head_norms =
        facts.flag_or(("qk_layernorm", ""), facts.gguf_has("blk.0.attn_q_norm.weight"))?;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let [mut q, mut k, v] = d.project(h, l, Projection::plain(bias));
            if head_norms {
                q = q.layer_norm_each(l.w("attn_q_norm"), eps);
                k = k.layer_norm_each(l.w("attn_k_norm"), eps);
            }
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output"), t.hidden);
            if parallel {
                return x + a + mlp.of(h, l);
            }
            let x = x + a;
            x + mlp.of(x.layer_norm(l.w("ffn_norm").bias(true), eps), l)
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
