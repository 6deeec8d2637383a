//! Chat templates: a conversation to the prompt the model was trained on.
//!
//! The template is the model's own, in the Jinja dialect transformers runs; there is no fallback.
//! It comes with a model file and is hostile until shown otherwise, so it runs in an engine of our
//! own rather than a general one: steps, memory, depth and output are bounded, nothing outside the
//! values it is given can be reached, and every byte of the prompt is known to come either from the
//! template or from outside ([`Part::trusted`]), so words a user typed can never become control
//! tokens. Errors say what Python would have said.
//!
//! Source: Jinja's template designer documentation, transformers' `apply_chat_template`.

mod ast;
mod checks;
mod clock;
mod context;
mod eval;
mod fault;
mod filters;
mod findings;
mod format;
mod lex;
mod meter;
mod methods;
mod named;
mod ops;
mod parse;
mod print;
mod text;
mod value;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::message::{Document, Message, Tool};
pub use clock::DateTime;
pub use fault::{Bound, Exception, TemplateError};
pub use findings::{Finding, FindingKind};
pub use named::{Chosen, TemplateSet};

/// The tokens a template can name, as `bos_token` → `<s>`.
pub type Specials = BTreeMap<String, String>;

/// Longest template source accepted. The longest in use are a fifth of it.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// A model's chat template, read and ready.
pub struct ChatTemplate {
    name: String,
    source: String,
    program: ast::Program,
    specials: Specials,
    limits: Limits,
}

/// What a render may use: a fixed part and a part per byte of messages, tools and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps of evaluation.
    pub steps: u64,
    /// Further steps per byte of input.
    pub steps_per_byte: u64,
    /// Bytes of values alive.
    pub memory: usize,
    /// Further bytes per byte of input.
    pub memory_per_byte: usize,
    /// Bytes of rendered text.
    pub output: usize,
    /// Further bytes per byte of input.
    pub output_per_byte: usize,
    /// Bytes of input.
    pub input: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 4_000_000,
            steps_per_byte: 64,
            memory: 16 << 20,
            memory_per_byte: 16,
            output: 2 << 20,
            output_per_byte: 4,
            input: 64 << 20,
        }
    }
}

/// How the rendered prompt ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With what makes the model answer (`add_generation_prompt`).
    #[default]
    GenerationPrompt,
    /// With the last message, complete.
    Complete,
    /// Inside the last message, for the model to go on with it (`continue_final_message`).
    ContinueFinal,
}

/// What is rendered.
#[derive(Clone, Debug, Default)]
pub struct RenderRequest<'a> {
    /// The conversation.
    pub messages: &'a [Message],
    /// The tools the model may call; none is not the same as an empty list to some templates.
    pub tools: Option<&'a [Tool]>,
    /// Documents to answer from.
    pub documents: Option<&'a [Document]>,
    /// How the prompt ends.
    pub ending: Ending,
    /// Arguments of the template's own, such as `enable_thinking`.
    pub extra: Map<String, Json>,
    /// What `strftime_now` shows. A template that asks for the date without one fails.
    pub now: Option<DateTime>,
}

/// A rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The prompt in pieces; neighbours differ in `trusted`.
    pub parts: Vec<Part>,
    /// Byte ranges of the prompt inside `{% generation %}`: what the assistant itself said.
    pub generated: Vec<Range<usize>>,
}

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The text.
    pub text: String,
    /// Whether the template or the model's configuration wrote it. Only then may special tokens
    /// be recognised in it: all of a token's bytes must lie in trusted parts.
    pub trusted: bool,
}

impl Rendered {
    /// The whole prompt.
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }

    /// Whether the template itself wrote `token` first, so that none may be added before it.
    pub fn begins_with(&self, token: &str) -> bool {
        let first = self.parts.first();
        !token.is_empty() && first.is_some_and(|part| part.trusted && part.text.starts_with(token))
    }

    /// The byte ranges of the whole text that came from outside.
    pub fn untrusted(&self) -> Vec<Range<usize>> {
        let mut at = 0;
        let mut out = Vec::new();
        for part in &self.parts {
            let range = at..at + part.text.len();
            at = range.end;
            if !part.trusted {
                out.push(range);
            }
        }
        out
    }
}

