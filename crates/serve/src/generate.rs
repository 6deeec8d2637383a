//! One question answered: prompt, constraint, engine, and text back, with its books kept.

mod decode;
pub(crate) mod whole;

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Event, FinishReason};
use text::tokenizer::{Specials, Tokenizer};
use tokio::sync::mpsc;

use crate::{
    answer::{Finish, TokenInfo, Told, Usage, What},
    ask::{Ask, Ends, Prompt},
    fault::Fault,
    gate::Caller,
    model::{Model, Ticket},
    prompt::{self, Prepared},
    quota::Charge,
    state::{Gauge, State},
    usage::Record,
};
use decode::Decoder;

/// Pieces of an answer that may wait for a slow reader.
const WAITING: usize = 64;

/// An answer under way. Dropping it ends the work within a step.
pub(crate) struct Answers {
    told: mpsc::Receiver<Told>,
    /// The prompt's tokens.
    pub(crate) prompt_ids: Arc<Vec<u32>>,
    /// Names the random numbers.
    pub(crate) seed: u64,
    /// How many answers come.
    pub(crate) choices: u32,
}

impl Answers {
    /// What comes next; nothing when all choices are complete.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }
}

/// Takes a question in. What is wrong with it is told here, before anything streams.
pub(crate) async fn begin(
    state: &Arc<State>,
    caller: &Caller,
    mut ask: Ask,
) -> Result<Answers, Fault> {
    let model = Arc::clone(&ask.model);
    let started = Instant::now();
    let gauge = state.enter(&model)?;
    let (prepared, ask) = {
        let place = state.preparers().acquire().await.map_err(|_| Fault::ours("shutting down"))?;
        let for_model = Arc::clone(&model);
        let work = move || (prompt::prepare(&for_model, &mut ask.prompt), ask);
        let done = tokio::task::spawn_blocking(work).await;
        drop(place);
        let (prepared, ask) = done.map_err(|_| Fault::ours("the prompt could not be prepared"))?;
        (prepared?, ask)
    };
    fits(&model, &ask, &prepared)?;
    let most = ask.max_tokens.unwrap_or(model.runner().context() - prepared.ids.len());
    let charge = state.charge(caller, prepared.ids.len() + most * ask.choices as usize)?;
    let constraint = state.compiler().constraint(&model, ask.shape.clone(), &prepared).await?;
    let ends = match ask.ends {
        Ends::Heeded => model.tokenizer().specials().ends.clone(),
        Ends::Ignored => vec![],
    };
    let ids = Arc::new(prepared.ids.clone());
    let request = engine::Request {
        max_tokens: ask.max_tokens,
        min_tokens: ask.min_tokens,
        sampler: ask.sampler.clone(),
        stop: ends.clone(),
        choices: ask.choices,
        constraint,
        prompt_logprobs: ask.prompt_logprobs,
        tenant: engine::Tenant(caller.tenant),
        salt: ask.salt.clone(),
        priority: ask.priority,
        deadline: ask.deadline,
        ..engine::Request::new(prepared.ids.clone())
    };
    let (tell_raw, raw) = mpsc::unbounded_channel();
    let sink = Box::new(move |event: Event| match tell_raw.send(event) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let ticket = model.runner().submit(request, sink).map_err(|error| {
        state.metrics().refused(model.name());
        Fault::from(error)
    })?;
    let (tell, told) = mpsc::channel(WAITING);
    let seed = ask.sampler.seed;
    let choices = ask.choices;
    let books = Books {
        state: Arc::clone(state),
        record: Record {
            key: caller.key.clone(),
            request: caller.request.clone(),
            model: model.name().to_owned(),
            route: caller.route,
            prompt_tokens: prepared.ids.len(),
            ..Record::default()
        },
        started,
        first: None,
        last: None,
        charge: Some(charge),
        outcome: None,
        _gauge: gauge,
    };
    let drive = Drive { model, ask, prepared, ends, ticket, books };
    tokio::spawn(drive.run(raw, tell));
    Ok(Answers { told, prompt_ids: ids, seed, choices })
}

/// Refuses what has no place in the context, with both numbers.
fn fits(model: &Model, ask: &Ask, prepared: &Prepared) -> Result<(), Fault> {
    let (prompt, context) = (prepared.ids.len(), model.runner().context());
    let least = usize::from(ask.max_tokens != Some(0));
    if prompt + least > context {
        let param = if matches!(ask.prompt, Prompt::Chat(_)) { "messages" } else { "prompt" };
        let fault = Fault::from(engine::Error::PromptTooLong { prompt, context });
        return Err(Fault { param: Some(param.to_owned()), ..fault });
    }
    if prompt == 0 {
        return Err(Fault::from(engine::Error::EmptyPrompt));
    }
    if let Some(most) = ask.max_tokens.filter(|most| *most > context) {
        let message = format!("max_tokens is {most}, the context holds {context}");
        return Err(Fault::field("max_tokens", message));
    }
    Ok(())
}

/// What is kept of an answer for metrics, quotas and bills; closed even when the client left.
struct Books {
    state: Arc<State>,
    record: Record,
    started: Instant,
    first: Option<Duration>,
    last: Option<Instant>,
    charge: Option<Charge>,
    outcome: Option<&'static str>,
    _gauge: Gauge,
}

impl Books {
    fn token(&mut self) {
        let now = Instant::now();
        let metrics = self.state.metrics();
        match self.last.replace(now) {
            None => {
                let first = now - self.started;
                self.first = Some(first);
                metrics.first_token(&self.record.model, first);
            }
            Some(last) => metrics.between_tokens(&self.record.model, now - last),
        }
        self.record.completion_tokens += 1;
    }

    /// Closes them; resolves when the record is on disk, where records are kept.
    async fn close(&mut self, outcome: &'static str) {
        let Some(written) = self.settle(outcome) else { return };
        if written.await.is_err() {
            // The disk is full, or the file gone: the answer is given, and somebody must know.
            self.state.log().server("usage record not written", &self.record.request);
        }
    }

    fn settle(&mut self, outcome: &'static str) -> Option<tokio::sync::oneshot::Receiver<()>> {
        if self.outcome.replace(outcome).is_some() {
            return None;
        }
        let record = &mut self.record;
        record.outcome = outcome;
        record.duration = self.started.elapsed();
        let used = record.prompt_tokens + record.completion_tokens;
        if let Some(charge) = self.charge.take() {
            self.state.settle(charge, used);
        }
        self.state.metrics().answered(record, self.started.elapsed());
        self.state.log().answered(record, self.first);
        self.state.keep(record)
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        // The client left, or the task was ended.
        drop(self.settle("cancelled"));
    }
}

struct Drive {
    model: Arc<Model>,
    ask: Ask,
    prepared: Prepared,
    ends: Vec<u32>,
    ticket: Box<dyn Ticket>,
    books: Books,
}

impl Drive {
    async fn run(mut self, mut raw: mpsc::UnboundedReceiver<Event>, tell: mpsc::Sender<Told>) {
        let model = Arc::clone(&self.model);
        let tokenizer: &Tokenizer = model.tokenizer();
        let decoder = |_| Decoder::new(tokenizer, &self.prepared, &self.ask.stop);
        let mut decoders: Vec<Decoder<'_>> = (0..self.ask.choices).map(decoder).collect();
        let mut left = decoders.len();
        let mut usage = Usage::default();
        while left > 0 {
            let event = tokio::select! {
                event = raw.recv() => event,
                // The reader is gone: dropping the ticket ends the work.
                () = tell.closed() => return,
            };
            let mut out = vec![];
            let mut outcome = "stop";
            match event {
                None => {
                    let fault = Fault::from(engine::Error::Stopped);
                    outcome = "failed";
                    for (choice, decoder) in decoders.iter_mut().enumerate() {
                        if !decoder.is_over() {
                            decoder.end();
                            out.push(told(choice as u32, What::Failed(fault.clone())));
                        }
                    }
                    left = 0;
                }
                Some(Event::Started { queued, .. }) => {
                    self.books.state.metrics().queued(model.name(), queued);
                }
                Some(Event::Prompt { .. }) => {}
                Some(Event::PromptToken { id, logprob, top, .. }) => {
                    let tokens = vec![info(id, logprob, &top)];
                    out.push(Told { choice: 0, what: What::PromptToken, tokens });
                }
                Some(Event::Token { choice, id, logprob, top, .. }) => {
                    self.books.token();
                    let Some(decoder) = decoders.get_mut(choice as usize) else { continue };
                    if decoder.is_over() || self.ends.contains(&id) {
                        continue;
                    }
                    let info = logprob.is_some().then(|| info(id, logprob, &top));
                    let stopped = decoder.push(id, info, choice, &mut out);
                    if stopped == ControlFlow::Break(()) {
                        self.ticket.stop(choice);
                    }
                }
                Some(Event::Finished { choice, reason, usage: own, .. }) => {
                    let Some(decoder) = decoders.get_mut(choice as usize) else { continue };
                    if decoder.is_over() {
                        continue;
                    }
                    let why = decoder.finish(reason_of(reason), choice, &mut out);
                    let own = Usage {
                        prompt: own.prompt_tokens,
                        cached: own.cached_tokens,
                        completion: own.completion_tokens,
                        reasoning: decoder.reasoning_tokens(),
                    };
                    usage = usage.and(own);
                    outcome = why.openai();
                    out.push(told(choice, What::Finished { why, usage: own }));
                    left -= 1;
                }
                Some(Event::Failed { choice, error, .. }) => {
                    let Some(decoder) = decoders.get_mut(choice as usize) else { continue };
                    if decoder.is_over() {
                        continue;
                    }
                    decoder.end();
                    outcome = "failed";
                    out.push(told(choice, What::Failed(Fault::from(error))));
                    left -= 1;
                }
            }
            if left == 0 {
                self.books.record.cached_tokens = usage.cached;
                self.books.record.completion_tokens =
                    self.books.record.completion_tokens.max(usage.completion);
                // What is counted is on disk before the last word is sent.
                self.books.close(outcome).await;
            }
            for told in out {
                if tell.send(told).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn told(choice: u32, what: What) -> Told {
    Told { choice, what, tokens: vec![] }
}

fn info(id: u32, logprob: Option<f64>, top: &[engine::sampler::LogProb]) -> TokenInfo {
    TokenInfo { id, logprob, top: top.iter().map(|token| (token.id, token.logprob)).collect() }
}

fn reason_of(reason: FinishReason) -> Finish {
    match reason {
        FinishReason::Stop => Finish::Stop,
        FinishReason::Length => Finish::Length,
        FinishReason::Cancelled => Finish::Cancelled,
        FinishReason::Deadline => Finish::Deadline,
    }
}

/// A token's text on its own: special tokens by their name.
pub(crate) fn token_text(tokenizer: &Tokenizer, id: u32) -> (String, Vec<u8>) {
    if tokenizer.is_special(id) {
        let text = tokenizer.token_text(id).unwrap_or_default().to_owned();
        let bytes = text.clone().into_bytes();
        return (text, bytes);
    }
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), bytes)
}

/// The text of some tokens as a client reads it.
pub(crate) fn text_of(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    tokenizer.decode(ids, Specials::Keep)
}
