//! Calls of declared tools in a family's notation, as a grammar: only declared names, and arguments
//! that the tool's own schema accepts.
//!
//! [`NOTATIONS`] says of each notation what stands around a name and its arguments. Notations whose
//! arguments are no JSON (tags, Python) are not in it: their calls are read and checked, not steered.

use serde_json::{Value as Json, json};

use super::{GrammarError, source};
use crate::{message::Tool, toolcall::ToolFormat};

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Calls {
    /// The notation.
    pub format: &'static ToolFormat,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// Where the grammar begins.
    pub opening: Opening,
}

/// Where the grammar of calls begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With the tokens among which the mark of a call lies; it ends with that call.
    AtMark,
    /// With the answer: at least one call must come.
    AtOnce {
        /// What closes the thinking that comes first, where the prompt has opened it.
        after: Option<&'static str>,
        /// Whether further calls may follow the first.
        several: Several,
    },
}

/// How many calls may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    /// One or more.
    Yes,
    /// One.
    No,
}

/// A piece of a notation.
enum Piece {
    /// This text, or the special token of this text.
    Mark(&'static str),
    /// All of these, or none.
    Maybe(&'static [&'static str]),
}

use Piece::{Mark, Maybe};

/// How one notation writes calls.
struct Notation {
    /// Its name in [`crate::toolcall::FORMATS`].
    format: &'static str,
    open: &'static str,
    shape: Shape,
    close: &'static [Piece],
}

enum Shape {
    /// `{"name": "f", "arguments": {…}}` with these keys, alone or in a list.
    Object {
        name: &'static str,
        arguments: &'static str,
    },
    List {
        name: &'static str,
        arguments: &'static str,
    },
    /// A name and its arguments with this before and between.
    Named {
        before: &'static [Piece],
        between: &'static [Piece],
    },
}

const OBJECT: Shape = Shape::Object { name: "name", arguments: "arguments" };
const LIST: Shape = Shape::List { name: "name", arguments: "arguments" };

const NOTATIONS: &[Notation] = &[
    Notation {
        format: "hermes",
        open: "<tool_call>",
        shape: OBJECT,
        close: &[Mark("</tool_call>")],
    },
    Notation { format: "granite", open: "<|tool_call|>", shape: LIST, close: &[] },
    Notation { format: "mistral-nemo", open: "[TOOL_CALLS]", shape: LIST, close: &[] },
    Notation { format: "nemotron", open: "<TOOLCALL>", shape: LIST, close: &[Mark("</TOOLCALL>")] },
    Notation {
        format: "apriel",
        open: "<tool_calls>",
        shape: LIST,
        close: &[Mark("</tool_calls>")],
    },
    Notation { format: "firefunction", open: "functools", shape: LIST, close: &[] },
    Notation {
        format: "cohere",
        open: "<|START_ACTION|>",
        shape: Shape::List { name: "tool_name", arguments: "parameters" },
        close: &[Mark("<|END_ACTION|>")],
    },
    Notation {
        format: "llama-json",
        open: "<|python_tag|>",
        shape: Shape::Object { name: "name", arguments: "parameters" },
        close: &[],
    },
    Notation {
        format: "mistral",
        open: "[TOOL_CALLS]",
        shape: Shape::Named { before: &[], between: &[Mark("[ARGS]")] },
        close: &[],
    },
    Notation {
        format: "functionary-3.1",
        open: "<function=",
        shape: Shape::Named { before: &[], between: &[Mark(">")] },
        close: &[Mark("</function>")],
    },
    Notation {
        format: "harmony",
        open: " to=functions.",
        shape: Shape::Named {
            before: &[],
            between: &[
                Maybe(&["<|channel|>", "commentary"]),
                Maybe(&[" "]),
                Maybe(&["<|constrain|>", "json"]),
                Mark("<|message|>"),
            ],
        },
        close: &[],
    },
    Notation {
        format: "deepseek",
        open: "<｜tool▁call▁begin｜>",
        shape: Shape::Named {
            before: &[Mark("function"), Mark("<｜tool▁sep｜>")],
            between: &[Mark("\n```json\n")],
        },
        close: &[Mark("\n```"), Mark("<｜tool▁call▁end｜>")],
    },
];

