//! Runs the program; makes tiny models for it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};
use weights::{GgufWriter, SafetensorsWriter, gguf};

/// What came of a command.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Asserts the exit code and that the complaint holds all of `words`.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{} {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert_eq!(self.out, "", "a refusal gives no partial result");
    }
}

/// The program with an environment of its own.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
    command
        .env_clear()
        .env("FREEHOLD_HOME", home())
        .env("FREEHOLD_THREADS", "2")
        .stdin(Stdio::null());
    command
}

/// Runs it without input.
pub(crate) fn run(arguments: &[&str]) -> Done {
    done(program().args(arguments))
}

/// Runs it with bytes on standard input.
pub(crate) fn run_with(input: &[u8], arguments: &[&str]) -> Done {
    let mut command = program();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses early closes the pipe.
    drop(child.stdin.take().unwrap().write_all(input));
    finished(child.wait_with_output().unwrap())
}

pub(crate) fn done(command: &mut Command) -> Done {
    finished(command.output().unwrap())
}

fn finished(output: std::process::Output) -> Done {
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("what the program prints is UTF-8"),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A folder of this test run.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
        std::fs::create_dir_all(&path).unwrap();
        path
    })
}

pub(crate) fn home() -> PathBuf {
    folder().join("home")
}

/// A random Qwen3 of 260 tokens and 128 of context, as GGUF.
pub(crate) fn gguf() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| write_gguf("tiny.gguf", Some(TEMPLATE)))
}

/// The same without a chat template.
pub(crate) fn gguf_without_template() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| write_gguf("bare.gguf", None))
}

/// The same with a template that begins to think for the model.
pub(crate) fn gguf_that_thinks() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let template = TEMPLATE.replace("assistant\n{% if", "assistant\n<think>\n{% if");
        assert_ne!(template, TEMPLATE);
        write_gguf("thinks.gguf", Some(&template))
    })
}

/// The same as a Hugging Face folder.
pub(crate) fn hf() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(write_folder)
}

const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
{% if add_generation_prompt %}<|im_start|>assistant\n\
{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}";

const LAYERS: usize = 2;
const HIDDEN: usize = 32;
const VOCAB: usize = 260;
const SPECIALS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// GGUF's name, Hugging Face's name, shape; of every tensor.
fn tensors() -> Vec<(String, String, Vec<usize>)> {
    let mut all = vec![(
        "token_embd.weight".to_owned(),
        "model.embed_tokens.weight".to_owned(),
        vec![VOCAB, HIDDEN],
    )];
    for layer in 0..LAYERS {
        for (ours, theirs, shape) in [
            ("attn_norm", "input_layernorm", &[HIDDEN][..]),
            ("attn_q", "self_attn.q_proj", &[64, HIDDEN]),
            ("attn_k", "self_attn.k_proj", &[32, HIDDEN]),
            ("attn_v", "self_attn.v_proj", &[32, HIDDEN]),
            ("attn_q_norm", "self_attn.q_norm", &[16]),
            ("attn_k_norm", "self_attn.k_norm", &[16]),
            ("attn_output", "self_attn.o_proj", &[HIDDEN, 64]),
            ("ffn_norm", "post_attention_layernorm", &[HIDDEN]),
            ("ffn_gate", "mlp.gate_proj", &[96, HIDDEN]),
            ("ffn_up", "mlp.up_proj", &[96, HIDDEN]),
            ("ffn_down", "mlp.down_proj", &[HIDDEN, 96]),
        ] {
            all.push((
                format!("blk.{layer}.{ours}.weight"),
                format!("model.layers.{layer}.{theirs}.weight"),
                shape.to_vec(),
            ));
        }
    }
    all.push(("output_norm.weight".to_owned(), "model.norm.weight".to_owned(), vec![HIDDEN]));
    all
}

/// Numbers that depend on a tensor's name alone.
fn numbers(name: &str, shape: &[usize]) -> Vec<u8> {
    let mut state = name
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |s, b| (s ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let norm = if shape.len() == 1 { 1.0 } else { 0.0 };
    let numbers = (0..shape.iter().product()).map(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.6 + norm
    });
    numbers.flat_map(f32::to_le_bytes).collect()
}

