//! A model that writes what it is told to: every byte is a token, and a grammar, where one is set, is
//! heeded as the engine would.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use engine::{
    Allowed, Error, Event, FinishReason, Memory, Metrics, Request, RequestId, Usage,
    sampler::TokenSet,
};
use serve::{
    Ended, Server, Settings, Source, Stop,
    model::{Parts, Runner, Sink, Ticket},
};
use text::{template::TemplateSet, tokenizer::Tokenizer};

pub(crate) const END: u32 = 256;
pub(crate) const START: u32 = 257;
pub(crate) const VOCAB: usize = 260;
pub(crate) const CONTEXT: usize = 20_000;

/// Hermes' notation, `<think>` reasoning and a switch for it; the marks only have to stand somewhere.
const TEMPLATE: &str = "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{%- endfor %}{%- if tools %}<|im_start|>system\n<tool_call>{{ tools | tojson }}<|im_end|>\n{%- endif %}{%- if add_generation_prompt %}<|im_start|>assistant\n{%- if enable_thinking is defined and enable_thinking %}<think>{%- endif %}{%- endif %}{# </think> #}";

/// What the model does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Writes this and ends.
    Say(String),
    /// Writes a letter every so often until it is stopped.
    Go(Duration),
    /// Fails.
    Fail,
    /// Its queue is full.
    Full,
    /// Panics.
    Panic,
    /// Goes away without a word.
    Die,
}

pub(crate) type Script = Arc<dyn Fn(&str) -> Act + Send + Sync>;

/// What the tests see of the model.
#[derive(Default)]
pub(crate) struct Seen {
    /// Prompts, whole.
    pub(crate) prompts: Mutex<Vec<Vec<u32>>>,
    pub(crate) tenants: Mutex<Vec<u64>>,
    pub(crate) salts: Mutex<Vec<Vec<u8>>>,
    pub(crate) samplers: Mutex<Vec<engine::sampler::SamplerSettings>>,
    /// Requests under way.
    pub(crate) live: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) lines: Mutex<Vec<String>>,
}

