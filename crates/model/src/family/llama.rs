//! Llama 1 to 3.x, Mistral (sliding window) and the many that copied them: grouped-query attention, then a
//! SwiGLU, RMS norms before each.
//!
//! Touvron et al. 2023 (arXiv 2302.13971), Jiang et al. 2023 (arXiv 2310.06825). Reference:
//! transformers `modeling_llama.py`, `modeling_mistral.py`. GGUF files pair RoPE entries as
//! neighbours because their converter reorders the rows of q and k.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Gated, Kept, Projection},
    window,
};
use crate::{
    Error, Facts,
    facts::Dialect,
    names::LLAMA,
    net::AttendWith,
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "llama", model_types: &["llama"], gguf: &["llama"], build: llama };

/// See the module. Its GGUF files call themselves llama.
pub const MISTRAL: Family =
    Family { name: "mistral", model_types: &["mistral"], gguf: &["mistral"], build: mistral };

fn llama(facts: &Facts<'_>) -> Result<Model, Error> {
    if facts.size_opt(("", "expert_count"))?.is_some_and(|experts| experts > 1) {
        // Mixtral's GGUF files call themselves llama too.
        return super::mixtral::build(facts);
    }
    // The reference implementation of Llama knows no window, whatever a config.json says.
    let window = if facts.dialect == Dialect::Gguf { window(facts, None)? } else { None };
    build(facts, HeadDefaults::default(), window)
}

fn mistral(facts: &Facts<'_>) -> Result<Model, Error> {
    let heads = HeadDefaults { kv_heads: Some(8), ..HeadDefaults::default() };
    let model = build(facts, heads, window(facts, Some(4096))?)?;
    Ok(model.ignoring(&["vision_tower.*", "multi_modal_projector.*", "model.vision_tower.*"]))
}

fn build(facts: &Facts<'_>, heads: HeadDefaults, window: Option<usize>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Interleaved)?;
    let mask = window.map_or(Mask::Causal, Mask::Window);
    let [bias, output_bias] = facts.attention_biases()?;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: facts.flag_or(("mlp_bias", ""), facts.gguf_has("blk.0.ffn_up.bias"))?.into(),
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let with = AttendWith::usual(mask, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(output_bias), t.hidden);
            x + mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}