/// Looks up the id of a special token.
type Special<'s> = &'s dyn Fn(&str) -> Option<u32>;

impl Calls {
    /// Whether arguments in this notation can be held to their schema.
    pub fn are_known(format: &ToolFormat) -> bool {
        NOTATIONS.iter().any(|notation| notation.format == format.name)
    }

    /// The text that opens a call in this notation.
    pub fn mark(format: &ToolFormat) -> Option<&'static str> {
        let notation = NOTATIONS.iter().find(|notation| notation.format == format.name);
        notation.map(|notation| notation.open)
    }

    /// The grammar, in Lark.
    pub(super) fn lark(&self, special: Special<'_>) -> Result<String, GrammarError> {
        const WHAT: &str = "notation of tool calls";
        let refused = |reason: String| GrammarError::Refused { what: WHAT, reason };
        let notation = NOTATIONS
            .iter()
            .find(|notation| notation.format == self.format.name)
            .ok_or_else(|| refused(format!("{} cannot be held to a schema", self.format.name)))?;
        if self.tools.is_empty() {
            return Err(refused("there is no tool to call".to_owned()));
        }
        let open = mark(notation.open, special);
        let (start, lead) = match self.opening {
            Opening::AtMark => match special(notation.open) {
                Some(id) => (format!("<[{id}]> body"), String::new()),
                None => ("lead body".to_owned(), lazy("lead", notation.open)),
            },
            Opening::AtOnce { after, several } => {
                let more = if several == Several::Yes { " (GAP? call)*" } else { "" };
                match after.map(|close| (close, special(close))) {
                    None => (format!("call{more}"), String::new()),
                    Some((close, None)) => (format!("lead GAP? call{more}"), lazy("lead", close)),
                    Some((_, Some(id))) => {
                        (format!("<[^{id}]>* <[{id}]> GAP? call{more}"), String::new())
                    }
                }
            }
        };
        let mut rules = vec![format!("start: {start}\n{lead}")];
        if matches!(self.opening, Opening::AtOnce { .. }) {
            rules.push(format!("call: {open} body"));
        }
        let close = pieces(notation.close, special);
        rules.push(match notation.shape {
            Shape::List { .. } => {
                let more = "(GAP? \",\" GAP? one)*";
                format!("body: GAP? \"[\" GAP? one {more} GAP? \"]\" GAP? {close}")
            }
            Shape::Object { .. } if close.is_empty() => "body: GAP? one".to_owned(),
            Shape::Object { .. } => format!("body: GAP? one GAP? {close}"),
            Shape::Named { .. } => format!("body: one {close}"),
        });
        let one = |at: usize| format!("call_{at}");
        let any = (0..self.tools.len()).map(one).collect::<Vec<_>>().join(" | ");
        rules.push(format!("one: {any}"));
        for (at, tool) in self.tools.iter().enumerate() {
            rules.push(format!("call_{at}: {}", written(&notation.shape, tool, at, special)));
            rules.push(format!("arguments_{at}: %json {}", arguments(tool)?));
        }
        if rules.iter().any(|rule| rule.contains("GAP")) {
            rules.push("GAP: /[ \\n]{1,8}/".to_owned());
        }
        Ok(rules.join("\n") + "\n")
    }
}

