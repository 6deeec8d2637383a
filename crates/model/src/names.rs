//! From canonical weight names to those of Hugging Face checkpoints, as tables.
//!
//! Canonical names are GGUF's. A table row gives a canonical name and what a Hugging Face
//! checkpoint calls it; `.weight` and `.bias` are the same in both unless the row itself spells
//! them out. Names within a layer lack `blk.N.`.

/// How one family's checkpoints on the hub name their tensors.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What stands before the number of a layer.
    pub layers: &'static str,
    /// Rows for the model's own weights and those of a layer. Earlier tables win.
    pub tables: &'static [&'static [(&'static str, &'static str)]],
}

/// The names that Llama gave and most decoders kept.
pub const LLAMA: Names = Names { layers: "model.layers.", tables: &[DECODER] };

/// Rows of [`LLAMA`], for families that add or replace a few.
pub const DECODER: &[(&str, &str)] = &[
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
    ("output", "lm_head"),
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_qkv", "self_attn.qkv_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("ffn_gate_inp", "mlp.gate"),
    ("ffn_gate_exps", "mlp.experts.{expert}.gate_proj"),
    ("ffn_up_exps", "mlp.experts.{expert}.up_proj"),
    ("ffn_down_exps", "mlp.experts.{expert}.down_proj"),
];

impl Names {
    /// What a Hugging Face checkpoint calls the canonical `name` (with its suffix) of `layer`.
    pub fn hugging_face(&self, layer: Option<usize>, name: &str) -> Option<String> {
        let row = |wanted: &str| {
            let mut rows = self.tables.iter().copied().flatten();
            rows.find(|(canonical, _)| *canonical == wanted).map(|(_, theirs)| *theirs)
        };
        let theirs = row(name).map(str::to_owned).or_else(|| {
            let (base, suffix) = name.rsplit_once('.')?;
            row(base).map(|theirs| format!("{theirs}.{suffix}"))
        })?;
        Some(match layer {
            Some(layer) => format!("{}{layer}.{theirs}", self.layers),
            None => theirs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_table_and_keep_their_suffix() {
        let name = |layer, name| LLAMA.hugging_face(layer, name);
        assert_eq!(name(None, "output.weight").as_deref(), Some("lm_head.weight"));
        assert_eq!(
            name(Some(3), "attn_q.bias").as_deref(),
            Some("model.layers.3.self_attn.q_proj.bias")
        );
        assert_eq!(name(Some(3), "nothing.weight"), None);
    }
}
