//! Families whose goldens come without a GGUF file: one is written from the safetensors and must give
//! the reference's logits as well.
//!
//! The exporter asks the family itself what a GGUF file of it looks like: the graph drawn from GGUF
//! metadata says which tensor each parameter is cut from, and the parameters' numbers, read from
//! safetensors, are laid there.
#![allow(clippy::print_stdout, reason = "figures for those who look")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::{Backend, Batch, Capacity, Cpu, ModelFile, Params, Precision, Reference};
use kernels::{Isa, KvFormat};
use model::{Dialect, Facts, Graph, facts::Tensors};
use serde_json::{Map, Value, json};
use weights::{Dtype, GgufWriter};

/// A golden model, its GGUF architecture, and GGUF keys by the setting of `config.json` they come from.
struct Export {
    /// In `goldens_open`, or one of our own where it begins so.
    golden: &'static str,
    arch: &'static str,
    keys: &'static [(&'static str, &'static str)],
    /// Settings that have no twin in `config.json`, computed from it.
    extra: fn(&Value) -> Vec<(&'static str, Value)>,
    /// Tensors that hold RoPE factors, by the list in `rope_scaling` they come from.
    tables: &'static [(&'static str, &'static str)],
    /// Whether the rows of q and k are put in neighbouring pairs.
    pairs: bool,
}

const COMMON: &[(&str, &str)] = &[
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("block_count", "num_hidden_layers"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attention.layer_norm_epsilon", "layer_norm_eps"),
    ("attention.key_length", "head_dim"),
    ("attention.value_length", "head_dim"),
    ("rope.freq_base", "rope_theta"),
    ("attention.sliding_window", "sliding_window"),
];

/// A share of a head's entries.
fn part(config: &Value, share: &str) -> Value {
    let whole = config["hidden_size"].as_u64().expect("a size")
        / config["num_attention_heads"].as_u64().expect("heads");
    json!((whole as f64 * config[share].as_f64().expect("a share")) as u64)
}

const EXPORTS: &[Export] = &[
    Export {
        golden: "gpt2",
        arch: "gpt2",
        keys: &[
            ("context_length", "n_positions"),
            ("embedding_length", "n_embd"),
            ("block_count", "n_layer"),
            ("attention.head_count", "n_head"),
            ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
        ],
        extra: |config| {
            vec![("feed_forward_length", json!(4 * config["n_embd"].as_u64().expect("a size")))]
        },
        tables: &[],
        pairs: false,
    },
    Export {
        golden: "gpt_neox",
        arch: "gptneox",
        keys: &[
            ("use_parallel_residual", "use_parallel_residual"),
            ("rope.freq_base", "rotary_emb_base"),
        ],
        extra: |config| vec![("rope.dimension_count", part(config, "rotary_pct"))],
        tables: &[],
        pairs: false,
    },
    Export {
        golden: "stablelm",
        arch: "stablelm",
        keys: &[("use_parallel_residual", "use_parallel_residual")],
        extra: |config| vec![("rope.dimension_count", part(config, "partial_rotary_factor"))],
        tables: &[],
        pairs: false,
    },
    Export {
        golden: "mistral_swa",
        arch: "llama",
        keys: &[],
        extra: |config| vec![("rope.dimension_count", config["head_dim"].clone())],
        tables: &[],
        pairs: true,
    },
    Export {
        golden: "phi3_longrope",
        arch: "phi3",
        keys: &[("rope.scaling.original_context_length", "original_max_position_embeddings")],
        extra: |_| vec![],
        tables: &[
            ("rope_factors_short.weight", "short_factor"),
            ("rope_factors_long.weight", "long_factor"),
        ],
        pairs: false,
    },
    Export {
        golden: "deepseek_v2",
        arch: "deepseek2",
        keys: &[
            ("attention.kv_lora_rank", "kv_lora_rank"),
            ("attention.value_length_mla", "v_head_dim"),
            ("rope.dimension_count", "qk_rope_head_dim"),
            ("expert_count", "n_routed_experts"),
            ("expert_used_count", "num_experts_per_tok"),
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_count", "n_shared_experts"),
            ("leading_dense_block_count", "first_k_dense_replace"),
            ("expert_weights_scale", "routed_scaling_factor"),
        ],
        extra: |config| {
            let sum = |a: &str, b: &str| {
                json!(config[a].as_u64().expect("a size") + config[b].as_u64().expect("a size"))
            };
            vec![
                ("attention.key_length_mla", sum("qk_nope_head_dim", "qk_rope_head_dim")),
                ("attention.key_length", sum("kv_lora_rank", "qk_rope_head_dim")),
                ("attention.value_length", config["kv_lora_rank"].clone()),
                ("attention.head_count_kv", json!(1)),
            ]
        },
        tables: &[],
        pairs: false,
    },
];

/// Models of ours whose family has no golden with a GGUF file, or whose settings no such golden has.
const OWN: &str = "own:";

/// One of ours: keys as nearly all have them, the kinds of its layers, its stretched rotation.
const fn own(
    golden: &'static str,
    arch: &'static str,
    keys: &'static [(&'static str, &'static str)],
) -> Export {
    Export { golden, arch, keys, extra: layers_and_scaling, tables: &[], pairs: false }
}

/// Those whose settings GGUF has words for: of activations, for one, it has none.
const OWN_EXPORTS: &[Export] = &[
    own("own:glm_bias", "chatglm", &[]),
    own("own:glm4_bare", "glm4", &[]),
    own("own:glm4_bias", "glm4", &[]),
    own("own:cohere2_layers", "cohere2", &[("logit_scale", "logit_scale")]),
    own("own:cohere2_pattern", "cohere2", &[("logit_scale", "logit_scale")]),
    own("own:cohere_norms", "command-r", &[("logit_scale", "logit_scale")]),
    // Files of OLMo 3 call themselves olmo2.
    own("own:olmo3_yarn", "olmo2", &[]),
    Export { pairs: true, ..own("own:llama_linear", "llama", &[]) },
    Export { pairs: true, ..own("own:llama_yarn", "llama", &[]) },
    Export { pairs: true, ..own("own:granitemoe_few", "granitemoe", GRANITE_MOE) },
    own("own:qwen3_bias", "qwen3", &[]),
    own("own:stablelm_norms", "stablelm", &[]),
    own("own:phi_part", "phi2", &[]),
];

const GRANITE_MOE: &[(&str, &str)] = &[
    ("attention.scale", "attention_multiplier"),
    ("embedding_scale", "embedding_multiplier"),
    ("residual_scale", "residual_multiplier"),
    ("logit_scale", "logits_scaling"),
    ("expert_count", "num_local_experts"),
    ("expert_used_count", "num_experts_per_tok"),
];

/// What `config.json` says by lists, words and shares.
fn layers_and_scaling(config: &Value) -> Vec<(&'static str, Value)> {
    let mut keys = vec![];
    if let Some(kinds) = config["layer_types"].as_array() {
        let slides: Vec<bool> = kinds.iter().map(|kind| kind == "sliding_attention").collect();
        keys.push(("attention.sliding_window_pattern", json!(slides)));
    }
    let share = config["partial_rotary_factor"].as_f64().or(config["rotary_pct"].as_f64());
    if let Some(share) = share {
        let whole = config["head_dim"].as_u64().unwrap_or_else(|| {
            config["hidden_size"].as_u64().expect("a size")
                / config["num_attention_heads"].as_u64().expect("heads")
        });
        keys.push(("rope.dimension_count", json!((whole as f64 * share) as u64)));
    }
    let scaling = &config["rope_scaling"];
    let kind = scaling["rope_type"].as_str().or(scaling["type"].as_str());
    if let Some(kind) = kind.filter(|kind| *kind != "default") {
        let factor = scaling["factor"].as_f64().expect("a factor");
        keys.push(("rope.scaling.type", json!(kind)));
        keys.push(("rope.scaling.factor", json!(factor)));
        let original = &scaling["original_max_position_embeddings"];
        if !original.is_null() {
            keys.push(("rope.scaling.original_context_length", original.clone()));
        }
        // GGUF's factor comes on top of the usual one.
        if let Some(attention) = scaling["attention_factor"].as_f64() {
            let usual = 0.1 * factor.ln() + 1.0;
            keys.push(("rope.scaling.attn_factor", json!(attention / usual)));
        }
        for (key, setting) in [
            ("rope.scaling.yarn_beta_fast", "beta_fast"),
            ("rope.scaling.yarn_beta_slow", "beta_slow"),
        ] {
            if !scaling[setting].is_null() {
                keys.push((key, scaling[setting].clone()));
            }
        }
    }
    keys
}

/// The tensors a GGUF file of this model will have, as far as its configuration asks.
struct Coming<'a> {
    graph: &'a Graph,
    tables: BTreeMap<String, Vec<f32>>,
}

impl Tensors for Coming<'_> {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        // A fused tensor is there where its parts are. (Ours are written apart.)
        let part = name.replace("attn_qkv", "attn_q");
        let param = self.graph.params.iter().find(|p| p.name == part && p.tied_to.is_none())?;
        Some(param.shape.iter().copied().filter(|n| *n > 1).collect())
    }

    fn table(&self, name: &str) -> Option<Vec<f32>> {
        self.tables.get(name).cloned()
    }
}

