//! Just enough of a GGUF reader to get at vocabularies; trusts its input, as tests may.

use std::collections::HashMap;
use std::path::Path;

use text::tokenizer::GgufVocab;

pub(crate) enum Value {
    Number(u64),
    Float(f32),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn number(&mut self, width: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width));
        u64::from_le_bytes(bytes)
    }

    fn text(&mut self) -> String {
        let length = self.number(8) as usize;
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn value(&mut self, kind: u64) -> Value {
        match kind {
            0 | 1 => Value::Number(self.number(1)),
            2 | 3 => Value::Number(self.number(2)),
            4 => Value::Number(self.number(4)),
            5 => Value::Number(i64::from(self.number(4) as u32 as i32) as u64),
            6 => Value::Float(f32::from_bits(self.number(4) as u32)),
            7 => Value::Bool(self.number(1) != 0),
            8 => Value::Text(self.text()),
            9 => {
                let kind = self.number(4);
                let count = self.number(8);
                Value::List((0..count).map(|_| self.value(kind)).collect())
            }
            10..=12 => Value::Number(self.number(8)),
            _ => panic!("value kind {kind}"),
        }
    }
}

/// The metadata of a GGUF file, which may be xz-compressed.
pub(crate) fn metadata(path: &Path) -> HashMap<String, Value> {
    let raw = std::fs::read(path).unwrap();
    let bytes = if path.extension().is_some_and(|e| e == "xz") {
        let mut out = Vec::new();
        lzma_rs::xz_decompress(&mut raw.as_slice(), &mut out).unwrap();
        out
    } else {
        raw
    };
    let mut reader = Reader(&bytes);
    assert_eq!(reader.take(4), b"GGUF");
    reader.number(4);
    reader.number(8);
    let count = reader.number(8);
    (0..count)
        .map(|_| {
            let key = reader.text();
            let kind = reader.number(4);
            (key, reader.value(kind))
        })
        .collect()
}

/// The vocabulary of a GGUF file.
pub(crate) fn vocab(path: &Path) -> GgufVocab {
    let data = metadata(path);
    let get = |key: &str| data.get(&format!("tokenizer.ggml.{key}"));
    let text = |key| match get(key) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let number = |key| match get(key) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let flag = |key| match get(key) {
        Some(Value::Bool(flag)) => Some(*flag),
        _ => None,
    };
    let list = |key| match get(key) {
        Some(Value::List(list)) => Some(list),
        _ => None,
    };
    let texts = |list: &Vec<Value>| {
        list.iter()
            .map(|value| match value {
                Value::Text(text) => text.clone(),
                _ => panic!("not a text"),
            })
            .collect::<Vec<_>>()
    };
    GgufVocab {
        model: text("model").unwrap(),
        pre: text("pre"),
        tokens: texts(list("tokens").unwrap()),
        scores: list("scores").map(|list| {
            list.iter()
                .map(|value| match value {
                    Value::Float(score) => *score,
                    _ => panic!("not a score"),
                })
                .collect()
        }),
        types: list("token_type").map(|list| {
            list.iter()
                .map(|value| match value {
                    Value::Number(kind) => *kind as i32,
                    _ => panic!("not a type"),
                })
                .collect()
        }),
        merges: list("merges").map(texts),
        bos: number("bos_token_id"),
        eos: number("eos_token_id"),
        unk: number("unknown_token_id"),
        sep: number("seperator_token_id"),
        pad: number("padding_token_id"),
        cls: number("cls_token_id"),
        mask: number("mask_token_id"),
        ends: [number("eot_token_id"), number("eom_token_id")].into_iter().flatten().collect(),
        add_bos: flag("add_bos_token"),
        add_eos: flag("add_eos_token"),
        add_space_prefix: flag("add_space_prefix"),
        remove_extra_whitespaces: flag("remove_extra_whitespaces"),
        lowercase: flag("normalizer.lowercase"),
        precompiled_charsmap: None,
    }
}
