//! What families with routed experts share: not a family itself.

use crate::{
    Error, Facts,
    net::{Flat, Scope, Weight},
    op::{Activation, Renormalise, Routing, Score},
};

/// The measures of a layer's routed experts, as most families name them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Experts {
    /// How many there are.
    pub(super) count: usize,
    /// Entries between a SwiGLU's two products.
    pub(super) ffn: usize,
    /// How they are chosen.
    pub(super) routing: Routing,
    /// What opens a gate.
    pub(super) act: Activation,
}

impl Experts {
    /// Softmax routing; `unsaid` is what the absence of `norm_topk_prob` means.
    pub(super) fn read(facts: &Facts<'_>, unsaid: Renormalise) -> Result<Self, Error> {
        let count = match facts.size_opt(("num_experts", "expert_count"))? {
            Some(count) => count,
            None => facts.size(("num_local_experts", "expert_count"))?,
        };
        let renormalise =
            facts.flag_or(("norm_topk_prob", "expert_weights_norm"), unsaid == Renormalise::Yes)?;
        Ok(Experts {
            count,
            ffn: facts.size(("moe_intermediate_size", "expert_feed_forward_length"))?,
            routing: Routing {
                k: facts.size(("num_experts_per_tok", "expert_used_count"))?,
                score: Score::Softmax,
                groups: None,
                renormalise: if renormalise { Renormalise::Yes } else { Renormalise::No },
                scale: 1.0,
            },
            act: facts.activation("hidden_act", Activation::Silu)?,
        })
    }

    /// The routed sum of the layer's SwiGLUs: `[tokens, hidden]`.
    #[track_caller]
    pub(super) fn swiglu<'n>(
        &self,
        h: Flat<'n>,
        l: Scope,
        select_bias: Option<Weight>,
    ) -> Flat<'n> {
        let hidden = h.width();
        let routes = h.linear(l.w("ffn_gate_inp"), self.count).route(self.routing, select_bias);
        let gate = h.expert_linear(routes, l.w("ffn_gate_exps"), self.ffn);
        let up = h.expert_linear(routes, l.w("ffn_up_exps"), self.ffn);
        let mixed = gate.activate_mul(self.act, up);
        mixed.linear(l.w("ffn_down_exps"), hidden).combine()
    }
}

/// Which layers have experts: every `decoder_sparse_step`th, unless `mlp_only_layers` names it. GGUF
/// files have experts in all.
pub(super) fn sparse_layers(facts: &Facts<'_>, layers: usize) -> Result<Vec<bool>, Error> {
    let step = facts.size_or(("decoder_sparse_step", ""), 1)?;
    let dense = facts.list_opt(("mlp_only_layers", ""))?.unwrap_or(&[]);
    let is_dense = |layer: usize| dense.iter().any(|other| other.as_u64() == Some(layer as u64));
    Ok((0..layers).map(|layer| (layer + 1).is_multiple_of(step) && !is_dense(layer)).collect())
}
