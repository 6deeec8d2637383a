//! How a download tells what it is doing.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Something worth telling.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The revision is known, and what has to be fetched.
    Resolved {
        /// The model.
        name: String,
        /// The commit that is fetched.
        commit: String,
        /// Files that are wanted.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// Bytes that have to come over the network.
        missing: u64,
    },
    /// A file begins.
    Started {
        /// Which.
        file: String,
        /// Its size.
        bytes: u64,
        /// How much of it an earlier try has left.
        resumed: u64,
    },
    /// Bytes arrived; at most ten times a second.
    Advanced(Progress),
    /// What was there of a file is of no use, and it begins anew.
    Restarted {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// A failure that may pass; there is another try.
    Retrying {
        /// Which file.
        file: String,
        /// What failed.
        why: String,
        /// After which wait.
        pause: Duration,
    },
    /// Another process fetches the same file.
    Waiting {
        /// Which.
        file: String,
    },
    /// A file that was there is being hashed.
    Verifying {
        /// Which.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// A file is complete, verified and in its place.
    Finished {
        /// Which.
        file: String,
    },
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Bytes that are there, those of earlier tries among them.
    pub done: u64,
    /// Bytes there will be.
    pub total: u64,
    /// Bytes per second over the last seconds.
    pub rate: f64,
    /// Time left at that rate, once there is one.
    pub left: Option<Duration>,
}

/// Who listens. Any `Fn(Event) + Sync` does.
pub trait Observer: Sync {
    /// Hears one event; called from several threads.
    fn hear(&self, event: Event);
}

impl<F: Fn(Event) + Sync> Observer for F {
    fn hear(&self, event: Event) {
        self(event);
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn hear(&self, _event: Event) {}
}

/// Counts bytes and tells of them now and then.
pub(crate) struct Meter<'a> {
    observer: &'a dyn Observer,
    total: u64,
    done: AtomicU64,
    /// Bytes that came over the network.
    pub(crate) fetched: AtomicU64,
    recent: Mutex<Recent>,
}

struct Recent {
    told: Instant,
    counted: u64,
    rate: f64,
}

/// Between two `Advanced`.
const PERIOD: Duration = Duration::from_millis(100);
/// Time over which the rate is smoothed, in seconds.
const SMOOTH: f64 = 3.0;

impl<'a> Meter<'a> {
    pub(crate) fn new(observer: &'a dyn Observer, total: u64) -> Meter<'a> {
        let recent = Recent { told: Instant::now(), counted: 0, rate: 0.0 };
        Meter {
            observer,
            total,
            done: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            recent: Mutex::new(recent),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        self.observer.hear(event);
    }

    /// Bytes that were there already.
    pub(crate) fn found(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that turned out useless.
    pub(crate) fn lost(&self, bytes: u64) {
        self.done.fetch_sub(bytes.min(self.done.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Bytes that arrived.
    pub(crate) fn arrived(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
        let Ok(mut recent) = self.recent.try_lock() else { return };
        let passed = recent.told.elapsed();
        if passed >= PERIOD {
            let progress = self.measure(&mut recent, passed);
            drop(recent);
            self.observer.hear(Event::Advanced(progress));
        }
    }

    /// Tells how it stands at the end.
    pub(crate) fn end(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = recent.told.elapsed().max(Duration::from_millis(1));
        let progress = self.measure(&mut recent, passed);
        drop(recent);
        self.observer.hear(Event::Advanced(progress));
    }

    fn measure(&self, recent: &mut Recent, passed: Duration) -> Progress {
        let fetched = self.fetched.load(Ordering::Relaxed);
        let now = (fetched - recent.counted) as f64 / passed.as_secs_f64();
        let weight =
            if recent.rate == 0.0 { 1.0 } else { (passed.as_secs_f64() / SMOOTH).min(1.0) };
        recent.rate += weight * (now - recent.rate);
        recent.told = Instant::now();
        recent.counted = fetched;
        let done = self.done.load(Ordering::Relaxed).min(self.total);
        let seconds = (self.total - done) as f64 / recent.rate;
        let left = Duration::try_from_secs_f64(seconds).ok().filter(|_| recent.rate >= 1.0);
        Progress { done, total: self.total, rate: recent.rate, left }
    }
}
