//! Reasoning kept apart from the answer, as the text streams.
//!
//! Models think aloud before they answer, each family between marks of its own. [`FORMATS`] is the
//! table of them; a [`Splitter`] takes text in any pieces and says of every byte whether it is
//! reasoning, answer, a call, or a mark: nothing is lost, and how the text was cut up does not
//! matter.

mod blocks;
mod harmony;

/// A stretch of a model's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What the model thought.
    Reasoning(String),
    /// What it says.
    Answer(String),
    /// A call in a channel of its own, with its header: for the tool-call parser.
    Call(String),
    /// Marks of the format and the white space around them: not for people.
    Mark(String),
}

impl Piece {
    /// The text, whatever it is.
    pub fn text(&self) -> &str {
        match self {
            Self::Reasoning(text) | Self::Answer(text) | Self::Call(text) | Self::Mark(text) => {
                text
            }
        }
    }
}

/// How a family marks its reasoning.
#[derive(Debug)]
pub struct ReasoningFormat {
    /// Name of the format.
    pub name: &'static str,
    /// A text of the template that tells it uses this format.
    sign: &'static str,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// A block between two marks.
    Block(Block),
    /// Messages with a header that names their channel (gpt-oss).
    Harmony,
}

/// A block of reasoning.
#[derive(Debug)]
struct Block {
    open: &'static str,
    close: &'static [&'static str],
    place: Place,
    /// Marks around the answer, which are not part of it.
    frames: &'static [&'static str],
    /// What the prompt says where it has opened the block itself.
    opened_by: &'static str,
}

/// Where a block may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Only before the answer: elsewhere the mark is a word.
    Start,
    /// Anywhere: the mark is a token of its own.
    Anywhere,
}

/// Whether the prompt ended inside the reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The prompt opened it; the model goes on inside.
    ByPrompt,
    /// The model opens it, or not.
    No,
}

const fn block(open: &'static str, close: &'static [&'static str], place: Place) -> Shape {
    Shape::Block(Block { open, close, place, frames: &[], opened_by: open })
}

/// Every format known. A template is tried against the signs from first to last.
pub const FORMATS: &[ReasoningFormat] = &[
    ReasoningFormat { name: "harmony", sign: "<|channel|>analysis", shape: Shape::Harmony },
    ReasoningFormat {
        name: "kimi-k3",
        sign: "<|open|>",
        shape: Shape::Block(Block {
            open: "<|open|>think<|sep|>",
            close: &["<|close|>think<|sep|>", "<|open|>response<|sep|>"],
            place: Place::Anywhere,
            frames: &[
                "<|open|>response<|sep|>",
                "<|close|>response<|sep|>",
                "<|close|>message<|sep|>",
            ],
            opened_by: "<|open|>think<|sep|>",
        }),
    },
    ReasoningFormat {
        name: "cohere",
        sign: "<|END_THINKING|>",
        shape: Shape::Block(Block {
            open: "<|START_THINKING|>",
            close: &["<|END_THINKING|>"],
            place: Place::Anywhere,
            frames: &[
                "<|START_RESPONSE|>",
                "<|END_RESPONSE|>",
                "<|START_TEXT|>",
                "<|END_TEXT|>",
                "<|END_OF_TURN_TOKEN|>",
                "<|CHATBOT_TOKEN|>",
            ],
            opened_by: "<|START_THINKING|>",
        }),
    },
    ReasoningFormat {
        name: "seed",
        sign: "seed:think>",
        shape: block("<seed:think>", &["</seed:think>"], Place::Start),
    },
    ReasoningFormat {
        name: "minimax-m3",
        sign: "mm:think>",
        shape: block("<mm:think>", &["</mm:think>"], Place::Start),
    },
    ReasoningFormat {
        name: "gemma",
        sign: "<|channel>thought",
        shape: Shape::Block(Block {
            open: "<|channel>thought",
            close: &["<channel|>"],
            place: Place::Anywhere,
            frames: &["<|channel>", "<channel|>"],
            opened_by: "<|channel>thought",
        }),
    },
    ReasoningFormat {
        name: "apertus",
        sign: "<|inner_prefix|>",
        shape: block("<|inner_prefix|>", &["<|inner_suffix|>"], Place::Anywhere),
    },
    ReasoningFormat {
        name: "solar",
        sign: "<|begin|>assistant<|think|>",
        shape: Shape::Block(Block {
            open: "<|think|>",
            close: &["<|end|>"],
            place: Place::Start,
            frames: &["<|begin|>assistant<|content|>", "<|content|>", "<|flush|>"],
            opened_by: "<|think|>",
        }),
    },
    ReasoningFormat {
        name: "apriel",
        sign: "[BEGIN FINAL RESPONSE]",
        shape: Shape::Block(Block {
            open: "Here are my reasoning steps:",
            close: &["[BEGIN FINAL RESPONSE]"],
            place: Place::Start,
            frames: &["<|end|>"],
            opened_by: "Here are my reasoning steps:",
        }),
    },
    ReasoningFormat {
        name: "mistral",
        sign: "[THINK]",
        shape: block("[THINK]", &["[/THINK]"], Place::Anywhere),
    },
    ReasoningFormat {
        name: "granite-3.2",
        sign: "Here is my thought process:",
        shape: block("Here is my thought process:", &["Here is my response:"], Place::Start),
    },
    ReasoningFormat {
        name: "think",
        sign: "</think>",
        shape: block("<think>", &["</think>"], Place::Start),
    },
    ReasoningFormat {
        name: "think",
        sign: "<think>",
        shape: block("<think>", &["</think>"], Place::Start),
    },
];

impl ReasoningFormat {
    /// The format a chat template uses, if it knows one.
    pub fn detect(template: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| template.contains(format.sign))
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Whether a rendered prompt ends inside the reasoning.
    pub fn opened(&self, prompt: &str) -> Opened {
        match &self.shape {
            Shape::Block(block) if prompt.trim_end().ends_with(block.opened_by) => Opened::ByPrompt,
            _ => Opened::No,
        }
    }

    /// The marks after which the answer itself begins.
    pub fn closes(&self) -> &'static [&'static str] {
        match &self.shape {
            Shape::Block(block) => block.close,
            Shape::Harmony => &["<|channel|>final<|message|>"],
        }
    }

    /// Whether the answer, too, opens with a mark, so that it never begins at once.
    pub fn has_channels(&self) -> bool {
        matches!(self.shape, Shape::Harmony)
    }

    /// A splitter for one answer.
    pub fn splitter(&'static self, opened: Opened) -> Splitter {
        Splitter(match &self.shape {
            Shape::Block(block) => Inner::Blocks(blocks::Blocks::new(block, opened)),
            Shape::Harmony => Inner::Harmony(harmony::Harmony::default()),
        })
    }
}

