//! DeepSeek-V2 and V3: latent attention (keys and values live in one short vector a token), dense layers
//! first, then routed SwiGLUs beside shared ones.
//!
//! DeepSeek-AI 2024 (arXiv 2405.04434, 2412.19437). Reference: transformers
//! `modeling_deepseek_v2.py`, `modeling_deepseek_v3.py`. Attention is drawn in its absorbed form: the
//! query is carried into the latent space, the cache holds the latent and the turned key only.

use super::{
    Family, Model, Parts, Trunk, as_is, moe,
    shared::{Gated, Kept},
};
use crate::{
    Dialect, Error, Facts,
    names::{DECODER, Names},
    net::{AttendWith, Bias, Scope, Weight},
    op::{Activation, GroupBy, Groups, Mask, Renormalise, Routing, Score},
    rope::{Rope, RopeStyle, Scaling, yarn_attention},
    source::{Rows, Turn},
};

/// See the module.
pub const FAMILY: Family = Family {
    name: "deepseek",
    model_types: &["deepseek_v2", "deepseek_v3"],
    gguf: &["deepseek2"],
    build,
};

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[
        &[
            ("attn_q_a", "self_attn.q_a_proj"),
            ("attn_q_a_norm", "self_attn.q_a_layernorm"),
            ("attn_q_b", "self_attn.q_b_proj"),
            ("attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"),
            ("attn_kv_a_norm", "self_attn.kv_a_layernorm"),
            ("attn_kv_b", "self_attn.kv_b_proj"),
            ("exp_probs_b.bias", "mlp.gate.e_score_correction_bias"),
            ("ffn_gate_shexp", "mlp.shared_experts.gate_proj"),
            ("ffn_up_shexp", "mlp.shared_experts.up_proj"),
            ("ffn_down_shexp", "mlp.shared_experts.down_proj"),
        ],
        DECODER,
    ],
};

/// Latent attention's measures.
struct Latent {
    heads: usize,
    q_rank: Option<usize>,
    rank: usize,
    nope: usize,
    rope_dims: usize,
    value: usize,
    rope: Rope,
    scale: f32,
    bias: bool,
    /// Of the norms on latents: the reference's own, whatever the configuration says of the others.
    eps: f32,
    /// Whether the checkpoint keeps `attn_k_b` and `attn_v_b` in one tensor.
    fused: bool,
}

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, false, "model.embed_tokens.weight")?;
    let eps = facts.epsilon_or(("rms_norm_eps", "attention.layer_norm_rms_epsilon"), 1e-6)?;
    let a = Latent::read(facts, eps)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let dense = dense_layers(facts)?;
    if facts.size_or(("moe_layer_freq", ""), 1)? != 1 {
        let found = facts.size_or(("moe_layer_freq", ""), 1)?;
        facts.past(facts.bad(("moe_layer_freq", ""), found, "1, as all releases have"), ())?;
    }
    let (experts, bias) = experts(facts)?;
    let shared = ("n_shared_experts", "expert_shared_count");
    let silent = facts.dialect == Dialect::HuggingFace && !facts.spelled(shared);
    let unsaid = if !silent {
        0
    } else if v3(facts)? {
        1
    } else {
        2
    };
    let shared = facts.count_or(shared, unsaid)? * experts.ffn;
    let first = Gated { ffn, act: experts.act, bias: Bias::No, kept: Kept::Apart };
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.rms_norm(l.w("attn_norm"), eps);
            let q = match a.q_rank {
                None => h.linear(l.w("attn_q"), a.q()),
                Some(rank) => {
                    let low = h.linear(l.w("attn_q_a").bias(a.bias), rank);
                    low.rms_norm(l.w("attn_q_a_norm"), a.eps).linear(l.w("attn_q_b"), a.q())
                }
            };
            let q = q.heads(a.heads);
            let turned = q.slice(a.nope, a.rope_dims).rope(&a.rope);
            let q = q.slice(0, a.nope).linear(a.k_b(l), a.rank).concat(turned);
            let kv = h.linear(l.w("attn_kv_a_mqa").bias(a.bias), a.rank + a.rope_dims);
            let latent = kv.slice(0, a.rank).rms_norm(l.w("attn_kv_a_norm"), a.eps).heads(1);
            let k = latent.concat(kv.slice(a.rank, a.rope_dims).heads(1).rope(&a.rope));
            let with =
                AttendWith { mask: Mask::Causal, scale: a.scale, softcap: None, sinks: None };
            let mixed = q.attend_latent(k, a.rank, l, with).linear(a.v_b(l), a.value).flat();
            let x = x + mixed.linear(l.w("attn_output").bias(a.bias), t.hidden);

            let h = x.rms_norm(l.w("ffn_norm"), eps);
            if l.index() < dense {
                return x + first.of(h, l);
            }
            let routed = experts.swiglu(h, l, bias.then(|| l.w("exp_probs_b")));
            if shared == 0 {
                return x + routed;
            }
            let gate = h.linear(l.w("ffn_gate_shexp"), shared);
            let up = h.linear(l.w("ffn_up_shexp"), shared);
            let own = gate.activate_mul(experts.act, up);
            x + routed + own.linear(l.w("ffn_down_shexp"), t.hidden)
        },
        norm: &|x, model| x.rms_norm(model.w("output_norm"), eps),
        logits: &as_is,
    };
    let mut model = t.decoder(facts, &NAMES, &parts)?;
    // Layers that only predict further tokens follow the last one.
    let further = facts.count_or(("num_nextn_predict_layers", ""), 0)?.min(64);
    model.unused.extend((t.layers..t.layers + further).map(|l| format!("model.layers.{l}.*")));
    Ok(model)
}

