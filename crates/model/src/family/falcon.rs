//! Falcon: attention and a plain feed-forward network side by side. 7B: one key head for all queries,
//! one norm; 40B and 180B: groups of queries, a norm for each branch; 11B: groups, one norm.
//!
//! Almazrouei et al. 2023 (arXiv 2311.16867). Reference: transformers `modeling_falcon.py`. ALiBi
//! (falcon-rw) is refused.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is, layers,
    shared::{Fused, Projection, plain_ffn},
};
use crate::{
    Dialect, Error, Facts,
    names::Names,
    net::{AttendWith, Bias},
    op::{Activation, Mask},
    rope::RopeStyle,
    source::Turn,
};

/// See the module.
pub const FAMILY: Family =
    Family { name: "falcon", model_types: &["falcon"], gguf: &["falcon"], build };

/// With one norm a layer, or one before each half.
const NAMES: Names =
    Names { layers: "transformer.h.", tables: &[&[("attn_norm", "input_layernorm")], ALL] };

/// With a norm for each of two branches. GGUF calls the feed-forward network's the first.
const TWO_NORMS: Names = Names {
    layers: "transformer.h.",
    tables: &[&[("attn_norm", "ln_mlp"), ("attn_norm_2", "ln_attn")], ALL],
};

const ALL: &[(&str, &str)] = &[
    ("token_embd", "transformer.word_embeddings"),
    ("output_norm", "transformer.ln_f"),
    ("output", "lm_head"),
    ("attn_qkv", "self_attention.query_key_value"),
    ("attn_output", "self_attention.dense"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_up", "mlp.dense_h_to_4h"),
    ("ffn_down", "mlp.dense_4h_to_h"),
];

/// How a layer is put together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Both halves behind one norm.
    OneNorm,
    /// Both halves side by side, each behind its own norm.
    TwoNorms,
    /// One half after the other.
    Sequential,
}

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let hidden = facts.size(("hidden_size", "embedding_length"))?;
    // Older files say n_layer, n_head and n_head_kv.
    let old =
        |key: &'static str, old: &'static str| if facts.spelled((key, "")) { key } else { old };
    let hub = facts.dialect == Dialect::HuggingFace;
    let count = facts.size((old("num_hidden_layers", "n_layer"), "block_count"))?;
    let t = Trunk {
        vocab: facts.vocab(("transformer.word_embeddings.weight", "token_embd.weight"))?,
        hidden,
        layers: layers(facts, count)?,
        context: facts.size_or(("max_position_embeddings", "context_length"), 2048)?,
        tied: facts.tied(true)?,
        head_bias: Bias::No,
    };
    let heads = facts.size((old("num_attention_heads", "n_head"), "attention.head_count"))?;
    let grouped = facts.flag_or(("new_decoder_architecture", ""), false)?;
    let multi_query = facts.flag_or(("multi_query", ""), true)?;
    let kv_key = (old("num_kv_heads", "n_head_kv"), "attention.head_count_kv");
    let kv_heads = match (hub, grouped, multi_query) {
        (true, false, true) => 1,
        _ => facts.size_or(kv_key, heads)?,
    };
    let d = HeadDims::new(facts, hidden, [heads, kv_heads], None)?;
    // The reference lays out three kinds: groups, one key head after all queries, or triples.
    let layout = if grouped || !multi_query { Fused::Grouped } else { Fused::Stacked };
    if hub && !grouped && !multi_query && kv_heads != heads {
        let expected = format!("{heads}, without groups or multi_query");
        facts.past(facts.bad(kv_key, kv_heads, expected), ())?;
    }
    facts.only(("alibi", ""), false)?;
    let shape = shape(facts, grouped)?;
    let bias: Bias = facts.flag_or(("bias", ""), facts.gguf_has("blk.0.attn_output.bias"))?.into();
    let projection = Projection::plain(bias).fused(Fused::of(facts, layout));
    let ffn = facts.size_or(("ffn_hidden_size", "feed_forward_length"), 4 * hidden)?;
    let act = facts.activation("activation", Activation::GeluErf)?;
    let eps = facts.epsilon_or(("layer_norm_epsilon", "attention.layer_norm_epsilon"), 1e-5)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let first = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let h = match shape {
                Shape::TwoNorms => x.layer_norm(l.w("attn_norm_2").bias(true), eps),
                Shape::OneNorm | Shape::Sequential => first,
            };
            let [q, k, v] = d.project(h, l, projection);
            let with = AttendWith::usual(Mask::Causal, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let a = a.linear(l.w("attn_output").bias(bias), t.hidden);
            let mlp = |h| plain_ffn(h, l, (ffn, act), (bias, Turn::None));
            if shape == Shape::Sequential {
                let x = x + a;
                return x + mlp(x.layer_norm(l.w("ffn_norm").bias(true), eps));
            }
            mlp(first) + a + x
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    t.decoder(facts, if shape == Shape::TwoNorms { &TWO_NORMS } else { &NAMES }, &parts)
}

fn shape(facts: &Facts<'_>, grouped: bool) -> Result<Shape, Error> {
    if facts.dialect == Dialect::Gguf {
        let two = facts.gguf_has("blk.0.attn_norm_2.weight");
        return Ok(if two { Shape::TwoNorms } else { Shape::OneNorm });
    }
    let parallel = facts.flag_or(("parallel_attn", ""), true)?;
    let key = ("num_ln_in_parallel_attn", "");
    match (grouped, facts.size_or(key, 2)?) {
        (true, 2) => Ok(Shape::TwoNorms),
        (true, 1) if parallel => Ok(Shape::OneNorm),
        (true, other) => {
            facts.past(facts.bad(key, other, "1 with parallel_attn, or 2"), Shape::TwoNorms)
        }
        (false, _) => Ok(if parallel { Shape::OneNorm } else { Shape::Sequential }),
    }
}
