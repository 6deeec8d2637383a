//! Tokenizers against the ids the reference implementations give.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skipped"
)]

#[path = "tokenizer/gguf.rs"]
mod gguf;
#[path = "tokenizer/tally.rs"]
mod tally;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tally::Tally;
use text::stream::{Detokenizer, StreamStart};
use text::tokenizer::{Frame, Special, Specials, Tokenizer};

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// What arrives token by token is what decoding gives.
fn check_stream(tally: &mut Tally, tokenizer: &Tokenizer, ids: &[u32], specials: Specials) {
    let mut stream = Detokenizer::new(tokenizer, specials, StreamStart::Beginning);
    let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
    text.push_str(&stream.finish());
    tally.check("stream", &text, &tokenizer.decode(ids, specials));
}

/// A folder's `tokenizer_goldens.json`.
fn check_goldens(tally: &mut Tally, tokenizer: &Tokenizer, goldens: &Value) {
    for case in goldens["encode"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let full = tokenizer.encode_framed(text, Special::Parse, Frame::Full).unwrap();
        tally.check(&format!("{text:?} framed"), &full, &ids(&case["ids"]));
        let bare = tokenizer.encode(text, Special::Parse).unwrap();
        tally.check(&format!("{text:?} bare"), &bare, &ids(&case["ids_no_special"]));
        for (specials, field) in
            [(Specials::Skip, "decoded_skip_special"), (Specials::Keep, "decoded_raw")]
        {
            let Some(expected) = case[field].as_str() else { continue };
            // "decoded_raw" is of the ids without what frames them
            let of = &ids(&case[if field == "decoded_raw" { "ids_no_special" } else { "ids" }]);
            let decoded = tokenizer.decode(of, specials);
            tally.check(&format!("{text:?} {field}"), &decoded, &expected.to_owned());
            check_stream(tally, tokenizer, of, specials);
        }
    }
    for case in goldens["chat"].as_array().into_iter().flatten() {
        let Some(rendered) = case["rendered"].as_str() else { continue };
        let found = tokenizer.encode(rendered, Special::Parse).unwrap();
        tally.check(&format!("chat {rendered:?}"), &found, &ids(&case["ids_no_added_bos"]));
    }
}

fn from_folder(folder: &Path) -> Tokenizer {
    let config = read(&folder.join("tokenizer_config.json"));
    Tokenizer::from_json(&read(&folder.join("tokenizer.json")).unwrap(), config.as_deref()).unwrap()
}

#[test]
fn goldens_from_tokenizer_json() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut tally = Tally::default();
    for folder in folders(&models) {
        tally.file(name(&folder));
        let tokenizer = from_folder(&folder);
        let goldens = json(&folder.join("tokenizer_goldens.json"));
        check_goldens(&mut tally, &tokenizer, &goldens);
    }
    tally.finish();
}

#[test]
fn goldens_from_tokenizer_model() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut tally = Tally::default();
    for folder in folders(&models) {
        let Some(model) = read(&folder.join("tokenizer.model")) else { continue };
        tally.file(name(&folder));
        let config = read(&folder.join("tokenizer_config.json"));
        let tokenizer = Tokenizer::from_sentencepiece(&model, config.as_deref()).unwrap();
        let goldens = json(&folder.join("tokenizer_goldens.json"));
        check_goldens(&mut tally, &tokenizer, &goldens);
    }
    tally.finish();
}

#[test]
fn goldens_from_gguf() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut tally = Tally::default();
    for folder in folders(&models) {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let Some(file) = files.find(|path| path.extension().is_some_and(|e| e == "gguf")) else {
            continue;
        };
        tally.file(name(&folder));
        let tokenizer = Tokenizer::from_gguf(&gguf::vocab(&file)).unwrap();
        let goldens = json(&folder.join("tokenizer_goldens.json"));
        check_goldens(&mut tally, &tokenizer, &goldens);
    }
    tally.finish();
}

fn vocab_files() -> Option<Vec<PathBuf>> {
    let folder = testkit::data("vocab_gguf")?;
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "gguf" || e == "xz"));
    files.sort();
    Some(files)
}

