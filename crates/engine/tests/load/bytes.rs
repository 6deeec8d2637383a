//! The determinism law under load: a request's bytes are the same alone and in any company.

use std::{collections::BTreeMap, ops::Range};

use engine::{Engine, Metrics, Policy, PrefixCache, Request, RequestId, Speculation};

use crate::{
    CONTEXT, assert_nothing_held, file, load, settings,
    traffic::{Answers, Random, Told, collect, quiet, request},
};

/// One kind of each thing that could make a sequence depend on its company.
const MODELS: [&str; 8] = [
    "llama_biases",
    "llama_dynamic",
    "phi3_longrope_part",
    "gemma3_layers",
    "qwen3_moe_step",
    "deepseek_v2_groups",
    "gpt_oss_layers",
    "mistral_window",
];

/// Sends requests in bursts between steps, with others that are cancelled on the way; gives what came
/// of the requests, in their order.
fn busy(engine: &mut Engine, requests: &[Request], seed: u64) -> Vec<Vec<Told>> {
    let mut random = Random(seed);
    let mut answers = Answers::new();
    let mut ours: BTreeMap<RequestId, usize> = BTreeMap::new();
    let mut noise: Vec<RequestId> = vec![];
    let mut next = 0;
    while next < requests.len() || !engine.is_idle() {
        for _ in 0..random.below(6) {
            if next == requests.len() {
                break;
            }
            if random.below(4) == 0 {
                noise.push(engine.submit(request(&mut random)).unwrap());
            } else {
                ours.insert(engine.submit(requests[next].clone()).unwrap(), next);
                next += 1;
            }
        }
        if !noise.is_empty() && random.below(2) == 0 {
            let victim = noise.swap_remove(random.below(noise.len()));
            // It may have ended by itself.
            drop(engine.cancel(victim));
        }
        collect(&mut answers, engine.step().unwrap());
        let metrics = engine.metrics();
        let pages = metrics.pages_free + metrics.pages_cached + metrics.pages_held;
        assert_eq!(pages, metrics.pages);
    }
    assert_nothing_held(engine);
    let mut told = vec![vec![]; requests.len()];
    for ((id, _), answer) in answers {
        if let Some(index) = ours.get(&id) {
            told[*index].push(answer);
        }
    }
    told
}

fn compare(what: &str, requests: &[Request], got: &[Vec<Told>], expected: &[Vec<Told>]) {
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "{what}: request {index}: {:?}", requests[index]);
    }
}

#[test]
fn bytes_do_not_depend_on_company_pages_chunks_cache_or_guesses() {
    let mut all = Metrics::default();
    for (model, seed) in MODELS.into_iter().zip(1..) {
        let mut random = Random(seed);
        let requests: Vec<Request> = (0..50).map(|_| request(&mut random)).collect();
        let expected = quiet(model, &requests);
        let file = file(model);
        for (sequences, running, chunk, policy) in [
            // Room for all.
            (16, 64, 512, Policy::default()),
            // Pages for hardly two, small pieces: much is put back.
            (2, 12, 24, Policy { prefill_beside: 8, ..Policy::default() }),
            (2, 16, 33, Policy { prefix_cache: PrefixCache::Off, ..Policy::default() }),
            (
                3,
                16,
                64,
                Policy {
                    speculation: Speculation::PromptLookupAlways { most: 5 },
                    ..Policy::default()
                },
            ),
        ] {
            let mut engine = load(&file, &settings(sequences, running, chunk), policy);
            let what = format!("{model}, {sequences} sequences, {chunk} rows");
            let got = busy(&mut engine, &requests, seed + chunk as u64);
            compare(&what, &requests, &got, &expected);
            let metrics = engine.metrics();
            all.preemptions += metrics.preemptions;
            all.cached_tokens += metrics.cached_tokens;
            all.forks += metrics.forks;
            all.accepted += metrics.accepted;
            all.cancelled += metrics.cancelled;
        }
    }
    let Metrics { preemptions, cached_tokens, forks, accepted, cancelled, .. } = all;
    let happened = [preemptions, cached_tokens, forks, accepted, cancelled];
    assert!(happened.iter().all(|n| *n > 100), "something never happened: {happened:?}");
}

