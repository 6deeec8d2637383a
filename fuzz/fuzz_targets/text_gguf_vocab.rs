//! Any vocabulary a GGUF file could hold: an error, or a tokenizer that encodes and decodes, and
//! a stream that gives what decoding gives.
//!
//! The bytes are read as lines: model, scheme, then a token a line with its type's digit before
//! it; lines with a tab are merges.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::stream::{Detokenizer, StreamStart};
use text::tokenizer::{Frame, GgufVocab, Special, Specials, Tokenizer};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let models = ["gpt2", "llama", "t5", "bert", "gemma4"];
    let model = models[lines.next().map_or(0, str::len) % models.len()].to_owned();
    let mut file = GgufVocab { model, pre: lines.next().map(str::to_owned), ..Default::default() };
    let (mut types, mut merges) = (Vec::new(), Vec::new());
    for line in lines {
        if let Some((left, right)) = line.split_once('\t') {
            merges.push(format!("{left} {right}"));
        } else {
            let kind = line.chars().next().and_then(|c| c.to_digit(10));
            types.push(kind.map_or(1, |kind| kind as i32 % 7));
            file.tokens.push(line.chars().skip(1).collect());
        }
    }
    file.scores = Some((0..file.tokens.len()).map(|i| 1.0 - (i % 97) as f32).collect());
    (file.types, file.merges) = (Some(types), Some(merges));
    (file.bos, file.unk) = (Some(0), Some(1));
    let Ok(tokenizer) = Tokenizer::from_gguf(&file) else { return };
    let Ok(ids) = tokenizer.encode_framed(&text, Special::Parse, Frame::Full) else { return };
    let mut stream = Detokenizer::new(&tokenizer, Specials::Keep, StreamStart::Beginning);
    let mut streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
    streamed.push_str(&stream.finish());
    assert_eq!(streamed, tokenizer.decode(&ids, Specials::Keep));
});
