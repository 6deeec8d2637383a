//! Quotas per key: what a request may cost is taken before it starts and what it did not use is
//! given back, so that requests at the same time cannot pass a limit together.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    fault::Fault,
    key::{Grant, Key, now},
};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * 60;

/// What keys have used of their quotas.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    windows: Mutex<HashMap<String, Windows>>,
}

/// Counts since the beginning of this minute and of this day.
#[derive(Clone, Copy, Debug, Default)]
struct Windows {
    minute: u64,
    requests: u64,
    tokens: u64,
    day: u64,
    day_tokens: u64,
}

/// Tokens taken in advance.
#[derive(Debug)]
#[must_use = "what is not used is to be given back"]
pub(crate) struct Charge {
    key: Option<String>,
    tokens: u64,
    minute: u64,
    day: u64,
}

impl Charge {
    /// For who has no quota.
    pub(crate) fn none() -> Self {
        Charge { key: None, tokens: 0, minute: 0, day: 0 }
    }
}

impl Quotas {
    fn windows(&self) -> MutexGuard<'_, HashMap<String, Windows>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; refuses one too many.
    pub(crate) fn request(&self, key: &Key) -> Result<(), Fault> {
        let Some(most) = key.grant.requests_per_minute else { return Ok(()) };
        let now = now();
        let mut all = self.windows();
        let windows = all.entry(key.id.clone()).or_default();
        windows.roll(now, || 0);
        if windows.requests >= most {
            let message = format!("this key may make {most} requests a minute");
            return Err(
                Fault::busy(message, MINUTE - now % MINUTE).with_code("rate_limit_exceeded")
            );
        }
        windows.requests += 1;
        Ok(())
    }

    /// Takes what a request may cost; `used_today` reads what the records say, once a day.
    pub(crate) fn charge(
        &self,
        key: &Key,
        tokens: usize,
        used_today: impl FnOnce(u64) -> u64,
    ) -> Result<Charge, Fault> {
        let Grant { tokens_per_minute, tokens_per_day, .. } = key.grant;
        if tokens_per_minute.is_none() && tokens_per_day.is_none() {
            return Ok(Charge::none());
        }
        let (now, tokens) = (now(), tokens as u64);
        let mut all = self.windows();
        let windows = all.entry(key.id.clone()).or_default();
        windows.roll(now, || used_today(now / DAY * DAY));
        let check = |have: u64, most: Option<u64>, span: &str, left: u64| match most {
            Some(most) if have.saturating_add(tokens) > most => {
                let message = format!(
                    "this key may use {most} tokens a {span}; {have} are used or promised, this request may take {tokens} (prompt and max_tokens of every choice)"
                );
                Err(Fault::busy(message, left).with_code("insufficient_quota"))
            }
            _ => Ok(()),
        };
        check(windows.tokens, tokens_per_minute, "minute", MINUTE - now % MINUTE)?;
        check(windows.day_tokens, tokens_per_day, "day", DAY - now % DAY)?;
        windows.tokens += tokens;
        windows.day_tokens += tokens;
        let (minute, day) = (windows.minute, windows.day);
        Ok(Charge { key: Some(key.id.clone()), tokens, minute, day })
    }

    /// Gives back what was not used, where its window still runs.
    pub(crate) fn settle(&self, charge: Charge, used: usize) {
        let Charge { key, tokens, minute, day } = charge;
        let Some(key) = key else { return };
        let back = tokens.saturating_sub(used as u64);
        if let Some(windows) = self.windows().get_mut(&key) {
            if windows.minute == minute {
                windows.tokens = windows.tokens.saturating_sub(back);
            }
            if windows.day == day {
                windows.day_tokens = windows.day_tokens.saturating_sub(back);
            }
        }
    }
}

impl Windows {
    fn roll(&mut self, now: u64, used_today: impl FnOnce() -> u64) {
        let (minute, day) = (now / MINUTE, now / DAY);
        if self.minute != minute {
            (self.minute, self.requests, self.tokens) = (minute, 0, 0);
        }
        if self.day != day {
            (self.day, self.day_tokens) = (day, used_today());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(grant: Grant) -> Key {
        Key { id: "k".into(), grant, created: 0, revoked: None }
    }

    #[test]
    fn r15_what_a_request_may_cost_is_taken_first_and_the_rest_comes_back() {
        let quotas = Quotas::default();
        let key = key(Grant { tokens_per_day: Some(100), ..Grant::default() });
        let first = quotas.charge(&key, 60, |_| 20).unwrap();
        let refused = quotas.charge(&key, 30, |_| 0).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (429, Some("insufficient_quota")));
        assert!(refused.retry_after.is_some() && refused.message.contains("80 are used"));
        quotas.settle(first, 10);
        let second = quotas.charge(&key, 70, |_| 0).unwrap();
        quotas.settle(second, 70);
        assert!(quotas.charge(&key, 1, |_| 0).is_err());
    }

    #[test]
    fn r15_a_race_cannot_pass_the_limit() {
        let quotas = Quotas::default();
        let key = key(Grant { tokens_per_day: Some(1000), ..Grant::default() });
        let granted: usize = std::thread::scope(|scope| {
            let race = || {
                let key = &key;
                let quotas = &quotas;
                scope.spawn(move || {
                    (0..50).filter(|_| quotas.charge(key, 10, |_| 0).is_ok()).count()
                })
            };
            let threads: Vec<_> = (0..8).map(|_| race()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 100);
    }

    #[test]
    fn requests_are_counted_by_the_minute() {
        let quotas = Quotas::default();
        let key = key(Grant { requests_per_minute: Some(2), ..Grant::default() });
        let results: Vec<bool> = (0..3).map(|_| quotas.request(&key).is_ok()).collect();
        // The minute may turn over in between.
        assert!(results == [true, true, false] || results == [true, true, true]);
    }
}
