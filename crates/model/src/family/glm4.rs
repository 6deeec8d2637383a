//! GLM-4: Llama's block with a fused gate, half of each head rotated in neighbouring pairs, biases on
//! queries, keys and values. GLM-4-0414 (`glm4`) also norms what each half of the block adds.
//!
//! Team GLM 2024 (arXiv 2406.12793). Reference: transformers `modeling_glm.py`, `modeling_glm4.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Fused, Gated, Kept, Projection},
};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    names::{DECODER, Names},
    net::{AttendWith, Bias, Flat},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "glm4", model_types: &["glm4"], gguf: &["glm4"], build: glm4 };

/// See the module; the first GLM-4, whose GGUF files keep the name of its forebears.
pub const GLM: Family =
    Family { name: "glm", model_types: &["glm"], gguf: &["chatglm"], build: glm };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("post_attention_norm", "post_self_attn_layernorm"),
            ("post_ffw_norm", "post_mlp_layernorm"),
            ("ffn_up", "mlp.gate_up_proj"),
        ],
        DECODER,
    ],
};

fn glm4(facts: &Facts<'_>) -> Result<Model, Error> {
    build(
        facts,
        HeadDefaults { heads: None, kv_heads: Some(2), head_dim: Some(128) },
        &|x, w, eps| x.rms_norm(w, eps),
    )
}

fn glm(facts: &Facts<'_>) -> Result<Model, Error> {
    let heads = HeadDefaults { heads: None, kv_heads: Some(2), head_dim: Some(128) };
    build(facts, heads, &|x, _, _| x)
}

/// What becomes of a branch before it is added.
type After = dyn for<'n> Fn(Flat<'n>, crate::Weight, f32) -> Flat<'n>;

fn build(facts: &Facts<'_>, heads: HeadDefaults, after: &After) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1.5625e-7)?;
    let dims = facts.rotary_dims(d.head_dim, 0.5)?;
    let pairs = RopeStyle::Interleaved;
    let rope = facts.rope_as(&Turning { hub: pairs, ..Turning::usual(dims, pairs) })?;
    let bias = match facts.dialect {
        Dialect::HuggingFace => facts.flag_or(("attention_bias", ""), true)?,
        Dialect::Gguf => {
            facts.gguf_has("blk.0.attn_q.bias") || facts.gguf_has("blk.0.attn_qkv.bias")
        }
    };
    let projection = Projection::plain(bias).fused(Fused::of(facts, Fused::No));
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: Bias::No,
        kept: Kept::before_up_unless_apart(facts),
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, projection);
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output"), t.hidden);
            let x = x + after(a, l.w("post_attention_norm"), eps);
            let m = mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l);
            x + after(m, l.w("post_ffw_norm"), eps)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
