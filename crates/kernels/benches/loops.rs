//! The matrix and attention loops under criterion: changes between two runs, with their spread.
//!
//! `cargo bench -p kernels --bench loops [-- FILTER]`, on two threads (all there are, if fewer). One row
//! counts the matrix's bytes, many rows and attention over a prompt count operations (a multiplication with
//! its addition is two). Shares of the machine's limits are the business of the benches `linear` and `attend`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernels::{
    Activations, Attend, Isa, Kernels, KvFormat, KvShape, Mask, Needs, PAGE_TOKENS, Packed,
    Sequence, Slot, ValueStore,
};
use quant::Format;

/// Formats with loops of their own, most used first.
const FORMATS: [&str; 11] =
    ["Q8_0", "Q4_0", "Q4_K", "Q6_K", "Q5_K", "Q3_K", "Q2_K", "IQ4_XS", "MXFP4", "BF16", "F32"];

/// What is measured: a small model's matrix and cache, or next to nothing.
#[derive(Clone, Copy)]
struct Size {
    outs: usize,
    ins: usize,
    /// Bytes of matrices to go round in when one row is multiplied: more than caches hold.
    set: usize,
    rows: usize,
    depth: usize,
}

/// Whether this run measures, and does not only see that everything runs (`cargo test`, `-- --test`).
fn measured() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--bench") && !given("--test")
}

fn size() -> Size {
    if measured() {
        Size { outs: 2048, ins: 2048, set: 128 << 20, rows: 64, depth: 2048 }
    } else {
        Size { outs: 64, ins: 256, set: 0, rows: 5, depth: 40 }
    }
}

fn kernels() -> Kernels {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(2));
    Kernels::new(Isa::best(), threads).expect("the best there is")
}

fn linear(c: &mut Criterion) {
    let (kernels, Size { outs, ins, set, rows, .. }) = (kernels(), size());
    for format in FORMATS.iter().map(|name| quant::by_name(name).expect("a known format")) {
        let raw = raw(format, outs * ins);
        let copies = (set / raw.len()).max(1);
        let pack = || kernels.pack(format, 1, outs, ins, &raw).expect("whole rows");
        let packed: Vec<Packed> = (0..copies).map(|_| pack()).collect();
        for (rows, group) in [(1, "linear/one row"), (rows, "linear/many rows")] {
            let x = noise(rows * ins);
            let mut activations = Activations::new();
            kernels.activations(&x, rows, ins, Needs::CODES, &mut activations);
            let mut out = vec![0.0; rows * outs];
            let mut group = c.benchmark_group(group);
            group.throughput(match rows {
                1 => Throughput::Bytes(packed[0].bytes() as u64),
                rows => Throughput::Elements((2 * outs * ins * rows) as u64),
            });
            let mut next = 0;
            group.bench_function(BenchmarkId::from_parameter(format.name), |b| {
                b.iter(|| {
                    next = (next + 1) % copies;
                    let input = activations.input(black_box(&x));
                    kernels.linear(&packed[next], input, &mut out, outs, None);
                });
            });
        }
    }
}

fn attend(c: &mut Criterion) {
    let (kernels, Size { rows, depth, .. }) = (kernels(), size());
    let (kv_heads, heads, dim) = (8, 32, 64);
    let pages = (depth + rows).div_ceil(PAGE_TOKENS);
    let table: Vec<u32> = (0..pages as u32).collect();
    for format in [KvFormat::F16, KvFormat::Q8_0, KvFormat::F32] {
        let value = ValueStore::Own;
        let shape = KvShape { kv_heads, key_dim: dim, value_dim: dim, format, value };
        let mut layer = vec![0; pages * shape.page_bytes()];
        let page = PAGE_TOKENS as u32;
        let slot = |token: u32| Slot { page: token / page, offset: token % page };
        let slots: Vec<Slot> = (0..(depth + rows) as u32).map(slot).collect();
        let numbers = noise((depth + rows) * kv_heads * dim);
        kernels.kv_store(&shape, &mut layer, &numbers, &numbers, &slots);
        let mask = Mask::Causal;
        let params = Attend { heads, scale: 0.125, window: None, softcap: None, mask, sinks: None };
        for (rows, group) in [(1, "attend/one row"), (rows, "attend/many rows")] {
            let q = noise(rows * heads * dim);
            let mut out = vec![0.0; rows * heads * dim];
            let seen: usize = (depth + 1..=depth + rows).sum();
            let mut group = c.benchmark_group(group);
            group.throughput(match rows {
                1 => Throughput::Bytes(((depth + 1) * shape.page_bytes() / PAGE_TOKENS) as u64),
                _ => Throughput::Elements((4 * seen * heads * dim) as u64),
            });
            group.bench_function(BenchmarkId::from_parameter(format!("{format:?}")), |b| {
                b.iter(|| {
                    let seqs = [Sequence { pages: &table, rows: 0..rows, first_position: depth }];
                    kernels.attend(&shape, &params, &layer, black_box(&q), &seqs, &mut out);
                });
            });
        }
    }
}

/// Blocks of harmless values: speed does not depend on them, but subnormal sums would cost time.
fn raw(format: &Format, count: usize) -> Vec<u8> {
    let mut raw = vec![0; count / format.block * format.bytes];
    if format.encode(&noise(count), &mut raw).is_err() {
        raw.iter_mut().enumerate().for_each(|(i, b)| *b = (i * 37 % 61) as u8);
    }
    raw
}

fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0).collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = linear, attend
}
criterion_main!(benches);