/// Splits the output of one answer as it streams.
#[derive(Debug)]
pub struct Splitter(Inner);

#[derive(Debug)]
enum Inner {
    Plain,
    Blocks(blocks::Blocks),
    Harmony(harmony::Harmony),
}

impl Splitter {
    /// Lets these marks end reasoning that is never closed otherwise: some models call a tool
    /// without closing it. From such a mark on, text is held back until that is decided.
    pub fn ended_by(mut self, marks: impl Iterator<Item = &'static str>) -> Self {
        if let Inner::Blocks(blocks) = &mut self.0 {
            blocks.ended_by(marks.collect());
        }
        self
    }

    /// For models without reasoning: all is answer.
    pub fn plain() -> Self {
        Self(Inner::Plain)
    }

    /// Takes more text; returns what is certain by now. A mark may be held back until it is whole.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        let mut out = Vec::new();
        match &mut self.0 {
            Inner::Plain => emit(&mut out, Piece::Answer(text.to_owned())),
            Inner::Blocks(blocks) => blocks.push(text, &mut out),
            Inner::Harmony(harmony) => harmony.push(text, &mut out),
        }
        out
    }

    /// The output is over: returns what was held back. An unclosed block is what it was.
    pub fn finish(self) -> Vec<Piece> {
        let mut out = Vec::new();
        match self.0 {
            Inner::Plain => {}
            Inner::Blocks(blocks) => blocks.finish(&mut out),
            Inner::Harmony(harmony) => harmony.finish(&mut out),
        }
        out
    }
}

/// Appends a piece, joined to the last where both are of a kind; empty ones are dropped.
pub(crate) fn emit(out: &mut Vec<Piece>, piece: Piece) {
    if piece.text().is_empty() {
        return;
    }
    match (out.last_mut(), piece) {
        (Some(Piece::Reasoning(last)), Piece::Reasoning(more))
        | (Some(Piece::Answer(last)), Piece::Answer(more))
        | (Some(Piece::Call(last)), Piece::Call(more))
        | (Some(Piece::Mark(last)), Piece::Mark(more)) => last.push_str(&more),
        (_, piece) => out.push(piece),
    }
}

