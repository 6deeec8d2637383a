//! How limits are measured: with the loops of `kernels`.

use crate::{Bytes, Error, Machine};
use kernels::{Isa, measure};
use std::hint::black_box;
use std::time::Instant;

/// Something that measures.
pub trait Probe {
    /// The name of the instruction set the loops use.
    fn isa(&self) -> String;
    /// Bytes that so many threads together read from memory per second.
    fn read_bytes_per_s(&self, threads: usize) -> Result<f64, Error>;
    /// Eight-bit operations per second; `None` where the instruction set has none of its own.
    fn int8_ops_per_s(&self, threads: usize) -> Option<f64>;
    /// BF16 operations per second; `None` where the instruction set has none of its own.
    fn bf16_ops_per_s(&self, threads: usize) -> Option<f64>;
    /// F32 operations per second.
    fn f32_ops_per_s(&self, threads: usize) -> f64;
}

/// Measures this machine with one instruction set.
#[derive(Debug, Clone)]
pub struct KernelProbe {
    isa: Isa,
    buffer: Bytes,
}

impl KernelProbe {
    /// Reads a buffer several times the size of all last-level caches, but no more than a quarter
    /// of the free memory.
    pub fn new(isa: Isa, machine: &Machine) -> Self {
        let caches = &machine.cpu.caches;
        let last = caches.iter().map(|cache| cache.level).max().unwrap_or(0);
        let last_level = caches.iter().filter(|cache| cache.level == last);
        let cached: Bytes = last_level.map(|cache| cache.size * cache.count as u64).sum();
        let wanted = (cached * 4).max(Bytes::mib(256));
        let buffer = wanted.min(Bytes(machine.memory.free().get() / 4)).max(Bytes::mib(1));
        Self { isa, buffer }
    }
}

impl Probe for KernelProbe {
    fn isa(&self) -> String {
        self.isa.name().to_owned()
    }

    fn read_bytes_per_s(&self, threads: usize) -> Result<f64, Error> {
        // Others share the machine and its memory; none of them makes it faster.
        const TRIES: usize = 3;
        const SECONDS: f64 = 0.2;
        let once = |_| measure::read_bandwidth(threads, self.buffer.get() as usize, SECONDS);
        let tries: Result<Vec<f64>, _> = (0..TRIES).map(once).collect();
        match tries {
            Ok(gigabytes) => Ok(gigabytes.into_iter().fold(0.0, f64::max) * 1e9),
            Err(source) => Err(Error::Kernels { what: "read bandwidth", source }),
        }
    }

    fn int8_ops_per_s(&self, threads: usize) -> Option<f64> {
        measure::peak_int8(self.isa, threads)
    }

    fn bf16_ops_per_s(&self, threads: usize) -> Option<f64> {
        measure::peak_bf16(self.isa, threads)
    }

    fn f32_ops_per_s(&self, threads: usize) -> f64 {
        measure::peak_f32(self.isa, threads).unwrap_or_else(|| plain_f32(threads))
    }
}

/// Plain Rust's F32 rate: what the compiler makes of sixteen independent multiply-adds, best of
/// five, the rates of all threads added.
fn plain_f32(threads: usize) -> f64 {
    const ROUNDS: u32 = 1_000_000;
    let once = || {
        let factor = black_box(0.999_f32);
        let mut sums = black_box([1.0_f32; 16]);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = *sum * factor + 0.001;
            }
        }
        black_box(sums);
        f64::from(ROUNDS) * 32.0 / start.elapsed().as_secs_f64()
    };
    let best = || (0..5).map(|_| once()).fold(0.0, f64::max);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(best)).collect();
        workers.into_iter().map(|worker| worker.join().expect("the loop does not panic")).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn every_instruction_set_of_this_machine_can_be_measured() {
        let machine = Machine::detect();
        for isa in Isa::available() {
            let probe = KernelProbe { buffer: Bytes::mib(8), ..KernelProbe::new(isa, &machine) };
            let limits = Limits::measure(&probe, machine.cpu.default_threads()).unwrap();
            assert_eq!(limits.isa, isa.name());
            // No machine this runs on is slower, and none in sight is faster.
            assert!((1e8..1e14).contains(&limits.read_bytes_per_s), "{limits}");
            for ops in [limits.int8_ops_per_s, limits.bf16_ops_per_s, limits.f32_ops_per_s] {
                assert!((1e7..1e16).contains(&ops), "{limits}");
            }
        }
    }

    #[test]
    fn the_buffer_is_larger_than_the_caches_and_fits_in_memory() {
        let mut machine = Machine::detect();
        machine.memory.limit = None;
        machine.memory.available = Bytes::gib(64);
        let size = |machine: &Machine| KernelProbe::new(Isa::Scalar, machine).buffer;
        assert!(size(&machine) >= Bytes::mib(256));
        machine.memory.available = Bytes::mib(64);
        assert_eq!(size(&machine), Bytes::mib(16));
    }
}
