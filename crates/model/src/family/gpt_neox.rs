//! GPT-NeoX and Pythia: attention and a plain feed-forward network side by side, each behind its own layer
//! norm; a quarter of each head rotated; query, key and value of a head fused together.
//!
//! Black et al. 2022 (arXiv 2204.06745). Reference: transformers `modeling_gpt_neox.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Fused, Projection, plain_ffn},
};
use crate::{
    Dialect, Error, Facts,
    names::Names,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
    source::Turn,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "gpt_neox", model_types: &["gpt_neox"], gguf: &["gptneox"], build };

const NAMES: Names = Names {
    layers: "gpt_neox.layers.",
    tables: &[&[
        ("token_embd", "gpt_neox.embed_in"),
        ("output_norm", "gpt_neox.final_layer_norm"),
        ("output", "embed_out"),
        ("attn_norm", "input_layernorm"),
        ("attn_qkv", "attention.query_key_value"),
        ("attn_output", "attention.dense"),
        ("ffn_norm", "post_attention_layernorm"),
        ("ffn_up", "mlp.dense_h_to_4h"),
        ("ffn_down", "mlp.dense_4h_to_h"),
    ]],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "gpt_neox.embed_in.weight")?;
    let heads = facts.size(("num_attention_heads", "attention.head_count"))?;
    let d = HeadDims::new(facts, t.hidden, [heads, heads], None)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let act = facts.activation("hidden_act", Activation::GeluErf)?;
    let eps = facts.epsilon_or(("layer_norm_eps", "attention.layer_norm_epsilon"), 1e-5)?;
    let rope = facts.rope(facts.rotary_dims(d.head_dim, 0.25)?, RopeStyle::Halves)?;
    let parallel = facts.flag_or(("use_parallel_residual", "use_parallel_residual"), true)?;
    let bias: Bias = match facts.dialect {
        Dialect::HuggingFace => facts.flag_or(("attention_bias", ""), true)?,
        Dialect::Gguf => facts.gguf_has("blk.0.attn_output.bias"),
    }
    .into();
    let projection = Projection::plain(bias).fused(Fused::of(facts, Fused::Grouped));
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let [q, k, v] = d.project(h, l, projection);
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output").bias(bias), t.hidden);
            let after = if parallel { x } else { x + a };
            let h = after.layer_norm(l.w("ffn_norm").bias(true), eps);
            let m = plain_ffn(h, l, (ffn, act), (Bias::Yes, Turn::None));
            if parallel { m + a + x } else { m + after }
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    // Causal masks that old checkpoints saved.
    Ok(t.decoder(facts, &NAMES, &parts)?.ignoring(&["*.attention.bias", "*.attention.masked_bias"]))
}
