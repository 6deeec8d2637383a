//! Our reading of `tokenizer.json` against the `tokenizers` library's, on texts made to be
//! difficult: every golden model's file, and small files for the parts those do not use.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skipped"
)]

#[path = "tokenizer/charsmap.rs"]
mod charsmap;

use serde_json::{Value, json};
use text::tokenizer::{Frame, Special, Specials, Tokenizer};

/// A generator good enough for tests (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self, extra: &[&'static str]) -> String {
        const BITS: [&str; 72] = [
            " ",
            " ",
            " ",
            "  ",
            "   ",
            "\n",
            "\n\n",
            "\r\n",
            "\t",
            "\u{a0}",
            "\u{3000}",
            "\u{200b}",
            "\u{2028}",
            "\u{85}",
            "the",
            "The",
            "and",
            "ing",
            "er",
            "don't",
            "I'VE",
            "we'll",
            "'S",
            "'s",
            "'",
            "\"",
            ".",
            "...",
            ",",
            "!",
            "?!",
            "-",
            "--",
            "_",
            "#",
            "$",
            "€",
            "/",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "<",
            ">",
            "<s>",
            "</s>",
            "<0x41>",
            "▁",
            "0",
            "7",
            "42",
            "1234567",
            "½",
            "Ⅳ",
            "①",
            "٣",
            "é",
            "e\u{301}",
            "ü",
            "ß",
            "Ǆ",
            "İ",
            "吾輩",
            "猫",
            "ひら",
            "カ",
            "한국",
            "нещо",
            "مرحبا",
            "🦙",
            "👩\u{200d}👧",
        ];
        let count = 1 + self.below(14);
        let mut text = String::new();
        for _ in 0..count {
            let from_extra = !extra.is_empty() && self.below(8) == 0;
            text.push_str(if from_extra { self.pick(extra) } else { self.pick(&BITS) });
        }
        text
    }
}

fn compare(name: &str, file: &[u8], rounds: usize, extra: &[&'static str]) {
    let ours = Tokenizer::from_json(file, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    let theirs = tokenizers::Tokenizer::from_bytes(file).unwrap();
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..rounds {
        let text = random.text(extra);
        let expected = theirs.encode(text.as_str(), true).unwrap();
        let found = ours.encode_framed(&text, Special::Parse, Frame::Full).unwrap();
        assert_eq!(found, expected.get_ids(), "{name}: {text:?}");
        let bare = theirs.encode(text.as_str(), false).unwrap();
        if bare.get_ids().iter().all(|&id| ours.is_special(id)) {
            continue; // one of the library's decoders panics on no tokens
        }
        for (specials, skip) in [(Specials::Keep, false), (Specials::Skip, true)] {
            let expected = theirs.decode(bare.get_ids(), skip).unwrap();
            let found = ours.decode(bare.get_ids(), specials);
            assert_eq!(found, expected, "{name}: decoding {text:?}");
        }
    }
}

#[test]
fn golden_models() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut seen = Vec::new();
    let mut folders: Vec<_> =
        std::fs::read_dir(models).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let file = std::fs::read(folder.join("tokenizer.json")).unwrap();
        if seen.contains(&file) {
            continue;
        }
        let extra = [
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "<think>",
            "<｜User｜>",
            "<unk>",
            "<bos>",
            "<start_of_turn>",
            "<|begin_of_text|>",
            "[MASK]",
            "[CLS]",
            "<mask>",
            "<pad>",
        ];
        compare(folder.file_name().unwrap().to_str().unwrap(), &file, 400, &extra);
        seen.push(file);
    }
    println!("{} different files", seen.len());
}

/// A small vocabulary of single characters and a few words.
fn vocabulary() -> (Value, Value) {
    let mut vocab = serde_json::Map::new();
    let words = [
        "<unk>", "th", "the", "in", "ing", "er", "an", "and", "▁t", "▁th", "▁the", "12", "ĠT",
        "Ġt", "<mask>",
    ];
    for word in words {
        vocab.insert(word.to_owned(), json!(vocab.len()));
    }
    let alphabet = (0x21u32..0x7f).chain(0xa1..0x144).filter_map(char::from_u32);
    for c in alphabet.chain("▁ 吾猫½éü€\n\t".chars()) {
        let next = json!(vocab.len());
        vocab.entry(c.to_string()).or_insert(next);
    }
    let merges = json!([
        "t h", "th e", "i n", "in g", "e r", "a n", "an d", "▁ t", "▁t h", "▁th e", "1 2", "Ġ T",
        "Ġ t"
    ]);
    (Value::Object(vocab), merges)
}

fn added() -> Value {
    json!([
        {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false,
         "normalized": false, "special": true},
        {"id": 14, "content": "<mask>", "single_word": false, "lstrip": true, "rstrip": true,
         "normalized": false, "special": true},
        {"id": 900, "content": "The", "single_word": true, "lstrip": false, "rstrip": false,
         "normalized": true, "special": false},
        {"id": 901, "content": "42", "single_word": false, "lstrip": false, "rstrip": false,
         "normalized": false, "special": false},
    ])
}

fn bpe(normalizer: &Value, pre_tokenizer: &Value, decoder: &Value, options: &Value) -> Value {
    let (mut vocab, merges) = vocabulary();
    // ids have no gaps in the library's files
    let next = vocab.as_object().unwrap().len();
    vocab["The"] = json!(next);
    vocab["42"] = json!(next + 1);
    let mut added = added();
    added[2]["id"] = json!(next);
    added[3]["id"] = json!(next + 1);
    let mut model = json!({"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": "<unk>"});
    for (key, value) in options.as_object().unwrap() {
        model[key] = value.clone();
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
        "decoder": decoder, "model": model,
    })
}

