//! Granite 3: Llama's block with four factors: on the embedding, on each branch, on scores, under logits. The
//! smallest of them have routed experts.
//!
//! Granite team 2024 (IBM). Reference: transformers `modeling_granite.py`, `modeling_granitemoe.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, moe,
    shared::{Gated, Kept, Projection},
};
use crate::{
    Dialect, Error, Facts,
    names::{DECODER, LLAMA, Names},
    net::{AttendWith, Flat, Scope},
    op::{Activation, Mask, Renormalise, Routing, Score},
    rope::RopeStyle,
    source::Rows,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "granite", model_types: &["granite"], gguf: &["granite"], build: dense };

/// See the module.
pub const MOE: Family = Family {
    name: "granitemoe",
    model_types: &["granitemoe"],
    gguf: &["granitemoe"],
    build: sparse,
};

const MOE_NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("ffn_gate_inp", "block_sparse_moe.router.layer"),
            ("ffn_gate_up_exps", "block_sparse_moe.input_linear"),
            ("ffn_down_exps", "block_sparse_moe.output_linear"),
        ],
        DECODER,
    ],
};

fn dense(facts: &Facts<'_>) -> Result<Model, Error> {
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: facts.flag_or(("mlp_bias", ""), facts.gguf_has("blk.0.ffn_up.bias"))?.into(),
        kept: Kept::Apart,
    };
    build(facts, &LLAMA, &|h, l| mlp.of(h, l))
}

fn sparse(facts: &Facts<'_>) -> Result<Model, Error> {
    let hub = facts.dialect == Dialect::HuggingFace;
    let count = |key, default: usize| {
        if hub { facts.size_or(key, default) } else { facts.size(key) }
    };
    let experts = moe::Experts {
        count: count(("num_local_experts", "expert_count"), 8)?,
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        routing: Routing {
            k: count(("num_experts_per_tok", "expert_used_count"), 2)?,
            // Softmax over the chosen is softmax over all, shared out among the chosen.
            score: Score::Softmax,
            groups: None,
            renormalise: Renormalise::Yes,
            scale: 1.0,
        },
        act: facts.activation("hidden_act", Activation::Silu)?,
    };
    // On the hub each expert's gate lies above its other half.
    let (run, stride) = (experts.ffn, 2 * experts.ffn);
    let half = |own: crate::Weight, first| {
        if hub { own.rows_of("ffn_gate_up_exps", Rows { first, run, stride }) } else { own }
    };
    build(facts, &MOE_NAMES, &|h, l| {
        let routes = h.linear(l.w("ffn_gate_inp"), experts.count).route(experts.routing, None);
        let gate = h.expert_linear(routes, half(l.w("ffn_gate_exps"), 0), run);
        let up = h.expert_linear(routes, half(l.w("ffn_up_exps"), run), run);
        let mixed = gate.activate_mul(experts.act, up);
        mixed.linear(l.w("ffn_down_exps"), h.width()).combine()
    })
}

/// The feed-forward network of a layer.
type Ffn<'f> = dyn for<'n> Fn(Flat<'n>, Scope) -> Flat<'n> + 'f;

fn build(facts: &Facts<'_>, names: &'static Names, ffn: &Ffn<'_>) -> Result<Model, Error> {
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
    let parts = Parts {
        embedded: &|x| x.scale(embedding),
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden).scale(branch);
            x + ffn(x.rms_norm(l.w("ffn_norm"), eps), l).scale(branch)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &|x| x.scale(logits.recip() as f32),
    };
    t.decoder(facts, names, &parts)
}
