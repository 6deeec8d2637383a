//! Every family against the reference implementation's logits, from safetensors and from GGUF.
//!
//! The goldens are tiny models of real architectures, run by transformers in F32
//! (`../shared/data/goldens_open`). Promised: `max |Δlogit| ≤ 1e-3 · max |logit|`, and greedy
//! continuations token for token as far as the reference's own margin exceeds that error.
#![allow(clippy::print_stdout, reason = "figures for those who look")]

use std::{path::Path, sync::Arc};

use engine::{Backend, Batch, Capacity, Cpu, Executor, ModelFile, Precision, Reference};
use kernels::{Isa, KvFormat, PAGE_TOKENS};
use serde_json::Value;
use weights::Checkpoint;

const PROMPTS: [&str; 4] = ["short", "long", "pair_a", "pair_b"];
const TOKENS_MAX: usize = 256;
/// Promised relative error.
const BOUND: f32 = 1e-3;

/// What `INDEX.json` calls the models that predict tokens.
const KIND: &str = "causal";

struct Golden {
    name: String,
    folder: std::path::PathBuf,
    json: Value,
    tensors: Checkpoint,
}

fn goldens() -> Vec<Golden> {
    let Some(folder) = testkit::data("goldens_open") else { return vec![] };
    let read = |path: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON")
    };
    let index = read(&folder.join("INDEX.json"));
    let models = index.as_array().expect("a list").iter().filter(|m| m["kind"] == KIND);
    models
        .map(|model| {
            let name = model["name"].as_str().expect("a name").to_owned();
            let folder = folder.join("models").join(&name);
            let json = read(&folder.join("goldens.json"));
            let tensors = Checkpoint::open(folder.join("goldens.safetensors")).expect("opens");
            Golden { name, folder, json, tensors }
        })
        .collect()
}

impl Golden {
    fn ids(&self, prompt: &str, key: &str) -> Vec<u32> {
        let list = self.json[prompt][key].as_array().expect("ids");
        list.iter().map(|id| id.as_u64().expect("an id") as u32).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let logical = self.tensors.logical(name).expect("a golden tensor");
        let mut numbers = vec![0.0; logical.elements()];
        self.tensors.rows_f32(name, 0..logical.rows(), &mut numbers).expect("decodes");
        numbers
    }

    fn positions(&self, prompt: &str) -> Vec<usize> {
        let name = format!("pos_{prompt}");
        let tensor = self.tensors.tensor(&name).expect("positions").clone();
        let bytes = self.tensors.bytes(&tensor).expect("bytes");
        let width = bytes.len() / tensor.elements();
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0usize, |all, b| all << 8 | *b as usize);
        bytes.chunks_exact(width).map(number).collect()
    }

    /// The GGUF files of this model.
    fn ggufs(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&self.folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.extension().is_some_and(|e| e == "gguf")).collect()
    }
}

/// One sequence on one executor.
struct Session {
    executor: Box<dyn Executor>,
    pages: Vec<u32>,
    vocab: usize,
}

impl Session {
    fn new(backend: &dyn Backend, path: &Path) -> Result<Self, engine::Error> {
        let file = Arc::new(ModelFile::open(path)?);
        let pages = TOKENS_MAX / PAGE_TOKENS;
        let capacity = Capacity { rows: TOKENS_MAX, wanted: TOKENS_MAX, pages, kv: KvFormat::F32 };
        let vocab = file.model().vocab;
        let executor = backend.load(file, &capacity, &mut |_, _| {})?;
        Ok(Session { executor, pages: (0..pages as u32).collect(), vocab })
    }

    /// Logits of all `ids` from position `first`.
    fn logits(&mut self, ids: &[u32], first: usize, length: usize) -> Vec<f32> {
        let mut batch = Batch::default();
        batch.push(ids, first, &self.pages, length, 0..ids.len());
        self.executor.run(&batch).expect("runs").to_vec()
    }
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0.0, |all, x| all.max(x.abs()))
}

fn argmax(logits: &[f32]) -> u32 {
    let best =
        logits.iter().enumerate().fold(0, |best, (i, x)| if *x > logits[best] { i } else { best });
    best as u32
}

/// The largest error found relative to the largest logit, or what went wrong.
fn compare(golden: &Golden, backend: &dyn Backend, path: &Path) -> Result<f32, String> {
    let mut session = Session::new(backend, path).map_err(|error| error.to_string())?;
    let vocab = session.vocab;
    let mut worst = 0.0f32;
    for prompt in PROMPTS {
        let ids = golden.ids(prompt, "ids");
        let expected = golden.floats(&format!("logits_{prompt}"));
        let got = session.logits(&ids, 0, ids.len());
        let scale = largest(&expected);
        for (at, expected) in golden.positions(prompt).into_iter().zip(expected.chunks_exact(vocab))
        {
            let got = &got[at * vocab..][..vocab];
            let error = expected.iter().zip(got).fold(0.0f32, |all, (a, b)| {
                let error = (a - b).abs();
                if error.is_nan() { f32::INFINITY } else { all.max(error) }
            });
            worst = worst.max(error / scale);
        }
        if worst > BOUND {
            return Err(format!("{prompt}: off by {worst:.2e} of the largest logit"));
        }
        let margins = golden.json[prompt]["greedy_margins"].as_array().expect("margins");
        let mut all = ids.clone();
        let mut last = got[got.len() - vocab..].to_vec();
        for (step, id) in golden.ids(prompt, "greedy").into_iter().enumerate() {
            if margins[step].as_f64().expect("a margin") < f64::from(2.0 * BOUND * scale) {
                break;
            }
            let chosen = argmax(&last);
            if chosen != id {
                return Err(format!("{prompt}: greedy step {step} gave {chosen}, expected {id}"));
            }
            last = session.logits(&[id], all.len(), ids.len());
            all.push(id);
        }
    }
    Ok(worst)
}

fn check(backend: &dyn Backend, what: &str, gguf: bool) {
    let wanted = std::env::var("GOLDEN").ok();
    let mut failures = vec![];
    for golden in goldens() {
        if wanted.as_ref().is_some_and(|wanted| *wanted != golden.name) {
            continue;
        }
        let paths = if gguf { golden.ggufs() } else { vec![golden.folder.clone()] };
        for path in paths {
            // GGUF drops settings that this model needs (USING.md §2): not held against the reader.
            match compare(&golden, backend, &path) {
                Ok(worst) => println!("{what} {:20} {worst:.1e} {}", golden.name, path.display()),
                Err(why) => failures.push(format!("{} ({}): {why}", golden.name, path.display())),
            }
        }
    }
    assert!(failures.is_empty(), "{what}:\n{}", failures.join("\n"));
}

#[test]
fn reference_backend_agrees_from_safetensors() {
    check(&Reference, "reference", false);
}

#[test]
fn reference_backend_agrees_from_gguf() {
    check(&Reference, "reference", true);
}

#[test]
fn cpu_backend_agrees_on_every_instruction_set() {
    for isa in Isa::available() {
        check(&Cpu::new(isa, 2).with(Precision::Exact), isa.name(), false);
        check(&Cpu::new(isa, 2).with(Precision::Exact), isa.name(), true);
    }
}
