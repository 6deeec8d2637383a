//! The limits of the machine, measured: how fast memory is read and how fast an instruction set can
//! multiply and add at best.
//!
//! Arithmetic is measured with many independent chains of the instruction that the fast loops live
//! on, written in assembly so that nothing else is in the loop. One multiply-add counts as two
//! operations. Threads are timed one by one and their rates added.

mod chains;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::{AlignedBytes, Isa, Result};
use chains::Chain;

/// How long one try at arithmetic takes: shorter than a turn on a shared machine.
const SLICE: Duration = Duration::from_millis(2);
/// Of so many measurements the best counts: others share the machine, none makes it faster.
const TRIES: usize = 40;

/// Bytes per second at which `threads` threads together read memory, each its share of `bytes` bytes
/// over and over for about `seconds`; the median pass counts. Take `bytes` several times the size of
/// the last cache to measure memory. In GB/s (10⁹ bytes).
pub fn read_bandwidth(threads: usize, bytes: usize, seconds: f64) -> Result<f64> {
    let threads = threads.max(1);
    let share = (bytes / threads).next_multiple_of(4096).max(4096);
    let buffers = (0..threads).map(|_| AlignedBytes::zeroed(share)).collect::<Result<Vec<_>>>()?;
    let barrier = Barrier::new(threads);
    let rate = |mut buffer: AlignedBytes| {
        buffer.fill(1);
        barrier.wait();
        let start = Instant::now();
        let mut rates = Vec::new();
        while rates.len() < 3 || start.elapsed().as_secs_f64() < seconds {
            let pass = Instant::now();
            black_box(read(&buffer));
            rates.push(buffer.len() as f64 / pass.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    Ok(sum_over_threads(buffers, &rate) / 1e9)
}

/// 8-bit integer operations per second; None where `isa` has no instruction for them here.
pub fn peak_int8(isa: Isa, threads: usize) -> Option<f64> {
    isa.is_available().then(|| chains::int8(isa)).flatten().map(|chain| peak(chain, threads))
}

/// Operations per second on 16-bit brain floats; None where `isa` has no instruction for them here.
pub fn peak_bf16(isa: Isa, threads: usize) -> Option<f64> {
    isa.is_available().then(|| chains::bf16(isa)).flatten().map(|chain| peak(chain, threads))
}

/// Operations per second on 32-bit floats; None for [`Isa::Scalar`], whose limit is the compiler's.
pub fn peak_f32(isa: Isa, threads: usize) -> Option<f64> {
    isa.is_available().then(|| chains::f32(isa)).flatten().map(|chain| peak(chain, threads))
}

/// Seconds that an empty parallel region of `pool` takes: what starting and joining costs.
pub fn barrier_seconds(pool: &crate::Pool) -> f64 {
    const REGIONS: u32 = 2000;
    let parts = pool.threads();
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let start = Instant::now();
        for _ in 0..REGIONS {
            pool.run(parts, &|part| {
                black_box(part);
            });
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(REGIONS));
    }
    best
}

fn peak(chain: Chain, threads: usize) -> f64 {
    let threads = threads.max(1);
    let once = |rounds: u64| {
        let start = Instant::now();
        // SAFETY: the chain was handed out because its instructions are present.
        unsafe { (chain.run)(rounds) };
        start.elapsed()
    };
    let mut rounds = 1000;
    while once(rounds) < SLICE {
        rounds *= 2;
    }
    let barrier = Barrier::new(threads);
    let rate = |()| {
        barrier.wait();
        let best = (0..TRIES).map(|_| once(rounds)).min().unwrap_or(SLICE);
        rounds as f64 * chain.ops_per_round / best.as_secs_f64()
    };
    sum_over_threads(vec![(); threads], &rate)
}

/// Σ f(item), each item on a thread of its own.
fn sum_over_threads<T: Send>(items: Vec<T>, f: &(impl Fn(T) -> f64 + Sync)) -> f64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || f(item))).collect();
        threads.into_iter().map(|t| t.join().expect("a measurement does not panic")).sum()
    })
}

/// Touches every byte in the widest steps there are.
fn read(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if Isa::Avx512.is_available() {
        // SAFETY: checked.
        return unsafe { read_avx512(bytes) };
    } else if Isa::Avx2.is_available() {
        // SAFETY: checked.
        return unsafe { read_avx2(bytes) };
    }
    read_plain(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn read_avx512(bytes: &[u8]) -> u64 {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_or_si512, _mm512_reduce_or_epi64, _mm512_setzero_si512,
    };
    let mut seen = [_mm512_setzero_si512(); 8];
    for chunk in bytes.chunks_exact(512) {
        for (seen, line) in seen.iter_mut().zip(chunk.chunks_exact(64)) {
            // SAFETY: the line is 64 bytes long.
            *seen = _mm512_or_si512(*seen, unsafe { _mm512_loadu_si512(line.as_ptr().cast()) });
        }
    }
    seen.iter().fold(0, |all, v| all | _mm512_reduce_or_epi64(*v).cast_unsigned())
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_avx2(bytes: &[u8]) -> u64 {
    read_plain(bytes)
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "compiled again for each instruction set")]
fn read_plain(bytes: &[u8]) -> u64 {
    let mut seen = [0u64; 32];
    for chunk in bytes.chunks_exact(256) {
        for (seen, word) in seen.iter_mut().zip(chunk.chunks_exact(8)) {
            *seen |= u64::from_ne_bytes([
                word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
            ]);
        }
    }
    seen.iter().fold(0, |all, v| all | v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_plausible() {
        let gb = read_bandwidth(2, 1 << 20, 0.01).unwrap();
        assert!((0.1..1e5).contains(&gb), "{gb} GB/s");
        for isa in Isa::ALL {
            for (what, ops) in [
                ("int8", peak_int8(isa, 1)),
                ("bf16", peak_bf16(isa, 1)),
                ("f32", peak_f32(isa, 1)),
            ] {
                let Some(ops) = ops else { continue };
                assert!(isa.is_available());
                assert!((1e8..1e14).contains(&ops), "{isa} {what}: {ops}");
                println!("{isa} {what}: {:.1} Gop/s on one thread", ops / 1e9);
            }
            assert_eq!(
                peak_f32(isa, 1).is_some(),
                isa != Isa::Scalar && isa.is_available(),
                "{isa}"
            );
        }
        let wide = Isa::Avx512.is_available();
        assert_eq!(peak_int8(Isa::Avx512, 1).is_some(), wide);
    }

    #[test]
    fn a_region_costs_little() {
        let seconds = barrier_seconds(&crate::Pool::new(2));
        println!("an empty region: {:.0} ns", seconds * 1e9);
        assert!(seconds < 1e-3, "{seconds}");
    }
}
