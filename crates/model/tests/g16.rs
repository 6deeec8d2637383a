//! Absurd settings in GGUF metadata and `config.json` are refused by name, before anything is allocated.

use model::{Dialect, Error, Facts, Model, facts::Tensors};
use serde_json::{Map, Value, json};

/// A checkpoint with an embedding of ten rows and nothing else.
struct Embedding;

impl Tensors for Embedding {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        (name == "token_embd.weight").then(|| vec![10, 64])
    }
    fn table(&self, _: &str) -> Option<Vec<f32>> {
        None
    }
}

fn build(dialect: Dialect, architecture: &str, values: &Value) -> Result<Model, Error> {
    let values: &Map<String, Value> = values.as_object().expect("an object");
    model::build(&Facts::new(dialect, architecture, values, &Embedding))
}

fn sound() -> Value {
    json!({"llama.embedding_length": 64, "llama.block_count": 2, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.feed_forward_length": 160,
        "llama.context_length": 512, "llama.rope.freq_base": 10000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5})
}

/// What a sound file is refused for when one key says `value`.
fn refused(key: &str, value: Value) -> String {
    build(Dialect::Gguf, "llama", &sound()).expect("sound without the change");
    let mut values = sound();
    values[format!("llama.{key}")] = value;
    build(Dialect::Gguf, "llama", &values).expect_err(key).to_string()
}

/// Refused, and the message names the key.
fn names(key: &str, value: Value) {
    let why = refused(key, value);
    assert!(why.contains(key), "{key} is not named: {why}");
}

#[test]
fn g16_a_block_count_of_two_to_the_31_or_more_than_any_model_has() {
    for count in [1u64 << 31, 1 << 63, 1025, 0] {
        names("block_count", json!(count));
    }
}

#[test]
fn g16_no_heads() {
    names("attention.head_count", json!(0));
    names("attention.head_count_kv", json!(0));
}

#[test]
fn g16_more_key_heads_than_heads_or_an_uneven_share() {
    names("attention.head_count_kv", json!(8));
    names("attention.head_count_kv", json!(3));
}

#[test]
fn g16_a_width_that_heads_do_not_divide() {
    names("attention.head_count", json!(6));
}

#[test]
fn g16_heads_that_differ_between_layers_where_the_family_has_one_number() {
    names("attention.head_count_kv", json!([2, 4]));
}

#[test]
fn g16_values_of_another_width_than_keys() {
    names("attention.value_length", json!(8));
}

#[test]
fn g16_an_odd_rotation_or_one_wider_than_a_head() {
    names("rope.dimension_count", json!(7));
    names("rope.dimension_count", json!(0));
    assert!(refused("rope.dimension_count", json!(32)).contains("32"));
}

#[test]
fn g16_a_base_of_rotation_that_is_zero_or_negative_or_none() {
    for base in [json!(0.0), json!(-1.0), json!("10000"), json!(null)] {
        names("rope.freq_base", base);
    }
}

#[test]
fn g16_a_rotation_whose_angles_overflow() {
    names("rope.freq_base", json!(1e-320));
    names("rope.freq_base", json!(1e300));
    let mut values = sound();
    values["llama.rope.scaling.type"] = json!("linear");
    values["llama.rope.scaling.factor"] = json!(1e-320);
    let why = build(Dialect::Gguf, "llama", &values).expect_err("overflows").to_string();
    assert!(why.contains("rope.scaling.factor"), "{why}");
}

#[test]
fn g16_an_epsilon_that_is_none_or_not_small() {
    for eps in [json!(null), json!(0.0), json!(-1e-5), json!(1.5), json!("x")] {
        names("attention.layer_norm_rms_epsilon", eps);
    }
}

#[test]
fn g16_more_experts_used_than_there_are() {
    let mut values = sound();
    values["llama.expert_count"] = json!(4);
    values["llama.expert_used_count"] = json!(5);
    let why = build(Dialect::Gguf, "llama", &values).expect_err("five of four").to_string();
    assert!(why.contains("5 experts are used of 4"), "{why}");
}

#[test]
fn g16_a_context_of_two_to_the_32() {
    names("context_length", json!(1u64 << 32));
    names("context_length", json!(0));
}

#[test]
fn g16_widths_beyond_any_model() {
    for key in ["embedding_length", "feed_forward_length"] {
        names(key, json!(0));
        names(key, json!(1u64 << 40));
    }
}

