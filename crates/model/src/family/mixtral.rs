//! Mixtral: Llama's attention, then the best two of eight SwiGLUs.
//!
//! Jiang et al. 2024 (arXiv 2401.04088). Reference: transformers `modeling_mixtral.py`. Its GGUF
//! files say `llama` and give an `expert_count`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is, shared::Projection, window,
};
use crate::{
    Error, Facts,
    facts::{Dialect, Turning},
    names::{DECODER, Names},
    net::AttendWith,
    op::{Activation, Mask, Renormalise, Routing, Score},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "mixtral", model_types: &["mixtral"], gguf: &["mixtral"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("ffn_gate_inp", "block_sparse_moe.gate"),
            ("ffn_gate_exps", "block_sparse_moe.experts.{expert}.w1"),
            ("ffn_down_exps", "block_sparse_moe.experts.{expert}.w2"),
            ("ffn_up_exps", "block_sparse_moe.experts.{expert}.w3"),
        ],
        DECODER,
    ],
};

pub(super) fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(8), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-5)?;
    let experts = facts.size(("num_local_experts", "expert_count"))?;
    let k = match facts.dialect {
        Dialect::HuggingFace => facts.size_or(("num_experts_per_tok", ""), 2)?,
        Dialect::Gguf => facts.size(("", "expert_used_count"))?,
    };
    let turning = Turning {
        theta: if facts.dialect == Dialect::Gguf { 10_000.0 } else { 1e6 },
        ..Turning::usual(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Interleaved)
    };
    let rope = facts.rope_as(&turning)?;
    let mask = window(facts, None)?.map_or(Mask::Causal, Mask::Window);
    let act = facts.activation("hidden_act", Activation::Silu)?;
    let routing = Routing {
        k,
        score: Score::Softmax,
        groups: None,
        renormalise: Renormalise::Yes,
        scale: 1.0,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(false));
            let with = AttendWith::usual(mask, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output"), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), eps);
            let routes = h.linear(l.w("ffn_gate_inp"), experts).route(routing, None);
            let gate = h.expert_linear(routes, l.w("ffn_gate_exps"), ffn);
            let up = h.expert_linear(routes, l.w("ffn_up_exps"), ffn);
            let mixed = gate.activate_mul(act, up);
            x + mixed.linear(l.w("ffn_down_exps"), t.hidden).combine()
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
