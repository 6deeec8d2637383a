//! Whose turn it is: cancellation, fairness, priorities, limits, deadlines, who may share what.

use std::time::{Duration, Instant};

use engine::{
    Engine, Error, Event, FinishReason, Policy, PrefixCache, Priority, Request, RequestId, Tenant,
    Whose, sampler::SamplerSettings,
};

use crate::{assert_nothing_held, file, load, prompt, settings};

fn engine(sequences: usize, running: usize, chunk: usize) -> Engine {
    load(&file("llama_biases"), &settings(sequences, running, chunk), Policy::default())
}

/// So many greedy tokens after so long a prompt.
fn request(length: usize, seed: u32, tokens: usize) -> Request {
    Request {
        max_tokens: Some(tokens),
        sampler: SamplerSettings::greedy(),
        ..Request::new(prompt(length, seed))
    }
}

/// Steps until `done` says so of an event, at most `most`.
fn steps_until(engine: &mut Engine, most: usize, done: impl Fn(&Event) -> bool) -> usize {
    for step in 1..=most {
        if engine.step().unwrap().iter().any(&done) {
            return step;
        }
    }
    panic!("not within {most} steps: {:?}", engine.metrics());
}

fn has_started(id: RequestId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Started { request, .. } if *request == id)
}

fn has_ended(id: RequestId) -> impl Fn(&Event) -> bool {
    move |event| event.request() == id && event.ends().is_some()
}

#[test]
fn a_cancelled_request_ends_before_the_next_step_computes() {
    let mut engine = engine(4, 8, 16);
    let gone = engine.submit(request(20, 1, 90)).unwrap();
    let stays = engine.submit(request(20, 2, 90)).unwrap();
    let waits = engine.submit(Request { choices: 3, ..request(100, 3, 9) }).unwrap();
    for _ in 0..6 {
        engine.step().unwrap();
    }
    engine.cancel(gone).unwrap();
    engine.cancel(waits).unwrap();
    let events = engine.step().unwrap();
    let of = |id: RequestId| events.iter().filter(move |event| event.request() == id);
    let cancelled =
        |event: &Event| matches!(event, Event::Finished { reason: FinishReason::Cancelled, .. });
    assert_eq!(of(gone).filter(|event| cancelled(event)).count(), 1);
    assert_eq!(of(gone).count(), 1, "nothing but its end");
    assert_eq!(of(waits).filter(|event| cancelled(event)).count(), 3, "one end for each answer");
    assert!(of(stays).any(|event| matches!(event, Event::Token { .. })));
    assert!(matches!(engine.cancel(gone), Err(Error::NoSuchSequence(_))));
    engine.run_to_end().unwrap();
    assert_nothing_held(&engine);
}

#[test]
fn one_answer_of_several_can_be_stopped() {
    let mut engine = engine(4, 8, 64);
    let id = engine.submit(Request { choices: 2, ..request(10, 1, 40) }).unwrap();
    engine.step().unwrap();
    engine.cancel_choice(id, 1).unwrap();
    let mut ends = vec![];
    for event in engine.run_to_end().unwrap() {
        if let Event::Finished { choice, reason, .. } = event {
            ends.push((choice, reason));
        }
    }
    assert_eq!(ends, [(1, FinishReason::Cancelled), (0, FinishReason::Length)]);
}

#[test]
fn a_flood_of_one_tenant_does_not_starve_another() {
    for sequences in [2, 16] {
        let mut engine = engine(sequences, 8, 64);
        for seed in 0..100 {
            let flood = Request { tenant: Tenant(1), ..request(60, seed, 60) };
            engine.submit(flood).unwrap();
        }
        for _ in 0..20 {
            engine.step().unwrap();
        }
        for seed in 200..203 {
            let other = Request { tenant: Tenant(2), ..request(40, seed, 10) };
            let id = engine.submit(other).unwrap();
            steps_until(&mut engine, 2, has_started(id));
            // Ten tokens, a few pieces of prompt, and now and then a turn of the others.
            let steps = steps_until(&mut engine, 40, has_ended(id));
            assert!(steps >= 9, "{steps}");
        }
        assert!(engine.metrics().waiting > 50, "the flood is still there");
    }
}