#[test]
fn g16_an_embedding_of_another_size_than_the_vocabulary() {
    struct Ten;
    impl Tensors for Ten {
        fn shape(&self, name: &str) -> Option<Vec<usize>> {
            (name == "model.embed_tokens.weight").then(|| vec![10, 64])
        }
        fn table(&self, _: &str) -> Option<Vec<f32>> {
            None
        }
    }
    let values = json!({"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 160, "vocab_size": 11});
    let values = values.as_object().expect("an object");
    let facts = Facts::new(Dialect::HuggingFace, "llama", values, &Ten);
    let why = model::build(&facts).expect_err("eleven of ten").to_string();
    assert!(why.contains("vocab_size"), "{why}");
}

#[test]
fn g16_an_unknown_architecture_is_refused_by_name() {
    let why = build(Dialect::Gguf, "mamba", &sound()).expect_err("not ours").to_string();
    assert!(why.contains("mamba") && why.contains("llama"), "{why}");
}

/// Everything that is said of a file where these keys say these values.
fn all_of(changes: &[(&str, Value)]) -> Vec<Error> {
    let mut values = sound();
    for (key, value) in changes {
        values[format!("llama.{key}")] = value.clone();
    }
    match build(Dialect::Gguf, "llama", &values).expect_err("several faults") {
        Error::Several { faults, .. } => faults,
        one => vec![one],
    }
}

fn key_of(fault: &Error) -> Option<&str> {
    match fault {
        Error::BadValue { key, .. } | Error::Missing { key, .. } => key.strip_prefix("llama."),
        _ => None,
    }
}

#[test]
fn g16_all_violations_are_listed_at_once() {
    let changes = [
        ("block_count", json!(1u64 << 31)),
        ("attention.head_count", json!(0)),
        ("attention.layer_norm_rms_epsilon", json!(null)),
        ("rope.dimension_count", json!(7)),
        ("rope.freq_base", json!(0.0)),
        ("context_length", json!(1u64 << 32)),
        ("expert_count", json!(4)),
        ("expert_used_count", json!(5)),
    ];
    let faults = all_of(&changes);
    let keys: Vec<String> = faults.iter().filter_map(key_of).map(str::to_owned).collect();
    for (key, _) in &changes[..6] {
        assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{key}: {faults:?}");
    }
    let said: Vec<String> = faults.iter().map(Error::to_string).collect();
    assert!(said.iter().any(|fault| fault.contains("5 experts are used of 4")), "{said:?}");
    // Nothing that only follows from what stood in for a wrong setting.
    assert!(
        faults.iter().all(|fault| match (key_of(fault), fault) {
            (Some(key), _) => changes.iter().any(|(changed, _)| *changed == key),
            (None, Error::Unsound { faults, .. }) => faults.len() == 1,
            _ => false,
        }),
        "{said:?}"
    );
    let whole = Error::Several { family: "llama", faults }.to_string();
    for key in &keys {
        assert!(whole.contains(key), "{key} is not named: {whole}");
    }
}

#[test]
fn g16_settings_that_are_missing_are_listed_at_once() {
    let values = json!({"llama.context_length": 0});
    let Err(Error::Several { faults, .. }) = build(Dialect::Gguf, "llama", &values) else {
        panic!("several are missing")
    };
    let keys: Vec<&str> = faults.iter().filter_map(key_of).collect();
    let wanted = [
        "embedding_length",
        "block_count",
        "context_length",
        "attention.head_count",
        "attention.layer_norm_rms_epsilon",
        "feed_forward_length",
    ];
    for key in wanted {
        assert!(keys.contains(&key), "{key} of {keys:?}");
    }
    assert_eq!(keys.len(), faults.len(), "{faults:?}");
}

#[test]
fn g16_one_wrong_setting_draws_no_others_with_it() {
    let mut values = vec![
        ("block_count", json!(-1)),
        ("embedding_length", json!("64")),
        ("attention.head_count", json!(-4)),
        ("attention.head_count_kv", json!(1.5)),
        ("attention.head_count_kv", json!(3)),
        ("attention.head_count", json!(6)),
        ("feed_forward_length", json!([1, 2])),
        ("rope.freq_base", json!([])),
    ];
    values.push(("rope.dimension_count", json!(9)));
    for change in values {
        let faults = all_of(std::slice::from_ref(&change));
        let own = faults.iter().filter(|fault| key_of(fault) == Some(change.0)).count();
        // A width that heads do not divide also breaks the even share of key heads.
        let share = faults.iter().any(|fault| key_of(fault) == Some("attention.head_count_kv"));
        assert!(own == 1 && (faults.len() == 1 || share), "{change:?}: {faults:?}");
    }
}
