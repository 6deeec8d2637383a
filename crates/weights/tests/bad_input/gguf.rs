//! G1–G15, G17, G19: the header of one GGUF file.

use weights::{Checkpoint, Error, GgufWriter};

use crate::cage::{ARRAY, BOOL, Cage, Raw, STR, U32, assert_code, open, refused, text};

fn good() -> Raw {
    Raw::new().tensor(b"a", &[4, 4], 0, 0).data(64)
}

#[test]
fn g01_bad_magic_and_version() {
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good().bytes();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    for magic in [b"gguf", b"FUGG", b"GGML", b"\0\0\0\0", b"<htm"] {
        assert_code("a.gguf", &with(0, magic), "bad-magic");
    }
    for version in [0_u32, 1, 4, 99, u32::MAX] {
        let error = refused("a.gguf", &with(4, &version.to_le_bytes()));
        assert!(matches!(error, Error::BadVersion { found } if found == version), "{error}");
    }
    for version in [1_u32, 2, 3] {
        let error = refused("a.gguf", &with(4, &version.to_be_bytes()));
        assert!(
            matches!(error, Error::BigEndian { version: found } if found == version),
            "{error}"
        );
    }
    assert_code("a.gguf", b"", "truncated");
    assert_code("a.gguf", b"GGU", "truncated");
    assert_code("a.gguf", b"xyz", "bad-magic");
    assert_code("a.gguf", b"GGUF", "truncated");
    assert!(refused("a.gguf", &with(4, &[1, 0, 0, 0])).hint().is_some());
}

#[test]
fn g03_tensor_count_beyond_the_file() {
    for count in [1 << 63, u64::MAX, 1 << 40, 200_000] {
        assert_code("a.gguf", &good().counted(count, 1), "truncated");
    }
}

#[test]
fn g04_key_count_and_lengths_beyond_the_file() {
    for count in [1 << 63, u64::MAX, 1 << 40, 1000] {
        assert_code("a.gguf", &good().counted(1, count), "truncated");
    }
    for length in [u64::MAX, 1 << 63, 1 << 30] {
        let mut file = good().bytes();
        file[24..32].copy_from_slice(&length.to_le_bytes());
        assert_code("a.gguf", &file, "truncated");
        assert_code(
            "a.gguf",
            &Raw::new().key(b"k", STR, &length.to_le_bytes()).bytes(),
            "truncated",
        );
    }
    // Present in full, but longer than any key is.
    let error = refused("a.gguf", &Raw::new().key(&vec![b'k'; 70_000], U32, &[0; 4]).bytes());
    assert!(matches!(error, Error::OverLimit { found: 70_000, .. }), "{error}");
}

#[test]
fn g05_array_length_beyond_the_file() {
    for count in [64_u64 << 20, u64::MAX, 1 << 61] {
        for kind in [STR, U32, BOOL, 12] {
            let array = [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
            assert_code(
                "a.gguf",
                &Raw::new().key(b"tokenizer.ggml.tokens", ARRAY, &array).bytes(),
                "truncated",
            );
        }
    }
}

#[test]
fn g06_value_types_that_do_not_exist() {
    for kind in [13_u32, 77, 255, u32::MAX] {
        assert_code("a.gguf", &Raw::new().key(b"k", kind, &[0; 64]).bytes(), "bad-value");
        let array = [&kind.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0], &[0; 64]].concat();
        assert_code("a.gguf", &Raw::new().key(b"k", ARRAY, &array).bytes(), "bad-value");
    }
    // A million arrays inside each other.
    let level = [&ARRAY.to_le_bytes()[..], &1_u64.to_le_bytes()].concat();
    assert_code(
        "a.gguf",
        &Raw::new().key(b"k", ARRAY, &level.repeat(1_000_000)).bytes(),
        "bad-value",
    );
    assert_code("a.gguf", &Raw::new().key(b"k", BOOL, &[2]).bytes(), "bad-value");
    let bools = [&BOOL.to_le_bytes()[..], &3_u64.to_le_bytes(), &[0, 1, 7]].concat();
    assert_code("a.gguf", &Raw::new().key(b"k", ARRAY, &bools).bytes(), "bad-value");
    assert_code("a.gguf", &Raw::new().key(b"\xff\xfe", U32, &[0; 4]).bytes(), "not-utf8");
    assert_code("a.gguf", &Raw::new().key(b"k", STR, &text(b"\xff\x80")).bytes(), "not-utf8");
    assert_code("a.gguf", &Raw::new().key(b"k\x1b[2J", U32, &[0; 4]).bytes(), "bad-name");
    assert_code("a.gguf", &Raw::new().key(b"", U32, &[0; 4]).bytes(), "bad-name");
}

