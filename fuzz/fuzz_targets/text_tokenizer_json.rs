//! Any bytes as a `tokenizer.json`: an error, or a tokenizer that encodes and decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::tokenizer::{Frame, Special, Specials, Tokenizer};

fuzz_target!(|data: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(data, None) else { return };
    let text = "Hello  world\n<s>[INST] 12345 naïve ＜s＞ 猫🦙\u{1}e\u{301}";
    if let Ok(ids) = tokenizer.encode_framed(text, Special::Parse, Frame::Full) {
        let _ = tokenizer.decode(&ids, Specials::Keep);
    }
});
