//! `freehold serve`: models for many people at once, by the APIs clients already speak.

mod model;

use std::{
    net::SocketAddr,
    panic,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::{Args, ValueEnum};
use machine::Bytes;
use serve::{Compat, Ended, Keeping, LocalKeys, Server, Settings};

use super::Command;
use crate::{
    error::{failed, refused, usage, usage_hint},
    kv::Kv,
    load::{HowExact, Running},
    program::App,
};

/// Arguments of `freehold serve`.
#[derive(Args, Clone)]
pub(crate) struct Serve {
    /// Models to offer, each as MODEL or NAME=MODEL; the built-in house model without any
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Tokens a prompt and its answer may have [default: as many as the model was made for, at most 8192]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub(super) ctx: Option<u32>,
    /// Answers that are generated at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) parallel: u32,
    /// Full contexts the cache has room for; shorter ones share it [default: as many of 8 as fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) contexts: Option<u32>,
    /// Requests that may wait for each model
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=1 << 20))]
    pub(super) queue: u32,
    /// Whether prompts share what was computed of their common beginning
    #[arg(long, value_name = "WHEN", default_value = "on")]
    pub(super) prefix_cache: Switch,
    /// How the cache keeps keys and values [default: f16; f32 where the weights are F32]
    #[arg(long, value_name = "TYPE")]
    pub(super) kv: Option<Kv>,
    /// How products with quantized weights are computed
    #[arg(long, value_name = "HOW", default_value = "fast")]
    pub(super) precision: HowExact,
    #[command(flatten)]
    pub(super) running: Running,
    /// What happens to a field of a request that is not honoured
    #[arg(long, value_name = "HOW", default_value = "strict")]
    compat: Fields,
    /// The file of keys and usage records [default: keys.sqlite under FREEHOLD_HOME]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Ask for a key on this machine too
    #[arg(long)]
    require_key: bool,
    /// The certificate chain to serve TLS with, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name this server goes by, beside addresses and localhost (repeatable)
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// The origin of a web page that may use this server (repeatable)
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Memory all loaded models may take together, as 8GiB; the one idle longest makes room
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Let a model go after so many seconds without a request
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_connections: u32,
    /// Bytes of a request's body, as 32MiB
    #[arg(long, value_name = "SIZE", default_value = "32MiB")]
    max_body: String,
    /// Seconds between not being ready any more and not listening any more, when told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    drain_delay: u64,
    /// Seconds that answers under way may take then
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    drain_time: u64,
    /// Where a line of JSON for each request and answer goes; prompts and keys are never in it
    #[arg(long, value_name = "WHERE", default_value = "stderr")]
    log: Logs,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// They do
    On,
    /// They do not
    Off,
}

/// `--compat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fields {
    /// The request is refused, the field named
    Strict,
    /// The field is left out, and listed in the header x-freehold-ignored of the answer
    Lenient,
}

/// `--log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Logs {
    /// Standard error
    Stderr,
    /// Nowhere
    Off,
}

impl Command for Serve {
    const NAME: &'static str = "serve";
    const ABOUT: &'static str = "Serve models to many people, by the APIs clients already speak";
    const DETAILS: &'static str = "OpenAI: POST /v1/chat/completions, /v1/completions, /v1/responses, GET /v1/models. Anthropic: POST /v1/messages, \
        /v1/messages/count_tokens. Ollama: /api/chat, /api/generate, /api/tags, /api/show, /api/ps. Editors: /infill, /props, \
        /tokenize, /detokenize, /apply-template. GET /v1/compat tells what each route honours, field by field; /openapi.json \
        describes them; /metrics, /health, /livez and /ready are for operators. A field that is not honoured is refused by name.\n\n\
        On this machine no key is needed. An address that others can reach needs one: freehold key create. \
        Ctrl-C or SIGTERM: readiness fails first, answers under way are finished, then the port closes; a second one ends at once.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold serve",
        "freehold serve model.gguf --listen 127.0.0.1:8000",
        "freehold serve chat=qwen3-4b.gguf code=coder.gguf --memory 16GiB --idle 600",
        "freehold serve model.gguf --listen 0.0.0.0:8443 --tls-cert chain.pem --tls-key key.pem",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let settings = self.settings(app)?;
        let sources = model::sources(&self, app)?;
        let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        quiet_panics(app);
        let output = Mutex::new(app.output.clone());
        let shown = self.log == Logs::Stderr;
        let lines = Box::new(move |line: &str| {
            if shown {
                output.lock().unwrap_or_else(PoisonError::into_inner).complain(line);
            }
        });
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let server = Server::bind(settings, sources, lines).map_err(told)?;
        server.load_first().map_err(told)?;
        app.output.note(format!("serving {} on {scheme}://{}", names.join(", "), server.address()));
        match server.run_until_signalled() {
            Ended::Drained => Ok(()),
            Ended::Cut(answers) => Err(failed(
                format!("{answers} answers were cut off"),
                "raise --drain-time, or let clients ask again",
            )),
        }
    }
}

