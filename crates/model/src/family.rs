//! The families: one file each, one line in [`FAMILIES`].
//!
//! A family file holds its configuration, its name table and one function that draws the graph as
//! the paper does. It may branch on configuration *data* (a layer pattern, a tied output), never on
//! another family's name.

use serde_json::Value;

use crate::{
    Error, Facts, Graph,
    facts::faults,
    names::Names,
    net::{Bias, Flat, Net, Scope, Weight},
    op::Mask,
};

pub mod cohere;
pub mod deepseek;
pub mod falcon;
pub mod gemma;
pub mod gemma2;
pub mod gemma3;
pub mod glm4;
pub mod gpt2;
pub mod gpt_neox;
pub mod gpt_oss;
pub mod granite;
pub mod llama;
pub mod mixtral;
mod moe;
pub mod olmo2;
pub mod phi;
pub mod phi3;
pub mod qwen2;
pub mod qwen2_moe;
pub mod qwen3;
pub mod qwen3_moe;
mod shared;
pub mod smollm3;
pub mod stablelm;
pub mod starcoder2;

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
pub const FAMILIES: &[Family] = &[
    cohere::FAMILY,
    cohere::COHERE2,
    deepseek::FAMILY,
    falcon::FAMILY,
    gemma::FAMILY,
    gemma2::FAMILY,
    gemma3::FAMILY,
    glm4::FAMILY,
    glm4::GLM,
    gpt2::FAMILY,
    gpt_neox::FAMILY,
    gpt_oss::FAMILY,
    granite::FAMILY,
    granite::MOE,
    llama::FAMILY,
    llama::MISTRAL,
    mixtral::FAMILY,
    olmo2::FAMILY,
    olmo2::OLMO3,
    phi::FAMILY,
    phi3::FAMILY,
    qwen2::FAMILY,
    qwen2_moe::FAMILY,
    qwen3::FAMILY,
    qwen3_moe::FAMILY,
    smollm3::FAMILY,
    stablelm::FAMILY,
    starcoder2::FAMILY,
];

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

impl Model {
    /// With more tensors that inference does not use.
    #[must_use]
    pub fn ignoring(mut self, patterns: &[&str]) -> Self {
        self.unused.extend(patterns.iter().map(|&pattern| pattern.to_owned()));
        self
    }
}

/// Finds the family of a checkpoint and builds its model, or says everything that is wrong with its
/// configuration.
pub fn build(facts: &Facts<'_>) -> Result<Model, Error> {
    let family = find(facts)?;
    faults::all(family.name, facts, family.build)
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
    /// Whether the output head adds a bias.
    pub head_bias: Bias,
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
            head_bias: Bias::No,
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
        let output = Scope::MODEL.w("output").bias(self.head_bias);
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
    let key = ("num_hidden_layers", "block_count");
    facts.past(facts.bad(key, layers, format!("at most {MOST}")), facts.some_size(key))
}

/// Buffers that old checkpoints saved beside their weights and everyone recomputes.
const UNUSED: &[&str] = &["*.rotary_emb.inv_freq", "rope_freqs.weight", "rope_factors_*.weight"];

const HEADS: crate::facts::Key = ("num_attention_heads", "attention.head_count");
const KV_HEADS: crate::facts::Key = ("num_key_value_heads", "attention.head_count_kv");
const HEAD_DIM: crate::facts::Key = ("head_dim", "attention.key_length");

