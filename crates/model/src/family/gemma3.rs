//! Gemma 3's text model: Gemma 2's block with norms on query and key heads instead of a cap on scores,
//! five layers with a window to one without, each kind with a rotation of its own.
//!
//! Gemma team 2025 (arXiv 2503.19786). Reference: transformers `modeling_gemma3.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk,
    gemma::less_one,
    gemma2::{NAMES, score_scale},
    periodic_windows,
    shared::{Gated, Kept, Projection, local_rope},
    window,
};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "gemma3", model_types: &["gemma3_text", "gemma3"], gguf: &["gemma3"], build };

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { heads: Some(8), kv_heads: Some(4), head_dim: Some(256) };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let dims = facts.whole_heads_turn(d.head_dim)?;
    let full = Turning {
        kind: Some("full_attention"),
        theta: 1e6,
        ..Turning::usual(dims, RopeStyle::Halves)
    };
    let theta = facts.positive_or(("rope_local_base_freq", "rope.freq_base_swa"), 10_000.0)?;
    let local = local_rope(facts, &full, theta)?;
    let full = facts.rope_as(&full)?;
    let bias = facts.flag_or(("attention_bias", ""), false)?;
    facts.only(("use_bidirectional_attention", ""), false)?;
    let window = window(facts, Some(4096))?;
    let windows = periodic_windows(facts, t.layers, window, 6)?;
    let scale = score_scale(facts, t.hidden, d, t.layers == 62)?;
    let cap = |name: &'static str| -> Result<Option<f32>, Error> {
        let given = facts.value((name, name)).is_some();
        Ok(if given { Some(facts.positive_or((name, name), 1.0)? as f32) } else { None })
    };
    let (scores, logits) = (cap("attn_logit_softcapping")?, cap("final_logit_softcapping")?);
    let mlp = Gated {
        ffn: facts.size(("intermediate_size", "feed_forward_length"))?,
        act: facts.activation("hidden_activation", Activation::GeluTanh)?,
        bias: Bias::No,
        kept: Kept::Apart,
    };
    let one = less_one(facts);
    let parts = Parts {
        embedded: &|x| x.scale((t.hidden as f32).sqrt()),
        block: &|x, l| {
            let mask = windows.get(l.index()).copied().unwrap_or(Mask::Causal);
            let rope = if mask == Mask::Causal { &full } else { &local };
            let h = x.rms_norm(l.w("attn_norm").plus(one), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let q = q.rms_norm(l.w("attn_q_norm").plus(one), eps).rope(rope);
            let k = k.rms_norm(l.w("attn_k_norm").plus(one), eps).rope(rope);
            let with = AttendWith { mask, scale, softcap: scores, sinks: None };
            let a = q.attend(k, v, l, with).flat();
            let a = a.linear(l.w("attn_output").bias(bias), t.hidden);
            let x = x + a.rms_norm(l.w("post_attention_norm").plus(one), eps);

            let m = mlp.of(x.rms_norm(l.w("ffn_norm").plus(one), eps), l);
            x + m.rms_norm(l.w("post_ffw_norm").plus(one), eps)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm").plus(one), eps),
        logits: &|x| logits.map_or(x, |cap| x.softcap(cap)),
    };
    Ok(t.decoder(facts, &NAMES, &parts)?.ignoring(match facts.dialect {
        Dialect::HuggingFace => VISION,
        Dialect::Gguf => &[],
    }))
}

/// The parts of a multimodal checkpoint that text does not pass through.
const VISION: &[&str] = &[
    "vision_tower.*",
    "multi_modal_projector.*",
    "model.vision_tower.*",
    "model.multi_modal_projector.*",
];
