//! A real, trained model of 260 thousand parameters tells its stories, word for word as its reference does.

use serde_json::Value;

use crate::support::{Done, run};

/// The folder with the model, and what the reference made of it.
fn stories() -> Option<(String, Value)> {
    let Some(shared) = testkit::shared() else {
        println!("skipped: ../shared is not here");
        return None;
    };
    let folder = shared.join("data/stories260K");
    let goldens = std::fs::read(folder.join("goldens.json")).unwrap();
    Some((folder.to_str().unwrap().to_owned(), serde_json::from_slice(&goldens).unwrap()))
}

fn told(model: &str, prompt: &str, more: &[&str]) -> Done {
    let base = ["run", model, prompt, "--raw", "--temperature", "0", "--max-tokens", "100"];
    run(&[&base[..], more].concat())
}

fn tells_its_stories(file: &str) {
    let Some((folder, goldens)) = stories() else { return };
    let model = format!("{folder}/{file}");
    let cases = goldens["greedy"].as_object().unwrap();
    assert_eq!(cases.len(), 4);
    for (name, case) in cases {
        let prompt = case["prompt"].as_str().unwrap();
        let answer = told(&model, prompt, &["--json"]).json();
        assert_eq!(answer["ids"], case["continuation"], "{file} {name}");
        let text = format!("{prompt}{}", answer["text"].as_str().unwrap());
        assert_eq!(text, case["text"].as_str().unwrap(), "{file} {name}");
        assert_eq!(answer["finish_reason"], "length");
        assert_eq!(answer["usage"]["prompt_tokens"], case["ids"].as_array().unwrap().len());
        assert_eq!(answer["usage"]["completion_tokens"], 100);
        // What is printed for people is the same text.
        let plain = told(&model, prompt, &[]);
        assert_eq!(plain.out.strip_suffix('\n'), answer["text"].as_str(), "{file} {name}");
    }
}

#[test]
fn from_safetensors() {
    tells_its_stories("hf");
}

#[test]
fn from_gguf() {
    tells_its_stories("stories260K-f32.gguf");
}

#[test]
fn ids_are_taken_in_place_of_a_prompt() {
    let Some((folder, goldens)) = stories() else { return };
    let case = &goldens["greedy"]["once"];
    let ids: Vec<String> = case["ids"].as_array().unwrap().iter().map(Value::to_string).collect();
    let (model, ids) = (format!("{folder}/hf"), ids.join(","));
    let base = ["run", &model, "--ids", &ids, "--temperature", "0", "-n", "100", "--json"];
    assert_eq!(run(&base).json()["ids"], case["continuation"]);
}

#[test]
fn the_tokenizer_reads_as_its_reference() {
    let Some((folder, goldens)) = stories() else { return };
    for case in goldens["encode"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        for file in ["hf", "stories260K-f32.gguf", "stories260K-q8_0.gguf"] {
            let model = format!("{folder}/{file}");
            let done = run(&["tokenize", &model, text, "--bare", "--json"]);
            assert_eq!(done.json()["ids"], case["ids"], "{file} {text:?}");
        }
    }
}