#[test]
fn g07_duplicate_keys() {
    let error =
        refused("a.gguf", &Raw::new().key(b"general.architecture", STR, &text(b"gpt2")).bytes());
    assert!(
        matches!(error, Error::Duplicate { ref name, .. } if name == "general.architecture"),
        "{error}"
    );
    let template = |raw: Raw| raw.key(b"tokenizer.chat_template", STR, &text(b"{{ x }}"));
    assert_code("a.gguf", &template(template(Raw::new())).bytes(), "duplicate");
}

#[test]
fn g08_many_keys_and_tensors_cost_little() {
    let mut raw = Raw::new();
    for at in 0..10_000 {
        raw = raw.key(format!("key.{at}").as_bytes(), U32, &[0; 4]);
    }
    assert_code("a.gguf", &raw.bytes(), "over-limit");
    let mut raw = Raw::new();
    for at in 0..200_000_u64 {
        raw = raw.tensor(format!("tensor.{at}").as_bytes(), &[8], 0, at * 32);
    }
    assert_code("a.gguf", &raw.clone().data(200_000 * 32).bytes(), "over-limit");
    // At the limits a file is read, within the same time and memory.
    let mut raw = Raw::new();
    for at in 0..8_191 {
        raw = raw.key(format!("key.{at}").as_bytes(), U32, &[0; 4]);
    }
    for at in 0..131_072_u64 {
        raw = raw.tensor(format!("tensor.{at}").as_bytes(), &[8], 0, at * 32);
    }
    let cage = Cage::new();
    let opened = open(&cage.put("a.gguf", &raw.data(131_072 * 32).bytes())).unwrap();
    assert_eq!(opened.tensors().len(), 131_072);
}

#[test]
fn g09_alignment() {
    for alignment in [0_u32, 3, 13, 33, 1 << 21, 1 << 31, u32::MAX] {
        let raw = Raw::new().key(b"general.alignment", U32, &alignment.to_le_bytes());
        assert_code("a.gguf", &raw.tensor(b"a", &[4], 0, 0).data(64).bytes(), "bad-value");
    }
    let signed = Raw::new().key(b"general.alignment", 5, &32_u32.to_le_bytes());
    assert_code("a.gguf", &signed.tensor(b"a", &[4], 0, 0).data(64).bytes(), "bad-value");
    let string = Raw::new().key(b"general.alignment", STR, &text(b"32"));
    assert_code("a.gguf", &string.tensor(b"a", &[4], 0, 0).data(64).bytes(), "bad-value");
    let array = [&U32.to_le_bytes()[..], &1_u64.to_le_bytes(), &32_u32.to_le_bytes()].concat();
    assert_code(
        "a.gguf",
        &Raw::new().key(b"general.alignment", ARRAY, &array).bytes(),
        "bad-value",
    );
}

