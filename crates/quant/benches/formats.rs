//! How fast every format is read and written, on one thread: GB/s of values (4 bytes each) and of blocks.
//!
//! `cargo bench -p quant [-- NAME]` measures 4 Mi values (16 MiB, past most caches); under `cargo test` a
//! small run keeps this from rotting.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::time::{Duration, Instant};

use quant::{FORMATS, Format};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let full = given("--bench") && !given("--test");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let (count, least) =
        if full { (1 << 22, Duration::from_millis(200)) } else { (1 << 12, Duration::ZERO) };
    println!("{:8} {:>12} {:>12} {:>12}", "format", "decode GB/s", "blocks GB/s", "encode GB/s");
    for format in FORMATS
        .iter()
        .filter(|format| wanted.is_none_or(|name| format.name.eq_ignore_ascii_case(name)))
    {
        report(format, count, least);
    }
}

fn report(format: &Format, count: usize, least: Duration) {
    // The fractional parts of multiples of the golden ratio: spread evenly, the same everywhere.
    let mut values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.618_034).fract() - 0.5).collect();
    let mut bytes = vec![0x3c; format.bytes_for(count).unwrap_or(0)];
    let encode =
        format.can_encode().then(|| seconds(least, || format.encode(&values, &mut bytes).is_ok()));
    let decode = seconds(least, || format.decode(&bytes, &mut values).is_ok());
    let gigabytes = |bytes: usize, seconds: f64| bytes as f64 / seconds / 1e9;
    let encode = encode.map_or("-".into(), |encode| format!("{:.3}", gigabytes(count * 4, encode)));
    let (values, blocks) = (gigabytes(count * 4, decode), gigabytes(bytes.len(), decode));
    println!("{:8} {values:>12.2} {blocks:>12.2} {encode:>12}", format.name);
}

/// The shortest of as many runs as fill `least`, two at the fewest.
fn seconds(least: Duration, mut run: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    for count in 0.. {
        let before = Instant::now();
        assert!(run(), "the lengths fit and the values are finite");
        best = best.min(before.elapsed().as_secs_f64());
        if count > 0 && start.elapsed() >= least {
            break;
        }
    }
    best
}