impl Serve {
    fn settings(&self, app: &App) -> anyhow::Result<Settings> {
        let keys = match &self.keys {
            Some(path) => Some(path.clone()),
            None => app.settings.home().ok().map(|home| home.join(super::key::FILE)),
        };
        let asked = self.keys.is_some() || self.require_key || !self.listen.ip().is_loopback();
        Ok(Settings {
            // On this machine alone nothing is kept that nobody asked for.
            keys: keys.filter(|path| asked || path.exists()),
            // What a person writes on the page they find again: beside the keys, else at home.
            conversations: match &self.keys {
                Some(_) => None,
                None => app.settings.home().ok().map(|home| home.join("conversations.sqlite")),
            },
            local_keys: if self.require_key { LocalKeys::Needed } else { LocalKeys::NotNeeded },
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            hosts: self.allow_host.clone(),
            origins: self.allow_origin.clone(),
            compat: match self.compat {
                Fields::Strict => Compat::Strict,
                Fields::Lenient => Compat::Lenient,
            },
            connections: self.max_connections as usize,
            body_bytes: usize::try_from(size("--max-body", &self.max_body)?.0)
                .unwrap_or(usize::MAX),
            drain_delay: Duration::from_secs(self.drain_delay),
            drain_time: Duration::from_secs(self.drain_time),
            keeping: Keeping {
                budget: self
                    .memory
                    .as_deref()
                    .map(|text| size("--memory", text))
                    .transpose()?
                    .map(|b| b.0),
                idle: self.idle.map(Duration::from_secs),
            },
            version: env!("CARGO_PKG_VERSION"),
            ..Settings::new(self.listen)
        })
    }
}

/// A size: a number, and KiB, MiB or GiB.
fn size(option: &str, text: &str) -> anyhow::Result<Bytes> {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0), ("", 0)];
    let parsed = units.iter().find_map(|(unit, shift)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        let bytes = number * f64::from(1_u32 << shift);
        (1.0..1e18).contains(&bytes).then_some(Bytes(bytes as u64))
    });
    parsed.ok_or_else(|| usage(format!("{option} is {text:?}, expected a size as 8GiB or 512MiB")))
}

/// What a person can do about a server that does not start.
fn told(error: serve::Error) -> anyhow::Error {
    let message = error.to_string();
    match error {
        serve::Error::Unguarded { .. } => usage_hint(message, "freehold key create --name NAME"),
        serve::Error::Listen { .. } => failed(message, "choose another port with --listen"),
        serve::Error::Tls { .. } => {
            refused(message, "give PEM files: --tls-cert CHAIN --tls-key KEY")
        }
        _ => error.into(),
    }
}

/// A panic's message may hold what somebody sent: only its place is told.
fn quiet_panics(app: &App) {
    let output = Arc::new(Mutex::new(app.output.clone()));
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let line = format!("{{\"event\":\"panic\",\"place\":{place:?}}}");
        output.lock().unwrap_or_else(PoisonError::into_inner).complain(&line);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_are_written() {
        for (text, bytes) in
            [("8GiB", 8 << 30), ("1.5MiB", 3 << 19), ("4096", 4096), ("7KiB", 7168)]
        {
            assert_eq!(size("--memory", text).unwrap().0, bytes, "{text}");
        }
        for text in ["", "-1", "NaN", "1e30GiB", "eight", "8GB", "0"] {
            assert!(size("--memory", text).is_err(), "{text}");
        }
    }
}
