//! Every golden model's `config.json`: both styles of it mean one graph, and no change to it panics.
//! Published models: their configurations count the parameters their publishers counted.

use std::path::PathBuf;

use model::{
    Dialect, Error, Facts, Model, Op, facts::Tensors, op::Mask, plan::counts, rope::Scaling,
};
use serde_json::{Map, Value, json};

/// A checkpoint of which only the configuration is here.
struct Nothing;

impl Tensors for Nothing {
    fn shape(&self, _: &str) -> Option<Vec<usize>> {
        None
    }
    fn table(&self, _: &str) -> Option<Vec<f32>> {
        None
    }
}

fn build(config: &Map<String, Value>) -> Result<Model, Error> {
    let architecture = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    model::build(&Facts::new(Dialect::HuggingFace, architecture, config, &Nothing))
}

/// Name and `config.json` (`config.v5.json`) of every golden model whose family we know.
fn goldens(file: &str) -> Vec<(String, Map<String, Value>)> {
    let Some(folder) = testkit::data("goldens_open") else { return vec![] };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder.join("models"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    let read = |folder: PathBuf| {
        let name = folder.file_name()?.to_str()?.to_owned();
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        let config = serde_json::from_str(&text).expect("JSON");
        let unknown = matches!(build(&config), Err(Error::UnknownArchitecture { .. }));
        (!unknown).then_some((name, config))
    };
    folders.into_iter().filter_map(read).collect()
}

#[test]
fn both_styles_of_configuration_mean_one_graph() {
    let old = goldens("config.json");
    let new = goldens("config.v5.json");
    for (name, config) in &new {
        let (_, twin) = old.iter().find(|(other, _)| other == name).expect("both styles");
        let [one, other] = [twin, config].map(|config| {
            let model = build(config).unwrap_or_else(|error| panic!("{name}: {error}"));
            (format!("{:?}", model.graph), model.context)
        });
        assert!(one == other, "{name}: config.json and config.v5.json mean different graphs");
    }
    if testkit::data("goldens_open").is_some() {
        assert!(new.len() >= 29, "only {} models", new.len());
    }
}

/// What may stand where something else should.
fn strange() -> Vec<Value> {
    let big = 1u64 << 31;
    vec![
        json!(null),
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(3),
        json!(7),
        json!(big),
        json!(u64::MAX),
        json!(0.0),
        json!(-0.5),
        json!(0.5),
        json!(1e300),
        json!(1e-320),
        json!(""),
        json!("gelu_10"),
        json!("sliding_attention"),
        json!([]),
        json!([null, 1, "x"]),
        json!({}),
        json!({"full_attention": {"rope_type": "yarn"}, "sliding_attention": 3}),
        json!({"rope_type": "longrope", "short_factor": [1], "long_factor": []}),
        json!({"rope_type": "yarn", "factor": 1e300, "original_max_position_embeddings": 1}),
        json!({"rope_type": "dynamic", "factor": -1}),
        json!({"type": "llama3"}),
        json!(true),
        json!(false),
    ]
}

#[test]
fn no_change_of_one_setting_panics() {
    let mut refused = 0;
    for (name, config) in goldens("config.json").into_iter().chain(goldens("config.v5.json")) {
        for key in config.keys() {
            let mut without = config.clone();
            without.remove(key);
            refused += usize::from(build(&without).is_err());
            for value in strange() {
                let mut changed = config.clone();
                changed.insert(key.clone(), value);
                let result = build(&changed);
                refused += usize::from(result.is_err());
                if let Err(error) = result {
                    assert!(error.to_string().len() < 2000, "{name}: {key}: {error}");
                }
            }
        }
    }
    assert!(refused > 1000 || testkit::data("goldens_open").is_none(), "only {refused} refused");
}

#[test]
fn no_random_change_of_several_settings_panics() {
    let values = strange();
    let mut state = 1u64;
    let mut draw = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let configs = goldens("config.v5.json");
    for (_, config) in configs.iter().cycle().take(configs.len() * 400) {
        let mut changed = config.clone();
        let keys: Vec<String> = config.keys().cloned().collect();
        for _ in 0..=draw(4) {
            let (key, value) = (&keys[draw(keys.len())], values[draw(values.len())].clone());
            match changed.get_mut(key) {
                Some(Value::Object(inner)) if !inner.is_empty() && draw(2) == 0 => {
                    let keys: Vec<String> = inner.keys().cloned().collect();
                    inner.insert(keys[draw(keys.len())].clone(), value);
                }
                _ => drop(changed.insert(key.clone(), value)),
            }
        }
        // A setting of one model under the kind of another.
        if draw(4) == 0 {
            let (_, other) = &configs[draw(configs.len())];
            changed.insert("model_type".into(), other["model_type"].clone());
        }
        let _ = build(&changed);
    }
}

/// Golden models whose reference takes its activation from the configuration.
const ACTIVATED: &[&str] = &[
    "cohere",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm4",
    "gpt2",
    "gpt_neox",
    "granite",
    "llama",
    "mistral_swa",
    "mixtral",
    "olmo2",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "smollm3",
    "stablelm",
    "starcoder2",
];

#[test]
fn unknown_activations_and_unsupported_switches_are_refused_by_name() {
    for (name, config) in goldens("config.json") {
        for key in ["hidden_act", "hidden_activation", "activation_function", "activation"] {
            // Where both are given, Gemma reads only the second.
            let ignored = key == "hidden_act" && config.contains_key("hidden_activation");
            if ignored || !config.contains_key(key) || !ACTIVATED.contains(&name.as_str()) {
                continue;
            }
            let mut changed = config.clone();
            changed.insert(key.into(), json!("laplace"));
            let result = build(&changed).map(|model| model.family);
            let error = result.expect_err(&name).to_string();
            assert!(error.contains(key) && error.contains("laplace"), "{name}: {error}");
        }
    }
    let falcon = json!({"model_type": "falcon", "hidden_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 4, "vocab_size": 10, "alibi": true});
    let error = build(falcon.as_object().expect("an object")).expect_err("alibi").to_string();
    assert!(error.contains("alibi"), "{error}");
}

/// Number of parameters by `config.json`.
fn parameters(config: &Value) -> u64 {
    let model = build(config.as_object().expect("an object")).expect("a sound configuration");
    counts(&model.graph).params
}

/// A Llama-like configuration: model type, `[hidden, ffn, layers, heads, kv_heads, vocab]`.
fn decoder(kind: &str, sizes: [usize; 6], more: &Value) -> Value {
    let [hidden, ffn, layers, heads, kv_heads, vocab] = sizes;
    let mut config = json!({"model_type": kind, "hidden_size": hidden, "intermediate_size": ffn,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "vocab_size": vocab});
    let all = config.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    config
}

#[test]
fn published_models_have_as_many_parameters_as_published() {
    let tied = json!({"tie_word_embeddings": true});
    let wide = json!({"head_dim": 128});
    let none = json!({});
    let gemma = json!({"head_dim": 256});
    let cases: &[(u64, &str, Value)] = &[
        (8_030_261_248, "Llama-3.1-8B", decoder("llama", [4096, 14336, 32, 32, 8, 128_256], &none)),
        (6_738_415_616, "Llama-2-7B", decoder("llama", [4096, 11008, 32, 32, 32, 32000], &none)),
        (7_241_732_096, "Mistral-7B", decoder("mistral", [4096, 14336, 32, 32, 8, 32000], &none)),
        (
            46_702_792_704,
            "Mixtral-8x7B",
            decoder(
                "mixtral",
                [4096, 14336, 32, 32, 8, 32000],
                &json!({"num_local_experts": 8, "num_experts_per_tok": 2}),
            ),
        ),
        (7_615_616_512, "Qwen2.5-7B", decoder("qwen2", [3584, 18944, 28, 28, 4, 152_064], &none)),
        (494_032_768, "Qwen2.5-0.5B", decoder("qwen2", [896, 4864, 24, 14, 2, 151_936], &tied)),
        (8_190_735_360, "Qwen3-8B", decoder("qwen3", [4096, 12288, 36, 32, 8, 151_936], &wide)),
        (
            596_049_920,
            "Qwen3-0.6B",
            decoder(
                "qwen3",
                [1024, 3072, 28, 16, 8, 151_936],
                &json!({"head_dim": 128, "tie_word_embeddings": true}),
            ),
        ),
        (
            30_532_122_624,
            "Qwen3-30B-A3B",
            decoder(
                "qwen3_moe",
                [2048, 6144, 48, 32, 4, 151_936],
                &json!({"head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8,
                    "moe_intermediate_size": 768, "norm_topk_prob": true, "rms_norm_eps": 1e-6}),
            ),
        ),
        (2_506_172_416, "Gemma-2B", decoder("gemma", [2048, 16384, 18, 8, 1, 256_000], &gemma)),
        (8_537_680_896, "Gemma-7B", decoder("gemma", [3072, 24576, 28, 16, 16, 256_000], &gemma)),
        (2_614_341_888, "Gemma-2-2B", decoder("gemma2", [2304, 9216, 26, 8, 4, 256_000], &gemma)),
        (9_241_705_984, "Gemma-2-9B", decoder("gemma2", [3584, 14336, 42, 16, 8, 256_000], &gemma)),
        (
            999_885_952,
            "Gemma-3-1B",
            decoder("gemma3_text", [1152, 6912, 26, 4, 1, 262_144], &gemma),
        ),
        (2_779_683_840, "Phi-2", decoder("phi", [2560, 10240, 32, 32, 32, 51200], &none)),
        (3_821_079_552, "Phi-3-mini", decoder("phi3", [3072, 8192, 32, 32, 32, 32064], &none)),
        (14_659_507_200, "Phi-4", decoder("phi3", [5120, 17920, 40, 40, 10, 100_352], &none)),
        (7_298_617_344, "OLMo-2-7B", decoder("olmo2", [4096, 11008, 32, 32, 32, 100_352], &none)),
        (3_075_098_624, "SmolLM3-3B", decoder("smollm3", [2048, 11008, 36, 16, 4, 128_256], &none)),
        (
            3_030_371_328,
            "StarCoder2-3B",
            decoder("starcoder2", [3072, 12288, 30, 24, 2, 49152], &none),
        ),
        (34_980_831_232, "Command-R", decoder("cohere", [8192, 22528, 40, 64, 64, 256_000], &none)),
        (
            1_644_515_328,
            "StableLM-2-1.6B",
            decoder("stablelm", [2048, 5632, 24, 32, 32, 100_352], &json!({"use_qkv_bias": true})),
        ),
        (70_426_624, "Pythia-70M", decoder("gpt_neox", [512, 2048, 6, 8, 8, 50304], &none)),
        (2_533_531_648, "Granite-3-2B", decoder("granite", [2048, 8192, 40, 32, 8, 49155], &tied)),
        (
            9_400_279_040,
            "GLM-4-9B-0414",
            decoder(
                "glm4",
                [4096, 13696, 40, 32, 2, 151_552],
                &json!({"head_dim": 128, "attention_bias": true}),
            ),
        ),
        (
            9_399_951_360,
            "GLM-4-9B",
            decoder(
                "glm",
                [4096, 13696, 40, 32, 2, 151_552],
                &json!({"head_dim": 128, "attention_bias": true}),
            ),
        ),
        (7_298_011_136, "OLMo-3-7B", decoder("olmo3", [4096, 11008, 32, 32, 32, 100_278], &none)),
        (
            103_810_674_688,
            "Command-R+",
            decoder("cohere", [12288, 33792, 64, 96, 8, 256_000], &json!({"use_qk_norm": true})),
        ),
        (
            41_303_293_952,
            "Falcon-40B",
            json!({"model_type": "falcon", "hidden_size": 8192, "num_hidden_layers": 60,
                "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": true,
                "vocab_size": 65024}),
        ),
        (
            6_921_720_704,
            "Falcon-7B",
            json!({"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32,
                "num_attention_heads": 71, "vocab_size": 65024}),
        ),
        (
            124_439_808,
            "GPT-2",
            json!({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
                "n_positions": 1024, "vocab_size": 50257}),
        ),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(published, name, config)| {
            let found = parameters(config);
            (found != *published).then(|| format!("{name}: {found}, published {published}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The layers' masks and whether their queries turn, drawn from a configuration.
fn sights(config: &Value) -> Vec<(Mask, Option<usize>)> {
    let graph = build(config.as_object().expect("an object")).expect("sound").graph;
    let attends = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Attend { attention, .. } => Some((attention.mask, node.inputs[0])),
        _ => None,
    });
    attends
        .map(|(mask, query)| match &graph.nodes[query].op {
            Op::Rope { rope, .. } => (mask, Some(*rope)),
            _ => (mask, None),
        })
        .collect()
}

#[test]
fn cohere2_gives_a_window_to_layers_that_turn_and_neither_to_every_fourth() {
    let config = decoder("cohere2", [64, 160, 4, 4, 2, 10], &json!({"sliding_window": 8}));
    let near = (Mask::Window(8), Some(0));
    assert_eq!(sights(&config), [near, near, near, (Mask::Causal, None)]);
}

#[test]
fn olmo3_stretches_only_layers_without_a_window_in_every_style() {
    let yarn = json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
        "rope_theta": 500_000.0});
    let plain = json!({"rope_type": "default", "rope_theta": 500_000.0});
    let old = json!({"sliding_window": 8, "rope_theta": 500_000.0, "rope_scaling": yarn});
    let new = json!({"sliding_window": 8,
        "rope_parameters": {"full_attention": yarn, "sliding_attention": plain}});
    let [old, new] = [old, new].map(|more| {
        let config = decoder("olmo3", [64, 160, 4, 4, 4, 10], &more);
        let ropes = build(config.as_object().expect("an object")).expect("sound").graph.ropes;
        (sights(&config), ropes)
    });
    assert_eq!(old, new);
    let (sights, ropes) = old;
    assert_eq!(sights.iter().filter(|(mask, _)| *mask == Mask::Window(8)).count(), 3);
    assert_eq!(sights[3], (Mask::Causal, Some(1)));
    assert_eq!(ropes[0].scaling, Scaling::None);
    assert!(matches!(ropes[1].scaling, Scaling::Yarn { .. }));
}

#[test]
fn silence_null_and_a_number_are_three_windows_for_mistral_and_llama_knows_none() {
    let mask = |kind, more: &Value| sights(&decoder(kind, [64, 160, 1, 8, 8, 10], more))[0].0;
    assert_eq!(mask("mistral", &json!({})), Mask::Window(4096));
    assert_eq!(mask("mistral", &json!({"sliding_window": null})), Mask::Causal);
    assert_eq!(mask("mistral", &json!({"sliding_window": 5})), Mask::Window(5));
    assert_eq!(mask("llama", &json!({"sliding_window": 5})), Mask::Causal);
}

#[test]
fn qwen2_slides_from_max_window_layers_on_when_told_to() {
    let more = json!({"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 2});
    let masks: Vec<Mask> = sights(&decoder("qwen2", [64, 160, 3, 4, 2, 10], &more))
        .into_iter()
        .map(|(mask, _)| mask)
        .collect();
    assert_eq!(masks, [Mask::Causal, Mask::Causal, Mask::Window(8)]);
}

#[test]
fn fused_projections_come_apart_by_groups_in_falcon_and_neox() {
    let falcon = json!({"model_type": "falcon", "hidden_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 8, "num_kv_heads": 2, "new_decoder_architecture": true,
        "vocab_size": 10});
    let graph = build(falcon.as_object().expect("an object")).expect("sound").graph;
    let rows = |name: &str| {
        let param = graph.params.iter().find(|param| param.name == name).expect(name);
        let tensor = &param.source.tensor;
        assert_eq!(tensor, "transformer.h.0.self_attention.query_key_value.weight");
        (0..param.shape[1]).filter_map(|row| param.source.rows.at(row)).collect::<Vec<_>>()
    };
    let (q, k, v) =
        (rows("blk.0.attn_q.weight"), rows("blk.0.attn_k.weight"), rows("blk.0.attn_v.weight"));
    // Heads of 8; of each group of six the first four are queries, then a key, then a value.
    assert_eq!((q[0], q[31], q[32]), (0, 31, 48));
    assert_eq!((k[0], k[7], k[8]), (32, 39, 80));
    assert_eq!((v[0], v[8]), (40, 88));
    let mut all = [q, k, v].concat();
    all.sort_unstable();
    assert_eq!(all, (0..96).collect::<Vec<_>>());
}

#[test]
fn stablelm_2_12b_norms_every_head_with_a_tensor_of_its_own() {
    let more = json!({"use_parallel_residual": true, "qk_layernorm": true});
    let config = decoder("stablelm", [64, 160, 1, 4, 2, 10], &more);
    let graph = build(config.as_object().expect("an object")).expect("sound").graph;
    let names: Vec<&str> = graph.params.iter().map(|param| param.name.as_str()).collect();
    assert!(!names.contains(&"blk.0.ffn_norm.weight"), "{names:?}");
    let norm = graph.params.iter().find(|p| p.name == "blk.0.attn_k_norm.weight").expect("a norm");
    let tensors: Vec<String> = norm.source.tensors(2).collect();
    assert_eq!(tensors[1], "model.layers.0.self_attn.k_layernorm.norms.1.weight");
}