/// Where the earliest of `marks` stands in `text`, the longest where several do.
pub(crate) fn earliest<'m>(
    text: &str,
    marks: impl Iterator<Item = &'m str>,
) -> Option<(usize, &'m str)> {
    marks
        .filter_map(|mark| text.find(mark).map(|at| (at, mark)))
        .min_by_key(|(at, mark)| (*at, std::cmp::Reverse(mark.len())))
}

/// The length of the longest end of `text` with which one of `marks` begins.
pub(crate) fn unfinished<'m>(text: &str, marks: impl Iterator<Item = &'m str>) -> usize {
    let one = |mark: &str| {
        let most = text.len().min(mark.len().saturating_sub(1));
        (1..=most)
            .rev()
            .find(|n| {
                let at = text.len() - n;
                text.is_char_boundary(at) && mark.as_bytes().starts_with(&text.as_bytes()[at..])
            })
            .unwrap_or(0)
    };
    marks.map(one).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(format: &'static ReasoningFormat, opened: Opened, text: &str) -> Vec<Piece> {
        let mut splitter = format.splitter(opened);
        let mut out = splitter.push(text);
        for piece in splitter.finish() {
            emit(&mut out, piece);
        }
        out
    }

    fn in_steps(
        format: &'static ReasoningFormat,
        opened: Opened,
        text: &str,
        step: usize,
    ) -> Vec<Piece> {
        let mut splitter = format.splitter(opened);
        let mut out = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        for chunk in chars.chunks(step) {
            for piece in splitter.push(&chunk.iter().collect::<String>()) {
                emit(&mut out, piece);
            }
        }
        for piece in splitter.finish() {
            emit(&mut out, piece);
        }
        out
    }

    fn split(name: &str, opened: Opened, text: &str) -> (String, String) {
        let pieces = whole(ReasoningFormat::named(name).unwrap(), opened, text);
        let (mut reasoning, mut answer) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Reasoning(text) => reasoning += &text,
                Piece::Answer(text) => answer += &text,
                Piece::Call(_) | Piece::Mark(_) => {}
            }
        }
        (reasoning, answer)
    }

    #[test]
    fn every_family_is_split() {
        use Opened::{ByPrompt, No};
        for (name, opened, text) in [
            ("think", No, "<think>\nI'm\nthinking\n</think>\n\nHello <think>"),
            ("think", ByPrompt, "I'm\nthinking</think>Hello <think>"),
            ("think", ByPrompt, "\nI'm\nthinking\n</think>\n\nHello <think>"),
            ("mistral", No, "[THINK]I'm\nthinking[/THINK]Hello <think>"),
            (
                "cohere",
                No,
                "<|START_THINKING|>I'm\nthinking<|END_THINKING|><|START_RESPONSE|>Hello <think><|END_RESPONSE|>",
            ),
            ("seed", No, "<seed:think>I'm\nthinking</seed:think>\nHello <think>"),
            ("gemma", No, "<|channel>thought\nI'm\nthinking<channel|>Hello <think>"),
            (
                "granite-3.2",
                No,
                "Here is my thought process: I'm\nthinking Here is my response: Hello <think>",
            ),
            ("apriel", ByPrompt, "I'm\nthinking\n[BEGIN FINAL RESPONSE]\nHello <think>"),
            (
                "kimi-k3",
                ByPrompt,
                "I'm\nthinking<|close|>think<|sep|><|open|>response<|sep|>Hello <think><|close|>response<|sep|><|close|>message<|sep|>",
            ),
            (
                "harmony",
                No,
                "<|channel|>analysis<|message|>I'm\nthinking<|end|><|start|>assistant<|channel|>final<|message|>Hello <think><|return|>",
            ),
        ] {
            let (reasoning, answer) = split(name, opened, text);
            assert_eq!(
                (reasoning.as_str(), answer.as_str()),
                ("I'm\nthinking", "Hello <think>"),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_block_is_answer() {
        assert_eq!(
            split("think", Opened::No, " <b> and <think>"),
            (String::new(), " <b> and <think>".into())
        );
        assert_eq!(split("think", Opened::No, "<thin"), (String::new(), "<thin".into()));
        assert_eq!(
            split("think", Opened::No, "<think>never closed </thi"),
            ("never closed </thi".into(), String::new())
        );
        assert_eq!(split("think", Opened::No, ""), (String::new(), String::new()));
        assert_eq!(
            split("harmony", Opened::No, "plain words"),
            (String::new(), "plain words".into())
        );
        assert_eq!(split("harmony", Opened::No, "<|channel|>anal"), (String::new(), String::new()));
    }

    #[test]
    fn calls_of_harmony_are_set_aside() {
        let text = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\":1}<|call|>";
        let pieces = whole(ReasoningFormat::named("harmony").unwrap(), Opened::No, text);
        assert!(pieces.iter().any(|piece| matches!(piece, Piece::Call(call) if call.contains("to=functions.f") && call.ends_with("{\"a\":1}<|call|>"))), "{pieces:?}");
    }

    /// However the text is cut, the pieces are the same; joined, they are the text.
    #[test]
    fn pieces_do_not_depend_on_the_cuts_and_lose_nothing() {
        let marks: Vec<&str> = FORMATS
            .iter()
            .flat_map(|format| match &format.shape {
                Shape::Block(block) => [&[block.open][..], block.close, block.frames].concat(),
                Shape::Harmony => vec![
                    "<|channel|>",
                    "<|message|>",
                    "<|end|>",
                    "<|start|>",
                    "<|call|>",
                    "<|return|>",
                    "analysis",
                    " to=functions.f",
                ],
            })
            .chain(["\n", " ", "x", "<", "<|", "é", "\n\n\n", "[", "</", "assistant"])
            .collect();
        let mut seed = 1u64;
        let mut random = |n: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for _ in 0..1500 {
            let mut text = String::new();
            for _ in 0..random(12) {
                let mark = marks[random(marks.len())];
                let cut = if random(4) == 0 { random(mark.len() + 1) } else { mark.len() };
                text.push_str(mark.get(..cut).unwrap_or(mark));
                if random(20) == 0 {
                    text.push_str(&"\n ".repeat(random(60)));
                }
            }
            for format in FORMATS {
                for opened in [Opened::ByPrompt, Opened::No] {
                    let once = whole(format, opened, &text);
                    let joined: String = once.iter().map(Piece::text).collect();
                    assert_eq!(joined, text, "{}", format.name);
                    for step in [1, 2, 7] {
                        assert_eq!(
                            in_steps(format, opened, &text, step),
                            once,
                            "{} {text:?}",
                            format.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn long_white_space_is_not_slow() {
        let format = ReasoningFormat::named("think").unwrap();
        let mut splitter = format.splitter(Opened::ByPrompt);
        splitter.push("x");
        let start = std::time::Instant::now();
        for _ in 0..200_000 {
            splitter.push("\n");
        }
        assert!(start.elapsed().as_secs() < 2);
    }

    #[test]
    fn templates_tell_their_format_and_prompts_open_it() {
        let Some(folder) = testkit::data("chat_templates/templates") else { return };
        let detect = |name: &str| {
            let source = std::fs::read_to_string(folder.join(name)).unwrap();
            ReasoningFormat::detect(&source).map(|format| format.name)
        };
        for (file, name) in [
            ("openai-gpt-oss-120b.jinja", Some("harmony")),
            ("Qwen-Qwen3-0.6B.jinja", Some("think")),
            ("ByteDance-Seed-OSS.jinja", Some("seed")),
            ("CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", Some("cohere")),
            ("mistralai-Ministral-3-14B-Reasoning-2512.jinja", Some("mistral")),
            ("google-gemma-4-31B-it.jinja", Some("gemma")),
            ("Kimi-K3.jinja", Some("kimi-k3")),
            ("deepseek-ai-DeepSeek-V3.1.jinja", Some("think")),
            ("google-gemma-2-2b-it.jinja", None),
            ("meta-llama-Llama-3.1-8B-Instruct.jinja", None),
        ] {
            assert_eq!(detect(file), name, "{file}");
        }
        let think = ReasoningFormat::named("think").unwrap();
        assert_eq!(think.opened("<|im_start|>assistant\n<think>\n"), Opened::ByPrompt);
        assert_eq!(think.opened("<|im_start|>assistant\n<think>\n\n</think>\n\n"), Opened::No);
    }
}
