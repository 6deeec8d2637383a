//! Command R, R+ and R7B: attention and a SwiGLU side by side behind one layer norm without bias, heads
//! rotated in neighbouring pairs, logits scaled. R+ norms every head with a gain of its own; R7B gives
//! three layers of four a window and the fourth no rotation.
//!
//! Cohere 2024. Reference: transformers `modeling_cohere.py`, `modeling_cohere2.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is, periodic_windows,
    shared::{Gated, Kept, Projection},
    window,
};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    names::LLAMA,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "cohere", model_types: &["cohere"], gguf: &["command-r"], build: cohere };

/// See the module.
pub const COHERE2: Family =
    Family { name: "cohere2", model_types: &["cohere2"], gguf: &["cohere2"], build: cohere2 };

/// What a layer sees, and whether its heads are rotated.
#[derive(Clone, Copy)]
struct Sight {
    mask: Mask,
    turns: bool,
}

fn cohere(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let head_norms =
        facts.flag_or(("use_qk_norm", ""), facts.gguf_has("blk.0.attn_q_norm.weight"))?;
    let theta = if facts.dialect == Dialect::Gguf { 10_000.0 } else { 500_000.0 };
    build(
        facts,
        &t,
        (head_norms.into(), theta),
        &vec![Sight { mask: Mask::Causal, turns: true }; t.layers],
    )
}

fn cohere2(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let masks = periodic_windows(facts, t.layers, window(facts, Some(4096))?, 4)?;
    let sight = |mask: Mask| Sight { mask, turns: mask != Mask::Causal };
    build(facts, &t, (HeadNorms::No, 10_000.0), &masks.into_iter().map(sight).collect::<Vec<_>>())
}

/// Whether queries and keys are normed head by head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeadNorms {
    Yes,
    No,
}

impl From<bool> for HeadNorms {
    fn from(present: bool) -> Self {
        if present { HeadNorms::Yes } else { HeadNorms::No }
    }
}

fn build(
    facts: &Facts<'_>,
    t: &Trunk,
    (head_norms, theta): (HeadNorms, f64),
    sights: &[Sight],
) -> Result<Model, Error> {
    let d = HeadDims::read(facts, t.hidden)?;
    let eps = facts.epsilon_or(("layer_norm_eps", "attention.layer_norm_epsilon"), 1e-5)?;
    let dims = facts.whole_heads_turn(d.head_dim)?;
    let pairs = RopeStyle::Interleaved;
    let rope = facts.rope_as(&Turning { hub: pairs, theta, ..Turning::usual(dims, pairs) })?;
    let bias = facts.flag_or(("attention_bias", ""), facts.gguf_has("blk.0.attn_q.bias"))?;
    let logit_scale = facts.float_or(("logit_scale", "logit_scale"), 0.0625)? as f32;
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_act", Activation::Silu)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm"), eps);
            let [mut q, mut k, v] = d.project(h, l, Projection::plain(bias));
            if head_norms == HeadNorms::Yes {
                q = q.layer_norm_each(l.w("attn_q_norm"), eps);
                k = k.layer_norm_each(l.w("attn_k_norm"), eps);
            }
            let everything = Sight { mask: Mask::Causal, turns: true };
            let sight = sights.get(l.index()).copied().unwrap_or(everything);
            if sight.turns {
                (q, k) = (q.rope(&rope), k.rope(&rope));
            }
            let a = q.attend(k, v, l, AttendWith::usual(sight.mask, d.head_dim)).flat();
            x + a.linear(l.w("attn_output").bias(bias), t.hidden) + mlp.of(h, l)
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm"), eps),
        logits: &|x| x.scale(logit_scale),
    };
    t.decoder(facts, &LLAMA, &parts)
}
