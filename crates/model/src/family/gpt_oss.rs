//! gpt-oss: alternating windows, a learned sink for every head, biases everywhere, experts with a clamped
//! SwiGLU whose weights are released as MXFP4 blocks.
//!
//! OpenAI 2025 (arXiv 2508.10925). Reference: transformers `modeling_gpt_oss.py`.

use super::{Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is, window};
use crate::{
    Dialect, Error, Facts,
    facts::Turning,
    names::{DECODER, Names},
    net::{AttendWith, Scope, Weight},
    op::{Mask, Renormalise, Routing, Score},
    rope::{RampEnds, Rope, RopeStyle, Scaling, yarn_attention},
    source::{Rows, Turn},
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "gpt_oss", model_types: &["gpt_oss"], gguf: &["gpt-oss"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("attn_sinks.weight", "self_attn.sinks"),
            ("post_attention_norm", "post_attention_layernorm"),
            ("ffn_gate_inp", "mlp.router"),
            ("ffn_gate_up_exps.weight", "mlp.experts.gate_up_proj"),
            ("ffn_gate_up_exps.bias", "mlp.experts.gate_up_proj_bias"),
            ("ffn_down_exps.weight", "mlp.experts.down_proj"),
            ("ffn_down_exps.bias", "mlp.experts.down_proj_bias"),
        ],
        DECODER,
    ],
};

/// Steepness of the gate's sigmoid where the configuration leaves it out.
const ALPHA: f64 = 1.702;
/// The bound on gate and up where the configuration leaves it out.
const LIMIT: f64 = 7.0;

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { heads: None, kv_heads: Some(8), head_dim: Some(64) };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-5)?;
    let rope = rope(facts, d.head_dim)?;
    let bias = facts.flag_or(("attention_bias", ""), true)?;
    let masks = masks(facts, t.layers)?;
    let experts = facts.size(("num_local_experts", "expert_count"))?;
    let ffn = match facts.dialect {
        Dialect::HuggingFace => facts.size(("intermediate_size", ""))?,
        Dialect::Gguf => facts.size(("", "expert_feed_forward_length"))?,
    };
    let alpha = facts.float_or(("swiglu_alpha", ""), ALPHA)? as f32;
    let limit = facts.float_or(("swiglu_limit", ""), LIMIT)? as f32;
    let routing = Routing {
        k: facts.size(("num_experts_per_tok", "expert_used_count"))?,
        score: Score::SoftmaxOfChosen,
        groups: None,
        renormalise: Renormalise::No,
        scale: 1.0,
    };
    let kept = Kept::of(facts);
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let q = h.linear(l.w("attn_q").bias(bias), d.q()).heads(d.heads).rope(&rope);
            let k = h.linear(l.w("attn_k").bias(bias), d.kv()).heads(d.kv_heads).rope(&rope);
            let v = h.linear(l.w("attn_v").bias(bias), d.kv()).heads(d.kv_heads);
            let mask = masks.get(l.index()).copied().unwrap_or(Mask::Causal);
            let with = AttendWith {
                sinks: Some(l.w("attn_sinks")),
                ..AttendWith::usual(mask, d.head_dim)
            };
            let a = q.attend(k, v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden);

            let h = x.rms_norm(l.w("post_attention_norm"), eps);
            let scores = h.linear(l.w("ffn_gate_inp").bias(true), experts);
            let routes = scores.route(routing, None);
            let gate = h.expert_linear(routes, kept.gate(l), ffn);
            let up = h.expert_linear(routes, kept.up(l), ffn);
            let mixed = gate.swiglu_clamped(up, alpha, limit);
            x + mixed.linear(kept.down(l), t.hidden).combine()
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}

/// YaRN as released, where a `config.json` is silent about it.
fn rope(facts: &Facts<'_>, head_dim: usize) -> Result<Rope, Error> {
    let dims = facts.whole_heads_turn(head_dim)?;
    let theta = if facts.dialect == Dialect::Gguf { 10_000.0 } else { 150_000.0 };
    let rope = facts.rope_as(&Turning { theta, ..Turning::usual(dims, RopeStyle::Halves) })?;
    let given = facts.value(("rope_parameters", "")).or(facts.value(("rope_scaling", "")));
    if facts.dialect == Dialect::Gguf || given.is_some() {
        return Ok(rope);
    }
    let scaling = Scaling::Yarn {
        factor: 32.0,
        original: 4096,
        beta_fast: 32.0,
        beta_slow: 1.0,
        ends: RampEnds::Exact,
        attention: yarn_attention(32.0, 1.0),
    };
    Ok(Rope { scaling, ..rope })
}

/// How a checkpoint keeps the experts.
#[derive(Clone, Copy)]
enum Kept {
    /// Gate, up and down apart, right way round (GGUF).
    Apart,
    /// Rows of gate and up in turn, `[2 ffn, hidden]` (MXFP4 releases).
    InTurn,
    /// The same, stored the other way round, `[hidden, 2 ffn]` (unpacked).
    InTurnStored,
}

impl Kept {
    fn of(facts: &Facts<'_>) -> Self {
        let quantized = facts.value(("quantization_config", ""));
        let method = quantized.and_then(|q| q.get("quant_method")).and_then(|m| m.as_str());
        match (facts.dialect, method) {
            (Dialect::Gguf, _) => Kept::Apart,
            (Dialect::HuggingFace, Some("mxfp4")) => Kept::InTurn,
            (Dialect::HuggingFace, _) => Kept::InTurnStored,
        }
    }

    fn gate(self, l: Scope) -> Weight {
        self.half(l.w("ffn_gate_exps"), 0)
    }

    fn up(self, l: Scope) -> Weight {
        self.half(l.w("ffn_up_exps"), 1)
    }

    fn down(self, l: Scope) -> Weight {
        let own = l.w("ffn_down_exps").bias(true);
        if matches!(self, Kept::InTurnStored) { own.turned(Turn::Stored) } else { own }
    }

    fn half(self, own: Weight, first: usize) -> Weight {
        let rows = Rows { first, run: 1, stride: 2 };
        let own = own.bias(true);
        match self {
            Kept::Apart => own,
            Kept::InTurn => own.rows_of("ffn_gate_up_exps", rows),
            Kept::InTurnStored => own.rows_of("ffn_gate_up_exps", rows).turned(Turn::Stored),
        }
    }
}

/// Every other layer sees a window only, the first one does; `layer_types` may say otherwise.
fn masks(facts: &Facts<'_>, layers: usize) -> Result<Vec<Mask>, Error> {
    let listed = facts.value(("layer_types", "")).is_some();
    if listed {
        return super::windows(facts, layers);
    }
    let key = ("sliding_window", "attention.sliding_window");
    let window = match window(facts, Some(128))? {
        Some(window) => window,
        None => facts.past(facts.missing(key), 128)?,
    };
    let mask = |layer: usize| {
        if layer.is_multiple_of(2) { Mask::Window(window) } else { Mask::Causal }
    };
    Ok((0..layers).map(mask).collect())
}
