//! Every family in settings of its own, against the logits transformers computes: our own tiny models.
//!
//! `own_goldens/make.py` draws them (one folder each) and says what they are. They cover what the
//! shared goldens leave out: windows, biases, stretched rotations, other activations, norms on heads,
//! routing rules. Promised here: `max |Δlogit| ≤ 1e-4 · max |logit|` on every backend, and that the
//! same configuration in an older style, or without what equals the defaults, means the same.
#![allow(clippy::print_stdout, reason = "figures for those who look")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::{Backend, Batch, Capacity, Cpu, Executor, ModelFile, Precision, Reference};
use kernels::{Isa, KvFormat, PAGE_TOKENS};
use serde_json::Value;
use weights::Checkpoint;

const PROMPTS: [&str; 2] = ["short", "long"];
const TOKENS_MAX: usize = 128;
/// Promised relative error.
const BOUND: f32 = 1e-4;

/// The models, in order of their names; `OWN_GOLDEN` picks those whose names begin so.
fn folders() -> Vec<PathBuf> {
    let wanted = std::env::var("OWN_GOLDEN").unwrap_or_default();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_goldens");
    let mut folders: Vec<PathBuf> = fs::read_dir(all)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("golden.json").is_file() && name(path).starts_with(&wanted))
        .collect();
    folders.sort();
    assert!(!wanted.is_empty() || folders.len() >= 60, "only {} models", folders.len());
    folders
}

fn name(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn numbers(golden: &Value, prompt: &str, key: &str) -> Vec<u32> {
    let list = golden[prompt][key].as_array().expect("a list");
    list.iter().map(|number| number.as_u64().expect("a number") as u32).collect()
}

/// One sequence on one executor.
struct Session {
    executor: Box<dyn Executor>,
    pages: Vec<u32>,
    vocab: usize,
}

impl Session {
    fn new(backend: &dyn Backend, folder: &Path) -> Result<Self, String> {
        let file = ModelFile::open(folder).map_err(|error| error.to_string())?;
        let pages = TOKENS_MAX / PAGE_TOKENS;
        let capacity = Capacity { rows: TOKENS_MAX, wanted: TOKENS_MAX, pages, kv: KvFormat::F32 };
        let vocab = file.model().vocab;
        let executor = backend.load(Arc::new(file), &capacity, &mut |_, _| {});
        let executor = executor.map_err(|error| error.to_string())?;
        Ok(Session { executor, pages: (0..pages as u32).collect(), vocab })
    }

    /// All logits of `ids` from position `first`, of a prompt of `length` tokens.
    fn logits(&mut self, ids: &[u32], first: usize, length: usize) -> Vec<f32> {
        let mut batch = Batch::default();
        batch.push(ids, first, &self.pages, length, 0..ids.len());
        self.executor.run(&batch).expect("runs").to_vec()
    }
}

fn golden(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("golden.json")).expect("readable")).expect("JSON")
}

/// The largest error relative to the largest logit of its prompt, or what went wrong.
fn compare(backend: &dyn Backend, folder: &Path) -> Result<f32, String> {
    let golden = golden(folder);
    let expected = Checkpoint::open(folder.join("golden.safetensors")).expect("opens");
    let mut session = Session::new(backend, folder)?;
    let vocab = session.vocab;
    let mut worst = 0.0f32;
    for prompt in PROMPTS {
        let ids = numbers(&golden, prompt, "ids");
        let got = session.logits(&ids, 0, ids.len());
        let positions = numbers(&golden, prompt, "positions");
        let mut rows = vec![0.0; positions.len() * vocab];
        expected.rows_f32(prompt, 0..positions.len(), &mut rows).expect("decodes");
        let scale = rows.iter().fold(0.0f32, |all, x| all.max(x.abs()));
        for (at, expected) in positions.into_iter().zip(rows.chunks_exact(vocab)) {
            let got = &got[at as usize * vocab..][..vocab];
            let off = expected.iter().zip(got).map(|(a, b)| (a - b).abs());
            let off =
                off.fold(0.0f32, |all, x| if x.is_nan() { f32::INFINITY } else { all.max(x) });
            worst = worst.max(off / scale);
            if off / scale > BOUND {
                return Err(format!("{prompt}, position {at}: off by {:.2e}", off / scale));
            }
        }
    }
    Ok(worst)
}

