//! StarCoder2: layer norms and biases around grouped-query attention and a plain feed-forward network.
//!
//! Lozhkov et al. 2024 (arXiv 2402.19173). Reference: transformers `modeling_starcoder2.py`.

use super::{
    Family, HeadDefaults, HeadDims, Model, Parts, Trunk, as_is,
    shared::{Projection, plain_ffn},
    window,
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
pub const FAMILY: Family =
    Family { name: "starcoder2", model_types: &["starcoder2"], gguf: &["starcoder2"], build };

const NAMES: Names = Names {
    layers: "model.layers.",
    tables: &[&[("ffn_up", "mlp.c_fc"), ("ffn_down", "mlp.c_proj")], DECODER],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let t = Trunk::read(facts, true, "model.embed_tokens.weight")?;
    let heads = HeadDefaults { kv_heads: Some(2), ..HeadDefaults::default() };
    let d = HeadDims::read_or(facts, t.hidden, heads)?;
    let ffn = facts.size(("intermediate_size", "feed_forward_length"))?;
    let act = facts.activation("hidden_act", Activation::GeluTanh)?;
    let eps = facts.epsilon_or(("norm_epsilon", "attention.layer_norm_epsilon"), 1e-5)?;
    let rope = facts.rope(facts.whole_heads_turn(d.head_dim)?, RopeStyle::Halves)?;
    let mask = window(facts, None)?.map_or(Mask::Causal, Mask::Window);
    let silent =
        facts.dialect == crate::Dialect::HuggingFace || facts.gguf_has("blk.0.attn_q.bias");
    let bias: Bias = facts.flag_or(("use_bias", ""), silent)?.into();
    let parts = Parts {
        embedded: &as_is,
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let [q, k, v] = d.project(h, l, Projection::plain(bias));
            let with = AttendWith::usual(mask, d.head_dim);
            let a = q.rope(&rope).attend(k.rope(&rope), v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(bias), t.hidden);

            let h = x.layer_norm(l.w("ffn_norm").bias(true), eps);
            x + plain_ffn(h, l, (ffn, act), (bias, Turn::None))
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    t.decoder(facts, &NAMES, &parts)
}
