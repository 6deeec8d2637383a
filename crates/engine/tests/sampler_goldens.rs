//! Each step alone against the logits processors of transformers (`goldens_open/samplers`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use engine::sampler::{Sampler, SamplerSettings};
use serde_json::Value;

/// A golden's name, and the settings that switch on just that step, from its parameters.
fn settings(processor: &str, params: &Value) -> SamplerSettings {
    let number = |name: &str| params[name].as_f64().unwrap();
    let mut settings = SamplerSettings::default();
    let (ours, theirs) = match processor {
        "temperature" => ("temperature", "temperature"),
        "top_k" => ("top_k", "top_k"),
        "top_p" => ("top_p", "top_p"),
        "top_p_tiny" => ("top_p", "top_p_tiny"),
        "min_p" => ("min_p", "min_p"),
        "typical" => ("typical_p", "typical"),
        "epsilon" => ("epsilon_cutoff", "epsilon"),
        "eta" => ("eta_cutoff", "eta"),
        "repetition" => ("repetition_penalty", "repetition"),
        "no_repeat_ngram" => ("no_repeat_ngram_size", "no_repeat_ngram"),
        other => panic!("a golden for {other}, which no step covers"),
    };
    settings.set(ours, number(theirs)).unwrap();
    settings
}

#[test]
fn every_step_keeps_and_computes_what_the_reference_does() {
    let Some(path) = testkit::data("goldens_open/samplers/goldens.json") else { return };
    let goldens: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = goldens["cases"].as_array().unwrap();
    let mut checked = 0;
    for input in cases.iter().filter(|case| case["processor"] == "INPUT") {
        let vocab = input["vocab"].as_u64().unwrap() as usize;
        let logits: Vec<f32> = floats(&input["logits"]).into_iter().flatten().collect();
        let before: Vec<u32> = input["prev_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect();
        for case in cases.iter().filter(|case| case["vocab"] == vocab && *case != input) {
            let name = case["processor"].as_str().unwrap();
            let mut sampler = Sampler::new(settings(name, &goldens["params"]), vocab).unwrap();
            sampler.prompt(&before);
            let kept = sampler.candidates(&logits, None).unwrap();
            assert_eq!(kept.len() as u64, case["kept"].as_u64().unwrap(), "{name} of {vocab}");
            if let Some(ids) = case["kept_ids"].as_array() {
                let ids: Vec<u64> = ids.iter().map(|id| id.as_u64().unwrap()).collect();
                assert_eq!(kept.iter().map(|c| u64::from(c.id)).collect::<Vec<_>>(), ids, "{name}");
            }
            if case["out"].is_array() {
                compare(name, &kept, &floats(&case["out"]));
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 30);
}

/// Equal but for a shift common to all tokens, which a distribution does not see.
fn compare(name: &str, kept: &[engine::sampler::Candidate], expected: &[Option<f32>]) {
    let ids: Vec<usize> = (0..expected.len()).filter(|&id| expected[id].is_some()).collect();
    assert_eq!(kept.iter().map(|c| c.id as usize).collect::<Vec<_>>(), ids, "{name}");
    let best = |values: &mut dyn Iterator<Item = f32>| values.fold(f32::NEG_INFINITY, f32::max);
    let shift =
        best(&mut expected.iter().copied().flatten()) - best(&mut kept.iter().map(|c| c.logit));
    assert!(name == "temperature" || shift.abs() < 1e-6, "{name} shifts by {shift}");
    for (own, theirs) in kept.iter().zip(expected.iter().copied().flatten()) {
        assert!((own.logit + shift - theirs).abs() < 2e-5, "{name}: {own:?}, expected {theirs}");
    }
}

fn floats(list: &Value) -> Vec<Option<f32>> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().map(|x| x as f32)).collect()
}
