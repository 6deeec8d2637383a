//! Attention against the limits of the machine, measured in the same run: generating against read
//! bandwidth, prompts against the f32 peak; and what a parallel region costs.
//!
//! `cargo bench -p kernels --bench attend [-- THREADS]`; under `cargo test` everything is tiny and no limit is
//! measured.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::time::Instant;

use kernels::{
    Attend, Isa, Kernels, KvFormat, KvShape, Mask, PAGE_TOKENS, Sequence, Slot, ValueStore, measure,
};

struct Model {
    name: &'static str,
    kv_heads: usize,
    heads: usize,
    key_dim: usize,
    value_dim: usize,
    value: ValueStore,
}

const MODELS: [Model; 4] = [
    Model {
        name: "Llama-3.2-1B",
        kv_heads: 8,
        heads: 32,
        key_dim: 64,
        value_dim: 64,
        value: ValueStore::Own,
    },
    Model {
        name: "Qwen3-0.6B",
        kv_heads: 8,
        heads: 16,
        key_dim: 128,
        value_dim: 128,
        value: ValueStore::Own,
    },
    Model {
        name: "Gemma-3-1B",
        kv_heads: 1,
        heads: 4,
        key_dim: 256,
        value_dim: 256,
        value: ValueStore::Own,
    },
    Model {
        name: "DeepSeek-V2-Lite",
        kv_heads: 1,
        heads: 16,
        key_dim: 576,
        value_dim: 512,
        value: ValueStore::PrefixOfKey,
    },
];

fn main() {
    let given = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    let small = !given("--bench") || given("--test");
    let threads = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2);
    for isa in Isa::available().into_iter().rev() {
        if isa == Isa::Scalar && !small {
            continue;
        }
        let kernels = Kernels::new(isa, threads).expect("an available instruction set");
        let region = measure::barrier_seconds(kernels.pool()) * 1e9;
        println!("{isa}, {threads} threads; an empty parallel region takes {region:.0} ns");
        for model in &MODELS {
            for format in [KvFormat::F16, KvFormat::Q8_0, KvFormat::F32] {
                bench(&kernels, model, format, small);
            }
        }
    }
}

fn bench(kernels: &Kernels, model: &Model, format: KvFormat, small: bool) {
    let Model { kv_heads, heads, key_dim, value_dim, value, .. } = *model;
    let shape = KvShape { kv_heads, key_dim, value_dim, format, value };
    let (depth, rows): (usize, usize) = if small { (70, 3) } else { (4096, 512) };
    let pages = (depth + rows).div_ceil(PAGE_TOKENS);
    // As many layers as it takes to leave the caches.
    let layers = if small { 1 } else { ((400 << 20) / (pages * shape.page_bytes())).clamp(1, 28) };
    let layer_bytes = pages * shape.page_bytes();
    let mut cache = vec![0u8; layers * layer_bytes];
    for layer in cache.chunks_exact_mut(layer_bytes) {
        fill(kernels, &shape, layer, depth + rows);
    }
    let q = noise(rows * heads * key_dim);
    let mut out = vec![0f32; rows * heads * value_dim];
    let params =
        Attend { heads, scale: 0.1, window: None, softcap: None, mask: Mask::Causal, sinks: None };
    let table: Vec<u32> = (0..pages as u32).rev().collect();
    let mut step = |layer: &[u8], rows: usize, first_position: usize| {
        let seqs = [Sequence { pages: &table, rows: 0..rows, first_position }];
        let (q, out) = (&q[..rows * heads * key_dim], &mut out[..rows * heads * value_dim]);
        kernels.attend(&shape, &params, layer, q, &seqs, out);
    };
    let threads = kernels.threads();
    let reps = if small { 1 } else { 9 };
    let (mut bandwidth, mut peak) = (f64::NAN, f64::NAN);
    if !small {
        bandwidth = measure::read_bandwidth(threads, 1 << 29, 0.0).unwrap_or(f64::NAN);
        peak = measure::peak_f32(kernels.isa(), threads).unwrap_or(f64::NAN);
    }
    let decode = best(reps, threads, || {
        cache.chunks_exact(layer_bytes).for_each(|layer| step(layer, 1, depth));
    });
    let gb = (layers * (depth + 1) * shape.page_bytes() / PAGE_TOKENS) as f64 / decode / 1e9;
    print!(
        "  {:17} {format:?}: depth {depth}: {gb:5.1} GB/s = {:.2} of read",
        model.name,
        gb / bandwidth
    );
    for first in [0, depth] {
        let seconds = best(reps, threads, || step(&cache[..layer_bytes], rows, first));
        let seen: usize = (first + 1..=first + rows).sum();
        let ops = (2 * seen * heads * (key_dim + value_dim)) as f64 / seconds;
        print!("; {rows} rows at {first}: {:4.0} Gop/s = {:.2} of f32 peak", ops / 1e9, ops / peak);
    }
    println!();
}

fn fill(kernels: &Kernels, shape: &KvShape, layer: &mut [u8], tokens: usize) {
    let pages = tokens.div_ceil(PAGE_TOKENS) as u32;
    let slots: Vec<Slot> =
        (0..tokens as u32).map(|t| Slot { page: pages - 1 - t / 32, offset: t % 32 }).collect();
    let keys = noise(tokens * shape.kv_heads * shape.key_dim);
    let values = noise(tokens * shape.kv_heads * shape.value_dim);
    kernels.kv_store(shape, layer, &keys, &values, &slots);
}

fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0).collect()
}

/// Seconds of one `f`: the least of some tries, because others share the machine and none makes it
/// faster. On one thread the processor's own count of this thread's time, where the system tells it
/// (a coarse count, so over all tries).
fn best(reps: usize, threads: usize, mut f: impl FnMut()) -> f64 {
    f();
    let before = processor_seconds();
    let mut best = f64::INFINITY;
    for _ in 0..reps {
        let start = Instant::now();
        f();
        black_box(());
        best = best.min(start.elapsed().as_secs_f64());
    }
    match (before, processor_seconds()) {
        (Some(before), Some(after)) if threads == 1 && after > before => {
            (after - before) / reps as f64
        }
        _ => best,
    }
}

/// Time that this thread has had a processor (Linux).
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}
