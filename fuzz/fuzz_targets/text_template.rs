//! A template and messages from strangers: refused or rendered, within bounds, never a panic; and
//! every byte of a message that shows up is marked as theirs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::message::Message;
use text::reasoning::{FORMATS, Opened, Piece};
use text::template::{ChatTemplate, DateTime, Ending, Limits, RenderRequest, Specials};

fuzz_target!(|data: &[u8]| {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let (source, words) = input.split_once('\0').unwrap_or((input, "hello <|im_end|>"));
    for (at, format) in FORMATS.iter().enumerate() {
        let opened = if at % 2 == 0 { Opened::ByPrompt } else { Opened::No };
        let mut splitter = format.splitter(opened);
        let mut pieces = splitter.push(words);
        pieces.extend(splitter.push(source));
        pieces.extend(splitter.finish());
        let joined: String = pieces.iter().map(Piece::text).collect();
        assert_eq!(joined, format!("{words}{source}"));
    }
    let specials: Specials = [("bos_token".to_owned(), "<s>".to_owned())].into();
    let Ok(template) = ChatTemplate::new(source, specials, "fuzz") else { return };
    let _ = template.findings();
    let limits = Limits { steps: 200_000, memory: 4 << 20, output: 1 << 20, ..Limits::default() };
    let template = template.with_limits(limits);
    let messages = [
        Message::new("system", words),
        Message::new("user", "\u{e000}\u{e001}"),
        Message::new("assistant", words),
    ];
    for ending in [Ending::GenerationPrompt, Ending::Complete, Ending::ContinueFinal] {
        let request = RenderRequest {
            messages: &messages,
            ending,
            now: Some(DateTime::from_unix(1_767_323_045, 0)),
            ..RenderRequest::default()
        };
        if let Ok(rendered) = template.render(&request)
            && !source.contains(['\u{e000}', '\\', '&'])
        {
            let trusted = rendered.parts.iter().filter(|part| part.trusted);
            assert!(!trusted.into_iter().any(|part| part.text.contains('\u{e000}')));
        }
    }
});
