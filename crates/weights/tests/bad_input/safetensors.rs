//! S1–S5: the header of a safetensors file, and the index over several.

use weights::{Checkpoint, Error, Finding};

use crate::cage::{Cage, assert_code, open, refused, refused_path};

/// A file with this header and so much data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.resize(out.len() + data, 0);
    out
}

fn one(member: &str) -> String {
    format!("{{\"a\":{{{member}}}}}")
}

const GOOD: &str = r#""dtype":"F32","shape":[2,2],"data_offsets":[0,16]"#;

#[test]
fn s01_header_lengths_and_frames() {
    let good = file(&one(GOOD), 16);
    for length in [u64::MAX, 1 << 63, good.len() as u64, 200 << 20] {
        let mut bytes = good.clone();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert_code("a.safetensors", &bytes, "truncated");
    }
    assert_code("a.safetensors", b"", "truncated");
    assert_code("a.safetensors", &good[..7], "truncated");
    assert_code("a.safetensors", &file("", 0), "json");
    assert_code("a.safetensors", &file(&format!(" {}", one(GOOD)), 16), "json");
    assert_code("a.safetensors", &file("[]", 0), "json");
    assert_code("a.safetensors", &file(&format!("{}x", one(GOOD)), 16), "json");
    assert_code("a.safetensors", &file(&format!("{}{{}}", one(GOOD)), 16), "json");
    // Padding with spaces is the format's own.
    let cage = Cage::new();
    assert!(open(&cage.put("a.safetensors", &file(&format!("{}     ", one(GOOD)), 16))).is_ok());
    // Seventeen megabytes of it are not.
    let padded = format!("{}{}", one(GOOD), " ".repeat(17 << 20));
    assert_code("a.safetensors", &file(&padded, 16), "over-limit");
}