#[test]
fn tenants_that_both_want_everything_get_equal_service_and_the_weighted_more() {
    for (weight, low, high) in [(1, 0.8, 1.25), (3, 2.2, 4.0)] {
        let mut engine = engine(4, 8, 64);
        for seed in 0..120 {
            let tenant = Tenant(u64::from(seed % 2));
            let weight = if seed % 2 == 1 { weight } else { 1 };
            engine.submit(Request { tenant, weight, ..request(30, seed, 12) }).unwrap();
        }
        let mut done = [0.0, 0.0];
        for _ in 0..80 {
            for event in engine.step().unwrap() {
                if let Event::Token { request, .. } = event {
                    done[(request.0 % 2) as usize] += 1.0;
                }
            }
        }
        let ratio = done[1] / done[0];
        assert!((low..high).contains(&ratio), "weight {weight}: {done:?}");
    }
}

#[test]
fn a_long_prompt_stalls_neither_answers_nor_short_prompts() {
    let policy = Policy { prefill_beside: 16, ..Policy::default() };
    let mut engine = load(&file("llama_biases"), &settings(8, 8, 64), policy);
    let answers = engine.submit(request(5, 1, 60)).unwrap();
    engine.step().unwrap();
    for seed in 2..6 {
        engine.submit(request(120, seed, 2)).unwrap();
    }
    let short = engine.submit(request(8, 9, 1)).unwrap();
    let mut short_done = None;
    for step in 0..12 {
        let events = engine.step().unwrap();
        let token = |e: &&Event| matches!(e, Event::Token { request, .. } if *request == answers);
        assert_eq!(events.iter().filter(token).count(), 1, "an answer goes on in every step");
        let rows = engine.metrics().last_step_rows;
        assert!(
            rows <= 16 + 6,
            "{rows}: no more of prompts than the budget, and a row for each answer"
        );
        if events.iter().any(has_ended(short)) {
            short_done = Some(step);
        }
    }
    assert!(short_done.is_some_and(|step| step <= 2), "{short_done:?}");
}

#[test]
fn urgent_requests_go_first_and_background_ones_last() {
    let mut engine = engine(2, 2, 64);
    let by = |priority, seed| Request { priority, ..request(40, seed, 20) };
    let background: Vec<_> =
        (0..2).map(|seed| engine.submit(by(Priority::Background, seed)).unwrap()).collect();
    for _ in 0..4 {
        engine.step().unwrap();
    }
    let normal = engine.submit(by(Priority::Normal, 10)).unwrap();
    let urgent = engine.submit(by(Priority::Urgent, 11)).unwrap();
    let mut ended = vec![];
    for event in engine.run_to_end().unwrap() {
        if let (Some(_), id) = (event.ends(), event.request()) {
            ended.push(id);
        }
    }
    assert_eq!(ended[2..], background);
    assert!(ended[..2].contains(&urgent) && ended[..2].contains(&normal), "{ended:?}");
    assert!(engine.metrics().preemptions >= 2);
}

#[test]
fn a_full_queue_refuses_and_says_whose_it_is() {
    let policy = Policy { queue: 4, queue_per_tenant: 2, ..Policy::default() };
    let mut engine = load(&file("llama_biases"), &settings(1, 1, 64), policy);
    let of = |tenant| Request { tenant: Tenant(tenant), ..request(10, 1, 20) };
    // One runs, so it waits no more.
    engine.submit(of(1)).unwrap();
    engine.step().unwrap();
    engine.submit(of(1)).unwrap();
    engine.submit(of(1)).unwrap();
    let full = engine.submit(of(1)).unwrap_err();
    assert!(
        matches!(full, Error::QueueFull { waiting: 2, most: 2, whose: Whose::Tenant }),
        "{full}"
    );
    let last = engine.submit(of(2)).unwrap();
    engine.submit(of(3)).unwrap();
    let full = engine.submit(of(4)).unwrap_err();
    assert!(matches!(full, Error::QueueFull { waiting: 4, most: 4, whose: Whose::All }), "{full}");
    assert_eq!(engine.metrics().refused, 2);
    engine.cancel(last).unwrap();
    engine.step().unwrap();
    engine.submit(of(4)).expect("who leaves gives the place back");
    engine.run_to_end().unwrap();
    engine.submit(of(1)).expect("all have left");
}

