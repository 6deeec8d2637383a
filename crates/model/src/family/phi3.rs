//! Phi-3, 3.5 and 4: Llama's block with fused projections, LongRoPE, sometimes a window, sometimes only
//! part of each head rotated.
//!
//! Abdin et al. 2024 (arXiv 2404.14219). Reference: transformers `modeling_phi3.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Fused, Gated, Kept, Projection},
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
pub const FAMILY: Family = Family { name: "phi3", model_types: &["phi3"], gguf: &["phi3"], build };

/// What the reference puts where `max_position_embeddings` or its original is left out.
const CONTEXT: usize = 4096;

const NAMES: Names =
    Names { layers: "model.layers.", tables: &[&[("ffn_up", "mlp.gate_up_proj")], DECODER] };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let mut t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    if facts.dialect == Dialect::HuggingFace {
        t.context = facts.size_or(("max_position_embeddings", ""), CONTEXT)?;
    }
    let d = HeadDims::read(facts, t.hidden)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-5)?;
    let rope = facts.rope_as(&Turning {
        context: CONTEXT,
        original: Some(CONTEXT),
        ..Turning::usual(facts.rotary_dims(d.head_dim, 1.0)?, RopeStyle::Halves)
    })?;
    let mask = window(facts, None)?.map_or(Mask::Causal, Mask::Window);
    for key in ["attention_bias", "mlp_bias", "lm_head_bias"] {
        facts.only((key, ""), false)?;
    }
    let projection = Projection::plain(false).fused(Fused::of(facts, Fused::Stacked));
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
            let with = AttendWith::usual(mask, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output"), t.hidden);
            x + mlp.of(x.rms_norm(l.w("ffn_norm"), eps), l)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
