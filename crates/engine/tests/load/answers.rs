//! What one request may ask for: constraints, several answers, log-probabilities, no answer at all.

use engine::{
    Allowed, Constraint, ConstraintError, Engine, Event, FinishReason, Overflow, Policy,
    PrefixCache, Request,
    sampler::{LogSoftmax, SamplerSettings, TokenSet, top_logprobs},
};

use crate::{
    CONTEXT, Fault, Faulty, VOCAB, assert_nothing_held, file, load, prompt, settings, tokens,
    traffic::Alternate,
};

fn engine() -> Engine {
    load(&file("llama_biases"), &settings(8, 16, 64), Policy::default())
}

fn request(seed: u64) -> Request {
    Request {
        max_tokens: Some(20),
        sampler: SamplerSettings { seed, ..SamplerSettings::default() },
        ..Request::new(prompt(40, 1))
    }
}

fn run(engine: &mut Engine, request: Request) -> Vec<Event> {
    engine.submit(request).unwrap();
    engine.run_to_end().unwrap()
}

/// How each answer ended, by choice.
fn ends(events: &[Event]) -> Vec<(u32, Result<FinishReason, String>)> {
    let mut ends: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Finished { choice, reason, .. } => Some((*choice, Ok(*reason))),
            Event::Failed { choice, error, .. } => Some((*choice, Err(error.to_string()))),
            _ => None,
        })
        .collect();
    ends.sort_by_key(|(choice, _)| *choice);
    ends
}

/// What a broken constraint does at its second token.
#[derive(Clone, Copy, Debug)]
enum Broken {
    AllowsNothing,
    Fails,
    Panics,
    RefusesWhatItAllowed,
    PanicsInFork,
}

#[derive(Clone, Debug)]
struct Breaks(Broken, usize);

impl Constraint for Breaks {
    fn mask(&mut self, allowed: &mut TokenSet) -> Result<Allowed, ConstraintError> {
        match self.0 {
            Broken::AllowsNothing if self.1 == 1 => Ok(Allowed::These),
            Broken::Fails if self.1 == 1 => Err("no grammar".into()),
            Broken::Panics if self.1 == 1 => panic!("on purpose"),
            _ => {
                allowed.fill();
                Ok(Allowed::These)
            }
        }
    }