#[test]
fn llama_cpp_vocabularies() {
    let Some(files) = vocab_files() else { return };
    let mut tally = Tally::default();
    for file in files {
        let base = name(&file).trim_end_matches(".xz").to_owned();
        tally.file(&base);
        let tokenizer = Tokenizer::from_gguf(&gguf::vocab(&file)).unwrap();
        let beside = |end: &str| {
            std::fs::read_to_string(file.with_file_name(format!("{base}.{end}"))).unwrap()
        };
        let inputs = beside("inp");
        let inputs: Vec<_> = inputs.split("\n__ggml_vocab_test__\n").collect();
        let outputs = beside("out");
        let outputs: Vec<Vec<u32>> = outputs
            .lines()
            .map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect())
            .collect();
        for (input, expected) in inputs.iter().zip(&outputs) {
            let found = tokenizer.encode(input, Special::AsText).unwrap();
            tally.check(&format!("{input:?}"), &found, expected);
            check_stream(&mut tally, &tokenizer, &found, Specials::Keep);
        }
    }
    tally.finish();
}

/// The tokenizers of transformers.js' cases that are here, under another name.
const CASES: [(&str, &str); 7] = [
    ("Xenova/llama-tokenizer", "llama-spm.gguf"),
    ("Xenova/llama3-tokenizer", "llama-bpe.gguf.xz"),
    ("Xenova/gpt2", "gpt-2.gguf.xz"),
    ("Xenova/Qwen1.5-0.5B-Chat", "qwen2.gguf.xz"),
    ("tiiuae/falcon-7b", "falcon.gguf.xz"),
    ("Xenova/deepseek-coder-1.3b-instruct", "deepseek-coder.gguf"),
    ("Xenova/bert-base-uncased", "bert-bge.gguf"),
];

#[test]
fn transformers_js_cases() {
    let Some(file) = testkit::data("tokenizers/transformersjs_tokenization_cases.json") else {
        return;
    };
    let cases = json(&file);
    let mut tally = Tally::default();
    for (model, vocab) in CASES {
        let Some(vocab) = testkit::data(&format!("vocab_gguf/ggml-vocab-{vocab}")) else { return };
        tally.file(model);
        let tokenizer = Tokenizer::from_gguf(&gguf::vocab(&vocab)).unwrap();
        for case in cases[model].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected = ids(&case["ids"]);
            if let Some(second) = case["text_pair"].as_str() {
                let found = tokenizer.encode_pair(text, second).unwrap();
                tally.check(&format!("{text:?} and {second:?}"), &found.ids, &expected);
                continue;
            }
            // most of these put a begin token first, and some are stated without
            let framed = tokenizer.encode_framed(text, Special::Parse, Frame::Full).unwrap();
            let bare = tokenizer.encode(text, Special::Parse).unwrap();
            let found = if framed == expected { framed } else { bare };
            tally.check(&format!("{text:?}"), &found, &expected);
            check_stream(&mut tally, &tokenizer, &found, Specials::Keep);
            // These decode with spaces before punctuation taken away, which Freehold leaves.
            let tidied = [
                "Xenova/bert-base-uncased",
                "Xenova/gpt2",
                "Xenova/llama3-tokenizer",
                "tiiuae/falcon-7b",
            ];
            if let Some(expected) = case["decoded"].as_str().filter(|_| !tidied.contains(&model)) {
                let decoded = tokenizer.decode(&found, Specials::Keep);
                tally.check(&format!("{text:?} decoded"), &decoded, &expected.to_owned());
            }
        }
    }
    tally.finish();
}

#[test]
fn stories_and_minilm() {
    let mut tally = Tally::default();
    if let Some(folder) = testkit::data("stories260K") {
        let config = read(&folder.join("hf/tokenizer_config.json"));
        let model = read(&folder.join("hf/tokenizer.model")).unwrap();
        let goldens = json(&folder.join("goldens.json"));
        let readers = [
            ("json", from_folder(&folder.join("hf"))),
            ("model", Tokenizer::from_sentencepiece(&model, config.as_deref()).unwrap()),
            (
                "gguf",
                Tokenizer::from_gguf(&gguf::vocab(&folder.join("stories260K-f32.gguf"))).unwrap(),
            ),
        ];
        for (reader, tokenizer) in &readers {
            tally.file(&format!("stories260K {reader}"));
            for case in goldens["encode"].as_array().unwrap() {
                let text = case["text"].as_str().unwrap();
                let found = tokenizer.encode(text, Special::Parse).unwrap();
                tally.check(text, &found, &ids(&case["ids"]));
            }
            for (name, case) in goldens["greedy"].as_object().unwrap() {
                let prompt = case["prompt"].as_str().unwrap();
                let found = tokenizer.encode_framed(prompt, Special::AsText, Frame::Full).unwrap();
                tally.check(name, &found, &ids(&case["ids"]));
                let story = ids(&case["continuation"]);
                check_stream(&mut tally, tokenizer, &story, Specials::Skip);
            }
        }
    }
    if let Some(folder) = testkit::data("minilm") {
        tally.file("minilm gguf");
        let file = folder.join("all-MiniLM-L6-v2-q8_0.gguf");
        let tokenizer = Tokenizer::from_gguf(&gguf::vocab(&file)).unwrap();
        let goldens = json(&folder.join("goldens.json"));
        let texts = goldens["texts"].as_array().unwrap();
        for (text, expected) in texts.iter().zip(goldens["ids"].as_array().unwrap()) {
            let text = text.as_str().unwrap();
            let mut found = tokenizer.encode_framed(text, Special::AsText, Frame::Full).unwrap();
            if found.len() > 256 {
                // what the embedder reads of a longer text
                found.truncate(255);
                found.push(102);
            }
            tally.check(text, &found, &ids(expected));
        }
    }
    tally.finish();
}