impl ChatTemplate {
    /// Reads a template. `name` is for messages: `default`, `tool_use`, or a file's name.
    pub fn new(
        source: &str,
        specials: Specials,
        name: impl Into<String>,
    ) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            let cap = MAX_SOURCE_BYTES as u64;
            return Err(TemplateError::Bound { bound: Bound::Source, cap });
        }
        let program = parse::parse(source).map_err(|error| *error)?;
        let limits = Limits::default();
        Ok(Self { name: name.into(), source: source.to_owned(), program, specials, limits })
    }

    /// The same template with other bounds.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The source as it was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The tokens the template can name.
    pub fn specials(&self) -> &Specials {
        &self.specials
    }

    /// SHA-256 of the source, in hexadecimal.
    pub fn sha256(&self) -> String {
        findings::sha256(&self.source)
    }

    /// What a reviewer should look at before trusting the template.
    pub fn findings(&self) -> Vec<Finding> {
        findings::findings(&self.program)
    }

    /// Whether the template reads a variable of that name, such as `tools` or `enable_thinking`.
    pub fn mentions(&self, name: &str) -> bool {
        self.program.names.iter().any(|have| have == name)
    }

    /// Renders a conversation.
    pub fn render(&self, request: &RenderRequest<'_>) -> Result<Rendered, TemplateError> {
        self.render_boxed(request).map_err(|error| *error)
    }

    fn render_boxed(&self, request: &RenderRequest<'_>) -> fault::Res<Rendered> {
        let input = context::Input::read(request)?;
        let limits = &self.limits;
        if input.bytes > limits.input {
            let cap = limits.input as u64;
            return Err(Box::new(TemplateError::Bound { bound: Bound::Input, cap }));
        }
        let bytes = input.bytes;
        let scaled = |base: usize, per_byte: usize| base + bytes.saturating_mul(per_byte);
        let steps = limits.steps.saturating_add(limits.steps_per_byte.saturating_mul(bytes as u64));
        let memory = scaled(limits.memory, limits.memory_per_byte) + 8 * self.source.len();
        let meter = meter::Meter::new(steps, memory);
        let context = input.values(&meter, &self.specials)?;
        let output = scaled(limits.output, limits.output_per_byte);
        let mut interp = eval::Interp::new(&self.program, meter, request.now, output);
        let mut out = interp.run(&context)?;
        let generated = out.take_marks();
        let text = out.finish();
        let end = match request.ending {
            Ending::ContinueFinal => continued(request, text.as_str())?,
            _ => text.as_str().len(),
        };
        Ok(Rendered { parts: parts(&text, end), generated: clipped(generated, end) })
    }
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate")
            .field("name", &self.name)
            .field("bytes", &self.source.len())
            .finish_non_exhaustive()
    }
}

fn parts(text: &text::Text, end: usize) -> Vec<Part> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut push = |range: Range<usize>, trusted| {
        if !range.is_empty() {
            out.push(Part { text: text.as_str()[range].to_owned(), trusted });
        }
    };
    for span in text.outside() {
        let (start, stop) = (span.start.min(end), span.end.min(end));
        push(at..start, true);
        push(start..stop, false);
        at = stop;
    }
    push(at..end, true);
    out
}

fn clipped(ranges: Vec<Range<usize>>, end: usize) -> Vec<Range<usize>> {
    let clip = |range: Range<usize>| range.start.min(end)..range.end.min(end);
    ranges.into_iter().map(clip).filter(|range| !range.is_empty()).collect()
}

/// Where the last message's own words end in the prompt: what follows closes the turn.
fn continued(request: &RenderRequest<'_>, text: &str) -> fault::Res<usize> {
    let last = request.messages.last().map(|message| &message.content);
    let words = match last {
        Some(crate::message::Content::Text(words)) => Some(words.as_str()),
        Some(crate::message::Content::Parts(parts)) => parts.iter().rev().find_map(|p| p.text()),
        _ => None,
    };
    let refuse = |message: &str| Err(Box::new(TemplateError::Request(message.to_owned())));
    let Some(words) = words else {
        return refuse("there is no text in the last message to continue");
    };
    let bare = words.trim_matches(lex::is_space);
    let Some(at) = text.rfind(bare) else {
        return refuse("the last message does not appear in the prompt, so it cannot be continued");
    };
    let spaced = words.trim_start_matches(lex::is_space);
    Ok(at + if text[at..].starts_with(spaced) { spaced.len() } else { bare.len() })
}