impl Latent {
    fn read(facts: &Facts<'_>, eps: f32) -> Result<Self, Error> {
        let heads = facts.size(("num_attention_heads", "attention.head_count"))?;
        let rope_dims = facts.size(("qk_rope_head_dim", "rope.dimension_count"))?;
        let nope = match facts.dialect {
            Dialect::HuggingFace => facts.size(("qk_nope_head_dim", ""))?,
            Dialect::Gguf => {
                let split = facts.size_opt(("", "attention.key_length_mla"))?;
                let key = ("", "attention.key_length_mla");
                let all = match split {
                    Some(all) => all,
                    None => facts.size(("", "attention.key_length"))?,
                };
                match all.checked_sub(rope_dims) {
                    Some(nope) if nope > 0 => nope,
                    _ => facts.past(facts.bad(key, all, format!("more than {rope_dims}")), 1)?,
                }
            }
        };
        let value = match facts.size_opt(("v_head_dim", "attention.value_length_mla"))? {
            Some(value) => value,
            None => facts.size(("v_head_dim", "attention.value_length"))?,
        };
        let interleaved = facts.flag_or(("rope_interleave", ""), true)?;
        let style = if interleaved { RopeStyle::Interleaved } else { RopeStyle::Halves };
        let mut rope = Rope { style, ..facts.rope(rope_dims, RopeStyle::Interleaved)? };
        let sharpened = sharpen(facts, &mut rope)?;
        let per_head = ((nope + rope_dims) as f64).sqrt().recip();
        Ok(Latent {
            heads,
            q_rank: facts.size_opt(("q_lora_rank", "attention.q_lora_rank"))?,
            rank: facts.size(("kv_lora_rank", "attention.kv_lora_rank"))?,
            nope,
            rope_dims,
            value,
            rope,
            scale: (per_head * sharpened * sharpened) as f32,
            bias: facts.flag_or(("attention_bias", ""), false)?,
            eps: if facts.dialect == Dialect::Gguf { eps } else { 1e-6 },
            fused: facts.dialect == Dialect::HuggingFace
                || !facts.gguf_has("blk.0.attn_k_b.weight"),
        })
    }

    fn q(&self) -> usize {
        self.heads * (self.nope + self.rope_dims)
    }

    /// Carries a query head into the latent space: `[heads, rank, nope]`.
    fn k_b(&self, l: Scope) -> Weight {
        let rows = Rows { first: 0, run: self.nope, stride: self.nope + self.value };
        let own = l.w("attn_k_b");
        if self.fused { own.rows_of("attn_kv_b", rows).turned(Turn::Chosen) } else { own }
    }

    /// Carries a mixed latent to a value head: `[heads, value, rank]`.
    fn v_b(&self, l: Scope) -> Weight {
        let rows = Rows { first: self.nope, run: self.value, stride: self.nope + self.value };
        let own = l.w("attn_v_b");
        if self.fused { own.rows_of("attn_kv_b", rows) } else { own }
    }
}

