//! The door: what is wrong with a request is said before it waits, on the caller's own thread.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use model::Rope;

use crate::{
    Error, ModelFile, Overflow, Policy, PrefixCache, Request, RequestId, Tenant, Usage, Whose,
    pages::{Domain, Held},
    sampler::Sampler,
    scheduler::{Sequence, Terms},
};

/// Checks requests and counts those that wait.
#[derive(Debug)]
pub(crate) struct Intake {
    file: Arc<ModelFile>,
    context: usize,
    policy: Policy,
    next: AtomicU64,
    refused: AtomicU64,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    of: HashMap<Tenant, usize>,
}

/// A place in the queue, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    waiting: Arc<Mutex<Waiting>>,
    tenant: Tenant,
}

impl Intake {
    pub(crate) fn new(file: Arc<ModelFile>, context: usize, policy: Policy) -> Self {
        Intake {
            file,
            context,
            policy,
            next: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            waiting: Arc::default(),
        }
    }

    /// The model's file.
    pub(crate) fn file(&self) -> &Arc<ModelFile> {
        &self.file
    }

    /// Tokens a sequence may have.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// Requests refused because the queue was full.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// That there are tokens and the vocabulary knows them all; its size.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<usize, Error> {
        let vocab = self.file.model().vocab;
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(Error::NoSuchToken { id: *id, vocab }),
            None => Ok(vocab),
        }
    }

    /// Everything that can be wrong with a request by itself.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Error> {
        self.sampler(request).map(drop)
    }

    fn sampler(&self, request: &Request) -> Result<Sampler, Error> {
        let vocab = self.check_ids(&request.prompt)?;
        within("choices", request.choices, 1, Request::CHOICES_MAX)?;
        within("weight", request.weight, 1, Request::WEIGHT_MAX)?;
        within("prompt_logprobs", request.prompt_logprobs.unwrap_or(0), 0, 1000)?;
        within(
            "length of the salt",
            u32::try_from(request.salt.len()).unwrap_or(u32::MAX),
            0,
            Request::SALT_MAX as u32,
        )?;
        if request.prompt.len() >= self.context && request.overflow == Overflow::Refuse {
            let prompt = request.prompt.len();
            return Err(Error::PromptTooLong { prompt, context: self.context });
        }
        Ok(Sampler::new(request.sampler.clone(), vocab)?)
    }

    /// Checks a request and takes it in, if there is a place for it.
    pub(crate) fn take(&self, mut request: Request) -> Result<Sequence, Error> {
        let sampler = self.sampler(&request)?;
        let place = self.place(request.tenant)?;
        if request.prompt.len() >= self.context
            && let Overflow::Shift { keep } = request.overflow
        {
            shift(&mut request.prompt, keep, self.context);
        }
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let rope_length = request.prompt.len();
        let domain = Domain {
            tenant: request.tenant,
            salt: request.salt,
            variants: variants(&self.file.model().graph.ropes, rope_length),
            alone: (self.policy.prefix_cache == PrefixCache::Off).then_some(id.0),
        };
        Ok(Sequence {
            id,
            choice: 0,
            terms: Arc::new(Terms {
                prompt: rope_length,
                max_tokens: request.max_tokens,
                min_tokens: request.min_tokens,
                stop: request.stop,
                overflow: request.overflow,
                prompt_logprobs: request.prompt_logprobs,
                tenant: request.tenant,
                weight: request.weight,
                priority: request.priority,
                deadline: request.deadline,
                context: self.context,
            }),
            sampler,
            constraint: request.constraint,
            siblings: request.choices - 1,
            ids: request.prompt,
            computed: 0,
            held: Held::new(Arc::new(domain)),
            rope_length,
            usage: Usage { prompt_tokens: rope_length, ..Usage::default() },
            outcome: None,
            told: 0,
            put_back: false,
            place: Some(place),
            entered: Instant::now(),
            draft: vec![],
            luck: crate::speculate::Luck::default(),
        })
    }

    fn place(&self, tenant: Tenant) -> Result<Place, Error> {
        let mut waiting = lock(&self.waiting);
        let own = waiting.of.get(&tenant).copied().unwrap_or(0);
        let limits = [
            (waiting.all, self.policy.queue, Whose::All),
            (own, self.policy.queue_per_tenant, Whose::Tenant),
        ];
        if let Some((waiting, most, whose)) =
            limits.into_iter().find(|(have, most, _)| have >= most)
        {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::QueueFull { waiting, most, whose });
        }
        waiting.all += 1;
        *waiting.of.entry(tenant).or_default() += 1;
        Ok(Place { waiting: Arc::clone(&self.waiting), tenant })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiting);
        waiting.all = waiting.all.saturating_sub(1);
        if let Some(own) = waiting.of.get_mut(&self.tenant) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                waiting.of.remove(&self.tenant);
            }
        }
    }
}

/// Counts stay right whatever the thread that held the lock died of.
fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within(name: &'static str, value: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let expected = format!("{least} to {most}");
    Err(Error::Setting { name, found: value.to_string(), expected })
}

/// How each rotation turns a sequence of this length.
pub(crate) fn variants(ropes: &[Rope], length: usize) -> Vec<usize> {
    ropes.iter().map(|rope| rope.variant(length)).collect()
}

/// Drops tokens after the first `keep` until there is room for half a context more.
pub(crate) fn shift(ids: &mut Vec<u32>, keep: usize, context: usize) {
    let keep = keep.min(context / 4);
    let stay = keep + (context - keep) / 2;
    let surplus = ids.len().saturating_sub(stay.max(1));
    ids.drain(keep..keep + surplus);
}
