//! The families: one file each, one line in [`FAMILIES`].
//!
//! A family file holds its configuration, its name table and one function that draws the graph as
//! the paper does. It may branch on configuration *data* (a layer pattern, a tied output), never on
//! another family's name.

use serde_json::Value;

use crate::{
    Error, Facts, Graph,
    names::Names,
    net::{Flat, Net, Scope, Weight},
    op::Mask,
};

pub mod llama;
pub mod mixtral;
pub mod qwen3;

/// One family of architectures.
#[derive(Debug)]
pub struct Family {
    /// The name in our own words and messages.
    pub name: &'static str,
    /// `model_type` values of `config.json` that mean this family.
    pub model_types: &'static [&'static str],
    /// `general.architecture` values of GGUF that mean this family.
    pub gguf: &'static [&'static str],
    /// Reads the configuration and draws the graph.
    pub build: fn(&Facts<'_>) -> Result<Model, Error>,
}

/// Every family there is.
pub const FAMILIES: &[Family] = &[llama::FAMILY, mixtral::FAMILY, qwen3::FAMILY];

/// A model as described by its checkpoint's configuration.
#[derive(Clone, Debug)]
pub struct Model {
    /// The family's name.
    pub family: &'static str,
    /// What it computes.
    pub graph: Graph,
    /// Size of the vocabulary (rows of the embedding).
    pub vocab: usize,
    /// Entries of the residual stream.
    pub hidden: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Tokens the model was made for.
    pub context: usize,
    /// Tensors that checkpoints of this family may carry and that inference does not use; `*` stands for anything.
    pub unused: Vec<String>,
}

/// Finds the family of a checkpoint and builds its model.
pub fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let family = find(facts)?;
    (family.build)(&Facts { family: family.name, ..*facts })
}

/// The family that answers to the facts' architecture.
pub fn find(facts: &Facts<'_>) -> Result<&'static Family, Error> {
    let names = |family: &'static Family| match facts.dialect {
        crate::Dialect::HuggingFace => family.model_types,
        crate::Dialect::Gguf => family.gguf,
    };
    FAMILIES.iter().find(|family| names(family).contains(&facts.architecture)).ok_or_else(|| {
        let mut known: Vec<&str> = FAMILIES.iter().flat_map(|f| names(f).iter().copied()).collect();
        known.sort_unstable();
        known.dedup();
        Error::UnknownArchitecture { found: facts.architecture.to_owned(), known: known.join(", ") }
    })
}

/// What every decoder shares.
#[derive(Clone, Copy, Debug)]
pub struct Trunk {
    /// Size of the vocabulary.
    pub vocab: usize,
    /// Entries of the residual stream.
    pub hidden: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Tokens the model was made for.
    pub context: usize,
    /// Whether the output head is the embedding.
    pub tied: bool,
}

impl Trunk {
    /// Reads the settings that nearly all decoders name alike. `tied` is what an absent
    /// `tie_word_embeddings` means; `embedding` is the embedding's name on the hub.
    pub fn read(facts: &Facts<'_>, tied: bool, embedding: &'static str) -> Result<Self, Error> {
        Ok(Trunk {
            vocab: facts.vocab((embedding, "token_embd.weight"))?,
            hidden: facts.size(("hidden_size", "embedding_length"))?,
            layers: layers(facts, facts.size(("num_hidden_layers", "block_count"))?)?,
            context: facts.size_or(("max_position_embeddings", "context_length"), 2048)?,
            tied: facts.tied(tied)?,
        })
    }

    /// The usual head of a decoder: ids in, all layers, logits `[wanted, vocab]` out. `embed` may
    /// change what comes from the table, `norm` is the last one, `head` may change the logits.
    pub fn decoder(
        &self,
        facts: &Facts<'_>,
        names: &'static Names,
        parts: &Parts<'_>,
    ) -> Result<Model, Error> {
        let net = Net::new(facts.family, facts.dialect, names);
        let model = Scope::MODEL;
        let x = net.embed(model.w("token_embd"), self.vocab, self.hidden);
        let x = (parts.embedded)(x);
        let x = net.layers(self.layers).fold(x, |x, layer| (parts.block)(x, layer));
        let logits = (parts.norm)(x.wanted(), model).linear(self.output(), self.vocab);
        (parts.logits)(logits);
        Ok(Model {
            family: facts.family,
            graph: net.finish()?,
            vocab: self.vocab,
            hidden: self.hidden,
            layers: self.layers,
            context: self.context,
            unused: UNUSED.iter().map(|&pattern| pattern.to_owned()).collect(),
        })
    }

