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

use engine::{Backend, Batch, Capacity, Cpu, ModelFile, Precision, Reference};
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

/// All logits of each prompt.
fn logits(
    backend: &dyn Backend,
    file: ModelFile,
    prompts: &[Vec<u32>],
) -> Result<Vec<Vec<f32>>, String> {
    let pages = TOKENS_MAX / PAGE_TOKENS;
    let capacity = Capacity { rows: TOKENS_MAX, wanted: TOKENS_MAX, pages, kv: KvFormat::F32 };
    let executor = backend.load(Arc::new(file), &capacity, &mut |_, _| {});
    let mut executor = executor.map_err(|error| error.to_string())?;
    let pages: Vec<u32> = (0..pages as u32).collect();
    let run = |ids: &Vec<u32>| {
        let mut batch = Batch::default();
        batch.push(ids, 0, &pages, ids.len(), 0..ids.len());
        executor.run(&batch).map(<[f32]>::to_vec).map_err(|error| error.to_string())
    };
    prompts.iter().map(run).collect()
}

/// The largest error relative to the largest logit of its prompt, or what went wrong.
fn compare(backend: &dyn Backend, folder: &Path) -> Result<f32, String> {
    let text = fs::read(folder.join("golden.json")).expect("readable");
    let golden: Value = serde_json::from_slice(&text).expect("JSON");
    let expected = Checkpoint::open(folder.join("golden.safetensors")).expect("opens");
    let prompts: Vec<Vec<u32>> = PROMPTS.iter().map(|p| numbers(&golden, p, "ids")).collect();
    let file = ModelFile::open(folder).map_err(|error| error.to_string())?;
    let vocab = file.model().vocab;
    let got = logits(backend, file, &prompts)?;
    let mut worst = 0.0f32;
    for (prompt, got) in PROMPTS.into_iter().zip(got) {
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

/// A copy of a model's folder with another configuration; removed when dropped.
struct Twin(PathBuf);

impl Twin {
    fn new(folder: &Path, config: &str) -> Self {
        let unique = format!("freehold-{}-{}-{config}", std::process::id(), name(folder));
        let twin = Twin(std::env::temp_dir().join(unique));
        fs::create_dir_all(&twin.0).expect("a folder of our own");
        for (from, to) in [(config, "config.json"), ("model.safetensors", "model.safetensors")] {
            fs::copy(folder.join(from), twin.0.join(to)).expect("copies");
        }
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
