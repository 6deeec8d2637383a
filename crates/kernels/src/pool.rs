//! A few threads that start together in well under a microsecond.
//!
//! A token needs hundreds of small parallel regions, so workers spin between them and go to sleep
//! only after a pause. A region is a number of parts. Each thread first takes the parts of its own
//! share in order, then helps with what the others have left, so even work stays where its data is
//! and uneven work still balances. A region closes when its parts are done, not when every worker
//! has noticed it: one that was asleep or descheduled is not waited for.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a worker spins for more work before it sleeps.
const SPIN: Duration = Duration::from_micros(200);
/// More threads than this are never useful here, and an absurd number is not tried.
const THREADS_MAX: usize = 1024;

/// `gate` = region number · 2^32 + [`CLOSED`] + how many workers are inside.
const CLOSED: u64 = 1 << 31;
const REGION: u64 = 1 << 32;

/// The caller's thread and a few workers that run parts of a job side by side.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    busy: AtomicBool,
}

impl Pool {
    /// `threads` threads in all, the caller's included; 0 counts as 1. Where the system refuses a
    /// thread, the pool does with those it got.
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, THREADS_MAX);
        let shared = Arc::new(Shared {
            gate: Padded(AtomicU64::new(CLOSED)),
            job: UnsafeCell::new(None),
            lanes: (0..threads).map(|_| Padded(Lane::default())).collect(),
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let workers = (1..threads)
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("kernels-{index}");
                std::thread::Builder::new().name(name).spawn(move || shared.work(index)).ok()
            })
            .collect();
        Self { shared, workers, busy: AtomicBool::new(false) }
    }

    /// How many threads work, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(0)` … `f(parts - 1)`, each once, spread over the threads; returns when all are done.
    /// A panic in `f` is passed on. Called from inside a part, or while another thread is in `run`,
    /// it does all parts itself.
    pub fn run(&self, parts: usize, f: &(dyn Fn(usize) + Sync)) {
        self.run_on(parts, &|_, part| f(part));
    }

    /// As [`Pool::run`], with `f(thread, part)`: no two parts with the same `thread` run at the same
    /// time (save where a second caller does its parts itself, as thread 0), so it can pick a scratch
    /// buffer.
    pub fn run_on(&self, parts: usize, f: &(dyn Fn(usize, usize) + Sync)) {
        let alone = parts <= 1 || self.workers.is_empty();
        if alone || self.busy.swap(true, Ordering::Acquire) {
            for part in 0..parts {
                f(0, part);
            }
            return;
        }
        let own = self.open(parts, f);
        let helped = self.close();
        self.busy.store(false, Ordering::Release);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        if let Some(panic) = helped {
            resume_unwind(panic);
        }
    }

    /// Publishes a region, wakes the sleepers and does this thread's part of it.
    fn open(
        &self,
        parts: usize,
        f: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), Box<dyn Any + Send>> {
        let threads = self.threads();
        for (index, lane) in self.shared.lanes.iter().enumerate().take(threads) {
            lane.0.next.store(parts * index / threads, Ordering::Relaxed);
            lane.0.end.store(parts * (index + 1) / threads, Ordering::Relaxed);
        }
        // SAFETY: only the lifetime changes. The pointer is used only inside this region, and `close`,
        // which always follows, returns only when no worker is in it or can enter it any more.
        let f: &'static (dyn Fn(usize, usize) + Sync) = unsafe { std::mem::transmute(f) };
        // SAFETY: the gate is closed and empty (the last `close` saw to it), so no worker reads the cell.
        unsafe { *self.shared.job.get() = Some(Job { f, threads }) };
        let region = self.shared.gate.0.load(Ordering::Relaxed) & !(REGION - 1);
        self.shared.gate.0.store(region.wrapping_add(REGION), Ordering::SeqCst);
        for (worker, lane) in self.workers.iter().zip(&self.shared.lanes[1..]) {
            if lane.0.asleep.load(Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
        catch_unwind(AssertUnwindSafe(|| self.shared.take_parts(f, threads, 0)))
    }

    /// Lets no more workers in and waits for those inside; their panic, if any.
    fn close(&self) -> Option<Box<dyn Any + Send>> {
        self.shared.gate.0.fetch_or(CLOSED, Ordering::AcqRel);
        let mut spins = 0u32;
        while self.shared.gate.0.load(Ordering::Acquire) & (CLOSED - 1) != 0 {
            spins = spins.wrapping_add(1);
            // A worker inside may have lost its core to another program: give it ours.
            if spins.is_multiple_of(16_384) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches what its parts throw, so there is nothing to learn from its end.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({})", self.threads())
    }
}

/// Own cache lines (two: processors fetch them in pairs).
#[repr(align(128))]
struct Padded<T>(T);

/// One thread's share of a region's parts.
#[derive(Default)]
struct Lane {
    next: AtomicUsize,
    end: AtomicUsize,
    asleep: AtomicBool,
}

#[derive(Clone, Copy)]
struct Job {
    f: &'static (dyn Fn(usize, usize) + Sync),
    threads: usize,
}

struct Shared {
    gate: Padded<AtomicU64>,
    job: UnsafeCell<Option<Job>>,
    lanes: Vec<Padded<Lane>>,
    stop: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: everything but `job` is Sync by itself; `job` is written only while the gate is closed and
// empty and read only by workers that the gate let in.
unsafe impl Sync for Shared {}
// SAFETY: `job` holds a reference to something Sync.
unsafe impl Send for Shared {}

impl Shared {
    /// A worker's life.
    fn work(&self, index: usize) {
        let mut seen = 0;
        while let Some(region) = self.wait(index, seen) {
            seen = region;
            if !self.enter(region) {
                continue;
            }
            // SAFETY: the gate let this worker in, so the cell was written before and stays until it leaves.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job {
                let done =
                    catch_unwind(AssertUnwindSafe(|| self.take_parts(job.f, job.threads, index)));
                if let Err(panic) = done {
                    *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                }
            }
            self.gate.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// The number of a region newer than `seen`: spins, then sleeps. None when the pool ends.
    fn wait(&self, index: usize, seen: u64) -> Option<u64> {
        let asleep = &self.lanes[index].0.asleep;
        let mut since = None;
        let mut spins = 0u32;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let region = self.gate.0.load(Ordering::Acquire) / REGION;
            if region != seen {
                return Some(region);
            }
            std::hint::spin_loop();
            spins = spins.wrapping_add(1);
            if !spins.is_multiple_of(128) || since.get_or_insert_with(Instant::now).elapsed() < SPIN
            {
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            if self.gate.0.load(Ordering::SeqCst) / REGION == seen
                && !self.stop.load(Ordering::SeqCst)
            {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
            since = None;
        }
    }

    /// Steps into the region unless it has closed or is over.
    fn enter(&self, region: u64) -> bool {
        let open = |gate: u64| (gate / REGION == region && gate & CLOSED == 0).then_some(gate + 1);
        self.gate.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, open).is_ok()
    }

    /// Runs this thread's parts, then whatever others have not begun.
    fn take_parts(&self, f: &(dyn Fn(usize, usize) + Sync), threads: usize, index: usize) {
        for turn in 0..threads {
            let lane = &self.lanes[(index + turn) % threads].0;
            let end = lane.end.load(Ordering::Relaxed);
            while lane.next.load(Ordering::Relaxed) < end {
                let part = lane.next.fetch_add(1, Ordering::Relaxed);
                if part >= end {
                    break;
                }
                f(index, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once() {
        for threads in [1, 2, 3, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for parts in [0, 1, 2, 3, 7, 64, 1000] {
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                pool.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} {parts}");
            }
        }
    }

    #[test]
    fn regions_follow_each_other_by_the_thousand_and_after_sleep() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        for round in 0..5000 {
            pool.run(5, &|part| {
                total.fetch_add(part, Ordering::Relaxed);
            });
            if round % 1000 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        assert_eq!(total.load(Ordering::Relaxed), 5000 * 10);
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_lives() {
        let pool = Pool::new(2);
        for bad in [0, 9] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(10, &|part| assert_ne!(part, bad, "bad part"));
            }));
            assert!(caught.is_err());
        }
        let total = AtomicUsize::new(0);
        pool.run(10, &|part| {
            total.fetch_add(part, Ordering::Relaxed);
        });
        assert_eq!(total.load(Ordering::Relaxed), 45);
    }

    #[test]
    fn a_region_inside_a_region_and_two_callers_do_not_hang() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    for _ in 0..200 {
                        pool.run(4, &|_| {
                            pool.run(3, &|_| {
                                total.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 2 * 200 * 4 * 3);
    }

    #[test]
    fn threads_never_share_an_index() {
        let pool = Pool::new(3);
        let inside: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
        for _ in 0..200 {
            pool.run_on(30, &|thread, _| {
                assert_eq!(inside[thread].fetch_add(1, Ordering::SeqCst), 0);
                inside[thread].fetch_sub(1, Ordering::SeqCst);
            });
        }
    }
}
