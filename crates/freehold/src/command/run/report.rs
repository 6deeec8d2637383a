//! What an answer took, as JSON and for people.

use engine::sampler::{LogProb, SamplerSettings};
use machine::Bytes;
use serde::Serialize;
use text::tokenizer::Tokenizer;

use super::answer::{Answer, Session};
use crate::program::App;

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning: &'a str,
    ids: &'a [u32],
    finish_reason: &'static str,
    usage: Usage,
    timings: Timings,
    seed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logprobs: Vec<Chosen<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the printed JSON")]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    cached_tokens: usize,
}

/// Seconds, and tokens in one.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
struct Timings {
    load_s: f64,
    prompt_s: f64,
    generation_s: f64,
    prompt_tokens_per_s: f64,
    generation_tokens_per_s: f64,
}

#[derive(Serialize)]
struct Chosen<'a> {
    #[serde(flatten)]
    token: Likely<'a>,
    top: Vec<Likely<'a>>,
}

#[derive(Serialize)]
struct Likely<'a> {
    id: u32,
    token: Option<&'a str>,
    logprob: f64,
}

/// Everything about an answer.
pub(super) fn of<'a>(answer: &'a Answer, session: &'a Session, seed: u64) -> Report<'a> {
    let tokenizer = &session.talker.tokenizer;
    Report {
        text: &answer.text,
        reasoning: &answer.reasoning,
        ids: &answer.ids,
        finish_reason: answer.finish.name(),
        usage: Usage {
            prompt_tokens: answer.usage.prompt_tokens,
            completion_tokens: answer.usage.completion_tokens,
            cached_tokens: answer.usage.cached_tokens,
        },
        timings: timings(answer, session),
        seed,
        logprobs: answer.logprobs.iter().map(|chosen| chosen_of(tokenizer, chosen)).collect(),
    }
}

fn chosen_of<'a>(
    tokenizer: &'a Tokenizer,
    (id, logprob, top): &(u32, f64, Vec<LogProb>),
) -> Chosen<'a> {
    let likely = |id: u32, logprob: f64| Likely { id, token: tokenizer.token_text(id), logprob };
    Chosen {
        token: likely(*id, *logprob),
        top: top.iter().map(|best| likely(best.id, best.logprob)).collect(),
    }
}

fn timings(answer: &Answer, session: &Session) -> Timings {
    let rate =
        |tokens: usize, seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    let (prompt_s, generation_s) =
        (answer.prompt_time.as_secs_f64(), answer.generation_time.as_secs_f64());
    // The first token comes with the prompt; the time after it is that of the others.
    let later = answer.usage.completion_tokens.saturating_sub(1);
    let read = answer.usage.prompt_tokens - answer.usage.cached_tokens;
    Timings {
        load_s: session.load_time.as_secs_f64(),
        prompt_s,
        generation_s,
        prompt_tokens_per_s: rate(read, prompt_s),
        generation_tokens_per_s: rate(later, generation_s),
    }
}

/// The same for people, on stderr.
pub(super) fn print(app: &App, answer: &Answer, session: &Session, sampler: &SamplerSettings) {
    for line in lines(answer, session, sampler) {
        app.output.note(line);
    }
}

/// See [`print()`].
pub(super) fn lines(answer: &Answer, session: &Session, sampler: &SamplerSettings) -> Vec<String> {
    let t = timings(answer, session);
    let (usage, memory) = (answer.usage, session.engine.memory());
    let cached = match usage.cached_tokens {
        0 => String::new(),
        cached => format!(" ({cached} of them kept from before)"),
    };
    let bytes = |n: usize| Bytes(n as u64);
    let seed =
        if sampler.is_greedy() { "greedy".to_owned() } else { format!("seed {}", sampler.seed) };
    vec![
        format!(
            "prompt      {} tokens{cached}, {:.2} s, {:.1} tokens/s",
            usage.prompt_tokens, t.prompt_s, t.prompt_tokens_per_s
        ),
        format!(
            "answer      {} tokens ({}), {:.2} s, {:.1} tokens/s",
            usage.completion_tokens,
            answer.finish.name(),
            t.generation_s,
            t.generation_tokens_per_s
        ),
        format!(
            "memory      weights {}, cache {} for {} tokens, activations {}",
            bytes(memory.weights),
            bytes(memory.kv_cache),
            session.engine.context(),
            bytes(memory.activations)
        ),
        format!("computed    {}, loaded in {:.2} s", session.engine.describe(), t.load_s),
        format!("sampling    {seed}"),
    ]
}