/// GPT-2's letters for the 256 bytes.
fn letters() -> Vec<String> {
    let printable =
        |b: &u32| (33..=126).contains(b) || (161..=172).contains(b) || (174..=255).contains(b);
    let mut next = 256;
    let letter = |b: u32| {
        let code = if printable(&b) {
            b
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap().to_string()
    };
    (0..256).map(letter).collect()
}

fn vocabulary() -> Vec<String> {
    let words = letters().into_iter().chain(["he".to_owned()]);
    words.chain(SPECIALS.map(str::to_owned)).collect()
}

fn write_gguf(name: &str, template: Option<&str>) -> String {
    let path = folder().join(name);
    let mut writer = GgufWriter::new("qwen3");
    let tokens = vocabulary();
    let kinds: Vec<i32> = (0..VOCAB).map(|id| if id < 257 { 1 } else { 3 }).collect();
    let strings =
        |list: Vec<String>| gguf::Array::Str(list.into_iter().map(String::into_bytes).collect());
    writer
        .set("qwen3.block_count", LAYERS as u32)
        .set("qwen3.context_length", 128_u32)
        .set("qwen3.embedding_length", HIDDEN as u32)
        .set("qwen3.feed_forward_length", 96_u32)
        .set("qwen3.attention.head_count", 4_u32)
        .set("qwen3.attention.head_count_kv", 2_u32)
        .set("qwen3.attention.key_length", 16_u32)
        .set("qwen3.attention.value_length", 16_u32)
        .set("qwen3.attention.layer_norm_rms_epsilon", 1e-6_f32)
        .set("qwen3.rope.freq_base", 10_000_f32)
        .set("tokenizer.ggml.model", "gpt2".to_owned())
        .set("tokenizer.ggml.pre", "qwen2".to_owned())
        .set("tokenizer.ggml.tokens", gguf::Value::Array(strings(tokens)))
        .set("tokenizer.ggml.token_type", gguf::Value::Array(gguf::Array::I32(kinds)))
        .set("tokenizer.ggml.merges", gguf::Value::Array(strings(vec!["h e".to_owned()])))
        .set("tokenizer.ggml.eos_token_id", 259_u32)
        .set("tokenizer.ggml.padding_token_id", 257_u32)
        .set("tokenizer.ggml.add_bos_token", false);
    if let Some(template) = template {
        writer.set("tokenizer.chat_template", template.to_owned());
    }
    let tensors = tensors();
    for (name, _, shape) in &tensors {
        writer.tensor(name, shape, &quant::F32).unwrap();
    }
    writer
        .write(&path, |name, stream| {
            let (_, theirs, shape) = tensors.iter().find(|(ours, ..)| ours == name).unwrap();
            stream.put(&numbers(theirs, shape))
        })
        .unwrap();
    path.to_str().unwrap().to_owned()
}

fn write_folder() -> String {
    let path = folder().join("tiny");
    std::fs::create_dir_all(&path).unwrap();
    let put =
        |name: &str, value: &Value| std::fs::write(path.join(name), value.to_string()).unwrap();
    put(
        "config.json",
        &json!({
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": HIDDEN,
            "intermediate_size": 96, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "vocab_size": VOCAB, "rms_norm_eps": 1e-6,
            "rope_theta": 10_000.0, "max_position_embeddings": 128, "tie_word_embeddings": true,
            "hidden_act": "silu", "attention_bias": false
        }),
    );
    put(
        "generation_config.json",
        &json!({"eos_token_id": [259, 257], "temperature": 0.6, "top_k": 20}),
    );
    put("tokenizer_config.json", &json!({"eos_token": "<|im_end|>", "chat_template": TEMPLATE}));
    let vocab = vocabulary().into_iter().take(257).enumerate();
    let vocab: serde_json::Map<_, _> = vocab.map(|(id, token)| (token, json!(id))).collect();
    let added = SPECIALS.iter().enumerate().map(|(n, token)| {
        json!({"id": 257 + n, "content": token, "special": true, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false})
    });
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
    put(
        "tokenizer.json",
        &json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": added.collect::<Vec<_>>(), "normalizer": null,
            "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                      "ignore_merges": false, "vocab": vocab, "merges": ["h e"]}
        }),
    );
    let mut writer = SafetensorsWriter::new();
    let tensors = tensors();
    for (_, theirs, shape) in &tensors {
        writer.tensor(theirs, shape, &quant::F32).unwrap();
    }
    writer
        .write(&path.join("model.safetensors"), |name, stream| {
            let (_, theirs, shape) = tensors.iter().find(|(_, theirs, _)| theirs == name).unwrap();
            stream.put(&numbers(theirs, shape))
        })
        .unwrap();
    path.to_str().unwrap().to_owned()
}