fn check(backend: &dyn Backend, what: &str) {
    let mut failures = vec![];
    for folder in folders() {
        match compare(backend, &folder) {
            Ok(worst) => println!("{what} {:24} {worst:.1e}", name(&folder)),
            Err(why) => failures.push(format!("{}: {why}", name(&folder))),
        }
    }
    assert!(failures.is_empty(), "{what}:\n{}", failures.join("\n"));
}

#[test]
fn reference_backend_agrees_with_transformers() {
    check(&Reference, "reference");
}

#[test]
fn cpu_backend_agrees_on_every_instruction_set() {
    for isa in Isa::available() {
        check(&Cpu::new(isa, 1).with(Precision::Exact), isa.name());
    }
}

#[test]
fn in_steps_as_at_once_to_the_bit() {
    for isa in Isa::available() {
        let backend = Cpu::new(isa, 1).with(Precision::Exact);
        for folder in folders() {
            let name = name(&folder);
            let ids = numbers(&golden(&folder), "long", "ids");
            let mut session = Session::new(&backend, &folder).expect("loads");
            let whole = session.logits(&ids, 0, ids.len());
            let mut pieces = vec![];
            for piece in [0..1, 1..30, 30..31, 31..32, 32..33, 33..64, 64..65, 65..ids.len()] {
                pieces.extend(session.logits(&ids[piece.clone()], piece.start, ids.len()));
            }
            assert!(whole == pieces, "{} {name}: in steps it says something else", isa.name());
        }
    }
}

/// A copy of a model's folder with another configuration; removed when dropped.
struct Twin(PathBuf);

impl Twin {
    fn new(folder: &Path, config: &str) -> Self {
        Self::with(folder, config, &fs::read(folder.join(config)).expect("readable"))
    }