#[test]
fn mistral_sentencepiece_files() {
    let Some(folder) = testkit::data("tokenizers/mistral_common") else { return };
    let load = |name: &str| {
        Tokenizer::from_sentencepiece(&read(&folder.join(name)).unwrap(), None).unwrap()
    };
    let first = load("tokenizer.model.v1");
    let known = first.encode_framed("Hello world", Special::AsText, Frame::Full).unwrap();
    assert_eq!(known, [1, 22557, 1526]);
    let texts = [
        "Hello world",
        " two  spaces",
        "tab\tand\nnewline",
        "naïve café 吾輩は猫である 🦙",
        "3.14159",
        "[INST] not an instruction [/INST]",
        "\u{0}\u{1}\u{7f}",
        "<s>",
        "",
    ];
    let later = [
        "mistral_instruct_tokenizer_240216.model.v2",
        "mistral_instruct_tokenizer_240323.model.v3",
        "mistral_instruct_tokenizer_241114.model.v7",
    ];
    for name in later {
        let tokenizer = load(name);
        assert_eq!(tokenizer.vocab_size(), 32_768, "{name}");
        // The same vocabulary behind 768 control tokens: ids move by as much, and nothing else.
        let shift = 768;
        for text in texts {
            let expected: Vec<u32> =
                first.encode(text, Special::AsText).unwrap().iter().map(|id| id + shift).collect();
            let found = tokenizer.encode(text, Special::AsText).unwrap();
            assert_eq!(found, expected, "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&found, Specials::Keep), text, "{name}");
        }
        let marks = tokenizer.encode("[INST] x[/INST]", Special::Parse).unwrap();
        assert_eq!((marks.first(), marks.last()), (Some(&3), Some(&4)), "{name}");
    }
}

#[test]
fn legacy_folders() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut tally = Tally::default();
    let folder = models.join("bert_embed");
    tally.file("bert_embed vocab.txt");
    let vocab = String::from_utf8(read(&folder.join("vocab.txt")).unwrap()).unwrap();
    let config = read(&folder.join("tokenizer_config.json"));
    let tokenizer = Tokenizer::from_vocab_txt(&vocab, config.as_deref()).unwrap();
    check_goldens(&mut tally, &tokenizer, &json(&folder.join("tokenizer_goldens.json")));
    let folder = models.join("gpt2");
    tally.file("gpt2 vocab.json and merges.txt");
    let file = json(&folder.join("tokenizer.json"));
    let mut vocab = file["model"]["vocab"].clone();
    for token in file["added_tokens"].as_array().unwrap() {
        vocab[token["content"].as_str().unwrap()] = token["id"].clone();
    }
    let merges: Vec<String> = file["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|merge| match merge.as_array() {
            Some(pair) => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
            None => merge.as_str().unwrap().to_owned(),
        })
        .collect();
    let merges = format!("#version: 0.2\n{}\n", merges.join("\n"));
    let config = read(&folder.join("tokenizer_config.json"));
    let vocab = vocab.to_string();
    let tokenizer =
        Tokenizer::from_vocab_and_merges(vocab.as_bytes(), &merges, config.as_deref()).unwrap();
    check_goldens(&mut tally, &tokenizer, &json(&folder.join("tokenizer_goldens.json")));
    tally.finish();
}

/// Random ids, which no text would give: broken code points, lone byte tokens, special tokens.
#[test]
fn t9_streams_of_random_ids_are_what_decoding_gives() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut tally = Tally::default();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for folder in folders(&models) {
        tally.file(name(&folder));
        let tokenizer = from_folder(&folder);
        for length in 0..40 {
            let ids: Vec<u32> = (0..length)
                .map(|_| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    (random % (tokenizer.vocab_size() as u64 + 3)) as u32
                })
                .collect();
            check_stream(&mut tally, &tokenizer, &ids, Specials::Keep);
            check_stream(&mut tally, &tokenizer, &ids, Specials::Skip);
        }
    }
    tally.finish();
}
