//! Every format's decoder and encoder under criterion: changes between two runs, with their spread.
//!
//! `cargo bench -p quant --bench blocks [-- NAME]`. Throughput of decoding is in blocks' bytes, of
//! encoding in values. For one table of all formats in GB/s see the bench `formats`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quant::FORMATS;

/// Whether this run measures, and does not only see that everything runs (`cargo test`, `-- --test`).
fn measured() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--bench") && !given("--test")
}

/// As many values as fit a first-level cache beside their blocks, or a handful.
fn values() -> usize {
    if measured() { 4096 } else { 256 }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let mut out = vec![0.0; values()];
    for format in FORMATS {
        let bytes = vec![0x3c; format.bytes_for(out.len()).expect("whole blocks")];
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(format.name), |b| {
            b.iter(|| format.decode(black_box(&bytes), &mut out).expect("the lengths fit"));
        });
    }
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    // The fractional parts of multiples of the golden ratio: spread evenly, the same everywhere.
    let values: Vec<f32> = (0..values()).map(|i| (i as f32 * 0.618_034).fract() - 0.5).collect();
    group.throughput(Throughput::Elements(values.len() as u64));
    for format in FORMATS.iter().filter(|format| format.can_encode()) {
        let mut bytes = vec![0; format.bytes_for(values.len()).expect("whole blocks")];
        group.bench_function(BenchmarkId::from_parameter(format.name), |b| {
            b.iter(|| format.encode(black_box(&values), &mut bytes).expect("finite values"));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = decode, encode
}
criterion_main!(benches);
