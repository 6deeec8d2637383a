//! S6–S8, S14: configs, tokenizer files and the model card around the weights.

use std::time::Duration;

use weights::{Checkpoint, Error, Finding, FolderFile, GgufWriter, Limits, front_matter};

use crate::cage::{Cage, open, refused_path, watched};

/// A folder with a tiny model and this config.
fn folder(config: &str) -> Cage {
    let cage = Cage::new();
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([0; 4]);
    cage.put("model.safetensors", &file);
    cage.put("config.json", config.as_bytes());
    cage
}

fn refused(config: &str) -> Error {
    refused_path(folder(config).path())
}

#[test]
fn s06_numbers_that_cannot_be_held() {
    for number in [
        "1e400",
        "-1e999",
        "1000000000000000000000000000000",
        "18446744073709551617",
        "01",
        "1.",
        "NaN",
        "Infinity",
    ] {
        let error = refused(&format!("{{\"hidden_size\": {number}}}"));
        assert!(matches!(error, Error::Json { .. }), "{number}: {error}");
    }
    // What transformers writes for "no limit" is a double, exactly.
    let opened =
        open(folder(r#"{"model_max_length": 1000000000000000019884624838656}"#).path()).unwrap();
    assert_eq!(opened.metadata().config["model_max_length"].as_f64(), Some(1e30));
    assert_eq!(opened.metadata().config["model_max_length"].as_u64(), None);
}

#[test]
fn s06_depth_size_and_repeated_keys() {
    assert!(matches!(
        refused(&format!("{{\"a\":{}", "[".repeat(500_000))),
        Error::OverLimit { .. }
    ));
    assert!(matches!(
        refused(&format!("{{\"a\":[{}0]}}", "0,".repeat(300_000))),
        Error::OverLimit { .. }
    ));
    assert!(matches!(
        refused(&format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))),
        Error::OverLimit { .. }
    ));
    assert!(matches!(
        refused(r#"{"architectures":["A"],"architectures":["B"]}"#),
        Error::Duplicate { .. }
    ));
    assert!(matches!(refused("[]"), Error::Json { .. }));
    assert!(matches!(refused(""), Error::Json { .. }));
    assert!(matches!(refused("{\"a\": 1} trailing"), Error::Json { .. }));
    // A gigabyte that takes no room on the disk.
    let cage = folder("{}");
    std::fs::File::create(cage.path().join("config.json")).unwrap().set_len(1 << 30).unwrap();
    assert!(matches!(refused_path(cage.path()), Error::OverLimit { .. }));
}

#[test]
fn s06_the_other_configs_are_bounded_too() {
    for name in [
        "generation_config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ] {
        let cage = folder("{}");
        cage.put(name, b"{\"a\":1,\"a\":2}");
        assert!(matches!(refused_path(cage.path()), Error::Duplicate { .. }), "{name}");
        cage.put(name, b"\xff\xfe{}");
        assert!(matches!(refused_path(cage.path()), Error::Json { .. }), "{name}");
        std::fs::File::create(cage.path().join(name)).unwrap().set_len(1 << 33).unwrap();
        assert!(matches!(refused_path(cage.path()), Error::OverLimit { .. }), "{name}");
    }
}

#[test]
fn s07_requests_to_run_code_are_reported_and_not_followed() {
    let cage = folder(
        r#"{"auto_map": {"AutoModel": "x--y.Z"}, "trust_remote_code": true, "_name_or_path": "https://example.com/x", "custom_pipelines": {}}"#,
    );
    cage.put("tokenizer_config.json", br#"{"auto_map": {"AutoTokenizer": ["a.B", null]}}"#);
    cage.put("modeling_x.py", b"import os");
    cage.put("pytorch_model.bin", b"\x80\x04cos\nsystem\n");
    let opened = open(cage.path()).unwrap();
    let count = |wanted: fn(&Finding) -> bool| {
        opened.findings().iter().filter(|finding| wanted(finding)).count()
    };
    assert_eq!(count(|finding| matches!(finding, Finding::RemoteCode { .. })), 5);
    assert_eq!(count(|finding| matches!(finding, Finding::CodeFile { .. })), 1);
    assert_eq!(count(|finding| matches!(finding, Finding::PickleFile { .. })), 1);
    // Said plainly to be off, it is no request.
    let opened =
        open(folder(r#"{"trust_remote_code": false, "_name_or_path": "org/name"}"#).path())
            .unwrap();
    assert!(opened.findings().is_empty());
}

/// The part of S8 that is this crate's: the size of tokenizer files.
#[test]
fn s08_a_tokenizer_file_of_500_megabytes() {
    let cage = folder("{}");
    std::fs::File::create(cage.path().join("tokenizer.json")).unwrap().set_len(500 << 20).unwrap();
    let opened = open(cage.path()).unwrap();
    let around = opened.metadata().folder().unwrap();
    assert!(around.file(FolderFile::Tokenizer).is_some());
    let error = watched("tokenizer.json", || around.bytes(FolderFile::Tokenizer)).unwrap_err();
    assert!(matches!(error.root(), Error::OverLimit { .. }), "{error}");
    assert_eq!(around.bytes(FolderFile::Merges).unwrap(), None);
}

fn card(yaml: &str) -> Result<Option<weights::FrontMatter>, Error> {
    let text = format!("---\n{yaml}\n---\n# Title\n");
    let start = std::time::Instant::now();
    let out = watched("front matter", || front_matter(text.as_bytes(), &Limits::DEFAULT));
    assert!(start.elapsed() < Duration::from_secs(2));
    out
}

#[test]
fn s14_front_matter() {
    let good = card("license: mit\nbase_model:\n- a/b\n- c/d\ntags: [x, y]\nlanguage: en")
        .unwrap()
        .unwrap();
    assert_eq!(good.str("license"), Some("mit"));
    assert_eq!(good.list("base_model"), ["a/b", "c/d"]);
    assert_eq!(good.list("language"), ["en"]);
    assert_eq!(front_matter(b"# no front matter\n---\n", &Limits::DEFAULT).unwrap(), None);
    assert_eq!(card("").unwrap(), Some(weights::FrontMatter::default()));

    let mut laughs = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (one, next) in ["a", "b", "c", "d", "e", "f", "g", "h"].windows(2).map(|w| (w[0], w[1])) {
        let aliases = vec![format!("*{one}"); 9].join(",");
        laughs.push_str(&[next, ": &", next, " [", &aliases, "]\n"].concat());
    }
    for bad in [
        laughs.as_str(),
        &format!("a: {}", "[".repeat(100_000)),
        &"a:\n ".repeat(100),
        &"- ".repeat(30_000),
        "license: mit\nlicense: cc-by-nc-4.0",
        "a: {b: 1, b: 2}",
        "a: !!python/object/apply:os.system ['id']",
        "- just\n- a list",
        "a: 'without end",
        "a: \u{1}",
        &"x: y\n".repeat(20_000),
        "? [complex, key]\n: value",
    ] {
        match card(bad) {
            Err(Error::FrontMatter { .. }) => {}
            // A tag that names a program is only text to us: nothing knows how to make it an object.
            Ok(Some(card)) => {
                assert!(bad.contains("!!python") && card.keys.len() == 1, "{}", &bad[..20]);
            }
            other => panic!("{}: {other:?}", &bad[..bad.len().min(40)]),
        }
    }
    if let Ok(Some(card)) = card("a: 1e400") {
        assert!(!card.keys["a"].is_number(), "{card:?}");
    }
    // No end in sight.
    let endless = format!("---\n{}", "a: b\n".repeat(100_000));
    assert_eq!(
        front_matter(endless.as_bytes(), &Limits::DEFAULT).unwrap_err().code(),
        "front-matter"
    );
}

#[test]
fn s14_a_bad_card_is_a_finding_not_a_refusal() {
    let cage = folder("{}");
    cage.put("README.md", b"---\nlicense: mit\nlicense: other\n---\n");
    let opened = open(cage.path()).unwrap();
    assert!(matches!(opened.findings(), [Finding::FrontMatter { .. }]), "{:?}", opened.findings());
    assert!(opened.metadata().folder().unwrap().card().is_none());
    cage.put("README.md", b"---\r\nlicense: mit\r\n---\r\ntext");
    let opened = open(cage.path()).unwrap();
    assert_eq!(opened.metadata().folder().unwrap().card().unwrap().str("license"), Some("mit"));
}

#[test]
fn folders_without_one_clear_model() {
    let cage = Cage::new();
    assert!(matches!(refused_path(cage.path()), Error::NoWeights { .. }));
    let gguf = GgufWriter::new("llama").to_bytes(&[]).unwrap();
    cage.put("a.gguf", &gguf);
    assert!(Checkpoint::open(cage.path()).is_ok());
    cage.put("mmproj-a.gguf", &gguf);
    assert!(Checkpoint::open(cage.path()).is_ok());
    cage.put("b.gguf", &gguf);
    assert!(matches!(refused_path(cage.path()), Error::NoWeights { .. }));
}
