//! Granite 3: Llama's block with four factors: on the embedding, on each branch, on scores, under logits.
//!
//! Granite team 2024 (IBM). Reference: transformers `modeling_granite.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk,
    shared::{Gated, Kept, Projection},
};
use crate::{
    Dialect, Error, Facts,
    names::LLAMA,
    net::AttendWith,
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "granite", model_types: &["granite"], gguf: &["granite"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let d = HeadDims::read(facts, t.hidden)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Interleaved)?;
    let bias = facts.flag_or(("attention_bias", ""), facts.gguf_has("blk.0.attn_q.bias"))?;
    let embedding = facts.float_or(("embedding_multiplier", "embedding_scale"), 1.0)? as f32;
    let branch = facts.float_or(("residual_multiplier", "residual_scale"), 1.0)? as f32;
    let logits = facts.positive_or(("logits_scaling", "logit_scale"), 1.0)?;
    let usual = AttendWith::usual(Mask::Causal, d.head_dim);
    let scale = match facts.dialect {
        Dialect::HuggingFace => facts.float_or(("attention_multiplier", ""), 1.0)? as f32,
        Dialect::Gguf => match facts.float_opt(("", "attention.scale"))? {
            Some(scale) if scale != 0.0 => scale as f32,
            _ => usual.scale,
        },
    };
    let with = AttendWith { scale, ..usual };
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: facts.flag_or(("mlp_bias", ""), facts.gguf_has("blk.0.ffn_up.bias"))?.into(),
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &|x| x.scale(embedding),
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden).scale(branch);
            x + mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l).scale(branch)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &|x| x.scale(logits.recip() as f32),
    };
    t.decoder(facts, &LLAMA, &parts)
}
