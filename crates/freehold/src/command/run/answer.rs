//! One answer: tokens from the engine to text, reasoning kept apart, stop strings heeded.

use std::time::{Duration, Instant};

use engine::{
    Engine, Event, FinishReason, Overflow, Request, RequestId, Usage,
    sampler::{LogProb, SamplerSettings},
};
use text::{
    reasoning::{Opened, Piece, ReasoningFormat, Splitter},
    stream::{Detokenizer, StopStrings, StreamStart},
    tokenizer::{Specials, Tokenizer},
};

use super::{model::Talker, screen::Screen};
use crate::{interrupt::Interrupt, program::App};

/// What the model is to go on from.
pub(super) struct Prompt {
    /// Its tokens.
    pub(super) ids: Vec<u32>,
    /// How the model marks its reasoning, where it does.
    pub(super) reasoning: Option<(&'static ReasoningFormat, Opened)>,
    /// Whether the answer is a turn of its own rather than the rest of a text.
    pub(super) is_turn: bool,
}

impl Prompt {
    /// Plain tokens to continue.
    pub(super) fn plain(ids: Vec<u32>) -> Self {
        Prompt { ids, reasoning: None, is_turn: false }
    }
}

/// Where an answer ends.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// After so many tokens.
    pub(super) max_tokens: Option<usize>,
    /// Before any of these.
    pub(super) stop: Vec<String>,
    /// With any of these tokens.
    pub(super) ends: Vec<u32>,
    /// At the context's end, or not.
    pub(super) overflow: Overflow,
}

/// A complete answer.
pub(super) struct Answer {
    /// What it says.
    pub(super) text: String,
    /// What was thought before.
    pub(super) reasoning: String,
    /// Every token that was generated.
    pub(super) ids: Vec<u32>,
    /// Of each of them, if asked for.
    pub(super) logprobs: Vec<(u32, f64, Vec<LogProb>)>,
    pub(super) finish: FinishReason,
    pub(super) usage: Usage,
    /// From the request to the first token.
    pub(super) prompt_time: Duration,
    /// From the first token to the last.
    pub(super) generation_time: Duration,
}

/// A loaded model and its one conversation.
pub(super) struct Session {
    pub(super) talker: Talker,
    pub(super) engine: Engine,
    pub(super) load_time: Duration,
    interrupt: Interrupt,
}

/// A stream of tokens on its way to a reader.
struct Stream<'a> {
    words: Option<Detokenizer<'a>>,
    stops: Option<StopStrings>,
    splitter: Option<Splitter>,
    text: String,
    reasoning: String,
}

impl Session {
    pub(super) fn new(talker: Talker, engine: Engine, load_time: Duration) -> anyhow::Result<Self> {
        Ok(Session { talker, engine, load_time, interrupt: Interrupt::listen()? })
    }

    /// Whether the last answer was stopped by Ctrl-C.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupt.is_asked()
    }

    /// Answers; `screen` sees the text as it comes.
    pub(super) fn answer(
        &mut self,
        app: &App,
        prompt: Prompt,
        limits: &Limits,
        sampler: &SamplerSettings,
        screen: &mut Screen<'_>,
    ) -> anyhow::Result<Answer> {
        self.interrupt.reset();
        let tokenizer = &self.talker.tokenizer;
        let mut stream = Stream::new(tokenizer, &prompt, limits);
        let started = Instant::now();
        let total = prompt.ids.len();
        let request = self.engine.submit(Request {
            max_tokens: limits.max_tokens,
            sampler: sampler.clone(),
            stop: limits.ends.clone(),
            overflow: limits.overflow,
            ..Request::new(prompt.ids)
        })?;
        let progress = app.output.progress_tokens("reading", total as u64);
        let (mut ids, mut logprobs) = (vec![], vec![]);
        let mut first = None;
        loop {
            if self.interrupt.is_asked() {
                // It may have ended in the step before; then there is nothing to cancel.
                drop(self.engine.cancel(request));
            }
            for event in self.engine.step()? {
                match event {
                    Event::Started { .. } | Event::PromptToken { .. } => {}
                    Event::Prompt { done, total, .. } => progress.set(done as u64, total as u64),
                    Event::Token { id, logprob, top, .. } => {
                        progress.finish();
                        first.get_or_insert_with(Instant::now);
                        ids.push(id);
                        logprobs.extend(logprob.map(|logprob| (id, logprob, top)));
                        if !limits.ends.contains(&id) && stream.push(id, screen)? {
                            drop(self.engine.cancel(request));
                        }
                    }
                    Event::Failed { error, .. } => {
                        return Err(give_up(&mut self.engine, request, error));
                    }
                    Event::Finished { reason, usage, .. } => {
                        progress.finish();
                        let stopped = stream.is_stopped();
                        let (text, reasoning) = stream.finish(screen)?;
                        let first = first.unwrap_or_else(Instant::now);
                        let finish = if stopped { FinishReason::Stop } else { reason };
                        return Ok(Answer {
                            text,
                            reasoning,
                            ids,
                            logprobs,
                            finish,
                            usage,
                            prompt_time: first - started,
                            generation_time: first.elapsed(),
                        });
                    }
                }
            }
        }
    }
}

