//! Llama 1 to 3.x, Mistral (sliding window) and the many that copied them: grouped-query attention, then a
//! SwiGLU, RMS norms before each.
//!
//! Touvron et al. 2023 (arXiv 2302.13971), Jiang et al. 2023 (arXiv 2310.06825). Reference:
//! transformers `modeling_llama.py`, `modeling_mistral.py`. GGUF files pair RoPE entries as
//! neighbours because their converter reorders the rows of q and k.

use super::{Family, HeadDims, Model, Parts, Trunk, as_is};
use crate::{
    Error, Facts,
    names::LLAMA,
    net::AttendWith,
    op::{Activation, Mask},
    rope::{Rope, RopeStyle},
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "llama", model_types: &["llama", "mistral"], gguf: &["llama"], build };

struct Config {
    dims: HeadDims,
    ffn: usize,
    eps: f32,
    rope: Rope,
    mask: Mask,
    attention_bias: bool,
    output_bias: bool,
    mlp_bias: bool,
}

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    if facts.size_opt(("", "expert_count"))?.is_some_and(|experts| experts > 1) {
        // Mixtral's GGUF files call themselves llama too.
        return super::mixtral::build(facts);
    }
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let dims = HeadDims::read(facts, t.hidden)?;
    let rope_dims = facts.size_or(("", "rope.dimension_count"), dims.head_dim)?;
    let bias = facts.flag_or(("attention_bias", ""), facts.gguf_has("blk.0.attn_q.bias"))?;
    let c = Config {
        dims,
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        eps: facts.epsilon(("rms_norm_eps", "attention.layer_norm_rms_epsilon"))?,
        rope: facts.rope(rope_dims, RopeStyle::Interleaved)?,
        mask: facts
            .size_opt(("sliding_window", "attention.sliding_window"))?
            .map_or(Mask::Causal, Mask::Window),
        attention_bias: bias,
        output_bias: bias
            && (facts.dialect == crate::Dialect::HuggingFace
                || facts.gguf_has("blk.0.attn_output.bias")),
        mlp_bias: facts.flag_or(("mlp_bias", ""), facts.gguf_has("blk.0.ffn_up.bias"))?,
    };
    let (d, bias) = (c.dims, c.attention_bias);
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), c.eps);
            let q = h.linear(l.w("attn_q").bias(bias), d.q()).heads(d.heads).rope(&c.rope);
            let k = h.linear(l.w("attn_k").bias(bias), d.kv()).heads(d.kv_heads).rope(&c.rope);
            let v = h.linear(l.w("attn_v").bias(bias), d.kv()).heads(d.kv_heads);
            let a = q.attend(k, v, l, AttendWith::usual(c.mask, d.head_dim)).flat();
            let x = x + a.linear(l.w("attn_output").bias(c.output_bias), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), c.eps);
            let gate = h.linear(l.w("ffn_gate").bias(c.mlp_bias), c.ffn);
            let up = h.linear(l.w("ffn_up").bias(c.mlp_bias), c.ffn);
            let mixed = gate.activate_mul(Activation::Silu, up);
            x + mixed.linear(l.w("ffn_down").bias(c.mlp_bias), t.hidden)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), c.eps),
        logits: &as_is,
    };
    t.decoder(facts, &LLAMA, &parts)
}