    fn with(folder: &Path, what: &str, config: &[u8]) -> Self {
        let unique = format!("freehold-{}-{}-{what}", std::process::id(), name(folder));
        let twin = Twin(std::env::temp_dir().join(unique));
        fs::create_dir_all(&twin.0).expect("a folder of our own");
        fs::write(twin.0.join("config.json"), config).expect("writes");
        let weights = "model.safetensors";
        fs::copy(folder.join(weights), twin.0.join(weights)).expect("copies");
        twin
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_style_of_configuration_means_the_same_model() {
    let (mut failures, mut twins) = (vec![], 0);
    for folder in folders() {
        let graph = |path: &Path| -> Result<String, String> {
            let file = ModelFile::open(path).map_err(|error| error.to_string())?;
            Ok(format!("{:?} {}", file.model().graph, file.model().context))
        };
        for style in ["config.old.json", "config.bare.json"] {
            if !folder.join(style).exists() {
                continue;
            }
            twins += 1;
            let twin = Twin::new(&folder, style);
            match (graph(&folder), graph(&twin.0)) {
                (Ok(one), Ok(other)) if one == other => {}
                (Ok(_), Ok(_)) => failures.push(format!("{}: {style}: differs", name(&folder))),
                (_, Err(why)) => failures.push(format!("{}: {style}: {why}", name(&folder))),
                // The other tests say why.
                (Err(_), Ok(_)) => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(twins >= 110 || std::env::var_os("OWN_GOLDEN").is_some(), "only {twins} twins");
}

#[test]
fn silence_means_what_it_means_to_transformers() {
    let (mut failures, mut said, mut refused) = (vec![], 0, 0);
    for folder in folders() {
        let golden = golden(&folder);
        let text = fs::read(folder.join("config.json")).expect("readable");
        let config: Value = serde_json::from_slice(&text).expect("JSON");
        let ids = numbers(&golden, "long", "ids");
        for (key, expected) in golden["without"].as_object().expect("an object") {
            let mut config = config.clone();
            config.as_object_mut().expect("an object").remove(key);
            let what = format!("{key}-without");
            let twin = Twin::with(&folder, &what, config.to_string().as_bytes());
            // Refusing is honest; saying something else is not.
            let mut session = match Session::new(&Reference, &twin.0) {
                Ok(session) => session,
                Err(why) => {
                    println!("{} without {key}: {why}", name(&folder));
                    refused += 1;
                    continue;
                }
            };
            said += 1;
            let got = session.logits(&ids, 0, ids.len());
            let last = &got[got.len() - session.vocab..];
            let scale = got.iter().fold(0.0f32, |all, x| all.max(x.abs()));
            let off = expected
                .as_array()
                .expect("a list")
                .iter()
                .zip(last)
                .map(|(a, b)| (a.as_f64().expect("a number") as f32 - b).abs() / scale);
            let off =
                off.fold(0.0f32, |all, x| if x.is_nan() { f32::INFINITY } else { all.max(x) });
            if off > BOUND {
                failures.push(format!("{} without {key}: off by {off:.2e}", name(&folder)));
            }
        }
    }
    println!("{said} say the same, {refused} refused");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(said > 4 * refused, "{said} say something, {refused} refused");
}

/// A model, a setting that would make it something we do not compute, and the name the refusal gives.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("deepseek_v2_groups", "topk_method", r#""by_mood""#, "topk_method"),
    ("deepseek_v3_dense", "moe_layer_freq", "2", "moe_layer_freq"),
    ("deepseek_v3_halves", "hidden_act", r#""laplace""#, "hidden_act"),
    ("falcon_groups_one_norm", "parallel_attn", "false", "num_ln_in_parallel_attn"),
    ("falcon_heads", "alibi", "true", "alibi"),
    ("falcon_heads", "num_kv_heads", "2", "num_kv_heads"),
    ("gemma2_uncapped", "use_bidirectional_attention", "true", "use_bidirectional_attention"),
    ("gemma3_layers", "use_bidirectional_attention", "true", "use_bidirectional_attention"),
    ("gpt2_by_layer", "add_cross_attention", "true", "add_cross_attention"),
    ("gpt_oss_odd", "partial_rotary_factor", "0.5", "partial_rotary_factor"),
    ("llama_biases", "hidden_act", r#""mish""#, "hidden_act"),
    ("llama_linear", "rope_parameters", r#"{"rope_type": "proportional"}"#, "rope_type"),
    ("llama_linear", "rope_parameters", r#"{"rope_type": "linear", "factor": 0}"#, "factor"),
    ("mistral_full", "partial_rotary_factor", "0.5", "partial_rotary_factor"),
    ("mixtral_one", "num_experts_per_tok", "0", "num_experts_per_tok"),
    ("olmo3_layers", "layer_types", r#"["chunked_attention", "full_attention"]"#, "layer_types"),
    ("phi3_window", "attention_bias", "true", "attention_bias"),
    ("qwen2_moe_norm", "hidden_act", r#""xielu""#, "hidden_act"),
    ("qwen3_moe_step", "partial_rotary_factor", "0.5", "partial_rotary_factor"),
    (
        "qwen3_moe_window",
        "layer_types",
        r#"["full_attention", "sliding_attention"]"#,
        "layer_types",
    ),
];

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_goldens");
    for (model, key, value, named) in REFUSED {
        let folder = all.join(model);
        let text = fs::read(folder.join("config.json")).expect("readable");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        config[*key] = serde_json::from_str(value).expect("JSON");
        let twin = Twin::with(&folder, &format!("{key}-refused"), config.to_string().as_bytes());
        match ModelFile::open(&twin.0) {
            Ok(_) => panic!("{model} with {key} {value} was taken"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(named), "{model} with {key} {value}: {error}");
            }
        }
    }
}
