//! Matrix multiplication against the machine's limits, measured in the same run: one row as a share of
//! the read bandwidth, many rows as a share of the arithmetic peak (int8 for block formats, f32 for floats).
//!
//! `cargo bench -p kernels --bench linear -- [FORMAT …] [--isa NAME] [--threads N] [--shape OUTSxINS] [--rows N] [--set MIB]`.
//! Every product takes another matrix of a set larger than the caches, as a model does. Times are the
//! median of a few passes; on a machine shared with others compare only within a run.
#![allow(clippy::print_stdout, reason = "a bench reports")]

use std::time::Instant;

use kernels::measure::{peak_f32, peak_int8, read_bandwidth};
use kernels::{Activations, Isa, Kernels, Needs, Packed};
use quant::Format;

/// Memory to read when measuring its bandwidth.
const READ: usize = 256 << 20;

struct Plan {
    isa: Isa,
    threads: usize,
    formats: Vec<&'static Format>,
    shapes: Vec<(usize, usize)>,
    /// Bytes of matrices to go round in.
    set: usize,
    rows: Vec<usize>,
    passes: usize,
}

fn main() {
    let plan = plan();
    let kernels = Kernels::new(plan.isa, plan.threads).expect("the machine has the instructions");
    let read = read_bandwidth(plan.threads, READ, 0.3).expect("memory");
    let int8 = peak_int8(plan.isa, plan.threads);
    let f32 = peak_f32(plan.isa, plan.threads);
    println!("{} on {} threads: read {read:.1} GB/s", plan.isa, plan.threads);
    for (what, peak) in [("int8", int8), ("f32", f32)] {
        println!("{what} peak {:.0} Gop/s", peak.unwrap_or(f64::NAN) / 1e9);
    }
    for format in &plan.formats {
        for shape in &plan.shapes {
            let peak = if format.block == 1 { f32 } else { int8 };
            one(&kernels, &plan, format, *shape, peak.unwrap_or(f64::NAN));
        }
    }
}

fn one(
    kernels: &Kernels,
    plan: &Plan,
    format: &'static Format,
    (outs, ins): (usize, usize),
    peak: f64,
) {
    let raw = raw(format, outs * ins);
    let copies = (plan.set / raw.len()).max(1);
    let start = Instant::now();
    let packed: Vec<Packed> = (0..copies)
        .map(|_| kernels.pack(format, 1, outs, ins, &raw).expect("whole rows"))
        .collect();
    let pack = (raw.len() * copies) as f64 / start.elapsed().as_secs_f64() / 1e9;
    print!("{format:8} {outs}x{ins}: pack {pack:5.1} GB/s; rows");
    let mut next = 0;
    for rows in &plan.rows {
        let x: Vec<f32> =
            (0..rows * ins).map(|i| (i * 7919 % 1999) as f32 / 1000.0 - 1.0).collect();
        let mut activations = Activations::new();
        kernels.activations(&x, *rows, ins, Needs::CODES, &mut activations);
        let mut out = vec![0.0; rows * outs];
        // Few rows: a pass over the whole set; many: a matrix at a time.
        let at_once = if *rows <= 4 { copies } else { 1 };
        let read = if *rows == 1 {
            read_bandwidth(plan.threads, READ, 0.1).unwrap_or(f64::NAN)
        } else {
            0.0
        };
        let seconds = median((0..plan.passes).map(|_| {
            let start = Instant::now();
            for _ in 0..at_once {
                next = (next + 1) % copies;
                kernels.linear(&packed[next], activations.input(&x), &mut out, outs, None);
            }
            start.elapsed().as_secs_f64() / at_once as f64
        }));
        let gb = packed[0].bytes() as f64 / seconds / 1e9;
        let ops = 2.0 * (outs * ins * rows) as f64 / seconds;
        if *rows == 1 {
            print!(" 1: {gb:5.1} GB/s = {:.2} of read;", gb / read);
        } else {
            print!(" {rows}: {:.2}", ops / peak);
        }
    }
    println!(" of peak");
}

/// Blocks of harmless values: speed does not depend on them, but subnormal sums would cost time.
fn raw(format: &Format, count: usize) -> Vec<u8> {
    let values: Vec<f32> = (0..count).map(|i| (i * 31 % 997) as f32 / 500.0 - 1.0).collect();
    let mut raw = vec![0; count / format.block * format.bytes];
    if format.encode(&values, &mut raw).is_err() {
        raw.iter_mut().enumerate().for_each(|(i, b)| *b = (i * 37 % 61) as u8);
    }
    raw
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn plan() -> Plan {
    let mut formats = Vec::new();
    let mut shapes = Vec::new();
    let mut rows = Vec::new();
    let mut mib = 256;
    let (mut isa, mut threads, mut large, mut small) = (Isa::best(), 2, false, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().expect("a value after the option");
        match arg.as_str() {
            "--bench" => large = true,
            "--test" => small = true,
            "--isa" => isa = value().parse().expect("an instruction set"),
            "--threads" => threads = value().parse().expect("a number"),
            "--set" => mib = value().parse().expect("a number"),
            "--rows" => rows.push(value().parse().expect("a number")),
            "--shape" => {
                let shape = value();
                let (outs, ins) = shape.split_once('x').expect("OUTSxINS");
                shapes.push((outs.parse().expect("a number"), ins.parse().expect("a number")));
            }
            name => formats.extend(quant::by_name(name)),
        }
    }
    large &= !small;
    if formats.is_empty() {
        let fast = [
            "Q8_0", "Q4_0", "Q4_K", "Q6_K", "F32", "F16", "BF16", "Q4_1", "Q5_0", "Q5_1", "Q2_K",
            "Q3_K", "Q5_K", "IQ4_NL", "IQ4_XS", "MXFP4",
        ];
        formats.extend(fast.iter().filter_map(|name| quant::by_name(name)));
    }
    if shapes.is_empty() {
        shapes =
            if large { vec![(2048, 2048), (8192, 2048), (2048, 8192)] } else { vec![(64, 256)] };
    }
    if rows.is_empty() {
        rows = if large { vec![1, 2, 4, 8, 16, 64, 510] } else { vec![1, 7] };
    }
    let (set, passes) = if large { (mib << 20, 5) } else { (1 << 16, 1) };
    Plan { isa, threads, formats, shapes, set, rows, passes }
}
