//! Every case of the JSON Schema Test Suite and of the shared accept-reject sets: no output outside
//! the schema, ever. What is refused is refused as a whole; what is let through is right.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests may")]

use serde_json::Value;
use text::{
    grammar::{Grammar, Matcher, Vocabulary},
    tokenizer::Tokenizer,
};

/// A byte-level tokenizer: every byte is a token.
fn vocabulary() -> Vocabulary {
    let mut vocab = serde_json::Map::new();
    // GPT-2's printable stand-ins for bytes.
    let mut next = 256_u32;
    for byte in 0..256_u32 {
        let printable = (33..=126).contains(&byte) || (161..=172).contains(&byte) || byte >= 174;
        let code = if printable {
            byte
        } else {
            let code = next;
            next += 1;
            code
        };
        vocab.insert(char::from_u32(code).unwrap().to_string(), byte.into());
    }
    let json = serde_json::json!({
        "added_tokens": [{"id": 256, "content": "<|im_end|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), None).unwrap();
    Vocabulary::new(&tokenizer).unwrap()
}

fn takes(matcher: &Matcher, text: &str) -> bool {
    let mut matcher = matcher.fork();
    let ids: Vec<u32> = text.bytes().map(u32::from).collect();
    matcher.try_accept(&ids) && matcher.is_complete()
}

#[derive(Default, Debug)]
struct Tally {
    refused: usize,
    taken: usize,
    narrower: usize,
    rejected: usize,
}

#[test]
fn the_json_schema_test_suite_never_lets_an_invalid_value_through() {
    let Some(folder) = testkit::data("json_schema_test_suite/tests") else { return };
    let vocabulary = vocabulary();
    let (mut tally, mut through) = (Tally::default(), vec![]);
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let groups: Value = serde_json::from_slice(&std::fs::read(&entry).unwrap()).unwrap();
            for group in groups.as_array().unwrap() {
                let matcher = vocabulary.compile(&Grammar::Schema(group["schema"].clone()));
                let Ok(matcher) = matcher else {
                    tally.refused += 1;
                    continue;
                };
                for test in group["tests"].as_array().unwrap() {
                    let text = test["data"].to_string();
                    match (takes(&matcher, &text), test["valid"].as_bool().unwrap()) {
                        (true, true) => tally.taken += 1,
                        (false, true) => tally.narrower += 1,
                        (false, false) => tally.rejected += 1,
                        (true, false) => through.push(format!(
                            "{}: {}: {}",
                            entry.display(),
                            group["description"],
                            test["description"]
                        )),
                    }
                }
            }
        }
    }
    println!("{tally:?}");
    assert!(through.is_empty(), "{} let through:\n{}", through.len(), through.join("\n"));
    assert!(tally.taken > 600 && tally.rejected > 400, "{tally:?}");
}

#[test]
fn the_shared_accept_and_reject_sets_hold_for_schemas() {
    let Some(file) = testkit::data("grammar/llamacpp_grammar_accept_reject.json") else { return };
    let cases: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let vocabulary = vocabulary();
    let (mut accepted, mut wrong) = (0, vec![]);
    for case in cases.as_array().unwrap().iter().filter(|case| case["kind"] == "schema") {
        let schema: Value = serde_json::from_str(case["schema"].as_str().unwrap()).unwrap();
        let matcher = match vocabulary.compile(&Grammar::Schema(schema)) {
            Ok(matcher) => matcher,
            Err(error) => {
                println!("refused {}: {error}", case["name"]);
                continue;
            }
        };
        for text in case["reject"].as_array().unwrap() {
            // The other program's grammars fix the order of keys and the blanks; a schema does not.
            let text = text.as_str().unwrap();
            if takes(&matcher, text) {
                wrong.push(format!("{}: {text}", case["name"]));
            }
        }
        for text in case["accept"].as_array().unwrap() {
            accepted += usize::from(takes(&matcher, text.as_str().unwrap()));
        }
    }
    println!("{accepted} accepted; let through: {wrong:#?}");
    assert!(accepted > 60, "{accepted}");
}
