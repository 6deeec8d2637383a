//! The table of notations: how each family opens, writes and closes its calls.
//! Sources: the families' own chat templates and model cards.

use super::named::{self, Id};
use super::objects::{self, Keys};
use super::{pythonic, tagged};
use crate::message::Tool;

/// A notation.
#[derive(Debug)]
pub struct ToolFormat {
    /// Its name.
    pub name: &'static str,
    /// A template with all texts of one of these groups uses it.
    signs: &'static [&'static [&'static str]],
    /// Marks that open a call or a block of calls.
    pub(super) opens: &'static [&'static str],
    /// Marks that are neither text nor calls.
    pub(super) frames: &'static [&'static str],
    bare: Bare,
    pub(super) kind: Kind,
}

/// Whether a call may begin an answer without a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bare {
    Never,
    /// `{"name": "f"`, with the name of a declared tool.
    Json,
    /// `[f(`, likewise.
    Python,
    /// `f` alone on a line, and JSON below it.
    NameLine,
}

#[derive(Debug)]
pub(super) enum Kind {
    Objects(objects::Spec),
    Named(named::Spec),
    Tagged(tagged::Spec),
    Pythonic(pythonic::Spec),
}

const fn json(close: &'static [&'static str]) -> Kind {
    Kind::Objects(objects::Spec { close, keys: Keys::Named })
}

/// Qwen3-Coder's tags, in a block that closes so.
const fn function_tags(block_close: &'static [&'static str]) -> Kind {
    Kind::Tagged(tagged::Spec {
        call: "<function=",
        name_end: ">",
        name_stops: &[],
        parameter: "<parameter=",
        key_end: ">",
        value: "",
        value_close: "</parameter>",
        call_close: "</function>",
        block_close,
    })
}

