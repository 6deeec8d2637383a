//! Files that are no models: refused with exit code 3, quickly, without a word on stdout.

use std::time::Instant;

use serde_json::Value;

use crate::support::{folder, gguf, hf, run};

const COMMANDS: [&[&str]; 4] = [
    &["run", "{}", "--raw", "hi", "-n", "1"],
    &["logits", "{}", "--ids", "1"],
    &["tokenize", "{}", "hi"],
    &["inspect", "{}"],
];

fn all_refuse(path: &str, code: i32, words: &[&str]) {
    for command in COMMANDS {
        let line: Vec<&str> =
            command.iter().map(|word| if *word == "{}" { path } else { word }).collect();
        let begun = Instant::now();
        run(&line).refused(code, words);
        assert!(begun.elapsed().as_secs_f64() < 2.0, "{line:?}");
    }
}

#[test]
fn a_missing_file_has_failed_and_says_what_a_model_is() {
    all_refuse("/nowhere/model.gguf", 1, &["/nowhere/model.gguf", "hint: check the path"]);
}

#[test]
fn pickle_is_refused_with_the_way_out() {
    let path = folder().join("pytorch_model.bin");
    std::fs::write(&path, b"\x80\x02cos\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.")
        .unwrap();
    all_refuse(path.to_str().unwrap(), 3, &["hint: convert it to safetensors"]);
}

#[test]
fn cut_and_spoilt_files_are_refused() {
    let whole = std::fs::read(gguf()).unwrap();
    let path = folder().join("cut.gguf");
    for keep in [0, 3, 4, 24, 200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..keep]).unwrap();
        all_refuse(path.to_str().unwrap(), 3, &["error:"]);
    }
}

#[test]
fn an_unknown_architecture_lists_what_is_known() {
    let path = folder().join("odd");
    std::fs::create_dir_all(&path).unwrap();
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(format!("{}/{name}", hf()), path.join(name)).unwrap();
    }
    let config = std::fs::read_to_string(format!("{}/config.json", hf())).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["model_type"] = "perceptron9000".into();
    std::fs::write(path.join("config.json"), config.to_string()).unwrap();
    run(&["logits", path.to_str().unwrap(), "--ids", "1"])
        .refused(3, &["perceptron9000", "llama", "qwen3"]);
    // One tensor too few, by name.
    config["model_type"] = "qwen3".into();
    config["num_hidden_layers"] = 3.into();
    std::fs::write(path.join("config.json"), config.to_string()).unwrap();
    run(&["logits", path.to_str().unwrap(), "--ids", "1"])
        .refused(3, &["missing tensor model.layers.2"]);
}

#[test]
fn malformed_files_of_the_shared_data_never_run() {
    let Some(shared) = testkit::shared() else { return println!("skipped: ../shared is not here") };
    let folder = shared.join("data/malformed");
    let mut seen = 0;
    for kind in ["gguf", "safetensors"] {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let begun = Instant::now();
            // Sound ones among them are no models either.
            let done = run(&["logits", path.to_str().unwrap(), "--ids", "0"]);
            done.refused(3, &["error:"]);
            assert!(begun.elapsed().as_secs_f64() < 2.0, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 80, "{seen}");
}