/// One call of a tool.
fn written(shape: &Shape, tool: &Tool, at: usize, special: Special<'_>) -> String {
    let name = tool.name();
    match shape {
        Shape::Object { name: name_key, arguments } | Shape::List { name: name_key, arguments } => {
            let parts: Vec<String> = [
                "{",
                &Json::from(*name_key).to_string(),
                ":",
                &Json::from(name).to_string(),
                ",",
                &Json::from(*arguments).to_string(),
                ":",
            ]
            .iter()
            .map(|part| source::quoted(part))
            .collect();
            format!("{} GAP? arguments_{at} GAP? \"}}\"", parts.join(" GAP? "))
        }
        Shape::Named { before, between } => {
            let before = pieces(before, special);
            let between = pieces(between, special);
            format!("{before} {} {between} arguments_{at}", source::quoted(name))
        }
    }
}

/// The schema of a tool's arguments: always of an object.
fn arguments(tool: &Tool) -> Result<Json, GrammarError> {
    let declared = tool.parameters().filter(|schema| !schema.is_null());
    let schema =
        source::checked_schema(declared.unwrap_or(&json!({}))).map_err(|error| match error {
            GrammarError::Refused { reason, .. } => GrammarError::Refused {
                what: "schema of the tools",
                reason: format!("{}: {reason}", tool.name()),
            },
            other => other,
        })?;
    let Json::Object(mut map) = schema else { return Ok(source::settled(schema)) };
    map.entry("type").or_insert_with(|| Json::from("object"));
    Ok(source::settled(Json::Object(map)))
}

fn pieces(pieces: &[Piece], special: Special<'_>) -> String {
    let written = pieces.iter().map(|piece| match piece {
        Mark(text) => mark(text, special),
        Maybe(texts) => {
            let all: Vec<String> = texts.iter().map(|text| mark(text, special)).collect();
            format!("({})?", all.join(" "))
        }
    });
    written.collect::<Vec<_>>().join(" ")
}

/// A mark as its special token, else as text.
fn mark(text: &str, special: Special<'_>) -> String {
    special(text).map_or_else(|| source::quoted(text), |id| format!("<[{id}]>"))
}