    fn accept(&mut self, _: u32) -> Result<(), ConstraintError> {
        self.1 += 1;
        match self.0 {
            Broken::RefusesWhatItAllowed if self.1 == 2 => Err("not that".into()),
            _ => Ok(()),
        }
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn fork(&self) -> Box<dyn Constraint> {
        assert!(!matches!(self.0, Broken::PanicsInFork), "on purpose");
        Box::new(self.clone())
    }
}

#[test]
fn a_constraint_holds_from_the_first_token_to_the_last() {
    let mut engine = engine();
    let constraint =
        || -> Option<Box<dyn Constraint>> { Some(Box::new(Alternate { last: 1, left: 7 })) };
    for seed in 0..10 {
        let events = run(&mut engine, Request { constraint: constraint(), ..request(seed) });
        let ids = tokens(&events, 0);
        assert_eq!(ids.len(), 7, "it ends when the constraint is complete");
        assert!(ids.iter().enumerate().all(|(at, id)| id % 2 == at as u32 % 2), "{ids:?}");
        assert_eq!(ends(&events), [(0, Ok(FinishReason::Stop))]);
    }
    let free = tokens(&run(&mut engine, request(0)), 0);
    assert!(free.iter().enumerate().any(|(at, id)| id % 2 != at as u32 % 2));
}

#[test]
fn a_broken_constraint_ends_its_answer_with_an_error_and_no_other() {
    for (broken, text) in [
        (Broken::AllowsNothing, "none of 80 tokens is allowed"),
        (Broken::Fails, "no grammar"),
        (Broken::Panics, "it panicked"),
        (Broken::RefusesWhatItAllowed, "not that"),
    ] {
        let mut engine = engine();
        let other = engine.submit(request(9)).unwrap();
        let bad = Request { constraint: Some(Box::new(Breaks(broken, 0))), ..request(1) };
        let bad = engine.submit(bad).unwrap();
        let events = engine.run_to_end().unwrap();
        let of = |id| events.iter().filter(move |event| event.request() == id);
        let token = |event: &&Event| matches!(event, Event::Token { .. });
        assert_eq!(of(bad).filter(token).count(), 1, "{broken:?}: never an unconstrained token");
        let failed: Vec<String> = of(bad)
            .filter_map(|event| match event {
                Event::Failed { error, .. } => Some(error.to_string()),
                _ => None,
            })
            .collect();
        assert!(failed.len() == 1 && failed[0].contains(text), "{broken:?}: {failed:?}");
        assert_eq!(of(other).filter(token).count(), 20);
        assert_nothing_held(&engine);
    }
    let constraint: Option<Box<dyn Constraint>> = Some(Box::new(Breaks(Broken::PanicsInFork, 0)));
    let mut engine = engine();
    let events = run(&mut engine, Request { constraint, choices: 2, ..request(1) });
    let ends = ends(&events);
    assert!(ends[0].1.is_ok() && ends[1].1.is_err(), "{ends:?}");
}

#[test]
fn the_first_of_several_answers_is_the_one_alone_and_the_prompt_is_computed_once() {
    for prefix_cache in [PrefixCache::On, PrefixCache::Off] {
        let policy = Policy { prefix_cache, ..Policy::default() };
        let mut engine = load(&file("llama_biases"), &settings(8, 16, 64), policy);
        let alone = tokens(&run(&mut engine, Request { ..request(3) }), 0);
        let before = engine.metrics().prompt_tokens;
        let events = run(&mut engine, Request { choices: 5, salt: vec![1], ..request(3) });
        assert_eq!(tokens(&events, 0), alone);
        let all: Vec<Vec<u32>> = (0..5).map(|choice| tokens(&events, choice)).collect();
        assert!(all.iter().all(|ids| ids.len() == 20));
        assert!((1..5).all(|choice| all[choice] != alone), "other streams, other answers");
        assert_eq!(engine.metrics().prompt_tokens - before, 40);
        assert_eq!(engine.metrics().forks, 4);
        assert_eq!(ends(&events).len(), 5);
        // Again, and in another order of events.
        let again = run(&mut engine, Request { choices: 5, salt: vec![2], ..request(3) });
        assert_eq!(all, (0..5).map(|choice| tokens(&again, choice)).collect::<Vec<_>>());
        assert_nothing_held(&engine);
    }
}

/// Where the first token crosses into another rotation, or fills the context, it does so for all answers.
#[test]
fn answers_cross_lengths_alike() {
    for (model, length, overflow) in [
        ("phi3_longrope_part", 32, Overflow::Refuse),
        ("llama_biases", CONTEXT - 1, Overflow::Shift { keep: 3 }),
    ] {
        let mut engine = load(&file(model), &settings(8, 16, 64), Policy::default());
        let greedy = Request {
            max_tokens: Some(20),
            sampler: SamplerSettings::greedy(),
            overflow,
            choices: 3,
            ..Request::new(prompt(length, 2))
        };
        let events = run(&mut engine, greedy);
        let first = tokens(&events, 0);
        assert_eq!(first.len(), 20);
        assert_eq!([tokens(&events, 1), tokens(&events, 2)], [first.clone(), first], "{model}");
    }
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    let mut engine = engine();
    let ids = prompt(50, 4);
    let mut logits: Vec<Vec<f32>> = vec![];
    engine
        .logits(&ids, 0..50, &mut |_, row| {
            logits.push(row.to_vec());
            Ok(())
        })
        .unwrap();
    let sampler = SamplerSettings { logprobs: Some(5), ..SamplerSettings::chat() };
    // The second time its prompt is in the cache, and computed all the same.
    for _ in 0..2 {
        let asked = Request {
            max_tokens: Some(3),
            prompt_logprobs: Some(4),
            sampler: sampler.clone(),
            ..Request::new(ids.clone())
        };
        let mut place = 0;
        let mut first = None;
        for event in run(&mut engine, asked) {
            match event {
                Event::PromptToken { position, id, logprob, top, .. } => {
                    assert_eq!((position, id), (place, ids[place]));
                    let row = place.checked_sub(1).map(|before| &logits[before]);
                    let expected = row.map(|r| LogSoftmax::of(r).logprob(r[id as usize]));
                    assert_eq!(logprob.map(f64::to_bits), expected.map(f64::to_bits));
                    assert_eq!(top, row.map_or(vec![], |row| top_logprobs(row, 4)));
                    place += 1;
                }
                Event::Token { id, logprob, top, .. } => {
                    first.get_or_insert((id, logprob, top));
                }
                _ => {}
            }
        }
        assert_eq!(place, 50);
        let (id, logprob, top) = first.unwrap();
        let expected = LogSoftmax::of(&logits[49]).logprob(logits[49][id as usize]);
        assert_eq!(logprob.map(f64::to_bits), Some(expected.to_bits()));
        assert_eq!(top, top_logprobs(&logits[49], 5));
    }
}

#[test]
fn no_answer_at_all_warms_the_cache() {
    let mut engine = engine();
    let warm = Request { max_tokens: Some(0), choices: 2, ..request(1) };
    let events = run(&mut engine, warm);
    assert!(tokens(&events, 0).is_empty());
    assert_eq!(ends(&events), [(0, Ok(FinishReason::Length)), (1, Ok(FinishReason::Length))]);
    let before = engine.metrics().prompt_tokens;
    run(&mut engine, request(1));
    assert_eq!(engine.metrics().prompt_tokens - before, 1);
}

#[test]
fn stop_tokens_wait_for_the_least_number() {
    let mut engine = engine();
    let stop: Vec<u32> = (0..VOCAB / 2).collect();
    for (least, seed) in (0..20).zip(0..) {
        let asked = Request { stop: stop.clone(), min_tokens: least, ..request(seed) };
        let ids = tokens(&run(&mut engine, asked), 0);
        let stops = ids.iter().position(|id| stop.contains(id));
        assert!(stops.is_none_or(|at| at >= least && at + 1 == ids.len()), "{least}: {ids:?}");
        assert!(ids.len() > least.min(19));
    }
}

#[test]
fn a_step_that_fails_takes_only_its_own_and_three_take_the_engine() {
    let load = |times| {
        let faulty = Faulty::new(Fault::Error, 4, times);
        let settings = settings(8, 16, 64);
        Engine::load(file("llama_biases"), &faulty, &settings, &mut |_, _| {}).unwrap()
    };
    let mut engine = load(1);
    let expected = tokens(&run(&mut self::engine(), request(5)), 0);
    engine.submit(request(4)).unwrap();
    let events = engine.run_to_end().unwrap();
    assert!(matches!(&ends(&events)[..], [(0, Err(text))] if text.contains("on purpose")));
    assert_eq!(tokens(&events, 0).len(), 4);
    assert_eq!(tokens(&run(&mut engine, request(5)), 0), expected);
    assert_nothing_held(&engine);
    let mut engine = load(9);
    for seed in 0..2 {
        engine.submit(request(seed)).unwrap();
        engine.run_to_end().unwrap();
    }
    engine.submit(request(7)).unwrap();
    engine.run_to_end().unwrap_err();
}
