//! `freehold inspect`, `plan`, `bench` and `doctor`: shapes of their JSON, what their pages say, what
//! they refuse.

use serde_json::Value;
use weights::{Checkpoint, GgufWriter};

use crate::support::{Done, folder, gguf, gguf_without_template, hf, run};

fn json(arguments: &[&str]) -> Value {
    let done = run(&[arguments, &["--json"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    done.json()
}

fn page(arguments: &[&str]) -> Done {
    let done = run(arguments);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", done.out);
    done
}

/// A copy of the tiny model with other keys and, of tensors named, other numbers.
fn changed(
    name: &str,
    change: &dyn Fn(&mut GgufWriter),
    bytes: &dyn Fn(&str, &mut Vec<u8>),
) -> String {
    let source = Checkpoint::open(gguf()).unwrap();
    let mut writer = GgufWriter::like(&source).unwrap();
    change(&mut writer);
    let path = folder().join(name);
    writer
        .write(&path, |name, stream| {
            let mut numbers = source.bytes(source.tensor(name)?)?.to_vec();
            bytes(name, &mut numbers);
            stream.put(&numbers)
        })
        .unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn inspect_tells_the_same_of_a_gguf_and_of_a_folder() {
    let (a, b) = (json(&["inspect", gguf()]), json(&["inspect", hf()]));
    assert_eq!((&a["container"], &b["container"]), (&"GGUF".into(), &"safetensors".into()));
    for found in [&a, &b] {
        assert_eq!(found["runnable"], true);
        let model = &found["model"];
        let counts =
            ["context", "layers", "hidden", "vocab"].map(|key| model[key].as_u64().unwrap());
        assert_eq!(counts, [128, 2, 32, 260]);
        assert_eq!(model["attention"][0]["kv_heads"], 2);
        assert_eq!(model["attention"][0]["head_dim"], 16);
        assert_eq!(found["formats"][0]["format"], "F32");
        assert_eq!(found["bits_per_weight"], 32.0);
        assert_eq!(found["tokenizer"]["vocab"], 260);
        assert_eq!(found["templates"][0]["thinking"], true);
        assert_eq!(found["templates"][0]["sha256"].as_str().unwrap().len(), 64);
    }
    assert_eq!(a["model"], b["model"]);
    assert_eq!(a["templates"], b["templates"]);
    assert_eq!(a["model"]["params"].as_u64().unwrap() * 4, a["tensor_bytes"].as_u64().unwrap());
    assert_eq!(json(&["inspect", gguf_without_template()])["templates"], serde_json::json!([]));
}

#[test]
fn inspect_lists_tensors_and_draws_graphs() {
    let tensors = json(&["inspect", gguf(), "--tensors"])["tensors"].clone();
    let first = &tensors.as_array().unwrap()[0];
    assert_eq!(first["name"], "token_embd.weight");
    assert_eq!((&first["shape"], &first["bytes"]), (&serde_json::json!([260, 32]), &33280.into()));
    assert!(page(&["inspect", hf(), "--graph", "mermaid"]).out.starts_with("flowchart TD\n"));
    assert!(page(&["inspect", gguf(), "--graph", "dot"]).out.ends_with("}\n"));
}

#[test]
fn inspect_deep_says_plainly_what_is_not_finite() {
    let deep = json(&["inspect", gguf(), "--deep"])["deep"].clone();
    assert_eq!((&deep["nans"], &deep["infinities"]), (&0.into(), &0.into()));
    assert!(page(&["inspect", gguf(), "--deep"]).out.contains("numbers are finite"));
    let spoilt = changed("spoilt.gguf", &|_| {}, &|name, bytes| {
        if name == "blk.1.ffn_up.weight" {
            bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
            bytes[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes());
        }
    });
    let deep = json(&["inspect", &spoilt, "--deep"])["deep"].clone();
    assert_eq!((&deep["nans"], &deep["infinities"]), (&1.into(), &1.into()));
    assert!(page(&["inspect", &spoilt, "--deep"]).out.contains("2 of"));
    assert!(page(&["inspect", &spoilt, "--deep"]).out.contains("NOT FINITE"));
}

#[test]
fn inspect_shows_what_is_known_of_a_model_that_cannot_be_run() {
    let odd = changed(
        "odd.gguf",
        &|writer| {
            writer
                .set("general.architecture", "perceptron9000".to_owned())
                .set("general.name", "evil \u{1b}[2J\u{202e}name".to_owned())
                .set("general.license", "apache-2.0".to_owned());
        },
        &|_, _| {},
    );
    let found = json(&["inspect", &odd]);
    assert_eq!((&found["runnable"], &found["model"]), (&false.into(), &Value::Null));
    assert_eq!(found["architecture"], "perceptron9000");
    assert_eq!(found["about"]["licence"], "apache-2.0");
    assert!(found["why_not"].as_str().unwrap().contains("qwen3"), "what is known is listed");
    let shown = page(&["inspect", &odd]).out;
    assert!(
        shown.contains("cannot be run") && shown.contains("\\u{1b}[2J\\u{202e}name"),
        "{shown}"
    );
    run(&["inspect", &odd, "--graph", "dot"]).refused(3, &["perceptron9000"]);
    run(&["plan", &odd]).refused(3, &["perceptron9000"]);
    run(&["bench", &odd]).refused(3, &["perceptron9000"]);
}

#[test]
fn plan_counts_what_loading_allocates_in_every_quantization() {
    let plan = json(&["plan", gguf(), "--ctx", "64", "--users", "3", "--kv", "f32"]);
    assert_eq!(
        (&plan["context"], &plan["users"], &plan["kv"]),
        (&64.into(), &3.into(), &"f32".into())
    );
    // 2 layers, 2 heads, 16 entries, keys and values, 4 bytes.
    assert_eq!(plan["kv_bytes_per_token"], 2 * 2 * 16 * 2 * 4);
    let options = plan["options"].as_array().unwrap();
    let formats: Vec<&str> =
        options.iter().map(|option| option["format"].as_str().unwrap()).collect();
    assert_eq!(formats[..5], ["F32", "F32", "BF16", "F16", "Q8_0"]);
    assert_eq!(formats.len(), 12);
    for option in options {
        let memory = &option["memory"];
        let [weights, cache, activations, program, total] =
            ["weights", "kv_cache", "activations", "program", "total"]
                .map(|key| memory[key].as_u64().unwrap());
        assert_eq!(weights + cache + activations + program, total);
        assert_eq!(cache, 3 * 64 * 512);
        assert_eq!((&option["fits"], &option["largest_context"]), (&true.into(), &128.into()));
        for speed in ["prompt_tokens_per_s", "generation_tokens_per_s"] {
            let at = |key: &str| option[speed][key].as_f64().unwrap();
            assert!(at("at_start") >= at("at_context") && at("at_context") > 0.0, "{option}");
        }
    }
    assert_eq!(options[0]["memory"], options[1]["memory"], "as it is: F32");
    let bits = |at: usize| options[at]["bits_per_weight"].as_f64().unwrap();
    assert_eq!(bits(1), 32.0);
    assert!(bits(1) > bits(3) && bits(3) > bits(4));
    assert_eq!(plan["verdict"]["answer"], "fits");
    run(&["plan", gguf(), "--ctx", "129"]).refused(2, &["129", "128"]);
    assert!(page(&["plan", gguf()]).out.contains("KV cache"));
}

#[test]
fn plan_says_as_what_a_model_fits_or_why_not() {
    let whole = json(&["plan", gguf(), "--kv", "f32"])["options"][0]["memory"].clone();
    let [weights, cache, total] =
        ["weights", "kv_cache", "total"].map(|key| whole[key].as_u64().unwrap());
    let with = |memory: u64| {
        let memory = memory.to_string();
        let found = json(&["plan", gguf(), "--kv", "f32", "--memory", &memory])["verdict"].clone();
        (found["answer"].as_str().unwrap().to_owned(), found)
    };
    assert_eq!(with(total).0, "fits");
    let (answer, smaller) = with(total - 1);
    assert_eq!((answer.as_str(), &smaller["format"]), ("fits_as", &"BF16".into()));
    let (answer, less) = with(total - weights - cache / 2 + weights / 4);
    assert_eq!(answer, "fits_with_less_context", "{less}");
    assert!((1..128).contains(&less["context"].as_u64().unwrap()), "{less}");
    let (answer, never) = with(total - weights - cache);
    assert_eq!(answer, "does_not_fit");
    assert!(never["because"].as_str().unwrap().contains("available"), "{never}");
}

#[test]
fn bench_prints_one_object_a_test() {
    let line =
        ["bench", gguf(), "-p", "32", "-n", "4,6", "-d", "0,16", "-b", "1,2", "-r", "2", "-t", "1"];
    let done = run(&[&line[..], &["--kv", "q8_0", "--chunk", "20", "--json"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    let rows: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row["test"].as_str().unwrap()).collect();
    let depth_0 = ["pp32", "tg4", "tg6", "pp32@b2", "tg4@b2", "tg6@b2"];
    let depth_16 = ["pp32@d16", "tg4@d16", "tg6@d16", "pp32@d16@b2", "tg4@d16@b2", "tg6@d16@b2"];
    assert_eq!(names, [&depth_0[..], &depth_16].concat());
    for row in rows {
        let speed = |key: &str| row["tokens_per_s"][key].as_f64().unwrap();
        assert!(
            0.0 < speed("min")
                && speed("min") <= speed("median")
                && speed("median") <= speed("max")
        );
        let share = row["share_of_limit"].as_f64().unwrap();
        assert!(share > 0.0, "{row}");
        let parts =
            ["share_of_read_limit", "share_of_compute_limit"].map(|key| row[key].as_f64().unwrap());
        assert!((share - parts[0].max(parts[1])).abs() < 1e-9, "{row}");
        assert_eq!(row["threads"], 1);
    }
}

#[test]
fn bench_refuses_what_makes_no_sense() {
    run(&["bench", gguf(), "-p", "0", "-n", "0"]).refused(2, &["nothing to measure"]);
    run(&["bench", gguf(), "-p", "100", "-n", "0", "-d", "64"]).refused(2, &["164", "128"]);
    run(&["bench", gguf(), "-t", "0"]).refused(2, &["0"]);
    run(&["bench", "/nowhere"]).refused(1, &["/nowhere"]);
}

#[test]
fn doctor_knows_the_machine_and_keeps_its_limits() {
    let found = json(&["doctor"]);
    let sets = found["instruction_sets"]["available"].as_array().unwrap();
    assert!(sets.contains(&found["instruction_sets"]["chosen"]));
    assert!(found["limits"]["read_bytes_per_s"].as_f64().unwrap() > 1e8);
    assert_eq!((&found["home"]["writable"], &found["threads"]), (&true.into(), &2.into()));
    for finding in found["findings"].as_array().unwrap() {
        assert!(finding["advice"].as_str().is_some_and(|advice| !advice.is_empty()));
    }
    // Measured once: the second time there is nothing to remark.
    let again = page(&["doctor"]);
    assert!(!again.err.contains("measuring"), "{}", again.err);
    assert!(again.out.contains("memory") && again.out.contains("home"));
    assert!(json(&["doctor", "--limits"])["tensors"].as_u64().is_some());
}

#[test]
fn diff_finds_nothing_between_equals_and_everything_that_was_changed() {
    let same = json(&["diff", gguf(), gguf()]);
    assert_eq!(same["identical"], true);
    assert_eq!(same["tensors"]["changed"], serde_json::json!([]));
    let other = changed(
        "other.gguf",
        &|writer| {
            writer
                .set("qwen3.context_length", 64_u32)
                .set("tokenizer.chat_template", "{{ messages }}\n".to_owned());
        },
        &|name, bytes| {
            if name == "blk.1.attn_q.weight" {
                // Twice as large: the change is as large as the tensor, and points the same way.
                for four in bytes.chunks_exact_mut(4) {
                    let number = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                    four.copy_from_slice(&(2.0 * number).to_le_bytes());
                }
            }
        },
    );
    let found = json(&["diff", gguf(), &other]);
    assert_eq!(found["identical"], false);
    assert_eq!(
        found["config"][0],
        serde_json::json!({"key": "qwen3.context_length", "a": 128, "b": 64})
    );
    assert!(found["templates"][0]["diff"].as_str().unwrap().contains("+{{ messages }}"));
    let changed = &found["tensors"]["changed"];
    assert_eq!(changed.as_array().unwrap().len(), 1);
    assert_eq!(changed[0]["name"], "blk.1.attn_q.weight");
    assert!((changed[0]["relative"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!((changed[0]["cosine"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(found["tensors"]["layers"][0]["layer"], 1);
    let shown = page(&["diff", gguf(), &other]).out;
    assert!(shown.contains("blk.1.attn_q.weight") && shown.contains("1.000e0"), "{shown}");
    let headers = json(&["diff", gguf(), &other, "--headers"]);
    assert_eq!(headers["tensors"]["changed"], serde_json::json!([]));
    run(&["diff", gguf(), "/nowhere"]).refused(1, &["/nowhere"]);
}

#[test]
fn diff_reads_a_gguf_and_a_folder_as_models() {
    let found = json(&["diff", gguf(), hf()]);
    assert_eq!(found["tensors"]["changed"], serde_json::json!([]), "{found}");
    assert_eq!(found["tensors"]["only_in_a"], serde_json::json!([]));
    assert!(found["tensors"]["equal"].as_u64().unwrap() >= 24);
    assert_eq!(found["tokenizer"]["vocab_b"], 260);
}
