//! The determinism law and the plan's honesty, over every family, instruction set and cache format.
//!
//! A sequence's logits are the same bits alone or in a batch, computed at once or in pieces or token by
//! token, on one thread or several, from fresh pages or scattered ones. What is planned is allocated.

use std::{path::PathBuf, sync::Arc};

use engine::{
    Backend, Batch, Capacity, Cpu, Engine, Event, Executor, ModelFile, Request, RequestId,
    Settings, sampler::SamplerSettings,
};
use kernels::{Isa, KvFormat, PAGE_TOKENS};

const TOKENS: usize = 80;

/// Every golden model that predicts tokens, in every file it comes in, and quantized ones.
fn models() -> Vec<PathBuf> {
    let mut found = vec![];
    if let Some(folder) = testkit::data("goldens_open/models") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            found.push(entry.expect("an entry").path());
        }
    }
    if let Some(folder) = testkit::data("quant_goldens/llama_k256") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "gguf") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn files() -> Vec<(PathBuf, Arc<ModelFile>)> {
    // Embedders of other architectures lie among the goldens; they are not ours to run here.
    let open = |path: PathBuf| match ModelFile::open(&path) {
        Ok(file) => Some((path, Arc::new(file))),
        Err(error) if engine::is_unknown_architecture(&error) => None,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    models().into_iter().filter_map(open).collect()
}

fn capacity(kv: KvFormat) -> Capacity {
    Capacity { rows: 2 * TOKENS, wanted: 2 * TOKENS, pages: 16, kv }
}

fn load(file: &Arc<ModelFile>, isa: Isa, threads: usize, kv: KvFormat) -> Box<dyn Executor> {
    Cpu::new(isa, threads).load(Arc::clone(file), &capacity(kv), &mut |_, _| {}).expect("loads")
}

fn ids(count: usize, seed: u32, vocab: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (i * 37 + seed * 101 + 7) % vocab as u32).collect()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|x| x.to_bits()).collect()
}

