//! Speculation: the bytes of plain decoding in fewer steps.

use engine::{Engine, Metrics, Policy, Request, Speculation, sampler::SamplerSettings};

use crate::{Fault, Faulty, file, load, prompt, settings, tokens};

fn run(model: &str, request: &Request, speculation: Speculation) -> (Vec<u32>, Metrics) {
    let policy = Policy { speculation, ..Policy::default() };
    let mut engine = load(&file(model), &settings(1, 16, 64), policy);
    engine.submit(request.clone()).unwrap();
    (tokens(&engine.run_to_end().unwrap(), 0), engine.metrics())
}

/// Greedy tiny models soon repeat themselves: much to guess.
#[test]
fn greedy_output_is_that_of_plain_decoding_in_fewer_steps() {
    for model in ["llama_biases", "gemma3_layers", "qwen3_moe_step", "phi3_longrope_part"] {
        for seed in 0..3 {
            let request = Request {
                max_tokens: Some(80),
                sampler: SamplerSettings::greedy(),
                ..Request::new(prompt(20 + seed as usize, seed))
            };
            let (plain, slow) = run(model, &request, Speculation::Off);
            let always = Speculation::PromptLookupAlways { most: 6 };
            let (guessed, fast) = run(model, &request, always);
            assert_eq!(guessed, plain, "{model}");
            assert_eq!(fast.generated_tokens, slow.generated_tokens);
            assert!(fast.accepted <= fast.drafted);
            assert_eq!(fast.steps + fast.accepted, slow.steps, "each right guess saves a step");
            let (measured, _) = run(model, &request, Speculation::PromptLookup { most: 6 });
            assert_eq!(measured, plain, "{model}");
        }
    }
}

#[test]
fn guesses_that_are_right_save_steps() {
    let request = Request {
        max_tokens: Some(90),
        sampler: SamplerSettings::greedy(),
        ..Request::new(prompt(8, 1))
    };
    let always = Speculation::PromptLookupAlways { most: 6 };
    let saved: u64 = ["llama_biases", "gemma3_layers", "qwen3_window", "mistral_window"]
        .into_iter()
        .map(|model| run(model, &request, always).1.accepted)
        .sum();
    assert!(saved > 60, "{saved} of 360 tokens were guessed right");
}

/// Guesses are nearly always wrong here, and where rows cost time each is a loss.
#[test]
fn guessing_stops_where_it_does_not_pay() {
    for (fault, temperature, pays) in [(Fault::SlowRows, 1.5, false), (Fault::Slow, 0.0, true)] {
        let backend = Faulty::new(fault, 0, 1 << 40);
        let model = file("llama_biases");
        let engine = Engine::load(model, &backend, &settings(1, 16, 64), &mut |_, _| {});
        let speculation = Speculation::PromptLookup { most: 6 };
        let mut engine = engine.unwrap().with_policy(Policy { speculation, ..Policy::default() });
        for seed in 0..3 {
            let sampler = SamplerSettings { seed, temperature, ..SamplerSettings::default() };
            let asked =
                Request { max_tokens: Some(90), sampler, ..Request::new(prompt(30, seed as u32)) };
            engine.submit(asked).unwrap();
            engine.run_to_end().unwrap();
        }
        let Metrics { drafted, accepted, generated_tokens, .. } = engine.metrics();
        assert_eq!(generated_tokens, 270);
        if pays {
            assert!(accepted > 20, "{accepted} of {drafted}");
        } else {
            assert!(drafted < 60, "{drafted} guesses, {accepted} right");
        }
    }
}

#[test]
fn sampled_output_is_that_of_plain_decoding() {
    for seed in 0..20 {
        let sampler = SamplerSettings { seed, temperature: 0.4, ..SamplerSettings::default() };
        let request =
            Request { max_tokens: Some(60), sampler, ..Request::new(prompt(30, seed as u32)) };
        let (plain, _) = run("qwen3_window", &request, Speculation::Off);
        let always = Speculation::PromptLookupAlways { most: 4 };
        let (guessed, _) = run("qwen3_window", &request, always);
        assert_eq!(guessed, plain, "seed {seed}");
    }
}

#[test]
fn a_smaller_model_guesses_and_changes_nothing() {
    for (model, draft, expect) in
        [("llama_biases", "llama_biases", 150), ("qwen3_window", "llama_biases", 0)]
    {
        for temperature in [0.0, 0.7] {
            let mut accepted = 0;
            for most in [1, 4] {
                let policy =
                    Policy { speculation: Speculation::DraftAlways { most }, ..Policy::default() };
                let small = load(&file(draft), &settings(4, 16, 48), Policy::default());
                let engine = load(&file(model), &settings(4, 24, 64), policy);
                let mut engine = engine.with_draft(small).unwrap();
                let requests: Vec<Request> = (0..4)
                    .map(|seed| Request {
                        max_tokens: Some(40),
                        sampler: SamplerSettings {
                            seed,
                            temperature,
                            ..SamplerSettings::default()
                        },
                        ..Request::new(prompt(70 + seed as usize, seed as u32))
                    })
                    .collect();
                let ids: Vec<_> =
                    requests.iter().map(|r| engine.submit(r.clone()).unwrap()).collect();
                let events = engine.run_to_end().unwrap();
                for (id, request) in ids.into_iter().zip(&requests) {
                    let own = events.iter().filter(|event| event.request() == id);
                    let got: Vec<u32> = own
                        .filter_map(|event| match event {
                            engine::Event::Token { id, .. } => Some(*id),
                            _ => None,
                        })
                        .collect();
                    assert_eq!(got, run(model, request, Speculation::Off).0, "{model} {draft}");
                }
                crate::assert_nothing_held(&engine);
                accepted += engine.metrics().accepted;
            }
            // A model that guesses for itself is right but where its own rows come late.
            assert!(accepted >= expect, "{model} {draft} {temperature}: {accepted} of 320");
        }
    }
    let other = load(&file("llama_biases"), &settings(1, 1, 8), Policy::default());
    let golden = testkit::data("goldens_open/models/llama");
    if let Some(folder) = golden {
        let file = std::sync::Arc::new(engine::ModelFile::open(folder).unwrap());
        let wide = load(&file, &settings(1, 1, 8), Policy::default());
        assert!(wide.model().vocab == 80 || other.with_draft(wide).is_err());
    }
}
