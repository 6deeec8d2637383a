//! Phi-1, 1.5 and 2: attention and a plain feed-forward network side by side behind one layer norm,
//! biases everywhere, part of each head rotated.
//!
//! Li et al. 2023 (arXiv 2309.05463). Reference: transformers `modeling_phi.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Fused, Projection, plain_ffn},
};
use crate::{
    Error, Facts,
    names::{DECODER, Names},
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
    source::Turn,
};

/// See the module.
pub const FAMILY: Family = Family { name: "phi", model_types: &["phi"], gguf: &["phi2"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("output_norm", "model.final_layernorm"),
            ("attn_output", "self_attn.dense"),
            ("attn_q_norm", "self_attn.q_layernorm"),
            ("attn_k_norm", "self_attn.k_layernorm"),
            ("ffn_up", "mlp.fc1"),
            ("ffn_down", "mlp.fc2"),
        ],
        DECODER,
    ],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let mut t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    t.head_bias = Bias::Yes;
    let d = HeadDims::read(facts, t.hidden)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let act = facts.activation("hidden_act", Activation::GeluTanh)?;
    let eps = facts.epsilon_or(("layer_norm_eps", "attention.layer_norm_epsilon"), 1e-5)?;
    let rope = facts.rope(facts.rotary_dims(d.head_dim, 0.5)?, RopeStyle::Halves)?;
    let head_norms =
        facts.flag_or(("qk_layernorm", ""), facts.gguf_has("blk.0.attn_q_norm.weight"))?;
    let projection = Projection::plain(true).fused(Fused::of(facts, Fused::No));
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let [mut q, mut k, v] = d.project(h, l, projection);
            if head_norms {
                q = q.layer_norm(l.w("attn_q_norm").bias(true), eps);
                k = k.layer_norm(l.w("attn_k_norm").bias(true), eps);
            }
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output").bias(true), t.hidden);
            a + plain_ffn(h, l, (ffn, act), (Bias::Yes, Turn::None)) + x
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
