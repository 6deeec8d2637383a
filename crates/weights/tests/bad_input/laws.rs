//! G2 and the laws: any prefix or bit flip of a valid file is an error or a file that can be read to
//! its end; what is written is what is read.

use std::path::Path;

use weights::{
    Checkpoint, GgufWriter, Limits, SafetensorsWriter,
    gguf::{self, Array, Value},
    safetensors, write_sharded,
};

use crate::cage::{Cage, open};

/// Values of every kind of key and a few tensors.
fn valid_gguf() -> Vec<u8> {
    let mut writer = GgufWriter::new("llama");
    writer
        .set("u8", 1_u8)
        .set("f32", 1.5_f32)
        .set("bool", true)
        .set("name", "a model")
        .set("tokens", vec!["a", "bc", "é"])
        .set("scores", vec![0.5_f32, -1.0, f32::NEG_INFINITY])
        .set("flags", vec![true, false]);
    writer.tensor("a.weight", &[2, 32], &quant::Q8_0).unwrap();
    writer.tensor("b.weight", &[3], &quant::F32).unwrap();
    writer.to_bytes(&[&[3; 68], &[5; 12]]).unwrap()
}

fn valid_safetensors() -> Vec<u8> {
    let mut writer = SafetensorsWriter::new();
    writer.metadata("format", "pt");
    writer.tensor("a.weight", &[2, 3], &quant::F32).unwrap();
    writer.tensor("b", &[4], &quant::BF16).unwrap();
    writer.tensor("empty", &[0, 3], &quant::I64).unwrap();
    let cage = Cage::new();
    let path = cage.path().join("a.safetensors");
    writer.write(&path, |_, stream| stream.put(&vec![7; stream.missing() as usize])).unwrap();
    std::fs::read(path).unwrap()
}

/// Uses everything an opened file offers.
fn read_all(path: &Path) {
    let Ok(opened) = Checkpoint::open(path) else { return };
    for tensor in opened.tensors().values() {
        assert_eq!(opened.bytes(tensor).unwrap().len() as u64, tensor.len_bytes());
    }
    for logical in opened.logical_tensors().values().filter(|logical| logical.format().is_some()) {
        assert_eq!(opened.scan(&logical.name).unwrap().count, logical.elements() as u64);
    }
    if let Some(keys) = opened.metadata().gguf() {
        for key in keys.keys() {
            keys.value(key).unwrap();
        }
    }
}

#[test]
fn g02_every_prefix_of_a_gguf_file() {
    let file = valid_gguf();
    let whole = gguf::parse(&file, file.len() as u64, &Limits::DEFAULT).unwrap();
    let data_end = whole.tensors.last().unwrap().range.end as usize;
    for length in 0..file.len() {
        match gguf::parse(&file[..length], length as u64, &Limits::DEFAULT) {
            // Only the padding after the last tensor may be missing.
            Ok(parsed) => assert!(length >= data_end && parsed == whole, "{length}"),
            Err(_) => assert!(length < data_end, "{length}"),
        }
        // The start of a longer file: either a wish for more or a parse of the whole.
        match gguf::parse(&file[..length], file.len() as u64, &Limits::DEFAULT) {
            Ok(parsed) => assert_eq!(parsed, whole),
            Err(error) => assert_eq!(error.code(), "truncated", "{length}: {error}"),
        }
    }
}

#[test]
fn g02_every_bit_flip_in_a_gguf_header() {
    let file = valid_gguf();
    let header =
        gguf::parse(&file, file.len() as u64, &Limits::DEFAULT).unwrap().data_start as usize;
    let cage = Cage::new();
    let mut accepted = 0;
    for at in 0..header {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            if gguf::parse(&flipped, flipped.len() as u64, &Limits::DEFAULT).is_ok() {
                accepted += 1;
                read_all(&cage.put("a.gguf", &flipped));
            }
        }
        for value in [0, 0xff] {
            let mut changed = file.clone();
            changed[at] = value;
            drop(gguf::parse(&changed, changed.len() as u64, &Limits::DEFAULT));
        }
    }
    // Flips in names and values make other valid files; in lengths, types and places they do not.
    assert!(accepted > 0 && accepted < header * 8);
}