/// YaRN's sharpening goes into the scale here (`mscale_all_dim`), not into cosine and sine. GGUF keeps
/// a tenth of it as `yarn_log_multiplier` and means that both `mscale`s are equal.
fn sharpen(facts: &Facts<'_>, rope: &mut Rope) -> Result<f64, Error> {
    let Scaling::Yarn { factor, attention, .. } = &mut rope.scaling else { return Ok(1.0) };
    let weight = match facts.dialect {
        Dialect::Gguf => {
            let tenth = facts.float_opt(("", "rope.scaling.yarn_log_multiplier"))?;
            if tenth.is_some() {
                *attention = 1.0;
            }
            tenth.map(|tenth| tenth * 10.0)
        }
        Dialect::HuggingFace => {
            let given = facts.value(("rope_parameters", "")).or(facts.value(("rope_scaling", "")));
            given.and_then(|given| given.get("mscale_all_dim")).and_then(serde_json::Value::as_f64)
        }
    };
    Ok(weight.filter(|w| *w != 0.0).map_or(1.0, |weight| yarn_attention(*factor, weight)))
}

/// Whether experts are routed V3's way.
fn v3(facts: &Facts<'_>) -> Result<bool, Error> {
    Ok(match facts.dialect {
        Dialect::HuggingFace => facts.architecture == "deepseek_v3",
        Dialect::Gguf => facts.count_or(("", "expert_gating_func"), 1)? == 2,
    })
}

/// How many layers at the front have no experts.
fn dense_layers(facts: &Facts<'_>) -> Result<usize, Error> {
    let unsaid = if facts.dialect == Dialect::HuggingFace && v3(facts)? { 3 } else { 0 };
    facts.count_or(("first_k_dense_replace", "leading_dense_block_count"), unsaid)
}

/// The routed experts, and whether choosing them uses a bias.
fn experts(facts: &Facts<'_>) -> Result<(moe::Experts, bool), Error> {
    let v3 = v3(facts)?;
    // What the reference puts where a `config.json` is silent.
    let (unsaid_groups, unsaid_keep, unsaid_scale) = match facts.dialect {
        Dialect::HuggingFace if v3 => (8, Some(4), 2.5),
        _ => (1, None, 1.0),
    };
    let method = facts.text_opt(("topk_method", ""))?;
    let grouped = match (method, facts.dialect) {
        (Some("greedy"), _) => false,
        (Some("group_limited_greedy" | "noaux_tc"), _) | (None, Dialect::Gguf) => true,
        (None, Dialect::HuggingFace) => v3,
        (Some(other), _) => {
            let known = "greedy, group_limited_greedy or noaux_tc";
            facts.past(facts.bad(("topk_method", ""), other, known), v3)?
        }
    };
    let count = facts.size_or(("n_group", "expert_group_count"), unsaid_groups)?;
    let keep =
        facts.size_or(("topk_group", "expert_group_used_count"), unsaid_keep.unwrap_or(count))?;
    let by = if v3 { GroupBy::TopTwoSum } else { GroupBy::Max };
    // V2's reference never renormalises, whatever its configuration says.
    let renormalise = v3 && facts.flag_or(("norm_topk_prob", "expert_weights_norm"), true)?;
    let routing = Routing {
        k: facts.size(("num_experts_per_tok", "expert_used_count"))?,
        score: if v3 { Score::Sigmoid } else { Score::Softmax },
        groups: (grouped && count > 1).then_some(Groups { count, keep, by }),
        renormalise: if renormalise { Renormalise::Yes } else { Renormalise::No },
        scale: facts.float_or(("routed_scaling_factor", "expert_weights_scale"), unsaid_scale)?
            as f32,
    };
    let experts = moe::Experts {
        count: facts.size(("n_routed_experts", "expert_count"))?,
        ffn: facts.size(("moe_intermediate_size", "expert_feed_forward_length"))?,
        routing,
        act: facts.activation("hidden_act", Activation::Silu)?,
    };
    let dense = dense_layers(facts)?;
    let bias = match facts.dialect {
        Dialect::HuggingFace => v3,
        Dialect::Gguf => facts.tensors.shape(&format!("blk.{dense}.exp_probs_b.bias")).is_some(),
    };
    Ok((experts, bias))
}