#[test]
fn two_hundred_requests_replayed_under_load_equal_a_quiet_run() {
    let mut random = Random(2026);
    let requests: Vec<Request> = (0..200).map(|_| request(&mut random)).collect();
    let expected = quiet("qwen3_window", &requests);
    let policy = Policy {
        speculation: Speculation::PromptLookup { most: 4 },
        prefill_beside: 40,
        ..Policy::default()
    };
    let mut engine = load(&file("qwen3_window"), &settings(6, 50, 96), policy);
    let got = busy(&mut engine, &requests, 7);
    compare("replayed", &requests, &got, &expected);
    // And again on the same engine, its cache full of what was.
    let got = busy(&mut engine, &requests, 8);
    compare("replayed again", &requests, &got, &expected);
    let metrics = engine.metrics();
    assert!(metrics.preemptions > 20 && metrics.cached_tokens > 500, "{metrics:?}");
}

#[test]
fn bytes_do_not_depend_on_who_guesses() {
    let mut random = Random(5);
    let requests: Vec<Request> = (0..40).map(|_| request(&mut random)).collect();
    let expected = quiet("gemma3_layers", &requests);
    for speculation in [Speculation::DraftAlways { most: 3 }, Speculation::Draft { most: 6 }] {
        // The small model has less room than it would need.
        let draft = load(&file("llama_biases"), &settings(2, 8, 20), Policy::default());
        let policy = Policy { speculation, ..Policy::default() };
        let engine = load(&file("gemma3_layers"), &settings(3, 16, 64), policy);
        let mut engine = engine.with_draft(draft).unwrap();
        let got = busy(&mut engine, &requests, 3);
        compare("drafted", &requests, &got, &expected);
        // Whether guessing pays is measured while running, so only the one that always guesses must have.
        let always = matches!(speculation, Speculation::DraftAlways { .. });
        assert!(!always || engine.metrics().drafted > 0);
    }
}

#[test]
fn bytes_hold_for_loads_of_any_shape() {
    loads(100..130);
}

/// For whoever changes the scheduler: `cargo test -p engine --test load -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn bytes_hold_for_many_loads() {
    loads(1000..4000);
}

fn loads(seeds: Range<u64>) {
    for seed in seeds {
        let model = MODELS[seed as usize % MODELS.len()];
        let mut random = Random(seed);
        let requests: Vec<Request> = (0..40).map(|_| request(&mut random)).collect();
        let expected = quiet(model, &requests);
        let (sequences, running) = (1 + random.below(6), 1 + random.below(40));
        let chunk = 1 + random.below(130);
        let policy = Policy {
            prefill_beside: 1 + random.below(64),
            prefix_cache: [PrefixCache::On, PrefixCache::On, PrefixCache::Off][random.below(3)],
            speculation: [
                Speculation::Off,
                Speculation::PromptLookup { most: 5 },
                Speculation::PromptLookupAlways { most: 3 },
            ][random.below(3)],
            ..Policy::default()
        };
        let mut engine = load(&file(model), &settings(sequences, running, chunk), policy);
        let what = format!("{model}, seed {seed}");
        compare(&what, &requests, &busy(&mut engine, &requests, seed), &expected);
    }
}

#[test]
fn planned_bytes_are_allocated_bytes_for_any_number_of_answers() {
    let file = file("llama_biases");
    for (sequences, running, chunk) in [(1, 1, 8), (1, 16, 512), (8, 64, 100), (40, 2, 16)] {
        let settings = settings(sequences, running, chunk);
        let cpu = engine::Cpu::new(kernels::Isa::best(), 1);
        let planned = Engine::plan(&file, &cpu, &settings).unwrap();
        assert_eq!(load(&file, &settings, Policy::default()).memory(), planned, "{settings:?}");
    }
    assert_eq!(CONTEXT % kernels::PAGE_TOKENS, 0);
}