    /// The output head's weight.
    pub fn output(&self) -> Weight {
        let output = Scope::MODEL.w("output");
        if self.tied { output.tied_to("token_embd") } else { output }
    }
}

/// What a decoder's parts compute; see [`Trunk::decoder`].
pub struct Parts<'p> {
    /// From the table's rows to the residual stream.
    pub embedded: &'p dyn for<'n> Fn(Flat<'n>) -> Flat<'n>,
    /// One layer.
    pub block: &'p dyn for<'n> Fn(Flat<'n>, Scope) -> Flat<'n>,
    /// The last norm.
    pub norm: &'p dyn for<'n> Fn(Flat<'n>, Scope) -> Flat<'n>,
    /// What becomes of the logits.
    pub logits: &'p dyn for<'n> Fn(Flat<'n>) -> Flat<'n>,
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Nothing more to do: for [`Parts`] that a family leaves alone.
pub fn as_is(x: Flat<'_>) -> Flat<'_> {
    x
}

/// No checkpoint has more layers than this.
pub fn layers(facts: &Facts<'_>, layers: usize) -> Result<usize, Error> {
    const MOST: usize = 1024;
    if layers <= MOST {
        return Ok(layers);
    }
    Err(facts.bad(("num_hidden_layers", "block_count"), layers, format!("at most {MOST}")))
}

/// Buffers that old checkpoints saved beside their weights and everyone recomputes.
const UNUSED: &[&str] = &["*.rotary_emb.inv_freq", "rope_freqs.weight", "rope_factors_*.weight"];

/// Grouped-query attention's measures.
#[derive(Clone, Copy, Debug)]
pub struct HeadDims {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Entries of a head.
    pub head_dim: usize,
}

impl HeadDims {
    /// Reads them as nearly all decoders name them. Without a `head_dim`, heads share the hidden width.
    pub fn read(facts: &Facts<'_>, hidden: usize) -> Result<Self, Error> {
        let heads = facts.size(("num_attention_heads", "attention.head_count"))?;
        let kv_heads = facts.size_or(("num_key_value_heads", "attention.head_count_kv"), heads)?;
        let shared = hidden / heads;
        if shared == 0 {
            let key = ("num_attention_heads", "attention.head_count");
            return Err(facts.bad(key, heads, format!("at most {hidden}, the hidden size")));
        }
        let head_dim = facts.size_or(("head_dim", "attention.key_length"), shared)?;
        let heads_fit = heads * head_dim <= crate::facts::LARGEST && kv_heads <= heads;
        if !heads_fit {
            let key = ("num_key_value_heads", "attention.head_count_kv");
            return Err(facts.bad(key, kv_heads, format!("at most {heads} heads of sane width")));
        }
        Ok(HeadDims { heads, kv_heads, head_dim })
    }

    /// Width of all query heads.
    pub fn q(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads, and of all value heads.
    pub fn kv(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Each layer's mask, for families that list kinds of layers (`layer_types`: `full_attention`,
/// `sliding_attention`) or switch a window on from some layer (`use_sliding_window`, `max_window_layers`).
/// Without either, every layer sees everything.
pub fn windows(facts: &Facts<'_>, layers: usize) -> Result<Vec<Mask>, Error> {
    let window = facts.size_opt(("sliding_window", "attention.sliding_window"))?;
    let kinds = facts.per_layer(("layer_types", ""), layers)?;
    if let Some(kinds) = kinds {
        return kinds.iter().map(|kind| kind_mask(facts, kind, window)).collect();
    }
    let on = facts.flag_or(("use_sliding_window", ""), false)?;
    let from = facts.count_or(("max_window_layers", ""), 0)?;
    let mask = |layer| match window {
        Some(window) if on && layer >= from => Mask::Window(window),
        _ => Mask::Causal,
    };
    Ok((0..layers).map(mask).collect())
}

fn kind_mask(facts: &Facts<'_>, kind: &Value, window: Option<usize>) -> Result<Mask, Error> {
    let key = ("layer_types", "");
    match (kind.as_str(), window) {
        (Some("full_attention"), _) => Ok(Mask::Causal),
        (Some("sliding_attention"), Some(window)) => Ok(Mask::Window(window)),
        (Some("sliding_attention"), None) => Err(facts.missing(("sliding_window", ""))),
        _ => Err(facts.bad(key, kind, "full_attention or sliding_attention")),
    }
}
