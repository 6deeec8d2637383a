//! Quantized files against logits of exactly the weights they hold, and a small trained model against
//! its reference's words.
//!
//! `../shared/data/quant_goldens`: transformers ran the weights that gguf-py decodes from each file.
//! Promised: exact precision within 1e-3 of the largest logit; fast precision (8-bit activations) within
//! the 0.5 of log-probability that llama.cpp's own 8-bit activations reach on the same files.
#![allow(clippy::print_stdout, reason = "figures for those who look")]

use std::{path::Path, sync::Arc};

use engine::{
    Cpu, Engine, Event, ModelFile, Precision, Request, Settings,
    sampler::{LogSoftmax, SamplerSettings},
};
use kernels::{Isa, KvFormat};
use serde_json::Value;
use weights::Checkpoint;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON")
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

fn floats(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let logical = checkpoint.logical(name).expect("a golden tensor");
    let mut numbers = vec![0.0; logical.elements()];
    checkpoint.rows_f32(name, 0..logical.rows(), &mut numbers).expect("decodes");
    numbers
}

fn load(path: &Path, isa: Isa, precision: Precision) -> Engine {
    let file =
        Arc::new(ModelFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
    let settings = Settings { context: Some(512), kv: KvFormat::F32, ..Settings::SINGLE };
    let cpu = Cpu::new(isa, 2).with(precision);
    Engine::load(file, &cpu, &settings, &mut |_, _| {}).expect("loads")
}

/// The last `rows` positions' logits.
fn last_logits(engine: &mut Engine, ids: &[u32], rows: usize) -> Vec<f32> {
    let mut all = vec![];
    engine
        .logits(ids, ids.len() - rows..ids.len(), &mut |_, logits| {
            all.extend_from_slice(logits);
            Ok(())
        })
        .expect("runs");
    all
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0.0, |all, x| all.max(x.abs()))
}

/// Largest difference of the 20 best tokens' log-probabilities, over all rows.
fn log_probability_error(got: &[f32], expected: &[f32], vocab: usize) -> f64 {
    let mut worst = 0.0f64;
    for (got, expected) in got.chunks_exact(vocab).zip(expected.chunks_exact(vocab)) {
        let (g, e) = (LogSoftmax::of(got), LogSoftmax::of(expected));
        let mut order: Vec<usize> = (0..vocab).collect();
        order.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]));
        for id in &order[..20] {
            worst = worst.max((g.logprob(got[*id]) - e.logprob(expected[*id])).abs());
        }
    }
    worst
}

#[test]
fn every_quantized_file_gives_the_logits_of_the_weights_it_holds() {
    let Some(folder) = testkit::data("quant_goldens/llama_k256") else { return };
    let goldens = json(&folder.join("goldens.json"));
    let mut failures = vec![];
    for quant in goldens["quants"].as_object().expect("quants").keys() {
        let path = folder.join(format!("llama_k256-{quant}.gguf"));
        let expected =
            Checkpoint::open(folder.join(format!("logits-{quant}.safetensors"))).expect("opens");
        for isa in Isa::available() {
            for precision in [Precision::Exact, Precision::Fast] {
                let mut engine = load(&path, isa, precision);
                let vocab = engine.model().vocab;
                for prompt in ["short", "long"] {
                    let ids = ids(&goldens[format!("ids_{prompt}")]);
                    let expected = floats(&expected, &format!("logits_{prompt}"));
                    let got = last_logits(&mut engine, &ids, expected.len() / vocab);
                    let pairs = got.iter().zip(&expected);
                    let error = pairs.fold(0.0f32, |all, (a, b)| all.max((a - b).abs()));
                    let relative = error / largest(&expected);
                    let words = log_probability_error(&got, &expected, vocab);
                    println!(
                        "{quant:7} {isa:7} {precision:?} {prompt:5} {relative:.1e} of the largest, {words:.3} nats"
                    );
                    let good = match precision {
                        Precision::Exact => relative <= 1e-3,
                        Precision::Fast => words <= 0.5,
                    };
                    if !good {
                        failures.push(format!(
                            "{quant} {isa} {precision:?} {prompt}: {relative:.1e}, {words:.3}"
                        ));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn fp8_with_block_scales_gives_the_logits_of_the_weights_it_holds() {
    let Some(folder) = testkit::data("quant_goldens/qwen3_fp8") else { return };
    let goldens = json(&folder.join("goldens.json"));
    let expected = Checkpoint::open(folder.join("goldens.safetensors")).expect("opens");
    let mut engine = load(&folder, Isa::best(), Precision::Exact);
    let vocab = engine.model().vocab;
    for (prompt, name) in [("short", "logits_short"), ("long", "logits_long_last16")] {
        let key = if goldens[format!("ids_{prompt}")].is_array() {
            goldens[format!("ids_{prompt}")].clone()
        } else {
            goldens[prompt]["ids"].clone()
        };
        let ids = ids(&key);
        let expected = floats(&expected, name);
        let got = last_logits(&mut engine, &ids, expected.len() / vocab);
        let error = got.iter().zip(&expected).fold(0.0f32, |all, (a, b)| all.max((a - b).abs()));
        assert!(error <= 1e-3 * largest(&expected), "{prompt}: off by {error}");
    }
}

#[test]
fn a_trained_model_tells_its_story() {
    let Some(folder) = testkit::data("stories260K") else { return };
    let goldens = json(&folder.join("goldens.json"));
    for path in [folder.join("hf"), folder.join("stories260K-f32.gguf")] {
        for isa in Isa::available() {
            let mut engine = load(&path, isa, Precision::Fast);
            for (name, golden) in goldens["greedy"].as_object().expect("prompts") {
                let expected = ids(&golden["continuation"]);
                engine
                    .submit(Request {
                        max_tokens: Some(expected.len()),
                        sampler: SamplerSettings::greedy(),
                        ..Request::new(ids(&golden["ids"]))
                    })
                    .expect("submits");
                let events = engine.run_to_end().expect("runs");
                let got: Vec<u32> = events
                    .iter()
                    .filter_map(|event| match event {
                        Event::Token { id, .. } => Some(*id),
                        _ => None,
                    })
                    .collect();
                assert_eq!(got, expected, "{} {isa} {name}", path.display());
            }
        }
    }
}