fn many(count: usize) -> String {
    let tensor =
        |at| format!("\"t{at}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    format!("{{{}}}", (0..count).map(tensor).collect::<Vec<_>>().join(","))
}

#[test]
fn s02_a_million_empty_tensors() {
    let error = refused("a.safetensors", &file(&many(1_000_000), 0));
    assert!(matches!(error, Error::OverLimit { .. }), "{error}");
    let error = refused("a.safetensors", &file(&many(131_073), 0));
    assert!(matches!(error, Error::OverLimit { found: 131_073, .. }), "{error}");
    let cage = Cage::new();
    assert_eq!(
        open(&cage.put("a.safetensors", &file(&many(131_072), 0))).unwrap().tensors().len(),
        131_072
    );
}

#[test]
fn s02_other_ways_to_be_many() {
    let axes =
        format!(r#""dtype":"F32","shape":[{}1],"data_offsets":[0,4]"#, "1,".repeat(4_000_000));
    assert_code("a.safetensors", &file(&one(&axes), 4), "over-limit");
    let name = format!("{{\"{}\":{{{GOOD}}}}}", "n".repeat(5000));
    assert_code("a.safetensors", &file(&name, 16), "over-limit");
    assert_code("a.safetensors", &file(&"{\"a\":".repeat(1_000_000), 0), "json");
    assert_code(
        "a.safetensors",
        &file(&format!("{{\"__metadata__\":{}", "[".repeat(1_000_000)), 0),
        "json",
    );
}

#[test]
fn s03_places_and_sizes() {
    let two = |a: &str, b: &str, data| {
        let header = format!(
            r#"{{"first":{{"dtype":"F32","shape":[2],"data_offsets":{a}}},"second":{{"dtype":"F32","shape":[2],"data_offsets":{b}}}}}"#
        );
        refused("a.safetensors", &file(&header, data))
    };
    let overlap = two("[0,8]", "[4,12]", 12);
    assert!(matches!(overlap, Error::Overlap { .. }), "{overlap}");
    assert!(overlap.to_string().contains("first") && overlap.to_string().contains("second"));
    assert!(matches!(two("[0,8]", "[0,8]", 8), Error::Overlap { .. }));
    assert!(matches!(two("[0,8]", "[12,20]", 20), Error::Gap { .. }));
    assert!(matches!(two("[4,12]", "[12,20]", 20), Error::Gap { .. }));
    assert!(matches!(two("[0,8]", "[8,16]", 17), Error::Gap { .. }));
    assert!(matches!(two("[0,8]", "[8,16]", 15), Error::OutOfRange { .. }));
    assert!(matches!(two("[8,0]", "[8,16]", 16), Error::BadShape { .. }));
    let case =
        |member: &str, code: &str| assert_code("a.safetensors", &file(&one(member), 16), code);
    case(r#""dtype":"F32","shape":[3],"data_offsets":[0,16]"#, "span-mismatch");
    case(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]"#, "bad-shape");
    case(r#""dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,16]"#, "bad-shape");
    case(r#""dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]"#, "bad-shape");
    case(r#""dtype":"F4","shape":[3],"data_offsets":[0,2]"#, "bad-shape");
    case(r#""dtype":"F32","shape":[-4],"data_offsets":[0,16]"#, "json");
    case(r#""dtype":"F32","shape":[4.0],"data_offsets":[0,16]"#, "json");
    case(r#""dtype":"F32","shape":"4","data_offsets":[0,16]"#, "json");
    case(r#""dtype":"F32","shape":[4],"data_offsets":[0,16,16]"#, "json");
    case(r#""dtype":"F32","shape":[4],"data_offsets":[0]"#, "json");
    case(r#""dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551616]"#, "json");
    case(r#""dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]"#, "out-of-range");
    case(r#""dtype":"f32","shape":[4],"data_offsets":[0,16]"#, "unknown-format");
    case(r#""dtype":"Q4_K","shape":[4],"data_offsets":[0,16]"#, "unknown-format");
    case(r#""dtype":"F32","data_offsets":[0,16]"#, "json");
    case(r#""shape":[4],"data_offsets":[0,16]"#, "json");
    case(r#""dtype":"F32","shape":[4]"#, "json");
    case(r#""dtype":"F32","shape":[4],"data_offsets":[0,16],"extra":1"#, "json");
}

#[test]
fn s04_duplicate_keys() {
    assert_code(
        "a.safetensors",
        &file(&format!("{{\"a\":{{{GOOD}}},\"a\":{{{GOOD}}}}}"), 16),
        "duplicate",
    );
    assert_code(
        "a.safetensors",
        &file(&format!("{{\"a\":{{{GOOD}}},\"\\u0061\":{{{GOOD}}}}}"), 16),
        "duplicate",
    );
    assert_code("a.safetensors", &file(&one(&format!(r#"{GOOD},"dtype":"I32""#)), 16), "duplicate");
    assert_code("a.safetensors", &file(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0), "duplicate");
    assert_code("a.safetensors", &file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "duplicate");
    assert_code("a.safetensors", &file(r#"{"__metadata__":{"a":1}}"#, 0), "json");
}

fn index(entries: &[(&str, &str)]) -> String {
    let entries: Vec<_> = entries.iter().map(|(name, file)| format!("{name:?}:{file:?}")).collect();
    format!("{{\"metadata\":{{\"total_size\":16}},\"weight_map\":{{{}}}}}", entries.join(","))
}

const INDEX: &str = "model.safetensors.index.json";

#[test]
fn s05_index_paths() {
    for path in [
        "../../etc/passwd",
        "/etc/passwd",
        r"C:\x",
        r"a\..\b",
        "https://example.com/x",
        "",
        ".",
        "a/../b",
        "nul",
        "x\u{202e}",
        "a\0b",
        "dir/",
    ] {
        let error = refused(
            INDEX,
            index(&[("a", path)]).replace("\\u{", "\\u").replace("202e}", "202e").as_bytes(),
        );
        assert!(
            matches!(error, Error::UnsafePath { .. } | Error::Json { .. }),
            "{path:?}: {error}"
        );
    }
    let twins = index(&[("a", "x.safetensors"), ("b", "X.safetensors")]);
    assert_code(INDEX, twins.as_bytes(), "unsafe-path");
}

#[test]
fn s05_index_and_shards() {
    let shard = |name: &str| file(&format!("{{{name:?}:{{{GOOD}}}}}"), 16);
    let cage = Cage::new();
    cage.put("one.safetensors", &shard("a"));
    cage.put("two.safetensors", &shard("b"));
    let path =
        cage.put(INDEX, index(&[("a", "one.safetensors"), ("b", "two.safetensors")]).as_bytes());
    let opened = open(&path).unwrap();
    assert_eq!(opened.tensors().len(), 2);
    assert_eq!(opened.findings(), [Finding::TotalSize { stated: 16, found: 32 }]);

    cage.put(INDEX, index(&[("a", "one.safetensors"), ("b", "one.safetensors")]).as_bytes());
    assert!(matches!(refused_path(cage.path()), Error::MissingTensor { .. }));
    cage.put(INDEX, index(&[("a", "two.safetensors"), ("b", "one.safetensors")]).as_bytes());
    assert!(matches!(refused_path(cage.path()), Error::MissingTensor { .. }));
    cage.put(INDEX, index(&[("a", "one.safetensors")]).as_bytes());
    let findings = open(cage.path()).unwrap().findings().to_vec();
    assert_eq!(findings, [Finding::FileNotInIndex { file: "two.safetensors".to_owned() }]);
    cage.put("two.safetensors", &shard("a"));
    cage.put(INDEX, index(&[("a", "one.safetensors"), ("b", "two.safetensors")]).as_bytes());
    assert!(matches!(refused_path(cage.path()), Error::Duplicate { .. }));
    cage.put(INDEX, index(&[("a", "one.safetensors"), ("b", "gone.safetensors")]).as_bytes());
    let error = Checkpoint::open(cage.path()).unwrap_err();
    assert!(error.to_string().contains("gone.safetensors"), "{error}");
    cage.put(INDEX, br#"{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}"#);
    assert!(matches!(refused_path(cage.path()), Error::Duplicate { .. }));
    cage.put(INDEX, br#"{"metadata":{}}"#);
    assert!(matches!(refused_path(cage.path()), Error::MissingKey { .. }));
    cage.put(INDEX, br#"{"weight_map":{"a":1}}"#);
    assert!(matches!(refused_path(cage.path()), Error::Json { .. }));
}

#[test]
fn scales_that_do_not_fit_their_tensor() {
    let header = |scale: &str| {
        format!(
            r#"{{"x.weight":{{"dtype":"F8_E4M3","shape":[4,4],"data_offsets":[0,16]}},"x.weight_scale_inv":{{{scale}}}}}"#
        )
    };
    let bad = header(r#""dtype":"F32","shape":[3,3],"data_offsets":[16,52]"#);
    assert_code("a.safetensors", &file(&bad, 52), "companion");
    let bad = header(r#""dtype":"I32","shape":[1,1],"data_offsets":[16,20]"#);
    assert_code("a.safetensors", &file(&bad, 20), "companion");
    let pair = |blocks: &str, scales: &str| {
        format!(
            r#"{{"e_blocks":{{"dtype":"U8","shape":{blocks},"data_offsets":[0,64]}},"e_scales":{{"dtype":"U8","shape":{scales},"data_offsets":[64,68]}}}}"#
        )
    };
    for (blocks, scales) in
        [("[2,2,16]", "[4]"), ("[4,16]", "[2,2]"), ("[64]", "[4]"), ("[2,2,4,4]", "[2,2]")]
    {
        assert_code("a.safetensors", &file(&pair(blocks, scales), 68), "companion");
    }
    let cage = Cage::new();
    let opened = open(&cage.put("a.safetensors", &file(&pair("[2,2,16]", "[2,2]"), 68))).unwrap();
    assert_eq!(opened.logical("e").unwrap().shape, [2, 64]);
}
