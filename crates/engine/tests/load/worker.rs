//! The engine on its own thread.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use engine::{
    Engine, Error, Event, FinishReason, Policy, Request, State, Worker, sampler::SamplerSettings,
};

use crate::{
    Fault, Faulty, file, load, prompt, settings, tokens,
    traffic::{Answers, Random, Told, collect, quiet, request},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn worker(sequences: usize, running: usize) -> Worker {
    let engine = load(&file("llama_biases"), &settings(sequences, running, 64), Policy::default());
    Worker::start(engine).unwrap()
}

/// Every step takes a while, so that there is time to come and go.
fn slow() -> Worker {
    let backend = Faulty::new(Fault::Slow, 0, 1 << 40);
    let engine = Engine::load(file("llama_biases"), &backend, &settings(4, 8, 64), &mut |_, _| {});
    Worker::start(engine.unwrap()).unwrap()
}

fn long(seed: u32) -> Request {
    Request {
        max_tokens: Some(100),
        sampler: SamplerSettings::greedy(),
        ..Request::new(prompt(20, seed))
    }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}: not in time");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn callers_on_many_threads_get_the_bytes_of_a_quiet_run() {
    let mut random = Random(11);
    let requests: Vec<Request> = (0..48).map(|_| request(&mut random)).collect();
    let expected = quiet("llama_biases", &requests);
    let worker = worker(4, 24);
    thread::scope(|scope| {
        for own in 0..6 {
            let (handle, requests, expected) = (worker.handle(), requests.clone(), &expected);
            scope.spawn(move || {
                for index in (own..requests.len()).step_by(6) {
                    // Somebody who leaves at once.
                    drop(handle.stream(long(index as u32)).unwrap());
                    let mut answers = Answers::new();
                    collect(&mut answers, handle.stream(requests[index].clone()).unwrap());
                    let told: Vec<Told> = answers.into_values().collect();
                    assert_eq!(told, expected[index], "request {index}");
                }
            });
        }
    });
    assert!(worker.drain_within(PATIENCE));
    let metrics = worker.handle().metrics();
    assert_eq!((metrics.running, metrics.waiting, metrics.pages_held), (0, 0, 0));
}