#[test]
fn g10_shapes_out_of_range() {
    for sizes in [
        &[1 << 62, 8][..],
        &[1 << 32, 1 << 32],
        &[u64::MAX],
        &[u64::MAX / 4],
        &[1 << 63, 1],
        &[0, 4],
        &[4, 0],
        &[u64::MAX, u64::MAX, u64::MAX, u64::MAX],
        &[1 << 61],
    ] {
        assert_code("a.gguf", &Raw::new().tensor(b"a", sizes, 0, 0).data(64).bytes(), "bad-shape");
    }
    assert_code("a.gguf", &Raw::new().tensor(b"a", &[1; 5], 0, 0).data(64).bytes(), "over-limit");
    let mut many = Raw::new().tensor(b"a", &[4], 0, 0).data(64).bytes();
    let axes = many.windows(6).position(|bytes| bytes == b"a\x01\0\0\0\x04").unwrap() + 1;
    many[axes..axes + 4].fill(0xff);
    assert_code("a.gguf", &many, "over-limit");
    // An offset whose sum with the size, or with the data's start, leaves the range of u64.
    for offset in [u64::MAX - 31, u64::MAX - 63, 1 << 63] {
        let offset = offset & !31;
        assert_code(
            "a.gguf",
            &Raw::new().tensor(b"a", &[4, 4], 0, offset).data(64).bytes(),
            "out-of-range",
        );
    }
}