/// What a reference implementation puts where a `config.json` is silent (null is not silence).
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadDefaults {
    /// Query heads.
    pub heads: Option<usize>,
    /// Key and value heads; otherwise as many as query heads.
    pub kv_heads: Option<usize>,
    /// Entries of a head; otherwise an equal share of the hidden width.
    pub head_dim: Option<usize>,
}

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
    /// Reads them as nearly all decoders name them. Without a number of key heads every query head has
    /// its own; without a `head_dim`, heads share the hidden width.
    pub fn read(facts: &Facts<'_>, hidden: usize) -> Result<Self, Error> {
        Self::read_or(facts, hidden, HeadDefaults::default())
    }

    /// As [`HeadDims::read`], for families whose reference implementation fills gaps in a
    /// `config.json` with numbers of its own.
    pub fn read_or(facts: &Facts<'_>, hidden: usize, or: HeadDefaults) -> Result<Self, Error> {
        let silent = |key, default: Option<usize>| {
            let silent = facts.dialect == crate::Dialect::HuggingFace && !facts.spelled(key);
            default.filter(|_| silent)
        };
        let heads = match silent(HEADS, or.heads) {
            Some(heads) => heads,
            None => facts.size(HEADS)?,
        };
        let kv_heads = match silent(KV_HEADS, or.kv_heads) {
            Some(kv_heads) => kv_heads,
            None => facts.size_or(KV_HEADS, heads)?,
        };
        let head_dim = match silent(HEAD_DIM, or.head_dim) {
            None => facts.size_opt(HEAD_DIM)?,
            default => default,
        };
        Self::new(facts, hidden, [heads, kv_heads], head_dim)
    }

    /// These `[heads, kv_heads]`, if they make sense.
    pub fn new(
        facts: &Facts<'_>,
        hidden: usize,
        [heads, kv_heads]: [usize; 2],
        head_dim: Option<usize>,
    ) -> Result<Self, Error> {
        let wrong =
            |key, found: usize, expected: String| facts.past(facts.bad(key, found, expected), ());
        if head_dim.is_none() && !hidden.is_multiple_of(heads) {
            wrong(HEADS, heads, format!("a divisor of {hidden}, the hidden size"))?;
        }
        let head_dim = head_dim.unwrap_or(hidden / heads).max(1);
        let mut d = HeadDims { heads, kv_heads, head_dim };
        if kv_heads > heads || !heads.is_multiple_of(kv_heads) {
            wrong(KV_HEADS, kv_heads, format!("a divisor of {heads}, the heads"))?;
            d.kv_heads = heads;
        }
        if heads * head_dim > crate::facts::LARGEST {
            wrong(HEADS, heads, format!("fewer, with {head_dim} entries each"))?;
            d = HeadDims { heads: 1, kv_heads: 1, head_dim: 2 };
        }
        if let Some(values) = facts.size_opt(("", "attention.value_length"))?
            && values != head_dim
        {
            wrong(("", "attention.value_length"), values, head_dim.to_string())?;
        }
        Ok(d)
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
    let on = facts.flag_or(("use_sliding_window", ""), false)?;
    // Transformers 5 writes a window that is switched off as 0 for some families.
    let none = !on && facts.value(WINDOW).is_some_and(|window| window.as_u64() == Some(0));
    let window = if none { None } else { window(facts, on.then_some(4096))? };
    if let Some(masks) = listed_windows(facts, layers, window)? {
        let switched_off = facts.spelled(("use_sliding_window", "")) && !on;
        if switched_off && masks.iter().any(|mask| *mask != Mask::Causal) {
            let expected = "true, as layer_types has sliding_attention";
            facts.past(facts.bad(("use_sliding_window", ""), on, expected), ())?;
        }
        return Ok(masks);
    }
    let from = facts.count_or(("max_window_layers", ""), 28)?;
    let mask = |layer| match window {
        Some(window) if on && layer >= from => Mask::Window(window),
        _ => Mask::Causal,
    };
    Ok((0..layers).map(mask).collect())
}

/// Each layer's mask by `layer_types`, if the file lists them.
pub fn listed_windows(
    facts: &Facts<'_>,
    layers: usize,
    window: Option<usize>,
) -> Result<Option<Vec<Mask>>, Error> {
    let kinds = facts.per_layer(("layer_types", ""), layers)?;
    kinds.map(|kinds| kinds.iter().map(|kind| kind_mask(facts, kind, window)).collect()).transpose()
}

/// Each layer's mask where every `period`-th layer sees everything and the others only a window.
/// A file may list the layers instead (`layer_types`) or give another period.
pub fn periodic_windows(
    facts: &Facts<'_>,
    layers: usize,
    window: Option<usize>,
    period: usize,
) -> Result<Vec<Mask>, Error> {
    const PERIOD: crate::facts::Key =
        ("sliding_window_pattern", "attention.sliding_window_pattern");
    if let Some(masks) = listed_windows(facts, layers, window)? {
        return Ok(masks);
    }
    let slides = match facts.value(PERIOD) {
        Some(Value::Array(list)) if list.len() == layers => {
            let one = |slides: &Value| match slides.as_bool() {
                Some(slides) => Ok(slides),
                None => facts.past(facts.bad(PERIOD, slides, "true or false"), false),
            };
            list.iter().map(one).collect::<Result<Vec<bool>, Error>>()?
        }
        _ => {
            let period = facts.size_or(("_sliding_window_pattern", ""), period)?;
            let period = facts.size_or(PERIOD, period)?;
            (1..=layers).map(|layer| !layer.is_multiple_of(period)).collect()
        }
    };
    let window = |slides: bool| match (slides, window) {
        (false, _) => Ok(Mask::Causal),
        (true, Some(window)) => Ok(Mask::Window(window)),
        (true, None) => facts.past(facts.missing(WINDOW), Mask::Causal),
    };
    slides.into_iter().map(window).collect()
}

const WINDOW: crate::facts::Key = ("sliding_window", "attention.sliding_window");

/// How many positions a sliding layer sees, its own among them; `default` is what silence means in a
/// `config.json`. GGUF writes none as 0.
pub fn window(facts: &Facts<'_>, default: Option<usize>) -> Result<Option<usize>, Error> {
    match facts.dialect {
        crate::Dialect::HuggingFace if facts.spelled(WINDOW) => facts.size_opt(WINDOW),
        crate::Dialect::HuggingFace => Ok(default),
        crate::Dialect::Gguf => Ok(Some(facts.count_or(WINDOW, 0)?).filter(|window| *window > 0)),
    }
}

fn kind_mask(facts: &Facts<'_>, kind: &Value, window: Option<usize>) -> Result<Mask, Error> {
    let key = ("layer_types", "");
    match (kind.as_str(), window) {
        (Some("full_attention"), _) => Ok(Mask::Causal),
        (Some("sliding_attention"), Some(window)) => Ok(Mask::Window(window)),
        (Some("sliding_attention"), None) => {
            facts.past(facts.missing(("sliding_window", "")), Mask::Causal)
        }
        _ => facts.past(facts.bad(key, kind, "full_attention or sliding_attention"), Mask::Causal),
    }
}
