//! A model that answers from a script, for the real server: what it says depends on the first word it
//! is asked, as with the page's stand-in server. Its tokens are bytes, so that every letter that has
//! more than one comes in pieces.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use engine::{Event, FinishReason, RequestId, Usage};
use serde_json::{Map, json};
use serve::{
    Source,
    model::{About, Parts, Runner, Sink, Ticket},
};
use text::{
    template::{Specials, TemplateSet},
    tokenizer::Tokenizer,
};

const CONTEXT: usize = 16_384;
const END: u32 = 258;
const SPECIALS: [&str; 4] = ["<|user|>", "<|assistant|>", "<|end|>", "<|system|>"];
const TEMPLATE: &str = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}\
     {% if add_generation_prompt %}<|assistant|>{% endif %}{# <think> #}";

/// The model, as the server loads it.
pub(crate) fn source() -> Source {
    let about =
        About { architecture: "script".into(), context_trained: CONTEXT, ..About::default() };
    let parts = about.clone();
    Source {
        name: "scripted".into(),
        bytes: 0,
        about,
        open: Box::new(move || {
            Ok(Parts {
                runner: Box::new(Script::default()),
                keep: Box::new(()),
                tokenizer: Arc::new(tokenizer().map_err(|error| error.to_string())?),
                templates: TemplateSet::single(TEMPLATE),
                specials: Specials::new(),
                sampler: None,
                about: parts.clone(),
            })
        }),
    }
}

/// Token n is byte n; after the bytes come the marks.
fn tokenizer() -> Result<Tokenizer, text::Error> {
    // GPT-2's alphabet: printable bytes stand for themselves, the others for letters from 256 on.
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut vocab = Map::new();
    let mut others = 256;
    for byte in 0..256 {
        let letter = if printable(byte) {
            byte
        } else {
            others += 1;
            others - 1
        };
        vocab.insert(char::from_u32(letter).unwrap().to_string(), json!(byte));
    }
    let added: Vec<_> = (256_u32..)
        .zip(SPECIALS)
        .map(|(id, content)| json!({"id": id, "content": content, "special": true}))
        .collect();
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
    let file = json!({
        "added_tokens": added,
        "pre_tokenizer": level,
        "decoder": level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    let config = json!({"eos_token": "<|end|>"});
    Tokenizer::from_json(file.to_string().as_bytes(), Some(config.to_string().as_bytes()))
}

#[derive(Default)]
struct Script {
    asked: AtomicU64,
}

struct Running(Arc<AtomicBool>);

impl Ticket for Running {
    fn stop(&self, _choice: u32) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Runner for Script {
    fn submit(
        &self,
        request: engine::Request,
        mut sink: Sink,
    ) -> Result<Box<dyn Ticket>, engine::Error> {
        let id = RequestId(self.asked.fetch_add(1, Ordering::SeqCst));
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        std::thread::spawn(move || play(id, &request, &mut sink, &stop));
        Ok(Box::new(Running(stopped)))
    }

    fn metrics(&self) -> engine::Metrics {
        engine::Metrics::default()
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn context(&self) -> usize {
        CONTEXT
    }

    fn vocab(&self) -> usize {
        256 + SPECIALS.len()
    }

    fn describe(&self) -> String {
        "a script".into()
    }

    fn memory(&self) -> engine::Memory {
        engine::Memory { weights: 0, kv_cache: 0, activations: 0 }
    }
}

fn play(request: RequestId, asked: &engine::Request, sink: &mut Sink, stop: &AtomicBool) {
    let (answer, pace) = answer(&asked.prompt);
    let prompt_tokens = asked.prompt.len();
    let started = Event::Started { request, queued: Duration::ZERO, cached: prompt_tokens / 2 };
    let mut usage = Usage { prompt_tokens, cached_tokens: prompt_tokens / 2, completion_tokens: 0 };
    let mut reason = FinishReason::Stop;
    let mut open = sink(started) == ControlFlow::Continue(());
    for id in answer.bytes().map(u32::from).chain([END]) {
        if !open || stop.load(Ordering::SeqCst) {
            reason = FinishReason::Cancelled;
            break;
        }
        if asked.max_tokens.is_some_and(|most| usage.completion_tokens >= most) {
            reason = FinishReason::Length;
            break;
        }
        usage.completion_tokens += 1;
        let token = Event::Token { request, choice: 0, id, logprob: None, top: vec![] };
        open = sink(token) == ControlFlow::Continue(());
        std::thread::sleep(pace);
    }
    let _ = sink(Event::Finished { request, choice: 0, reason, usage });
}

/// What is said to the last message, and how fast.
fn answer(prompt: &[u32]) -> (String, Duration) {
    let end = prompt.iter().rposition(|&id| id == END).unwrap_or(prompt.len());
    let start = prompt[..end].iter().rposition(|&id| id == 256).map_or(0, |at| at + 1);
    let bytes: Vec<u8> =
        prompt[start..end].iter().map(|&id| u8::try_from(id).unwrap_or(b'?')).collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let quick = Duration::from_micros(300);
    let prose = prose();
    match first {
        "slow" => ("word ".repeat(400), Duration::from_millis(6)),
        "brief" => (format!("You said: {rest}"), quick),
        "think" => {
            let thought =
                "The person wants to know something. I weigh what I know, and what I only believe.";
            (format!("<think>\n{thought}\n</think>\n\n{prose}"), Duration::from_millis(2))
        }
        _ => (prose, quick),
    }
}

/// The stand-in server's text, so that both are held against the same.
fn prose() -> String {
    let mock = include_str!("mock.mjs");
    let (_, rest) = mock.split_once("PROSE = `").unwrap();
    let (prose, _) = rest.split_once("`;\n").unwrap();
    prose.replace("\\`", "`")
}
