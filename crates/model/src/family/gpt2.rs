//! GPT-2: learned positions, layer norms and biases everywhere, one fused projection, matrices stored
//! input by output.
//!
//! Radford et al. 2019. Reference: transformers `modeling_gpt2.py`.

use super::{
    Family, HeadDims, Model, Parts, Trunk, as_is, layers,
    shared::{Fused, Projection, plain_ffn},
};
use crate::{
    Dialect, Error, Facts,
    names::Names,
    net::{AttendWith, Bias, Scope},
    op::{Activation, Mask},
    source::Turn,
};

/// See the module.
pub const FAMILY: Family = Family { name: "gpt2", model_types: &["gpt2"], gguf: &["gpt2"], build };

const NAMES: Names = Names {
    layers: "transformer.h.",
    tables: &[&[
        ("token_embd", "transformer.wte"),
        ("position_embd", "transformer.wpe"),
        ("output_norm", "transformer.ln_f"),
        ("output", "lm_head"),
        ("attn_norm", "ln_1"),
        ("attn_qkv", "attn.c_attn"),
        ("attn_output", "attn.c_proj"),
        ("ffn_norm", "ln_2"),
        ("ffn_up", "mlp.c_fc"),
        ("ffn_down", "mlp.c_proj"),
    ]],
};

fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let hidden = facts.size(("n_embd", "embedding_length"))?;
    let t = Trunk {
        vocab: facts.vocab(("transformer.wte.weight", "token_embd.weight"))?,
        hidden,
        layers: layers(facts, facts.size(("n_layer", "block_count"))?)?,
        context: facts.size_or(("n_positions", "context_length"), 1024)?,
        tied: facts.tied(true)?,
        head_bias: Bias::No,
    };
    let heads = facts.size(("n_head", "attention.head_count"))?;
    let d = HeadDims::new(facts, hidden, [heads, heads], None)?;
    let ffn = facts.size_or(("n_inner", "feed_forward_length"), 4 * hidden)?;
    let act = facts.activation("activation_function", Activation::GeluTanh)?;
    let eps = facts.epsilon_or(("layer_norm_epsilon", "attention.layer_norm_epsilon"), 1e-5)?;
    let by_root = facts.flag_or(("scale_attn_weights", ""), true)?;
    let by_layer = facts.flag_or(("scale_attn_by_inverse_layer_idx", ""), false)?;
    facts.only(("add_cross_attention", ""), false)?;
    let turn = if facts.dialect == Dialect::Gguf { Turn::None } else { Turn::Stored };
    let fused = Fused::of(facts, Fused::Stacked);
    let projection = Projection { fused, bias: Bias::Yes, turn };
    let parts = Parts {
        embedded: &|x| {
            let positions = Scope::MODEL.w("position_embd");
            x + x.net().embed_position(positions, t.context, hidden)
        },
        block: &|x, l| {
            let h = x.layer_norm(l.w("attn_norm").bias(true), eps);
            let [q, k, v] = d.project(h, l, projection);
            let mut with = AttendWith::usual(Mask::Causal, d.head_dim);
            if !by_root {
                with.scale = 1.0;
            }
            if by_layer {
                with.scale /= (l.index() + 1) as f32;
            }
            let a = q.attend(k, v, l, with).flat();
            let x = x + a.linear(l.w("attn_output").bias(true).turned(turn), hidden);
            let h = x.layer_norm(l.w("ffn_norm").bias(true), eps);
            x + plain_ffn(h, l, (ffn, act), (Bias::Yes, turn))
        },
        norm: &|x, model| x.layer_norm(model.w("output_norm").bias(true), eps),
        logits: &as_is,
    };
    // Causal masks that old checkpoints saved.
    Ok(t.decoder(facts, &NAMES, &parts)?.ignoring(&["*h.*.attn.bias", "*h.*.attn.masked_bias"]))
}