#[test]
fn every_prefix_and_bit_flip_of_a_safetensors_file() {
    let file = valid_safetensors();
    let whole = safetensors::parse(&file, file.len() as u64, &Limits::DEFAULT).unwrap();
    for length in 0..file.len() {
        assert!(
            safetensors::parse(&file[..length], length as u64, &Limits::DEFAULT).is_err(),
            "{length}"
        );
    }
    let cage = Cage::new();
    for at in 0..whole.data_start as usize {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            let ours = safetensors::parse(&flipped, flipped.len() as u64, &Limits::DEFAULT);
            let theirs = ::safetensors::SafeTensors::deserialize(&flipped);
            // Stricter than the reference, never laxer; and the same where both accept.
            if let Ok(ours) = ours {
                let theirs = theirs.unwrap_or_else(|e| panic!("byte {at} bit {bit}: {e}"));
                assert_eq!(ours.tensors.len(), theirs.len());
                read_all(&cage.put("a.safetensors", &flipped));
            } else if theirs.is_ok() {
                // The one thing we refuse and they do not: a member that means nothing.
                let text =
                    String::from_utf8_lossy(&flipped[8..whole.data_start as usize]).into_owned();
                panic!("byte {at} bit {bit}: {} {text}", ours.unwrap_err());
            }
        }
    }
}

fn every_value() -> Vec<(&'static str, Value)> {
    vec![
        ("u8", 255_u8.into()),
        ("i8", (-128_i8).into()),
        ("u16", u16::MAX.into()),
        ("i16", i16::MIN.into()),
        ("u32", u32::MAX.into()),
        ("i32", i32::MIN.into()),
        ("u64", u64::MAX.into()),
        ("i64", i64::MIN.into()),
        ("f32", f32::MIN_POSITIVE.into()),
        ("inf", f64::INFINITY.into()),
        ("yes", true.into()),
        ("text", "é\n".into()),
        ("a.u8", vec![1_u8, 2].into()),
        ("a.i8", Value::Array(Array::I8(vec![-1, 1]))),
        ("a.u16", Value::Array(Array::U16(vec![1, 65_535]))),
        ("a.i16", Value::Array(Array::I16(vec![-5]))),
        ("a.u32", vec![7_u32].into()),
        ("a.i32", vec![-7_i32; 2000].into()),
        ("a.u64", vec![u64::MAX].into()),
        ("a.i64", vec![i64::MIN].into()),
        ("a.f32", vec![0.1_f32, -0.0].into()),
        ("a.f64", Value::Array(Array::F64(vec![0.1]))),
        ("a.bool", vec![true, false].into()),
        ("a.text", Value::Array(Array::Str(vec![b"a".to_vec(), vec![0xff], vec![]]))),
        ("a.none", Vec::<u32>::new().into()),
    ]
}

#[test]
fn written_gguf_is_read_gguf() {
    let cage = Cage::new();
    for alignment in [1, 8, 32, 64, 4096] {
        let mut writer = GgufWriter::new("test");
        writer.alignment(alignment);
        for (key, value) in every_value() {
            writer.set(key, value);
        }
        let formats = quant::FORMATS.iter().filter(|format| format.ggml_type.is_some());
        let mut contents = Vec::new();
        for (at, format) in formats.enumerate() {
            let shape: Vec<usize> = [
                vec![],
                vec![format.block],
                vec![3, format.block],
                vec![2, 1, 3, 2 * format.block],
            ][at % 4]
                .clone();
            let shape =
                if format.block > 1 && shape.is_empty() { vec![format.block] } else { shape };
            let bytes = format.bytes_for(shape.iter().product()).unwrap();
            writer.tensor(&format!("t.{at}"), &shape, *format).unwrap();
            contents
                .push((shape, (0..bytes).map(|byte| (byte * 7 + at) as u8).collect::<Vec<u8>>()));
        }
        let path = cage.path().join("a.gguf");
        let mut next = contents.iter();
        // In pieces of odd sizes.
        let put = |_: &str, stream: &mut weights::TensorStream| {
            next.next().unwrap().1.chunks(13).try_for_each(|piece| stream.put(piece))
        };
        writer.write(&path, put).unwrap();
        let slices: Vec<&[u8]> = contents.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(std::fs::read(&path).unwrap(), writer.to_bytes(&slices).unwrap());

        let opened = open(&path).unwrap();
        let keys = opened.metadata().gguf().unwrap();
        assert_eq!((keys.version(), keys.alignment()), (3, u64::from(alignment)));
        for (key, value) in every_value() {
            assert_eq!(keys.value(key).unwrap(), value, "{key}");
        }
        assert!(!opened.metadata().config.contains_key("a.i32"));
        for ((shape, bytes), tensor) in contents.iter().zip(opened.tensors().values()) {
            assert_eq!(tensor.shape, *shape);
            assert_eq!(opened.bytes(tensor).unwrap(), bytes);
        }
        // And once more from what was read.
        let copy = cage.path().join("b.gguf");
        GgufWriter::like(&opened).unwrap().write_from(&opened, &copy).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap());
    }
}