/// A failed request leaves the engine idle for the next.
fn give_up(engine: &mut Engine, request: RequestId, error: engine::Error) -> anyhow::Error {
    drop(engine.cancel(request));
    drop(engine.run_to_end());
    error.into()
}

impl<'a> Stream<'a> {
    fn new(tokenizer: &'a Tokenizer, prompt: &Prompt, limits: &Limits) -> Self {
        // After nothing but a begin token, too, a text begins.
        let begins = prompt.is_turn || prompt.ids.iter().all(|id| tokenizer.is_special(*id));
        let start = if begins { StreamStart::Beginning } else { StreamStart::Continuation };
        let specials = match prompt.reasoning {
            // Marks that are special tokens must reach the splitter.
            Some((format, _)) if format.name != "think" || is_special(tokenizer, "<think>") => {
                Specials::Keep
            }
            _ => Specials::Skip,
        };
        let splitter = prompt.reasoning.map(|(format, opened)| format.splitter(opened));
        Stream {
            words: Some(Detokenizer::new(tokenizer, specials, start)),
            stops: Some(StopStrings::new(limits.stop.iter().cloned())),
            splitter: Some(splitter.unwrap_or_else(Splitter::plain)),
            text: String::new(),
            reasoning: String::new(),
        }
    }

    /// Takes a token in; true when a stop string is complete.
    fn push(&mut self, id: u32, screen: &mut Screen<'_>) -> anyhow::Result<bool> {
        let text = self.words.as_mut().map(|words| words.push(id)).unwrap_or_default();
        self.split(&text, screen)
    }

    fn is_stopped(&self) -> bool {
        self.stops.is_none()
    }

    /// Passes text through the splitter, and the answer in it through the stop strings.
    fn split(&mut self, text: &str, screen: &mut Screen<'_>) -> anyhow::Result<bool> {
        let pieces = self.splitter.as_mut().map(|splitter| splitter.push(text)).unwrap_or_default();
        self.take(pieces, screen)
    }

    fn take(&mut self, pieces: Vec<Piece>, screen: &mut Screen<'_>) -> anyhow::Result<bool> {
        for piece in pieces {
            match piece {
                Piece::Reasoning(text) => {
                    screen.reasoning(&text)?;
                    self.reasoning += &text;
                }
                // No tools were offered, so a call is what the model has to say.
                Piece::Answer(text) | Piece::Call(text) => {
                    let Some(stops) = &mut self.stops else { return Ok(true) };
                    let (text, stop) = stops.push(&text);
                    screen.answer(&text)?;
                    self.text += &text;
                    if stop.is_some() {
                        self.stops = None;
                        return Ok(true);
                    }
                }
                Piece::Mark(_) => {}
            }
        }
        Ok(false)
    }

    /// Gives out what was held back.
    fn finish(mut self, screen: &mut Screen<'_>) -> anyhow::Result<(String, String)> {
        if !self.is_stopped() {
            let rest = self.words.take().map(Detokenizer::finish).unwrap_or_default();
            let mut stopped = self.split(&rest, screen)?;
            if !stopped {
                let pieces = self.splitter.take().map(Splitter::finish).unwrap_or_default();
                stopped = self.take(pieces, screen)?;
            }
            if let (false, Some(stops)) = (stopped, self.stops.take()) {
                let rest = stops.finish();
                screen.answer(&rest)?;
                self.text += &rest;
            }
        }
        Ok((self.text, self.reasoning))
    }
}

fn is_special(tokenizer: &Tokenizer, token: &str) -> bool {
    tokenizer.id_of(token).is_some_and(|id| tokenizer.is_special(id))
}
