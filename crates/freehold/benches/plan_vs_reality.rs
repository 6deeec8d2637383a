//! Holds `freehold plan` against what then happens: peak memory within 3 %, decode speed within 15 %.
//!
//!     cargo bench -p freehold --bench plan_vs_reality -- /tmp/models --make
//!     cargo bench -p freehold --bench plan_vs_reality -- /tmp/models
//!
//! Every GGUF file of the folder is planned, run and timed. With `--make`, models that are missing there are
//! written and nothing else is done: three shapes (Llama 3.2 1B, Qwen3 0.6B, TinyLlama 1.1B) in four formats, with one byte
//! all over in place of weights, since neither memory nor speed depends on their values.
//!
//! Memory is the most anonymous memory the process ever had (`RssAnon`, looked at every two milliseconds
//! while a prompt fills the whole context): pages of the model's file are the system's to drop. Speed is the
//! median of `freehold bench`. Both run on the same quiet machine as the timings the plan rests on.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use quant::Format;
use serde_json::Value;
use weights::{GgufWriter, gguf};

/// Tokens of the context when memory is measured.
const CONTEXT: usize = 1024;
/// Tokens that are generated when speed is measured.
const TOKENS: usize = 64;
/// How far memory may be off.
const MEMORY_MAX: f64 = 0.03;
/// How far speed may be off.
const SPEED_MAX: f64 = 0.15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let folder = arguments.iter().find(|arg| !arg.starts_with("--"));
    let Some(folder) = folder.map(PathBuf::from) else {
        println!("skipped: name a folder of GGUF files, after -- (with --make to write them)");
        return ExitCode::SUCCESS;
    };
    if arguments.iter().any(|arg| arg == "--make") {
        make(&folder);
        return ExitCode::SUCCESS;
    }
    let mut models: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "gguf"))
        // Smaller ones say nothing: the program itself is most of them.
        .filter(|path| fs::metadata(path).unwrap().len() > 64 << 20)
        .collect();
    models.sort();
    let home = tempfile::tempdir().unwrap();
    println!(
        "{:<28} {:>9} {:>9} {:>7}   {:>8} {:>8} {:>7}",
        "model", "planned", "measured", "off", "foretold", "measured", "off"
    );
    let mut worst = (0.0_f64, 0.0_f64);
    for model in &models {
        let memory = memory(home.path(), model);
        let speed = speed(home.path(), model);
        let off = |(foretold, measured): (f64, f64)| foretold / measured - 1.0;
        let (memory_off, speed_off) = (off(memory), off(speed));
        worst = (worst.0.max(memory_off.abs()), worst.1.max(speed_off.abs()));
        println!(
            "{:<28} {:>5.0} MiB {:>5.0} MiB {:>+6.1}%   {:>4.1} t/s {:>4.1} t/s {:>+6.1}%",
            model.file_stem().unwrap().to_string_lossy(),
            memory.0 / f64::from(1 << 20),
            memory.1 / f64::from(1 << 20),
            100.0 * memory_off,
            speed.0,
            speed.1,
            100.0 * speed_off,
        );
    }
    println!(
        "{} models; worst: memory {:.1} % (at most {:.0} %), speed {:.1} % (at most {:.0} %)",
        models.len(),
        100.0 * worst.0,
        100.0 * MEMORY_MAX,
        100.0 * worst.1,
        100.0 * SPEED_MAX
    );
    if worst.0 <= MEMORY_MAX && worst.1 <= SPEED_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
    command.env("FREEHOLD_HOME", home).env_remove("FREEHOLD_POLICY").stdin(Stdio::null());
    command
}

