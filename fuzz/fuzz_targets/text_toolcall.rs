//! What a model writes, read for calls in every notation: whole, and in pieces cut anywhere, it
//! means the same; a call that ends has a JSON object for arguments; no text is lost to a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use text::message::Tool;
use text::reasoning::{self, Opened, Splitter};
use text::toolcall::{CallParser, Event, FORMATS, OutputParser};

/// An output as its events add up.
#[derive(Debug, Default, PartialEq)]
struct Output {
    reasoning: String,
    text: String,
    /// Name, arguments, ids, whether it ended.
    calls: Vec<(String, String, Vec<Option<String>>, bool)>,
    malformed: Vec<(Option<usize>, String, String)>,
}

impl Output {
    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Reasoning(text) => self.reasoning += &text,
                Event::Text(text) => self.text += &text,
                Event::CallStart { index, name, id } => {
                    assert_eq!(index, self.calls.len(), "calls are numbered as they come");
                    self.calls.push((name, String::new(), vec![id], false));
                }
                Event::CallArguments { index, delta } => {
                    assert!(!self.calls[index].3, "arguments of a call that ended");
                    self.calls[index].1 += &delta;
                }
                Event::CallEnd { index, id } => {
                    let call = &mut self.calls[index];
                    let arguments = serde_json::from_str::<Value>(&call.1);
                    assert!(arguments.is_ok_and(|value| value.is_object()), "{:?}", call.1);
                    call.2.push(id);
                    call.3 = true;
                }
                Event::Malformed { index, text, reason } => {
                    assert!(index.is_none_or(|index| index < self.calls.len()));
                    self.malformed.push((index, text, reason));
                }
            }
        }
    }
}

fn tools() -> Vec<Tool> {
    let declared = json!([
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
            "a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "array"},
            "d": {"type": "boolean"}, "e": {"type": "object"}, "n": {"type": ["number", "null"]}}}}},
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
            "properties": {"city": {"type": "string"}}}}},
        {"name": "python", "parameters": {"type": "object", "properties": {"code": {"type": "string"}}}}
    ]);
    serde_json::from_value(declared).expect("tools")
}

fuzz_target!(|data: &[u8]| {
    let [which, thinks, cuts, rest @ ..] = data else { return };
    let Ok(output) = std::str::from_utf8(rest) else { return };
    let format = &FORMATS[usize::from(*which) % FORMATS.len()];
    let tools = tools();
    let parser = || {
        let thinking = reasoning::FORMATS.get(usize::from(*thinks) % (reasoning::FORMATS.len() * 2));
        let opened = if thinks % 2 == 0 { Opened::No } else { Opened::ByPrompt };
        let splitter = thinking.map_or_else(Splitter::plain, |format| format.splitter(opened));
        OutputParser::new(splitter.ended_by(format.marks()), Some(CallParser::new(format, &tools)))
    };
    let mut whole = Output::default();
    let mut reader = parser();
    whole.take(reader.push(output));
    whole.take(reader.finish());

    // Pieces of one to eight characters; with no cuts given, characters one by one.
    let mut state = u32::from(*cuts);
    let mut pieces = Output::default();
    let mut reader = parser();
    let mut left = output;
    while !left.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wanted = if *cuts == 0 { 1 } else { (state >> 29) as usize + 1 };
        let end = left.char_indices().nth(wanted).map_or(left.len(), |(at, _)| at);
        let (piece, after) = left.split_at(end);
        pieces.take(reader.push(piece));
        left = after;
    }
    pieces.take(reader.finish());
    assert_eq!(whole, pieces, "{}: whole and in pieces", format.name);
});