#[test]
fn written_safetensors_are_read_safetensors() {
    let cage = Cage::new();
    let names = [
        "F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "I16", "I32", "I64",
        "U8", "U16", "U32", "U64", "BOOL",
    ];
    let mut writer = SafetensorsWriter::new();
    writer.metadata("who", "a \"test\"");
    for (at, name) in names.iter().enumerate() {
        let shape = [vec![3], vec![2, 5], vec![], vec![0, 4]][at % 4].clone();
        writer.tensor(&format!("t.{name}"), &shape, quant::by_name(name).unwrap()).unwrap();
    }
    let content = |name: &str, bytes: u64| -> Vec<u8> {
        (0..bytes).map(|at| at as u8 ^ name.len() as u8).collect()
    };
    let fill = |name: &str, stream: &mut weights::TensorStream| {
        stream.put(&content(name, stream.missing()))
    };
    let path = cage.path().join("a.safetensors");
    writer.write(&path, fill).unwrap();
    let opened = open(&path).unwrap();
    assert_eq!(opened.metadata().safetensors()["who"], "a \"test\"");
    let bytes = std::fs::read(&path).unwrap();
    let theirs = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), names.len());
    for (name, view) in theirs.tensors() {
        let tensor = opened.tensor(&name).unwrap();
        assert_eq!(
            (tensor.shape.as_slice(), opened.bytes(tensor).unwrap()),
            (view.shape(), view.data())
        );
        assert_eq!(view.data(), content(&name, tensor.len_bytes()));
        // Aligned as its elements are.
        let size = tensor.dtype.bytes_for(1, 1).unwrap();
        assert!(tensor.range.start.is_multiple_of(size), "{name}");
    }
    // In shards.
    for bytes_max in [1, 20, 60, 1 << 20] {
        let cage = Cage::new();
        let paths = write_sharded(&writer, cage.path(), bytes_max, fill).unwrap();
        let shards = open(cage.path()).unwrap();
        assert!(shards.findings().is_empty(), "{:?}", shards.findings());
        assert_eq!(shards.tensors().len(), names.len());
        assert_eq!(shards.files().len(), paths.len().max(2) - 1);
        for tensor in shards.tensors().values() {
            assert_eq!(shards.bytes(tensor).unwrap(), content(&tensor.name, tensor.len_bytes()));
        }
    }
}

#[test]
fn an_unfinished_file_leaves_what_was_there() {
    let cage = Cage::new();
    let path = cage.put("a.gguf", b"before");
    let mut writer = GgufWriter::new("test");
    writer.tensor("a", &[4], &quant::F32).unwrap();
    let mut stream = writer.begin(&path).unwrap();
    stream.put(&[1; 10]).unwrap();
    assert_eq!((stream.pending(), stream.missing()), (Some("a"), 6));
    assert_eq!(stream.put(&[1; 7]).unwrap_err().code(), "write");
    assert_eq!(stream.finish().unwrap_err().code(), "write");
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(std::fs::read_dir(cage.path()).unwrap().count(), 1);
    assert!(writer.tensor("a", &[4], &quant::F32).is_err());
    assert!(writer.tensor("b", &[33], &quant::Q8_0).is_err());
    assert!(writer.tensor("c", &[4], &quant::U8).is_err());
    assert!(writer.tensor("d", &[1; 5], &quant::F32).is_err());
    assert!(SafetensorsWriter::new().tensor("a", &[32], &quant::Q8_0).is_err());
    assert!(writer.to_bytes(&[]).is_err());
}