#[test]
fn who_leaves_is_cancelled_within_a_step() {
    let worker = slow();
    let handle = worker.handle();
    let mut stream = handle.stream(long(1)).unwrap();
    stream.find(|event| matches!(event, Event::Token { .. })).unwrap();
    drop(stream);
    assert!(handle.wait_idle(PATIENCE));
    assert_eq!(handle.metrics().cancelled, 1);
    // A sink that does not listen any more; its ticket is still held.
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let sink = move |event: Event| {
        *count.lock().unwrap() += 1;
        match event {
            Event::Token { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let ticket = handle.submit(long(2), Box::new(sink)).unwrap();
    assert!(handle.wait_idle(PATIENCE));
    assert_eq!(handle.metrics().cancelled, 2);
    assert!(*seen.lock().unwrap() <= 4, "started, prompt, one token and nothing more");
    let tokens = handle.metrics().generated_tokens;
    assert!(tokens < 100, "{tokens} tokens of 200");
    drop(ticket);
    // A sink that panics.
    let ticket = handle.submit(long(3), Box::new(|_| panic!("on purpose"))).unwrap();
    assert!(handle.wait_idle(PATIENCE));
    drop(ticket);
    assert_eq!(handle.state(), State::Serving);
}

#[test]
fn a_ticket_cancels_and_a_stream_tells_of_it() {
    let worker = slow();
    let mut stream = worker.handle().stream(Request { choices: 2, ..long(1) }).unwrap();
    stream.find(|event| matches!(event, Event::Token { .. })).unwrap();
    stream.stop(0);
    let end = stream.find_map(|event| match event {
        Event::Finished { choice, reason, .. } => Some((choice, reason)),
        _ => None,
    });
    assert_eq!(end, Some((0, FinishReason::Cancelled)));
    stream.cancel();
    let rest: Vec<Event> = stream.by_ref().collect();
    assert!(matches!(rest.last(), Some(Event::Finished { choice: 1, .. })));
    assert!(stream.recv_timeout(Duration::ZERO).unwrap().is_none());
}

#[test]
fn what_is_wrong_is_said_at_once() {
    let worker = worker(1, 1);
    let handle = worker.handle();
    let long = handle.stream(Request::new(prompt(500, 1)));
    assert!(matches!(long, Err(Error::PromptTooLong { prompt: 500, context: 128 })));
    let unknown = handle.check(&Request::new(vec![80]));
    assert!(matches!(unknown, Err(Error::NoSuchToken { id: 80, vocab: 80 })));
    assert!(matches!(handle.check(&Request::new(vec![])), Err(Error::EmptyPrompt)));
    let many = Request { choices: 1000, ..Request::new(vec![1]) };
    assert!(matches!(handle.check(&many), Err(Error::Setting { name: "choices", .. })));
    assert_eq!((handle.context(), handle.vocab()), (128, 80));
    assert!(handle.memory().total() > 0 && handle.describe().contains("CPU"));
}

#[test]
fn a_draining_worker_finishes_and_takes_nothing_new() {
    let worker = slow();
    let handle = worker.handle();
    let stream = handle.stream(long(1)).unwrap();
    handle.drain();
    assert!(matches!(handle.stream(long(2)), Err(Error::Draining)));
    assert_eq!(handle.state(), State::Draining);
    assert!(worker.drain_within(PATIENCE));
    let events: Vec<Event> = stream.collect();
    assert_eq!(tokens(&events, 0).len(), 100);
    handle.resume();
    assert_eq!(handle.stream(Request { max_tokens: Some(1), ..long(3) }).unwrap().count(), 4);
}

#[test]
fn dropping_the_worker_ends_what_is_open() {
    let worker = slow();
    let handle = worker.handle();
    let streams: Vec<_> = (0..12).map(|seed| handle.stream(long(seed)).unwrap()).collect();
    drop(worker);
    for stream in streams {
        let end = stream.last().unwrap();
        assert!(
            matches!(end, Event::Finished { .. } | Event::Failed { error: Error::Stopped, .. }),
            "{end:?}"
        );
    }
    assert_eq!(handle.state(), State::Stopped);
    assert!(matches!(handle.stream(long(1)), Err(Error::Stopped)));
}

#[test]
fn an_engine_that_breaks_says_so_to_all_and_takes_nothing_more() {
    for (fault, times, text) in
        [(Fault::Panic, 1, "it panicked: on purpose"), (Fault::Error, 100, "on purpose")]
    {
        let faulty = Faulty::new(fault, 5, times);
        let engine =
            Engine::load(file("llama_biases"), &faulty, &settings(8, 2, 64), &mut |_, _| {});
        let worker = Worker::start(engine.unwrap()).unwrap();
        let handle = worker.handle();
        let submit = |seed| handle.stream(Request { choices: 2, ..long(seed) });
        let streams: Vec<_> = (0..9).map(submit).collect();
        let mut failures = 0;
        for stream in streams.into_iter().flatten() {
            let events: Vec<Event> = stream.collect();
            assert_eq!(events.iter().filter(|event| event.ends().is_some()).count(), 2);
            failures += events.iter().filter(|e| matches!(e, Event::Failed { .. })).count();
        }
        assert!(failures >= 4, "{failures}");
        wait_until("poisoned", || matches!(handle.state(), State::Poisoned(_)));
        let State::Poisoned(why) = handle.state() else { unreachable!("it was just seen") };
        assert!(why.contains(text), "{why}");
        assert!(matches!(handle.stream(long(1)), Err(Error::Poisoned(_))));
        assert!(handle.wait_idle(PATIENCE));
    }
}