#[test]
fn deadlines_end_what_waits_and_what_runs() {
    let mut engine = engine(1, 1, 64);
    let soon = Some(Instant::now() + Duration::from_millis(30));
    engine.submit(Request { deadline: soon, ..request(10, 1, 110) }).unwrap();
    engine.submit(Request { deadline: soon, choices: 2, ..request(10, 2, 110) }).unwrap();
    engine.step().unwrap();
    std::thread::sleep(Duration::from_millis(40));
    let events = engine.step().unwrap();
    let late =
        |event: &&Event| matches!(event, Event::Finished { reason: FinishReason::Deadline, .. });
    assert_eq!(events.iter().filter(late).count(), 3);
    assert!(engine.is_idle());
    assert_eq!(engine.metrics().deadlines, 3);
    assert_nothing_held(&engine);
}

/// How many tokens of its prompt a request finds computed.
fn cached(engine: &mut Engine, request: Request) -> usize {
    engine.submit(request).unwrap();
    let mut cached = None;
    for event in engine.run_to_end().unwrap() {
        if let Event::Finished { usage, .. } = event {
            cached = Some(usage.cached_tokens);
        }
    }
    cached.unwrap()
}

#[test]
fn prefixes_are_shared_within_a_salt_and_never_across() {
    let mut engine = engine(8, 8, 64);
    let of = |tenant, salt: &str| Request {
        tenant: Tenant(tenant),
        salt: salt.as_bytes().to_vec(),
        ..request(100, 1, 2)
    };
    for (tenant, salt) in [(1, ""), (1, "a"), (1, "b"), (2, ""), (2, "a"), (0, "")] {
        assert_eq!(cached(&mut engine, of(tenant, salt)), 0, "first of {tenant} {salt:?}");
    }
    for (tenant, salt) in [(1, ""), (1, "a"), (2, "a"), (0, "")] {
        assert_eq!(cached(&mut engine, of(tenant, salt)), 99, "again {tenant} {salt:?}");
    }
    let mut longer = of(1, "a");
    longer.prompt.truncate(70);
    longer.prompt.extend(prompt(40, 50));
    assert_eq!(cached(&mut engine, longer), 64, "whole pages in common");

    let policy = Policy { prefix_cache: PrefixCache::Off, ..Policy::default() };
    let mut off = load(&file("llama_biases"), &settings(8, 8, 64), policy);
    assert_eq!([cached(&mut off, of(1, "")), cached(&mut off, of(1, ""))], [0, 0]);
}

#[test]
fn a_prompt_that_many_bring_at_once_is_computed_once() {
    let mut engine = engine(16, 32, 32);
    for seed in 0..20 {
        engine.submit(Request { min_tokens: seed, ..request(100, 1, 3) }).unwrap();
    }
    engine.run_to_end().unwrap();
    let metrics = engine.metrics();
    // 96 tokens in whole pages once, and four of its own for each.
    assert!(metrics.prompt_tokens <= 100 + 19 * 4 + 32, "{metrics:?}");
    assert_nothing_held(&engine);
}

#[test]
fn what_is_cached_gives_way_to_what_is_needed() {
    let mut engine = engine(1, 4, 64);
    for seed in 0..30 {
        engine.submit(request(110, seed, 4)).unwrap();
    }
    let events = engine.run_to_end().unwrap();
    assert_eq!(events.iter().filter(|event| event.ends().is_some()).count(), 30);
    assert_nothing_held(&engine);
    assert_eq!(engine.metrics().pages, 4);
}
