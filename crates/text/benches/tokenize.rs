//! How fast text becomes ids and ids text, in MB/s on one thread.
//!
//! `cargo bench -p text --bench tokenize`; needs `../shared` for real vocabularies and prose.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skipped"
)]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/tokenizer/gguf.rs"]
mod gguf;

use std::time::Instant;

use text::tokenizer::{Special, Specials, Tokenizer};

fn main() {
    let (Some(vocabs), Some(prose)) =
        (testkit::data("vocab_gguf"), testkit::data("corpora/botchan_en.txt"))
    else {
        return;
    };
    let Ok(prose) = std::fs::read_to_string(prose) else { return };
    // `cargo test` runs benches with `--test`: small, so that they never rot
    let rounds = if std::env::args().any(|argument| argument == "--test") { 1 } else { 20 };
    println!("{:<24} {:>10} {:>10} {:>12}", "vocabulary", "encode", "decode", "bytes/token");
    for name in ["llama-bpe", "qwen2", "gpt-2", "deepseek-llm", "llama-spm", "gemma-4", "bert-bge"]
    {
        let plain = vocabs.join(format!("ggml-vocab-{name}.gguf"));
        let file = if plain.exists() { plain } else { plain.with_extension("gguf.xz") };
        let Ok(tokenizer) = Tokenizer::from_gguf(&gguf::vocab(&file)) else { continue };
        let started = Instant::now();
        let mut ids = Vec::new();
        for _ in 0..rounds {
            ids = tokenizer.encode(&prose, Special::AsText).unwrap_or_default();
        }
        let encode = started.elapsed().as_secs_f64();
        let started = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(tokenizer.decode(&ids, Specials::Keep));
        }
        let decode = started.elapsed().as_secs_f64();
        let megabytes = (prose.len() * rounds) as f64 / 1e6;
        println!(
            "{name:<24} {:>7.1} MB/s {:>5.1} MB/s {:>7.2}",
            megabytes / encode,
            megabytes / decode,
            prose.len() as f64 / ids.len() as f64,
        );
    }
}