fn export(export: &Export, file: &ModelFile, config: &Value, path: &Path) {
    let mut values = Map::new();
    values.insert("general.architecture".into(), json!(export.arch));
    let own = export.keys.iter();
    for (key, setting) in
        own.chain(COMMON.iter().filter(|(key, _)| export.keys.iter().all(|(k, _)| k != key)))
    {
        if !config[*setting].is_null() {
            values.insert(format!("{}.{key}", export.arch), config[*setting].clone());
        }
    }
    for (key, value) in (export.extra)(config) {
        values.insert(format!("{}.{key}", export.arch), value);
    }
    let list = |name: &str| -> Vec<f32> {
        let list = config["rope_scaling"][name].as_array().expect("factors");
        list.iter().map(|x| x.as_f64().expect("a factor") as f32).collect()
    };
    let tables: BTreeMap<String, Vec<f32>> =
        export.tables.iter().map(|(tensor, name)| ((*tensor).to_owned(), list(name))).collect();
    let coming = Coming { graph: &file.model().graph, tables: tables.clone() };
    let facts = Facts::new(Dialect::Gguf, export.arch, &values, &coming);
    let theirs = model::build(&facts).expect("the family reads its own keys");

    // Lay every parameter where the GGUF graph will look for it.
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for (id, param) in theirs.graph.params.iter().enumerate().filter(|(_, p)| p.tied_to.is_none()) {
        let ours = file.model().graph.params.iter().position(|p| p.name == param.name);
        let ours =
            ours.unwrap_or_else(|| panic!("{} (parameter {id}) is in both graphs", param.name));
        let [experts, out, width] = param.shape;
        let mut numbers = vec![0.0; param.elements()];
        file.rows(ours, 0..experts * out, &mut numbers).expect("reads");
        let vector = param.is_vector();
        // A vector's entries are its rows.
        let (rows, row) = if vector { (width, 1) } else { (experts * out, width) };
        if export.pairs && ["attn_q.", "attn_k."].iter().any(|part| param.name.contains(part)) {
            numbers = neighbours(&numbers, row, head_dim(config));
        }
        let last = param.source.rows.at(rows - 1).expect("counts") + 1;
        let entry = tensors.entry(param.source.tensor.clone()).or_insert((vec![], vec![]));
        entry.1.resize(entry.1.len().max(last * row), 0.0);
        for i in 0..rows {
            let at = param.source.rows.at(i).expect("counts");
            entry.1[at * row..][..row].copy_from_slice(&numbers[i * row..][..row]);
        }
        let total = entry.1.len() / row;
        entry.0 = match (vector, experts) {
            (true, _) => vec![total],
            (false, 1) => vec![total, width],
            (false, _) => vec![experts, total / experts, width],
        };
    }
    tensors.extend(tables.into_iter().map(|(name, list)| (name, (vec![list.len()], list))));

    let mut writer = GgufWriter::new(export.arch);
    for (key, value) in &values {
        match value {
            Value::String(_) if key == "general.architecture" => continue,
            Value::String(word) => writer.set(key, word.as_str()),
            Value::Bool(yes) => writer.set(key, *yes),
            Value::Array(list) => {
                let list = list.iter().map(|item| item.as_bool().expect("yes or no")).collect();
                writer.set(key, weights::gguf::Value::Array(weights::gguf::Array::Bool(list)))
            }
            Value::Number(number) if number.is_u64() => {
                writer.set(key, number.as_u64().expect("checked") as u32)
            }
            other => writer.set(key, other.as_f64().expect("a number") as f32),
        };
    }
    for (name, (shape, _)) in &tensors {
        let dtype = Dtype::Number(&quant::F32);
        writer.tensor(name, shape, dtype).expect("a sound tensor");
    }
    let bytes: Vec<Vec<u8>> =
        tensors.values().map(|(_, x)| x.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    std::fs::write(path, writer.to_bytes(&slices).expect("writes")).expect("writes");
}

fn head_dim(config: &Value) -> usize {
    let size = |key: &str| config[key].as_u64().map(|size| size as usize);
    let whole = size("hidden_size").zip(size("num_attention_heads"));
    size("head_dim").or(whole.map(|(hidden, heads)| hidden / heads)).expect("a size")
}

/// Rows of each head from halves to neighbouring pairs, as GGUF's Llama converter puts them.
fn neighbours(numbers: &[f32], width: usize, head_dim: usize) -> Vec<f32> {
    let mut out = vec![0.0; numbers.len()];
    for (i, row) in out.chunks_exact_mut(width).enumerate() {
        let (head, at) = (i / head_dim, i % head_dim);
        let from = head * head_dim + at / 2 + if at % 2 == 0 { 0 } else { head_dim / 2 };
        row.copy_from_slice(&numbers[from * width..][..width]);
    }
    out
}

/// Logits of all `ids`, from one step.
fn logits(backend: &dyn Backend, file: ModelFile, ids: &[u32]) -> Vec<f32> {
    let capacity = Capacity {
        rows: ids.len(),
        wanted: ids.len(),
        pages: ids.len().div_ceil(32),
        kv: KvFormat::F32,
    };
    let pages: Vec<u32> = (0..capacity.pages as u32).collect();
    let mut executor = backend.load(Arc::new(file), &capacity, &mut |_, _| {}).expect("loads");
    let mut batch = Batch::default();
    batch.push(ids, 0, &pages, ids.len(), 0..ids.len());
    executor.run(&batch).expect("runs").to_vec()
}

#[test]
fn what_comes_without_gguf_gives_the_same_logits_through_one_we_write() {
    let shared = testkit::data("goldens_open/models");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_goldens");
    let temp = std::env::temp_dir().join(format!("freehold-export-{}", std::process::id()));
    std::fs::create_dir_all(&temp).expect("a folder");
    let mut failures = vec![];
    for e in EXPORTS.iter().chain(OWN_EXPORTS) {
        let (folder, config, golden) = match (e.golden.strip_prefix(OWN), &shared) {
            (Some(name), _) => (own.join(name), "config.old.json", "golden.json"),
            (None, Some(shared)) => (shared.join(e.golden), "config.json", "goldens.json"),
            (None, None) => continue,
        };
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.join(name)).expect("readable"))
                .expect("JSON")
        };
        let (config, golden) = (read(config), read(golden));
        let path: PathBuf = temp.join(format!("{}.gguf", e.golden.replace(':', "-")));
        let file = ModelFile::open(&folder).expect("opens");
        export(e, &file, &config, &path);
        for prompt in ["short", "long"] {
            let ids: Vec<u32> = golden[prompt]["ids"]
                .as_array()
                .expect("ids")
                .iter()
                .map(|id| id.as_u64().expect("an id") as u32)
                .collect();
            let cpu = Cpu::new(Isa::best(), 2).with(Precision::Exact);
            for backend in [&Reference as &dyn Backend, &cpu] {
                let ours = ModelFile::open(&folder).expect("opens");
                let theirs = ModelFile::open(&path).unwrap_or_else(|x| panic!("{}: {x}", e.golden));
                let (a, b) = (logits(backend, ours, &ids), logits(backend, theirs, &ids));
                let scale = a.iter().fold(0.0f32, |all, x| all.max(x.abs()));
                let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
                let worst = |all: f32, x: f32| if x.is_nan() { x } else { all.max(x) };
                let error = off.fold(0.0f32, worst);
                println!("{} {prompt}: {:.1e}", e.golden, error / scale);
                if error.is_nan() || error > 1e-4 * scale {
                    failures.push(format!("{} {prompt}: off by {error} of {scale}", e.golden));
                }
            }
        }
    }
    std::fs::remove_dir_all(&temp).expect("removes");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