fn json(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Bytes as planned, and as the process had them at most.
fn memory(home: &Path, model: &Path) -> (f64, f64) {
    let context = CONTEXT.to_string();
    let plan = json(program(home).arg("plan").arg(model).args(["--ctx", &context, "--json"]));
    let planned = plan["options"][0]["memory"]["total"].as_f64().unwrap();
    // A prompt that fills all but the answer's part, of ids from all over the vocabulary.
    let answer = 32;
    let ids: Vec<String> =
        (0..CONTEXT - answer).map(|at| (1000 + at * 7919 % 30_000).to_string()).collect();
    let ids = ids.join(",");
    let tokens = answer.to_string();
    let mut child = program(home)
        .arg("run")
        .arg(model)
        .args(["--ids", &ids, "--ctx", &context, "-n", &tokens, "--ignore-eos", "--json"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    (planned, (most * 1024) as f64)
}

/// Tokens a second as foretold, and as measured.
fn speed(home: &Path, model: &Path) -> (f64, f64) {
    let tokens = TOKENS.to_string();
    let plan = json(program(home).arg("plan").arg(model).args(["--ctx", &tokens, "--json"]));
    let speeds = &plan["options"][0]["generation_tokens_per_s"];
    let [start, end] = ["at_start", "at_context"].map(|key| speeds[key].as_f64().unwrap());
    let foretold = 2.0 / (1.0 / start + 1.0 / end);
    let line = ["-p", "0", "-n", &tokens, "-r", "5", "--json"];
    let measured = json(program(home).arg("bench").arg(model).args(line));
    (foretold, measured["tokens_per_s"]["median"].as_f64().unwrap())
}

/// A model's measures.
struct Shape {
    name: &'static str,
    architecture: &'static str,
    layers: u32,
    hidden: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    ffn: u32,
    vocab: u32,
    /// The kind of vocabulary, and its pre-tokenizer if it has merges.
    words: (&'static str, Option<&'static str>),
    output: Output,
}

/// Whether the output head is the embedding.
#[derive(PartialEq)]
enum Output {
    Tied,
    Own,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "llama-3.2-1b",
        architecture: "llama",
        layers: 16,
        hidden: 2048,
        heads: 32,
        kv_heads: 8,
        head_dim: 64,
        ffn: 8192,
        vocab: 128_256,
        words: ("gpt2", Some("llama-bpe")),
        output: Output::Tied,
    },
    Shape {
        name: "qwen3-0.6b",
        architecture: "qwen3",
        layers: 28,
        hidden: 1024,
        heads: 16,
        kv_heads: 8,
        head_dim: 128,
        ffn: 3072,
        vocab: 151_936,
        words: ("gpt2", Some("qwen2")),
        output: Output::Tied,
    },
    Shape {
        name: "tinyllama-1.1b",
        architecture: "llama",
        layers: 22,
        hidden: 2048,
        heads: 32,
        kv_heads: 4,
        head_dim: 64,
        ffn: 5632,
        vocab: 32_000,
        words: ("llama", None),
        output: Output::Own,
    },
];

/// Names as llama.cpp gives them, with the format of most matrices and that of the better kept ones.
const FORMATS: [(&str, &Format, &Format); 4] = [
    ("Q8_0", &quant::Q8_0, &quant::Q8_0),
    ("Q6_K", &quant::Q6_K, &quant::Q6_K),
    ("Q4_K_M", &quant::Q4_K, &quant::Q6_K),
    ("Q4_0", &quant::Q4_0, &quant::Q6_K),
];

/// Reads as small whole codes and small, ordinary scales in every format.
const BYTE: u8 = 0x11;

fn make(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for shape in &SHAPES {
        for (name, most, best) in FORMATS {
            let path = folder.join(format!("{}-{name}.gguf", shape.name));
            if !path.exists() {
                println!("writing {}", path.display());
                shape.write(&path, most, best);
            }
        }
    }
}

impl Shape {
    fn write(&self, path: &Path, most: &'static Format, best: &'static Format) {
        let mut writer = GgufWriter::new(self.architecture);
        let mut set = |key: &str, value: u32| {
            writer.set(&format!("{}.{key}", self.architecture), value);
        };
        set("block_count", self.layers);
        set("context_length", 8192);
        set("embedding_length", self.hidden);
        set("feed_forward_length", self.ffn);
        set("attention.head_count", self.heads);
        set("attention.head_count_kv", self.kv_heads);
        set("attention.key_length", self.head_dim);
        set("attention.value_length", self.head_dim);
        set("rope.dimension_count", self.head_dim);
        writer
            .set(&format!("{}.attention.layer_norm_rms_epsilon", self.architecture), 1e-5_f32)
            .set(&format!("{}.rope.freq_base", self.architecture), 10_000_f32);
        self.words(&mut writer);
        let (hidden, ffn) = (self.hidden as usize, self.ffn as usize);
        let queries = (self.heads * self.head_dim) as usize;
        let keys = (self.kv_heads * self.head_dim) as usize;
        let table = [self.vocab as usize, hidden];
        let mut add = |name: &str, shape: &[usize], format: &'static Format| {
            let format = if shape.len() == 1 { &quant::F32 } else { format };
            writer.tensor(name, shape, format).unwrap();
        };
        add("token_embd.weight", &table, if self.output == Output::Tied { best } else { most });
        if self.output == Output::Own {
            add("output.weight", &table, best);
        }
        add("output_norm.weight", &[hidden], most);
        for layer in 0..self.layers {
            // Half of the layers keep their values better, as the _M mixtures do.
            let kept = if layer % 2 == 0 { best } else { most };
            let mut own = |name: &str, shape: &[usize], format| {
                add(&format!("blk.{layer}.{name}.weight"), shape, format);
            };
            own("attn_norm", &[hidden], most);
            own("attn_q", &[queries, hidden], most);
            own("attn_k", &[keys, hidden], most);
            own("attn_v", &[keys, hidden], kept);
            own("attn_output", &[hidden, queries], most);
            if self.architecture == "qwen3" {
                own("attn_q_norm", &[self.head_dim as usize], most);
                own("attn_k_norm", &[self.head_dim as usize], most);
            }
            own("ffn_norm", &[hidden], most);
            own("ffn_gate", &[ffn, hidden], most);
            own("ffn_up", &[ffn, hidden], most);
            own("ffn_down", &[hidden, ffn], kept);
        }
        let piece = vec![BYTE; 1 << 20];
        writer
            .write(path, |_, stream| {
                let missing = usize::try_from(stream.missing()).unwrap();
                stream.put(&piece[..missing.min(piece.len())])
            })
            .unwrap();
    }

    /// A vocabulary of the real one's size, with merges where that kind has them.
    fn words(&self, writer: &mut GgufWriter) {
        let strings = |list: Vec<String>| {
            gguf::Value::Array(gguf::Array::Str(list.into_iter().map(String::into_bytes).collect()))
        };
        let count = self.vocab as usize;
        let (model, pre) = self.words;
        writer.set("tokenizer.ggml.model", model.to_owned());
        let letters = letters();
        let mut tokens: Vec<String> = if pre.is_some() { letters.clone() } else { spm() };
        let mut merges = vec![];
        // Two letters, then three: each is made of a shorter one and a letter.
        let mut from = 0;
        while tokens.len() < count - 2 {
            let word = if from == 0 { letters.len() } else { tokens.len() };
            for at in from..word {
                for letter in &letters[..letters.len().min(94)] {
                    let (left, right) = (tokens[at].clone(), letter);
                    if tokens.len() < count - 2 && !left.starts_with('<') {
                        tokens.push(format!("{left}{right}"));
                        merges.push(format!("{left} {right}"));
                    }
                }
            }
            from = word;
        }
        tokens.extend(["<|end|>".to_owned(), "<|pad|>".to_owned()]);
        let special = |at: usize| i32::from(at >= count - 2) * 2 + 1;
        let kinds: Vec<i32> = match pre {
            Some(_) => (0..count).map(special).collect(),
            None => {
                (0..count).map(|at| if (3..259).contains(&at) { 6 } else { special(at) }).collect()
            }
        };
        writer
            .set("tokenizer.ggml.tokens", strings(tokens))
            .set("tokenizer.ggml.token_type", gguf::Value::Array(gguf::Array::I32(kinds)))
            .set("tokenizer.ggml.eos_token_id", self.vocab - 2);
        match pre {
            Some(pre) => {
                writer
                    .set("tokenizer.ggml.pre", pre.to_owned())
                    .set("tokenizer.ggml.merges", strings(merges));
            }
            None => {
                let scores = (0..count).map(|at| -(at as f32)).collect();
                writer.set("tokenizer.ggml.scores", gguf::Value::Array(gguf::Array::F32(scores)));
            }
        }
    }
}

/// GPT-2's letters for the 256 bytes.
fn letters() -> Vec<String> {
    let printable =
        |b: &u32| (33..=126).contains(b) || (161..=172).contains(b) || (174..=255).contains(b);
    let shown = (0..256).filter(printable);
    let hidden = (0..256).filter(|b| !printable(b)).enumerate().map(|(at, _)| 256 + at as u32);
    shown.chain(hidden).map(|code| char::from_u32(code).unwrap().to_string()).collect()
}

/// What a SentencePiece vocabulary begins with.
fn spm() -> Vec<String> {
    let head = ["<unk>", "<s>", "</s>"].map(str::to_owned).into_iter();
    head.chain((0..256).map(|byte| format!("<0x{byte:02X}>"))).chain(letters()).collect()
}
