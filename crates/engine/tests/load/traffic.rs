//! Random requests, and what came of them in a form that can be compared bit for bit.

use std::collections::BTreeMap;

use engine::{
    Allowed, Constraint, ConstraintError, Engine, Event, FinishReason, Overflow, Policy,
    PrefixCache, Priority, Request, RequestId, Tenant,
    sampler::{Mirostat, SamplerSettings, TokenSet},
};

use crate::{CONTEXT, VOCAB, file, load, settings};

/// A small generator of the cases; not the samplers'.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    pub(crate) fn ids(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(VOCAB as usize) as u32).collect()
    }
}

/// Allows only tokens of the other parity than the last, and ends after so many.
#[derive(Clone, Debug)]
pub(crate) struct Alternate {
    pub(crate) last: u32,
    pub(crate) left: usize,
}

impl Constraint for Alternate {
    fn mask(&mut self, allowed: &mut TokenSet) -> Result<Allowed, ConstraintError> {
        assert!(allowed.is_empty(), "the set comes empty");
        (0..VOCAB).filter(|id| (id + self.last) % 2 == 1).for_each(|id| {
            allowed.insert(id);
        });
        Ok(Allowed::These)
    }

    fn accept(&mut self, token: u32) -> Result<(), ConstraintError> {
        if (token + self.last).is_multiple_of(2) {
            return Err(format!("{token} after {}", self.last).into());
        }
        self.last = token;
        self.left -= 1;
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.left == 0
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

/// A request of any kind: prompts of 1 to 100 tokens, some with a common beginning, every way of
/// choosing, several tenants.
pub(crate) fn request(random: &mut Random) -> Request {
    let stem = random.below(4);
    let mut prompt = if stem < 3 { Random(stem as u64).ids(70) } else { vec![] };
    prompt.truncate(random.below(71));
    let more = 1 + random.below(99 - prompt.len());
    prompt.extend(random.ids(more));
    let seed = random.below(1 << 30) as u64;
    let sampler = match random.below(5) {
        0 => SamplerSettings::greedy(),
        1 => SamplerSettings {
            repetition_penalty: 1.2,
            no_repeat_ngram_size: 3,
            ..SamplerSettings::chat()
        },
        2 => SamplerSettings { mirostat: Some(Mirostat::default()), ..SamplerSettings::default() },
        3 => SamplerSettings { logprobs: Some(3), ..SamplerSettings::chat() },
        _ => SamplerSettings { temperature: 1.3, ..SamplerSettings::default() },
    };
    let constraint = (random.below(4) == 0).then(|| -> Box<dyn Constraint> {
        Box::new(Alternate { last: 0, left: 3 + random.below(12) })
    });
    let overflow = match random.below(6) {
        0 => Overflow::Shift { keep: 4 },
        _ => Overflow::Refuse,
    };
    Request {
        max_tokens: Some(random.below(if overflow == Overflow::Refuse { 30 } else { 90 })),
        min_tokens: random.below(4),
        sampler: SamplerSettings { seed, ..sampler },
        stop: vec![random.below(VOCAB as usize) as u32],
        overflow,
        choices: if random.below(5) == 0 { 3 } else { 1 },
        constraint,
        prompt_logprobs: (random.below(8) == 0).then_some(2),
        tenant: Tenant(random.below(4) as u64),
        weight: 1 + random.below(3) as u32,
        salt: if random.below(3) == 0 { b"apart".to_vec() } else { vec![] },
        priority: [Priority::Background, Priority::Normal, Priority::Normal, Priority::Urgent]
            [random.below(4)],
        ..Request::new(prompt)
    }
}

/// Tokens and their log-probabilities.
type Top = Vec<(u32, u64)>;

/// Everything told of one answer, floats as bits, without what may depend on company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) tokens: Vec<(u32, Option<u64>, Top)>,
    pub(crate) prompt: Vec<(usize, u32, Option<u64>, Top)>,
    pub(crate) end: Option<(FinishReason, usize, usize)>,
    pub(crate) failure: Option<String>,
}

/// Answers by request and choice.
pub(crate) type Answers = BTreeMap<(RequestId, u32), Told>;

/// Adds what events say.
pub(crate) fn collect(answers: &mut Answers, events: impl IntoIterator<Item = Event>) {
    let bits = |top: Vec<engine::sampler::LogProb>| {
        top.into_iter().map(|t| (t.id, t.logprob.to_bits())).collect::<Vec<_>>()
    };
    for event in events {
        let ended = event.ends().map(|choice| (event.request(), choice));
        if let Some(told) = ended.and_then(|key| answers.get(&key)) {
            assert!(told.end.is_none() && told.failure.is_none(), "{ended:?} ends twice");
        }
        match event {
            Event::Started { .. } | Event::Prompt { .. } => {}
            Event::PromptToken { request, position, id, logprob, top } => {
                let told = answers.entry((request, 0)).or_default();
                assert_eq!(told.prompt.len(), position, "in order, each once");
                told.prompt.push((position, id, logprob.map(f64::to_bits), bits(top)));
            }
            Event::Token { request, choice, id, logprob, top } => {
                let told = answers.entry((request, choice)).or_default();
                assert!(told.end.is_none() && told.failure.is_none(), "a token after the end");
                told.tokens.push((id, logprob.map(f64::to_bits), bits(top)));
            }
            Event::Finished { request, choice, reason, usage } => {
                let told = answers.entry((request, choice)).or_default();
                told.end = Some((reason, usage.prompt_tokens, usage.completion_tokens));
            }
            Event::Failed { request, choice, error } => {
                answers.entry((request, choice)).or_default().failure = Some(error.to_string());
            }
        }
    }
}

/// Each request by itself on an engine that shares nothing: what everything is held against.
pub(crate) fn quiet(model: &str, requests: &[Request]) -> Vec<Vec<Told>> {
    let policy = Policy { prefix_cache: PrefixCache::Off, ..Policy::default() };
    let mut engine: Engine = load(&file(model), &settings(3, 3, CONTEXT), policy);
    let alone = |request: &Request| {
        engine.submit(request.clone()).unwrap();
        let mut answers = Answers::new();
        collect(&mut answers, engine.run_to_end().unwrap());
        answers.into_values().collect()
    };
    requests.iter().map(alone).collect()
}