fn pages(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

#[test]
fn a_sequence_computes_the_same_bits_in_any_company() {
    let needed = (TOKENS / PAGE_TOKENS + 1) as u32;
    for (path, file) in files() {
        let vocab = file.model().vocab;
        let (a, b) = (ids(TOKENS, 1, vocab), ids(50, 2, vocab));
        for isa in Isa::available() {
            for kv in [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0] {
                let what = format!("{} {isa} {kv:?}", path.display());
                let mut batch = Batch::default();
                batch.push(&a, 0, &pages(0..needed), TOKENS, 0..a.len());
                let mut executor = load(&file, isa, 1, kv);
                let whole = bits(executor.run(&batch).expect("runs"));

                let mut two = load(&file, isa, 2, kv);
                assert_eq!(bits(two.run(&batch).expect("runs")), whole, "{what}: two threads");

                // Another sequence first, pages out of order, chunks of uneven length.
                let scattered = [9, 3, 12, 5];
                let mut at = 0;
                let mut got = vec![];
                for chunk in [1, 30, 1, 33, 15] {
                    batch.clear();
                    if at == 0 {
                        batch.push(&b, 0, &pages(6..8), b.len(), 0..0);
                    }
                    batch.push(&a[at..at + chunk], at, &scattered, TOKENS, 0..chunk);
                    got.extend(bits(two.run(&batch).expect("runs")));
                    at += chunk;
                }
                assert_eq!(at, TOKENS);
                assert!(got == whole, "{what}: in pieces, beside another sequence");
            }
        }
    }
}

#[test]
fn token_by_token_equals_all_at_once() {
    for (path, file) in files() {
        let tokens = ids(40, 3, file.model().vocab);
        let needed = pages(0..2);
        for isa in Isa::available() {
            let mut executor = load(&file, isa, 2, KvFormat::F16);
            let mut batch = Batch::default();
            batch.push(&tokens, 0, &needed, tokens.len(), 0..tokens.len());
            let whole = bits(executor.run(&batch).expect("runs"));
            let mut single = vec![];
            for (position, id) in tokens.iter().enumerate() {
                batch.clear();
                batch.push(&[*id], position, &needed, tokens.len(), 0..1);
                single.extend(bits(executor.run(&batch).expect("runs")));
            }
            assert!(single == whole, "{} {isa}", path.display());
        }
    }
}

#[test]
fn planned_bytes_are_allocated_bytes() {
    for (path, file) in files() {
        for isa in Isa::available() {
            for kv in [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0] {
                let planned = Cpu::new(isa, 1).plan(&file, &capacity(kv)).expect("plans");
                let held = load(&file, isa, 1, kv).memory();
                assert_eq!(planned, held, "{} {isa} {kv:?}", path.display());
            }
        }
    }
}

fn request(prompt: Vec<u32>, seed: u64) -> Request {
    let sampler = SamplerSettings { seed, ..SamplerSettings::chat() };
    Request { max_tokens: Some(12), sampler, ..Request::new(prompt) }
}

fn answers(engine: &mut Engine) -> Vec<(RequestId, Vec<u32>)> {
    let mut answers: std::collections::BTreeMap<RequestId, Vec<u32>> =
        std::collections::BTreeMap::new();
    for event in engine.run_to_end().expect("runs") {
        if let Event::Token { request, id, .. } = event {
            answers.entry(request).or_default().push(id);
        }
    }
    answers.into_iter().collect()
}

fn small(file: &Arc<ModelFile>, sequences: usize, chunk: usize) -> Engine {
    let settings = Settings { context: Some(128), sequences, chunk, ..Settings::SINGLE };
    let cpu = Cpu::new(Isa::best(), 2);
    Engine::load(Arc::clone(file), &cpu, &settings, &mut |_, _| {}).expect("loads")
}

#[test]
fn answers_are_the_same_alone_and_among_others() {
    for (path, file) in files() {
        let vocab = file.model().vocab;
        let prompts: Vec<Vec<u32>> = (0..5).map(|i| ids(10 + 13 * i as usize, i, vocab)).collect();
        let alone: Vec<Vec<u32>> = prompts
            .iter()
            .zip(0..)
            .map(|(prompt, seed)| {
                let mut engine = small(&file, 1, 128);
                engine.submit(request(prompt.clone(), seed)).expect("submits");
                answers(&mut engine).remove(0).1
            })
            .collect();
        // Room for two full sequences only: the others wait, and some are put back.
        let mut engine = small(&file, 2, 9);
        for (prompt, seed) in prompts.iter().zip(0..) {
            engine.submit(request(prompt.clone(), seed)).expect("submits");
        }
        let together: Vec<Vec<u32>> =
            answers(&mut engine).into_iter().map(|(_, ids)| ids).collect();
        assert_eq!(together, alone, "{}", path.display());
    }
}

#[test]
fn a_conversation_reuses_its_prefix_and_says_the_same() {
    for (path, file) in files() {
        let vocab = file.model().vocab;
        let first = ids(40, 5, vocab);
        let mut engine = small(&file, 2, 16);
        engine.submit(request(first.clone(), 4)).expect("submits");
        let mut second = first;
        second.extend(answers(&mut engine).remove(0).1);
        second.extend(ids(9, 6, vocab));

        engine.submit(request(second.clone(), 5)).expect("submits");
        let mut cached = 0;
        let mut reused = vec![];
        for event in engine.run_to_end().expect("runs") {
            match event {
                Event::Token { id, .. } => reused.push(id),
                Event::Finished { usage, .. } => cached = usage.cached_tokens,
                _ => {}
            }
        }
        let mut fresh = small(&file, 1, 128);
        fresh.submit(request(second, 5)).expect("submits");
        assert_eq!(reused, answers(&mut fresh).remove(0).1, "{}", path.display());
        // Models that turn long sequences another way compute them anew.
        let anew = file.model().graph.ropes.iter().any(|r| r.variant(40) != r.variant(61));
        assert!(anew || cached >= 51, "{}: {cached} tokens reused", path.display());
    }
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_with_both_numbers() {
    let Some((_, file)) = files().into_iter().next() else { return };
    let mut engine = small(&file, 1, 64);
    let error = engine.submit(request(ids(128, 1, file.model().vocab), 1)).expect_err("too long");
    let text = error.to_string();
    assert!(text.contains("128"), "{text}");

    let mut shifting = request(ids(300, 1, file.model().vocab), 1);
    shifting.overflow = engine::Overflow::Shift { keep: 4 };
    shifting.max_tokens = Some(200);
    engine.submit(shifting).expect("submits");
    assert_eq!(answers(&mut engine).remove(0).1.len(), 200, "goes on past the context");
}

#[test]
fn absurd_requests_are_refused_before_anything_is_computed() {
    let Some((_, file)) = files().into_iter().next() else { return };
    let vocab = file.model().vocab;
    let mut engine = small(&file, 1, 64);
    let mut none = request(ids(3, 1, vocab), 1);
    none.choices = 0;
    assert!(engine.submit(none).is_err(), "no answers");
    assert!(engine.submit(request(vec![], 1)).is_err(), "empty prompt");
    assert!(engine.submit(request(vec![vocab as u32], 1)).is_err(), "unknown token");
    let mut hot = request(ids(3, 1, vocab), 1);
    hot.sampler.temperature = f32::NAN;
    assert!(engine.submit(hot).is_err(), "temperature NaN");
    assert!(engine.is_idle());
}