/// A rule that takes any text up to and with the first `mark`.
fn lazy(rule: &str, mark: &str) -> String {
    let escape = |c: char| "\\.+*?()|[]{}^$/".contains(c).then_some('\\');
    let escaped: String = mark.chars().flat_map(|c| escape(c).into_iter().chain([c])).collect();
    format!("{rule}[lazy]: /(.|\\n)*{escaped}/\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        grammar::tests::{bytes, takes},
        toolcall::{CallParser, Event, FORMATS},
    };

    fn tools() -> Vec<Tool> {
        let schema = json!([
            {"type": "function", "function": {"name": "get_weather", "parameters": {
                "type": "object", "required": ["city"], "additionalProperties": false,
                "properties": {"city": {"$ref": "#/$defs/name"}, "days": {"type": "integer", "minimum": 1}},
                "$defs": {"name": {"type": "string", "minLength": 2}}
            }}},
            {"type": "function", "function": {"name": "now"}},
        ]);
        serde_json::from_value(schema).unwrap()
    }

    fn calls(format: &str, opening: Opening) -> Calls {
        Calls { format: ToolFormat::named(format).unwrap(), tools: tools(), opening }
    }

    #[test]
    fn hermes_calls_hold_to_names_and_schemas() {
        let opening = Opening::AtOnce { after: None, several: Several::Yes };
        let matcher = bytes().compile_calls(&calls("hermes", opening)).unwrap();
        let good = r#"<tool_call>{"name": "get_weather", "arguments": {"city": "Rome", "days": 2}}</tool_call>"#;
        assert!(takes(&matcher, good));
        assert!(takes(
            &matcher,
            &format!("{good}\n<tool_call>\n{{\"name\":\"now\",\"arguments\":{{}}}}\n</tool_call>")
        ));
        for bad in [
            "Hello",
            r#"<tool_call>{"name": "get_wetter", "arguments": {"city": "Rome"}}</tool_call>"#,
            r#"<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>"#,
            r#"<tool_call>{"name": "get_weather", "arguments": {"city": "R"}}</tool_call>"#,
            r#"<tool_call>{"name": "get_weather", "arguments": {"city": "Rome", "days": 0}}</tool_call>"#,
            r#"<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}"#,
        ] {
            assert!(!takes(&matcher, bad), "{bad}");
        }
    }

    #[test]
    fn from_its_mark_on_a_call_is_steered() {
        let matcher = bytes().compile_calls(&calls("hermes", Opening::AtMark)).unwrap();
        let rest = r#"{"name": "now", "arguments": {}}</tool_call>"#;
        assert!(takes(&matcher, &format!("<tool_call>{rest}")));
        assert!(takes(&matcher, &format!("well <b>\n<tool_call>{rest}")));
        assert!(!takes(&matcher, "<tool_call>{\"name\": \"never\""));
        let one = bytes()
            .compile_calls(&calls(
                "hermes",
                Opening::AtOnce { after: Some("</think>"), several: Several::No },
            ))
            .unwrap();
        assert!(takes(&one, &format!("hm, so</think>\n\n<tool_call>{rest}")));
        assert!(!takes(&one, &format!("hm</think><tool_call>{rest}<tool_call>{rest}")));
    }

    /// What the grammar of a notation lets through, its parser reads as those calls.
    #[test]
    fn grammars_and_parsers_agree_on_every_notation() {
        for notation in NOTATIONS {
            let format = ToolFormat::named(notation.format).expect(notation.format);
            let opening = Opening::AtOnce { after: None, several: Several::No };
            let matcher = bytes().compile_calls(&calls(notation.format, opening)).unwrap();
            let arguments = r#"{"city": "Rome", "days": 2}"#;
            let flat = |pieces: &[Piece]| -> String {
                let texts = pieces.iter().map(|piece| match piece {
                    Mark(text) => (*text).to_owned(),
                    Maybe(texts) => texts.concat(),
                });
                texts.collect()
            };
            let call = match &notation.shape {
                Shape::Object { name, arguments: key } => {
                    format!("{{\"{name}\": \"get_weather\", \"{key}\": {arguments}}}")
                }
                Shape::List { name, arguments: key } => {
                    format!("[{{\"{name}\": \"get_weather\", \"{key}\": {arguments}}}]")
                }
                Shape::Named { before, between } => {
                    format!("{}get_weather{}{arguments}", flat(before), flat(between))
                }
            };
            let text = format!("{}{call}{}", notation.open, flat(notation.close));
            assert!(takes(&matcher, &text), "{} {text}", notation.format);
            let mut parser = CallParser::new(format, &tools());
            let mut events = parser.push(&text);
            events.extend(parser.finish());
            let started = events.iter().any(
                |event| matches!(event, Event::CallStart { name, .. } if name == "get_weather"),
            );
            let ended = events.iter().any(|event| matches!(event, Event::CallEnd { .. }));
            assert!(started && ended, "{}: {events:?}", notation.format);
        }
        assert!(FORMATS.iter().any(|format| !Calls::are_known(format)), "tags are not steered");
    }

    #[test]
    fn t13_malformed_tools_are_refused_by_name() {
        for parameters in [
            json!({"type": "object", "properties": {"a": {"type": "lyric"}}}),
            json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}),
            json!({"$ref": "file:///etc/passwd"}),
        ] {
            let tool =
                json!({"type": "function", "function": {"name": "f", "parameters": parameters}});
            let mut all = calls("hermes", Opening::AtMark);
            all.tools = vec![serde_json::from_value(tool).unwrap()];
            assert!(bytes().compile_calls(&all).is_err(), "{all:?}");
        }
        let many =
            (0..10_000).map(|n| json!({"type": "function", "function": {"name": format!("f{n}")}}));
        let mut all = calls("hermes", Opening::AtMark);
        all.tools = many.map(|tool| serde_json::from_value(tool).unwrap()).collect();
        let began = std::time::Instant::now();
        drop(bytes().compile_calls(&all));
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