/// Sizes of shapes against arithmetic that cannot overflow.
#[test]
fn g10_sizes_agree_with_an_oracle_of_128_bits() {
    let edges = [
        1,
        2,
        31,
        32,
        33,
        255,
        256,
        1 << 16,
        (1 << 32) - 1,
        1 << 32,
        1 << 44,
        (1 << 60) - 1,
        1 << 60,
        u64::MAX,
    ];
    let kinds = [(0, 1, 4), (1, 1, 2), (2, 32, 18), (12, 256, 144), (39, 32, 17), (28, 1, 8)];
    let header = |sizes: &[u64], kind| {
        let file = Raw::new().tensor(b"a", sizes, kind, 0).bytes();
        weights::gguf::parse(&file, file.len() as u64, &weights::Limits::DEFAULT)
    };
    let mut accepted = 0;
    for a in edges {
        for b in edges {
            for c in [1, 3, 1 << 20, 1 << 59] {
                for (kind, block, bytes) in kinds {
                    let sizes = [a, b, c];
                    let product = sizes
                        .iter()
                        .fold(1_u128, |product, &size| product.saturating_mul(size.into()));
                    let fits = a.is_multiple_of(block) && product <= 1 << 60;
                    let error = header(&sizes, kind).expect_err("the data is not there");
                    match error {
                        Error::OutOfRange { end, .. } => {
                            accepted += 1;
                            assert!(fits, "{sizes:?} {kind}");
                            assert_eq!(
                                u128::from(end),
                                product / u128::from(block) * bytes,
                                "{sizes:?} {kind}"
                            );
                        }
                        Error::BlockMisaligned { row, .. } => {
                            assert!(row == a && !a.is_multiple_of(block));
                        }
                        Error::BadShape { .. } => assert!(product > 1 << 60, "{sizes:?} {kind}"),
                        other => panic!("{sizes:?} {kind}: {other}"),
                    }
                }
            }
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn g11_rows_that_are_no_whole_blocks() {
    for (kind, columns) in [(12, 255), (12, 128), (2, 20), (8, 33), (39, 48)] {
        let error =
            refused("a.gguf", &Raw::new().tensor(b"a", &[columns, 4], kind, 0).data(4096).bytes());
        assert!(matches!(error, Error::BlockMisaligned { row, .. } if row == columns), "{error}");
    }
}

#[test]
fn g12_places_that_overlap_or_leave_the_file() {
    let two = |sizes: [u64; 2], offsets: [u64; 2], data| {
        let raw = Raw::new().tensor(b"first", &[sizes[0]], 0, offsets[0]);
        refused("a.gguf", &raw.tensor(b"second", &[sizes[1]], 0, offsets[1]).data(data).bytes())
    };
    let both = |error: &Error| {
        let text = error.to_string();
        assert!(text.contains("first") && text.contains("second"), "{text}");
    };
    let unaligned = two([8, 8], [0, 33], 128);
    assert!(matches!(unaligned, Error::Unaligned { offset: 33, .. }), "{unaligned}");
    let beyond = two([8, 8], [0, 1 << 40], 128);
    assert!(matches!(beyond, Error::OutOfRange { .. }), "{beyond}");
    let overlap = two([16, 8], [0, 32], 128);
    assert!(matches!(overlap, Error::Overlap { .. }), "{overlap}");
    both(&overlap);
    let same = two([8, 8], [0, 0], 128);
    assert!(matches!(same, Error::Overlap { .. }), "{same}");
    both(&same);
    let descending = two([8, 8], [32, 0], 64);
    assert!(matches!(descending, Error::Order { .. }), "{descending}");
    both(&descending);
    let gap = two([8, 8], [0, 64], 128);
    assert!(matches!(gap, Error::Gap { bytes: 32, .. }), "{gap}");
    both(&gap);
    let late = refused("a.gguf", &Raw::new().tensor(b"a", &[8], 0, 32).data(64).bytes());
    assert!(matches!(late, Error::Gap { bytes: 32, .. }), "{late}");
    // The last byte of the last tensor is missing.
    let mut file = good().bytes();
    file.pop();
    let error = refused("a.gguf", &file);
    assert!(matches!(error, Error::OutOfRange { end: 64, have: 63, .. }), "{error}");
}

#[test]
fn g13_no_other_way_to_bytes() {
    // What cannot be opened cannot be converted either: a writer takes an opened checkpoint only. And a
    // tensor that is none of the checkpoint's own gives no bytes, whatever place it states.
    let cage = Cage::new();
    let checkpoint = Checkpoint::open(cage.put("a.gguf", &good().bytes())).unwrap();
    let mut forged = checkpoint.tensor("a").unwrap().clone();
    assert_eq!(checkpoint.bytes(&forged).unwrap().len(), 64);
    forged.range = 0..forged.range.end;
    assert_eq!(checkpoint.bytes(&forged).unwrap_err().code(), "missing-tensor");
    forged.range = 0..u64::MAX;
    assert_eq!(checkpoint.bytes_in(&forged, 0..u64::MAX).unwrap_err().code(), "missing-tensor");
    let own = checkpoint.tensor("a").unwrap();
    for part in [0..65, 60..u64::MAX, u64::MAX..u64::MAX] {
        assert_eq!(checkpoint.bytes_in(own, part).unwrap_err().code(), "bad-request");
    }
    let mut out = [0.0; 4];
    for rows in [4..5, 0..2, 3..usize::MAX, 5..5] {
        assert_eq!(checkpoint.rows_f32("a", rows, &mut out).unwrap_err().code(), "bad-request");
    }
    assert!(
        GgufWriter::like(&checkpoint)
            .unwrap()
            .write_from(&checkpoint, &cage.path().join("b.gguf"))
            .is_ok()
    );
}

#[test]
fn g14_tensor_names() {
    let named = |name: &[u8]| Raw::new().tensor(name, &[8], 0, 0).data(32).bytes();
    let twice = Raw::new().tensor(b"a", &[8], 0, 0).tensor(b"a", &[8], 0, 32).data(64).bytes();
    assert_code("a.gguf", &twice, "duplicate");
    assert_code("a.gguf", &named(&vec![b'x'; 65_536]), "over-limit");
    assert_code("a.gguf", &named(&[b'x'; 257]), "over-limit");
    for name in [&b"a\0b"[..], b"\x1b[31m", b"a\nb", b""] {
        assert_code("a.gguf", &named(name), "bad-name");
    }
    assert_code("a.gguf", &named(b"\xc3\x28"), "not-utf8");
    // A name like a path is only a name.
    let cage = Cage::new();
    assert!(open(&cage.put("a.gguf", &named(b"../../etc/passwd"))).is_ok());
}

#[test]
fn g15_number_formats_that_do_not_exist() {
    for kind in [4, 5, 31, 32, 33, 36, 37, 38, 250, u32::MAX] {
        let error = refused("a.gguf", &Raw::new().tensor(b"a", &[256], kind, 0).data(4096).bytes());
        assert!(
            matches!(&error, Error::UnknownFormat { found, .. } if *found == kind.to_string()),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
}

/// The part of G16 and G17 that is this crate's: a key is of its type or an error, and arrays have
/// the length they have.
#[test]
fn g17_typed_accessors_do_not_reinterpret() {
    let scores = [&6_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[0; 8]].concat();
    let tokens =
        [&STR.to_le_bytes()[..], &2_u64.to_le_bytes(), &text(b"a"), &text(b"\xff")].concat();
    let types = [&2_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[1, 0, 0xff, 0xff]].concat();
    let nan = f32::NAN.to_le_bytes();
    let raw = Raw::new()
        .key(b"scores", ARRAY, &scores)
        .key(b"tokens", ARRAY, &tokens)
        .key(b"types", ARRAY, &types)
        .key(b"nan", 6, &nan)
        .key(b"minus", 5, &(-1_i32).to_le_bytes())
        .key(b"large", 10, &u64::MAX.to_le_bytes());
    let cage = Cage::new();
    let opened = open(&cage.put("a.gguf", &raw.bytes())).unwrap();
    let keys = opened.metadata().gguf().unwrap();
    assert_eq!(keys.array_f32("scores").unwrap(), [0.0, 0.0]);
    assert_eq!(keys.array_i32("types").unwrap(), [1, 65_535]);
    assert_eq!(keys.array_i32("scores").unwrap_err().code(), "key-type");
    assert_eq!(keys.array_f32("types").unwrap_err().code(), "key-type");
    assert_eq!(keys.array_str("scores").unwrap_err().code(), "key-type");
    assert_eq!(keys.array_str("tokens").unwrap_err().code(), "not-utf8");
    assert_eq!(keys.array_bytes("tokens").unwrap(), [&b"a"[..], b"\xff"]);
    assert_eq!(keys.str("scores").unwrap_err().code(), "key-type");
    assert_eq!(keys.uint("nan").unwrap_err().code(), "key-type");
    assert_eq!(keys.uint("minus").unwrap_err().code(), "key-type");
    assert_eq!(keys.int("minus").unwrap(), -1);
    assert_eq!(keys.int("large").unwrap_err().code(), "key-type");
    assert_eq!(keys.uint("large").unwrap(), u64::MAX);
    assert_eq!(keys.bool("minus").unwrap_err().code(), "key-type");
    assert_eq!(keys.uint("none").unwrap_err().code(), "missing-key");
    assert!(keys.float("nan").unwrap().is_nan());
    assert!(opened.metadata().config["nan"].is_null());
}

#[test]
fn g19_scan_counts_what_is_not_finite() {
    let mut writer = GgufWriter::new("llama");
    writer.tensor("bad", &[2, 4], &quant::F32).unwrap();
    writer.tensor("all_nan", &[4], &quant::F32).unwrap();
    writer.tensor("q8", &[32], &quant::Q8_0).unwrap();
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0, -3.0, -0.0, 1e-42, 2.0];
    let bad: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let all_nan: Vec<u8> = [f32::NAN; 4].iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut q8 = vec![1; 34];
    q8[..2].copy_from_slice(&[0x00, 0x7c]); // a block scale of infinity
    let cage = Cage::new();
    let file = writer.to_bytes(&[&bad, &all_nan, &q8]).unwrap();
    let opened = open(&cage.put("a.gguf", &file)).unwrap();
    let found = opened.scan("bad").unwrap();
    assert_eq!(
        (found.count, found.nans, found.infinities, found.zeros, found.subnormals),
        (8, 1, 2, 1, 1)
    );
    assert_eq!((found.min, found.max), (-3.0, 2.0));
    assert!(
        (found.mean - 0.0).abs() < 1e-9 && (found.std - (14.0_f64 / 5.0).sqrt()).abs() < 1e-9,
        "{found:?}"
    );
    let found = opened.scan("all_nan").unwrap();
    assert_eq!((found.non_finite(), found.min, found.max, found.std), (4, 0.0, 0.0, 0.0));
    assert_eq!(opened.scan("q8").unwrap().non_finite(), 32);
}