struct Model {
    script: Script,
    seen: Arc<Seen>,
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

pub(crate) fn tokenizer() -> Tokenizer {
    let (mut vocab, mut next) = (serde_json::Map::new(), 256_u32);
    for byte in 0..256_u32 {
        let printable = (33..=126).contains(&byte) || (161..=172).contains(&byte) || byte >= 174;
        let code = if printable {
            byte
        } else {
            next += 1;
            next - 1
        };
        vocab.insert(char::from_u32(code).unwrap().to_string(), byte.into());
    }
    let special = |id: u32, content: &str| serde_json::json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    let stage = serde_json::json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let json = serde_json::json!({
        "added_tokens": [special(END, "<|im_end|>"), special(START, "<|im_start|>")],
        "pre_tokenizer": stage, "decoder": stage,
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    Tokenizer::from_json(json.to_string().as_bytes(), None).unwrap()
}

impl Runner for Model {
    fn submit(&self, mut request: Request, mut sink: Sink) -> Result<Box<dyn Ticket>, Error> {
        let bytes: Vec<u8> =
            request.prompt.iter().filter_map(|id| u8::try_from(*id).ok()).collect();
        let prompt = String::from_utf8_lossy(&bytes).into_owned();
        self.seen.prompts.lock().unwrap().push(request.prompt.clone());
        self.seen.tenants.lock().unwrap().push(request.tenant.0);
        self.seen.salts.lock().unwrap().push(request.salt.clone());
        self.seen.samplers.lock().unwrap().push(request.sampler.clone());
        let act = (self.script)(&prompt);
        if matches!(act, Act::Full) {
            return Err(Error::QueueFull { waiting: 9, most: 9, whose: engine::Whose::All });
        }
        if matches!(act, Act::Panic) {
            panic!("a prompt in a panic: {prompt}");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&self.seen));
        seen.live.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(move || {
            for choice in 0..request.choices {
                let mut constraint =
                    request.constraint.as_mut().map(|constraint| constraint.fork());
                let mut usage = Usage { prompt_tokens: request.prompt.len(), ..Usage::default() };
                let text = match &act {
                    Act::Say(text) => text.clone(),
                    Act::Go(_) => "x".repeat(1 << 20),
                    _ => String::new(),
                };
                let most = request.max_tokens.unwrap_or(usize::MAX);
                let mut reason = FinishReason::Stop;
                let mut tokens = text.bytes().map(u32::from).chain([END]);
                loop {
                    if stopped.load(Ordering::SeqCst) {
                        reason = FinishReason::Cancelled;
                        break;
                    }
                    if usage.completion_tokens >= most {
                        reason = FinishReason::Length;
                        break;
                    }
                    if constraint.as_ref().is_some_and(|constraint| constraint.is_finished()) {
                        break;
                    }
                    let mut token = tokens.next().unwrap_or(END);
                    if let Some(constraint) = &mut constraint {
                        let mut allowed = TokenSet::none(VOCAB);
                        if constraint.mask(&mut allowed).unwrap() == Allowed::These
                            && !allowed.contains(token)
                        {
                            // The engine would take the best that is allowed; here, what comes to an end.
                            let closing = [END, 34, 125, 93].into_iter();
                            let all = closing.chain((33..127).rev()).chain(0..VOCAB as u32);
                            token = all.into_iter().find(|id| allowed.contains(*id)).unwrap();
                        }
                        if token != END {
                            constraint.accept(token).unwrap();
                        }
                    }
                    usage.completion_tokens += 1;
                    let logprob = request.sampler.logprobs.map(|_| -0.5);
                    let event = Event::Token {
                        request: RequestId(0),
                        choice,
                        id: token,
                        logprob,
                        top: vec![],
                    };
                    if sink(event) == ControlFlow::Break(()) {
                        reason = FinishReason::Cancelled;
                        break;
                    }
                    if token == END {
                        break;
                    }
                    if let Act::Go(pause) = &act {
                        std::thread::sleep(*pause);
                    }
                }
                if reason == FinishReason::Cancelled {
                    seen.cancelled.fetch_add(1, Ordering::SeqCst);
                }
                let event = match act {
                    Act::Fail => Event::Failed {
                        request: RequestId(0),
                        choice,
                        error: Error::Backend("it broke".into()),
                    },
                    Act::Die => break,
                    _ => Event::Finished { request: RequestId(0), choice, reason, usage },
                };
                let _ = sink(event);
            }
            seen.live.fetch_sub(1, Ordering::SeqCst);
        });
        Ok(Box::new(Running(stop)))
    }

    fn metrics(&self) -> Metrics {
        Metrics::default()
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn context(&self) -> usize {
        CONTEXT
    }

    fn vocab(&self) -> usize {
        VOCAB
    }

    fn describe(&self) -> String {
        "a script".to_owned()
    }

    fn memory(&self) -> Memory {
        Memory::default()
    }
}

/// A server under test; stopped when it goes.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<Ended>>,
}

impl Served {
    /// With the customary settings, and a model that says this.
    pub(crate) fn saying(text: &str) -> Self {
        let text = text.to_owned();
        Self::acting(Arc::new(move |_| Act::Say(text.clone())))
    }

    pub(crate) fn acting(script: Script) -> Self {
        Self::with(settings(), script)
    }

    pub(crate) fn with(settings: Settings, script: Script) -> Self {
        Self::offering(settings, script, &["scripted"])
    }

    pub(crate) fn offering(settings: Settings, script: Script, names: &[&str]) -> Self {
        Self::made(settings, script, names, TEMPLATE)
    }

    /// With another template.
    pub(crate) fn templated(template: &'static str, text: &str) -> Self {
        let text = text.to_owned();
        Self::made(settings(), Arc::new(move |_| Act::Say(text.clone())), &["scripted"], template)
    }

    fn made(settings: Settings, script: Script, names: &[&str], template: &'static str) -> Self {
        let seen = Arc::new(Seen::default());
        let sources = names
            .iter()
            .map(|name| {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                let open = move || {
                    Ok(Parts {
                        runner: Box::new(Model {
                            script: Arc::clone(&script),
                            seen: Arc::clone(&seen),
                        }),
                        keep: Box::new(()),
                        tokenizer: Arc::new(tokenizer()),
                        templates: TemplateSet::single(template),
                        specials: text::template::Specials::default(),
                        sampler: None,
                        about: serve::model::About::default(),
                    })
                };
                Source {
                    name: (*name).to_owned(),
                    bytes: 100,
                    about: serve::model::About::default(),
                    open: Box::new(open),
                }
            })
            .collect();
        let heard = Arc::clone(&seen);
        let lines = Box::new(move |line: &str| heard.lines.lock().unwrap().push(line.to_owned()));
        let server = Server::bind(settings, sources, lines).unwrap();
        let (address, stop) = (server.address(), Stop::new());
        let asked = stop.clone();
        let thread = std::thread::spawn(move || server.run(&asked));
        Served { address, seen, stop, thread: Some(thread) }
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn end(&mut self) -> Ended {
        self.stop.ask();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits until it has ended; it was asked before.
    pub(crate) fn finish(&mut self) -> Ended {
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits until nothing is under way.
    pub(crate) fn calm(&self) {
        let began = Instant::now();
        while self.seen.live.load(Ordering::SeqCst) > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "work goes on for nobody");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.ask();
        self.stop.ask();
    }
}

/// On a free port, quick to end.
pub(crate) fn settings() -> Settings {
    Settings {
        drain_delay: Duration::from_millis(10),
        ..Settings::new("127.0.0.1:0".parse().unwrap())
    }
}