#[test]
fn every_pre_tokenizer() {
    let split = |pattern: &str, behavior: &str, invert: bool| {
        json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior,
               "invert": invert})
    };
    let mut steps = vec![
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
               "use_regex": true}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "Whitespace"}),
        json!({"type": "WhitespaceSplit"}),
        json!({"type": "CharDelimiterSplit", "delimiter": "e"}),
        json!({"type": "FixedLength", "length": 3}),
        json!({"type": "Digits", "individual_digits": true}),
        json!({"type": "Digits", "individual_digits": false}),
        json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
               "invert": false}),
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Punctuation", "behavior": "Contiguous"},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
             "use_regex": true},
            {"type": "Digits", "individual_digits": false},
        ]}),
        split(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
            "Removed",
            true,
        ),
        split(r"\d{1,3}(?=(?:\d{3})*\b)", "Isolated", false),
    ];
    let behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
    for behavior in behaviors {
        steps.push(json!({"type": "Punctuation", "behavior": behavior}));
        steps.push(split(r"\s", behavior, false));
        steps.push(split(r"\w+", behavior, true));
    }
    for scheme in ["always", "first", "never"] {
        for split in [true, false] {
            steps.push(json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme,
                              "split": split}));
        }
    }
    let decoder = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                         "use_regex": true});
    for step in steps {
        let file = bpe(&Value::Null, &step, &decoder, &json!({}));
        compare(&step.to_string(), file.to_string().as_bytes(), 150, &["<mask>", "<unk>"]);
    }
}

#[test]
fn every_normalizer_and_decoder() {
    let normalizers = [
        json!({"type": "NFC"}),
        json!({"type": "NFD"}),
        json!({"type": "NFKC"}),
        json!({"type": "NFKD"}),
        json!({"type": "Lowercase"}),
        json!({"type": "StripAccents"}),
        json!({"type": "Nmt"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Strip", "strip_left": false, "strip_right": true}),
        json!({"type": "Prepend", "prepend": "▁"}),
        json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}),
        json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
               "strip_accents": null, "lowercase": true}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false,
               "strip_accents": true, "lowercase": false}),
        json!({"type": "Sequence", "normalizers": [
            {"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"},
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]}),
    ];
    let decoders = [
        Value::Null,
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "WordPiece", "prefix": "th", "cleanup": true}),
        json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]}),
        // start and stop together make the library panic on a token of one character
        json!({"type": "Strip", "content": "t", "start": 1, "stop": 0}),
    ];
    for (i, normalizer) in normalizers.iter().enumerate() {
        let decoder = &decoders[i % decoders.len()];
        let file = bpe(normalizer, &Value::Null, decoder, &json!({"fuse_unk": i % 2 == 0}));
        let name = format!("{normalizer} {decoder}");
        compare(&name, file.to_string().as_bytes(), 200, &["<mask>", "<unk>"]);
    }
    let suffixed = json!({"type": "BPEDecoder", "suffix": "g"});
    let file = bpe(&Value::Null, &json!({"type": "Whitespace"}), &suffixed, &json!({}));
    compare("BPEDecoder", file.to_string().as_bytes(), 200, &[]);
}

#[test]
fn precompiled_charsmaps() {
    let entries = [
        ("ﬁ", "fi"),
        ("①", "1"),
        ("½", "1⁄2"),
        ("e\u{301}", "é"),
        ("\u{3000}", " "),
        ("\t", " "),
        ("İ", "i"),
        ("\u{200d}", ""),
        ("th", "þ"),
    ];
    let blob = charsmap::write(&entries);
    let encoded = base64(&blob);
    let step = json!({"type": "Precompiled", "precompiled_charsmap": encoded});
    let file = bpe(&step, &Value::Null, &Value::Null, &json!({"fuse_unk": true}));
    compare("Precompiled", file.to_string().as_bytes(), 500, &["ﬁ", "<mask>", "th\u{301}"]);
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() { digit as char } else { '=' });
        }
    }
    out
}

#[test]
fn every_model() {
    let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                           "split": true});
    for options in [json!({"ignore_merges": true}), json!({"fuse_unk": true})] {
        let file = bpe(&Value::Null, &metaspace, &metaspace, &options);
        compare(&options.to_string(), file.to_string().as_bytes(), 300, &["<mask>"]);
    }
    let (vocab, _) = vocabulary();
    let tokens: Vec<&String> = vocab.as_object().unwrap().keys().collect();
    let scored: Vec<Value> = tokens
        .iter()
        .enumerate()
        .map(|(i, token)| json!([token, -(token.chars().count() as f64).recip() - i as f64 * 0.01]))
        .collect();
    let mut file = bpe(&Value::Null, &metaspace, &metaspace, &json!({}));
    file["added_tokens"] = json!([]);
    file["model"] =
        json!({"type": "Unigram", "unk_id": 0, "vocab": scored, "byte_fallback": false});
    compare("Unigram", file.to_string().as_bytes(), 400, &[]);
    let mut words = vocab.clone();
    for word in ["##ing", "##e", "##r", "##s", "##t", "##and"] {
        let next = words.as_object().unwrap().len();
        words[word] = json!(next);
    }
    file["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
    file["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    file["model"] = json!({"type": "WordPiece", "unk_token": "<unk>", "vocab": words,
                           "continuing_subword_prefix": "##", "max_input_chars_per_word": 6});
    compare("WordPiece", file.to_string().as_bytes(), 400, &[]);
    file["pre_tokenizer"] = json!({"type": "Whitespace"});
    file["decoder"] = Value::Null;
    file["model"] = json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": vocab});
    compare("WordLevel", file.to_string().as_bytes(), 300, &[]);
}
