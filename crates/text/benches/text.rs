//! Text to ids, ids to text and conversations to prompts under criterion: changes between two runs, with
//! their spread.
//!
//! `cargo bench -p text --bench text [-- FILTER]`; tokenizing needs `../shared` for real vocabularies and
//! prose. For all vocabularies in one table see the bench `tokenize`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skipped"
)]

#[path = "../tests/tokenizer/gguf.rs"]
mod gguf;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use text::message::Message;
use text::template::{ChatTemplate, Ending, RenderRequest, Specials as Words};
use text::tokenizer::{Special, Specials, Tokenizer};

/// A template in the way of many: roles between marks, a system message of its own, white space trimmed.
const TEMPLATE: &str = "{%- if messages[0].role != 'system' -%}<|system|>\nYou help.<|end|>\n{%- endif -%}\
    {%- for message in messages -%}{%- if message.role not in ['system', 'user', 'assistant'] -%}\
    {{- raise_exception('unknown role ' ~ message.role) -}}{%- endif -%}\
    {{- '<|' ~ message.role ~ '|>\\n' ~ message.content | trim ~ '<|end|>\\n' -}}{%- endfor -%}\
    {%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}";

/// Whether this run measures, and does not only see that everything runs (`cargo test`, `-- --test`).
fn measured() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--bench") && !given("--test")
}

fn tokenize(c: &mut Criterion) {
    let (Some(vocabs), Some(prose)) =
        (testkit::data("vocab_gguf"), testkit::data("corpora/botchan_en.txt"))
    else {
        return;
    };
    let prose = std::fs::read_to_string(prose).unwrap();
    let bytes = if measured() { 16 << 10 } else { 256 };
    let prose = &prose[..prose.floor_char_boundary(bytes)];
    let names: &[&str] =
        if measured() { &["llama-bpe", "qwen2", "gpt-2", "llama-spm"] } else { &["gpt-2"] };
    for name in names {
        let plain = vocabs.join(format!("ggml-vocab-{name}.gguf"));
        let file = if plain.exists() { plain } else { plain.with_extension("gguf.xz") };
        let tokenizer = Tokenizer::from_gguf(&gguf::vocab(&file)).unwrap();
        let ids = tokenizer.encode(prose, Special::AsText).unwrap();
        let mut group = c.benchmark_group("encode");
        group.throughput(Throughput::Bytes(prose.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| tokenizer.encode(black_box(prose), Special::AsText).unwrap());
        });
        group.finish();
        let mut group = c.benchmark_group("decode");
        group.throughput(Throughput::Elements(ids.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| tokenizer.decode(black_box(&ids), Specials::Keep));
        });
    }
}

fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    for turns in [1, 32] {
        let messages: Vec<Message> = (0..turns * 2)
            .map(|turn| {
                Message::new(["user", "assistant"][turn % 2], "How high is it? ".repeat(20))
            })
            .collect();
        let template = ChatTemplate::new(TEMPLATE, Words::default(), "bench").unwrap();
        let request = RenderRequest {
            messages: &messages,
            ending: Ending::GenerationPrompt,
            ..RenderRequest::default()
        };
        let length = template.render(&request).unwrap().text().len();
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::new("turns", turns), |b| {
            b.iter(|| template.render(black_box(&request)).unwrap());
        });
    }
    group.finish();
    c.bench_function("parse template", |b| {
        b.iter(|| ChatTemplate::new(black_box(TEMPLATE), Words::default(), "bench").unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = tokenize, render
}
criterion_main!(benches);