/// Tags with attributes, as DeepSeek-V3.2 and MiniMax write them.
const fn invoke_tags(marks: [&'static str; 4], block_close: &'static [&'static str]) -> Kind {
    let [call, parameter, value_close, call_close] = marks;
    Kind::Tagged(tagged::Spec {
        call,
        name_end: "\">",
        name_stops: &[],
        parameter,
        key_end: "\"",
        value: ">",
        value_close,
        call_close,
        block_close,
    })
}

const PLAIN: ToolFormat = ToolFormat {
    name: "",
    signs: &[],
    opens: &[],
    frames: &[],
    bare: Bare::Never,
    kind: json(&[]),
};

/// Every notation known. A template is tried against them from first to last.
pub const FORMATS: &[ToolFormat] = &[
    ToolFormat {
        name: "harmony",
        signs: &[&["<|channel|>", "<|message|>", "functions"]],
        opens: &[" to=functions."],
        frames: &[
            "<|start|>assistant",
            "<|channel|>commentary",
            "<|channel|>analysis",
            "<|call|>",
            "<|end|>",
        ],
        kind: Kind::Named(named::Spec {
            arguments: "<|message|>",
            before: " to=functions.",
            name_ends: &[" ", "<|"],
            id: Id::None,
            close: &["<|call|>"],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "kimi-k3",
        signs: &[&["<|open|>", "<|close|>"]],
        opens: &["<|open|>tools<|sep|>"],
        kind: Kind::Tagged(tagged::Spec {
            call: "<|open|>call tool=\"",
            name_end: "<|sep|>",
            name_stops: &[],
            parameter: "<|open|>argument key=\"",
            key_end: "\"",
            value: "<|sep|>",
            value_close: "<|close|>argument<|sep|>",
            call_close: "<|close|>call<|sep|>",
            block_close: &["<|close|>tools<|sep|>"],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "deepseek-dsml",
        signs: &[&["｜DSML｜"]],
        opens: &["<｜DSML｜function_calls>", "<｜DSML｜tool_calls>"],
        kind: invoke_tags(
            [
                "<｜DSML｜invoke name=\"",
                "<｜DSML｜parameter name=\"",
                "</｜DSML｜parameter>",
                "</｜DSML｜invoke>",
            ],
            &["</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"],
        ),
        ..PLAIN
    },
    ToolFormat {
        name: "deepseek",
        signs: &[&["<｜tool▁calls▁begin｜>"]],
        opens: &["<｜tool▁call▁begin｜>"],
        frames: &["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"],
        kind: Kind::Named(named::Spec {
            arguments: "{",
            before: "function<｜tool▁sep｜>",
            name_ends: &["<｜tool▁sep｜>", "\n"],
            id: Id::None,
            close: &["```", "<｜tool▁call▁end｜>"],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "kimi-k2",
        signs: &[&["<|tool_call_argument_begin|>"]],
        opens: &["<|tool_call_begin|>"],
        frames: &["<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"],
        kind: Kind::Named(named::Spec {
            arguments: "<|tool_call_argument_begin|>",
            before: "functions.",
            name_ends: &[":"],
            id: Id::Head,
            close: &["<|tool_call_end|>"],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "mistral",
        signs: &[&["[TOOL_CALLS]", "[ARGS]"]],
        opens: &["[TOOL_CALLS]"],
        kind: Kind::Named(named::Spec {
            arguments: "[ARGS]",
            before: "",
            name_ends: &["[CALL_ID]"],
            id: Id::Behind("[CALL_ID]"),
            close: &[],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "mistral-nemo",
        signs: &[&["[TOOL_CALLS]"]],
        opens: &["[TOOL_CALLS]"],
        kind: json(&[]),
        ..PLAIN
    },
    ToolFormat {
        name: "cohere",
        signs: &[&["<|START_ACTION|>"]],
        opens: &["<|START_ACTION|>"],
        kind: json(&["<|END_ACTION|>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "command-r-plus",
        signs: &[&["Action:", "```json", "<|CHATBOT_TOKEN|>"]],
        opens: &["Action:\n```json", "Action: ```json", "Action:```json"],
        frames: &["<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"],
        kind: json(&["```"]),
        ..PLAIN
    },
    ToolFormat {
        name: "lfm2",
        signs: &[&["<|tool_call_start|>"], &["<|tool_list_start|>"], &["List of tools: "]],
        opens: &["<|tool_call_start|>"],
        kind: Kind::Pythonic(pythonic::Spec { close: &["<|tool_call_end|>"] }),
        ..PLAIN
    },
    ToolFormat {
        name: "apertus",
        signs: &[&["<|tools_prefix|>"]],
        opens: &["<|tools_prefix|>"],
        kind: Kind::Objects(objects::Spec { close: &["<|tools_suffix|>"], keys: Keys::ToolIsKey }),
        ..PLAIN
    },
    ToolFormat {
        name: "seed",
        signs: &[&["<seed:tool_call>"], &["seed:tool_call"]],
        opens: &["<seed:tool_call>"],
        kind: function_tags(&["</seed:tool_call>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "minimax-m2",
        signs: &[&["<minimax:tool_call>"], &["minimax:tool_call"]],
        opens: &["<minimax:tool_call>"],
        kind: invoke_tags(
            ["<invoke name=\"", "<parameter name=\"", "</parameter>", "</invoke>"],
            &["</minimax:tool_call>"],
        ),
        ..PLAIN
    },
    ToolFormat {
        name: "minicpm",
        signs: &[&["<function name=", "<param name="]],
        opens: &["<function name=\""],
        kind: invoke_tags(["<function name=\"", "<param name=\"", "</param>", "</function>"], &[]),
        ..PLAIN
    },
    ToolFormat {
        name: "qwen3-coder",
        signs: &[&["<parameter="]],
        opens: &["<tool_call>", "<function="],
        kind: function_tags(&["</tool_call>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "glm",
        signs: &[&["<arg_key>"]],
        opens: &["<tool_call>"],
        frames: &["<|role_end|>"],
        kind: Kind::Tagged(tagged::Spec {
            call: "",
            name_end: "\n",
            name_stops: &["<arg_key>", "</tool_call>"],
            parameter: "<arg_key>",
            key_end: "</arg_key>",
            value: "<arg_value>",
            value_close: "</arg_value>",
            call_close: "</tool_call>",
            block_close: &[],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "functionary-3.1",
        signs: &[&["<function="]],
        opens: &["<function="],
        kind: Kind::Named(named::Spec {
            arguments: ">",
            before: "",
            name_ends: &[],
            id: Id::None,
            close: &["</function>"],
        }),
        ..PLAIN
    },
    ToolFormat {
        name: "functionary-3.2",
        signs: &[&[">>>", "recipient"], &[">>>all"]],
        opens: &[">>>"],
        frames: &[">>>all\n", "all\n"],
        bare: Bare::NameLine,
        kind: Kind::Named(named::Spec {
            arguments: "{",
            before: "",
            name_ends: &["\n"],
            id: Id::None,
            close: &[],
        }),
    },
    ToolFormat {
        name: "apriel",
        signs: &[&["<tool_calls>"]],
        opens: &["<tool_calls>"],
        kind: json(&["</tool_calls>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "hermes",
        signs: &[&["<tool_call>"]],
        opens: &["<tool_call>"],
        kind: json(&["</tool_call>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "nemotron",
        signs: &[&["<TOOLCALL>"]],
        opens: &["<TOOLCALL>"],
        kind: json(&["</TOOLCALL>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "firefunction",
        signs: &[&["functools["]],
        opens: &["functools"],
        kind: json(&[]),
        ..PLAIN
    },
    ToolFormat {
        name: "granite",
        signs: &[&["<|tool_call|>"]],
        opens: &["<|tool_call|>", "<tool_call>"],
        kind: json(&["</tool_call>"]),
        ..PLAIN
    },
    ToolFormat {
        name: "gigachat-3.1",
        signs: &[&["<|function_call|>"]],
        opens: &["<|function_call|>"],
        kind: json(&[]),
        ..PLAIN
    },
    ToolFormat {
        name: "gigachat-3",
        signs: &[&["function call", "<|role_sep|>"]],
        opens: &["<|message_sep|>\n\nfunction call<|role_sep|>\n"],
        kind: json(&[]),
        ..PLAIN
    },
    ToolFormat {
        name: "llama-pythonic",
        signs: &[&["[func_name1(params_name1"]],
        opens: &["<|python_start|>"],
        frames: &["<|python_end|>"],
        bare: Bare::Python,
        kind: Kind::Pythonic(pythonic::Spec { close: &["<|python_end|>"] }),
    },
    ToolFormat {
        name: "llama-json",
        signs: &[&["<|python_tag|>"], &["{\"name\": function name"]],
        opens: &["<|python_tag|>"],
        bare: Bare::Json,
        kind: json(&[]),
        ..PLAIN
    },
];

/// Signs of notations not read here, which look like others.
const UNKNOWN: [&str; 1] = ["]<]minimax[>["];

impl ToolFormat {
    /// The notation a chat template uses, if it is known.
    pub fn detect(template: &str) -> Option<&'static Self> {
        if UNKNOWN.iter().any(|sign| template.contains(sign)) {
            return None;
        }
        let uses = |signs: &&[&str]| signs.iter().all(|sign| template.contains(sign));
        FORMATS.iter().find(|format| format.signs.iter().any(&uses))
    }

    /// The marks that open a call, for [`Splitter::ended_by`](crate::reasoning::Splitter::ended_by).
    pub fn marks(&self) -> impl Iterator<Item = &'static str> {
        self.opens.iter().chain(self.frames).copied()
    }

    /// The notation of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Whether the start of an answer is a call without a mark: none when it is not, false when
    /// more must be seen.
    pub(super) fn bare(&self, word: &str, tools: &[Tool], last: bool) -> Option<bool> {
        let unsure = (!last).then_some(false);
        // What must follow, and whether the text so far could still become it.
        let (rest, quote) = match self.bare {
            Bare::Never => return None,
            Bare::Json => {
                let mut rest = word;
                for mark in ["{", "\"name\"", ":", "\""] {
                    rest = rest.trim_start();
                    match rest.strip_prefix(mark) {
                        Some(after) => rest = after,
                        None if mark.starts_with(rest) => return unsure,
                        None => return None,
                    }
                }
                (rest, "\"")
            }
            Bare::Python => match word.strip_prefix('[') {
                Some(rest) => (rest.trim_start(), "("),
                None if word.is_empty() => return unsure,
                None => return None,
            },
            Bare::NameLine => (word, "\n"),
        };
        match rest.split_once(quote) {
            Some((name, after)) => {
                if !tools.iter().any(|tool| tool.name() == name) {
                    return None;
                }
                if self.bare != Bare::NameLine {
                    return Some(true);
                }
                if after.len() - after.trim_start().len() > 64 {
                    return None;
                }
                match after.trim_start().chars().next() {
                    Some('{') => Some(true),
                    Some(_) => None,
                    None => unsure,
                }
            }
            None if tools.iter().any(|tool| tool.name().starts_with(rest)) => unsure,
            None => None,
        }
    }
}
