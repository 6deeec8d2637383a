//! `freehold logits` and `freehold tokenize`: the numbers others build on.

use serde_json::Value;
use weights::Checkpoint;

use crate::support::{folder, gguf, hf, run};

fn logits(arguments: &[&str]) -> Value {
    let done = run(&[&["logits"], arguments, &["--json"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    done.json()
}

#[test]
fn the_shape_is_as_documented() {
    let all = logits(&[gguf(), "--ids", "104,105,257", "--all", "--top", "4"]);
    assert_eq!(all["ids"], serde_json::json!([104, 105, 257]));
    let positions = all["positions"].as_array().unwrap();
    assert_eq!(positions.len(), 3);
    for (at, position) in positions.iter().enumerate() {
        assert_eq!(position["pos"], at);
        let top = position["top"].as_array().unwrap();
        assert_eq!(top.len(), 4);
        for pair in top.windows(2) {
            assert!(pair[0]["logit"].as_f64() >= pair[1]["logit"].as_f64(), "best first");
        }
        for best in top {
            assert!(best["logprob"].as_f64().unwrap() < 0.0);
            assert!(best["id"].as_u64().is_some() && best["token"].is_string());
        }
    }
    let last = logits(&[gguf(), "--ids", "104,105,257", "--top", "4"]);
    assert_eq!(last["positions"].as_array().unwrap().len(), 1);
    assert_eq!(last["positions"][0], positions[2]);
    let whole = logits(&[gguf(), "--ids", "1", "--top", "260"]);
    let total: f64 = whole["positions"][0]["top"]
        .as_array()
        .unwrap()
        .iter()
        .map(|best| best["logprob"].as_f64().unwrap().exp())
        .sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
}

#[test]
fn gguf_and_safetensors_of_a_model_agree_bit_for_bit() {
    for text in ["hello", "the naïve 🦙", "a <|im_end|> b"] {
        let of = |model| logits(&[model, "--prompt", text, "--all", "--top", "260"]);
        assert_eq!(of(gguf()), of(hf()), "{text}");
    }
}

#[test]
fn threads_and_instruction_sets_change_nothing_that_matters() {
    let one = logits(&[gguf(), "--prompt", "hello there", "--all", "--top", "9", "--threads", "1"]);
    let many =
        logits(&[gguf(), "--prompt", "hello there", "--all", "--top", "9", "--threads", "4"]);
    assert_eq!(one, many, "the determinism law");
    let mut scalar = crate::support::program();
    scalar.env("FREEHOLD_ISA", "scalar");
    let scalar = crate::support::done(scalar.args([
        "logits",
        gguf(),
        "--prompt",
        "hello there",
        "--top",
        "1",
        "--json",
    ]));
    let (a, b) = (
        &scalar.json()["positions"][0]["top"][0],
        &one["positions"].as_array().unwrap().last().unwrap()["top"][0],
    );
    let near = |name: &str| (a[name].as_f64().unwrap() - b[name].as_f64().unwrap()).abs();
    assert_eq!(a["id"], b["id"]);
    assert!(near("logit") < 1e-4);
}

#[test]
fn all_logits_go_into_a_file() {
    let path = folder().join("logits.safetensors");
    let ids = "104,105,257,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19";
    let report =
        logits(&[hf(), "--ids", ids, "--all", "--top", "2", "--out", path.to_str().unwrap()]);
    let file = Checkpoint::open(&path).unwrap();
    assert_eq!(file.tensors().len(), 1);
    let tensor = file.tensor("logits").unwrap();
    assert_eq!(tensor.shape, [22, 260]);
    let numbers: Vec<f32> = file
        .bytes(tensor)
        .unwrap()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    for (row, position) in numbers.chunks_exact(260).zip(report["positions"].as_array().unwrap()) {
        for best in position["top"].as_array().unwrap() {
            assert_eq!(
                f64::from(row[best["id"].as_u64().unwrap() as usize]) as f32,
                best["logit"].as_f64().unwrap() as f32
            );
        }
    }
}

#[test]
fn tokens_lead_back_to_the_text() {
    let text = "the naïve 🦙\n said: he<|im_end|>";
    for model in [gguf(), hf()] {
        let done = run(&["tokenize", model, text, "--json"]).json();
        let ids: Vec<String> =
            done["ids"].as_array().unwrap().iter().map(Value::to_string).collect();
        assert_eq!(done["ids"].as_array().unwrap().len(), done["tokens"].as_array().unwrap().len());
        assert_eq!(ids.last().unwrap(), "259", "a special token is one token");
        let back = run(&["tokenize", model, "--decode", &ids.join(","), "--json"]).json();
        assert_eq!(back["text"], text);
        let plain = run(&["tokenize", model, text, "--as-text", "--json"]).json();
        assert!(
            !plain["ids"].as_array().unwrap().contains(&259.into()),
            "a user's mark stays text"
        );
    }
}
