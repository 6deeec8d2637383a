//! What was measured, for people and for programs.

use engine::ModelFile;
use kernels::Isa;
use machine::{Bound, Bytes, Cost, Limits, predict};
use serde::Serialize;

use super::Test;
use crate::{
    cost::operations,
    formats,
    output::Colours,
    table::{Align, Table, count, percent, rate},
};

/// The model and backend under test.
pub(super) struct Subject {
    model: String,
    size: Bytes,
    params: u64,
    backend: &'static str,
}

/// One test's result: what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    test: String,
    tokens_per_s: Spread,
    /// The least time the limits allow over the median time.
    share_of_limit: f64,
    /// Which limit that is.
    bound: Bound,
    gb_per_s: f64,
    share_of_read_limit: f64,
    gop_per_s: f64,
    share_of_compute_limit: f64,
    model: String,
    size_bytes: u64,
    params: u64,
    backend: String,
    threads: usize,
    tokens: usize,
    depth: usize,
    batch: usize,
    repetitions: usize,
    limits: Limits,
}

/// Repetitions in brief.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
    stddev: f64,
}

impl Spread {
    /// Of a list that is not empty.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let median = f64::midpoint(values[(count - 1) / 2], values[count / 2]);
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let stddev = (squares / (count - 1).max(1) as f64).sqrt();
        Spread { median, min: values[0], max: values[count - 1], stddev }
    }
}

impl Subject {
    pub(super) fn of(file: &ModelFile, isa: Isa) -> Self {
        let checkpoint = file.checkpoint();
        Subject {
            model: format!("{} {}", file.model().family, formats::main(checkpoint)),
            size: Bytes(checkpoint.tensor_bytes()),
            params: model::plan::counts(&file.model().graph).params,
            backend: isa.name(),
        }
    }

    pub(super) fn row(
        &self,
        test: &Test,
        threads: usize,
        seconds: &[f64],
        cost: &Cost,
        limits: &Limits,
    ) -> Row {
        let tokens = (test.tokens * test.batch) as f64;
        let tokens_per_s = Spread::of(seconds.iter().map(|seconds| tokens / seconds).collect());
        let median = tokens / tokens_per_s.median;
        let least = predict(cost, limits);
        Row {
            test: test.name(),
            tokens_per_s,
            share_of_limit: least.seconds / median,
            bound: least.bound,
            gb_per_s: cost.bytes() as f64 / median / 1e9,
            share_of_read_limit: least.memory_seconds / median,
            gop_per_s: operations(cost) as f64 / median / 1e9,
            share_of_compute_limit: least.compute_seconds / median,
            model: self.model.clone(),
            size_bytes: self.size.get(),
            params: self.params,
            backend: format!("cpu {}", self.backend),
            threads,
            tokens: test.tokens,
            depth: test.depth,
            batch: test.batch,
            repetitions: seconds.len(),
            limits: limits.clone(),
        }
    }
}

/// The table, as it grows.
pub(super) struct Report {
    table: Table,
    limits: Vec<String>,
}

impl Report {
    pub(super) fn new() -> Self {
        let words = ["model", "size", "params", "backend", "threads", "test"];
        let numbers = ["t/s", "GB/s", "GOP/s", "limit", ""];
        let columns = words.map(|name| (name, Align::Left)).into_iter();
        Report {
            table: Table::new(columns.chain(numbers.map(|name| (name, Align::Right)))),
            limits: vec![],
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        let speed = row.tokens_per_s;
        let bound = match row.bound {
            Bound::Memory => "reading",
            Bound::Int8 => "int8",
            Bound::Bf16 => "bf16",
            Bound::F32 => "f32",
        };
        self.table.row([
            row.model.clone(),
            Bytes(row.size_bytes).to_string(),
            count(row.params),
            row.backend.clone(),
            row.threads.to_string(),
            row.test.clone(),
            format!("{:.2} ± {:.2}", speed.median, speed.stddev),
            rate(row.gb_per_s),
            rate(row.gop_per_s),
            percent(row.share_of_limit),
            bound.to_owned(),
        ]);
    }

    /// What the machine can do with so many threads, and what the model took of its memory.
    pub(super) fn limits(&mut self, limits: &Limits, memory: Bytes) {
        let giga = |value: f64| rate(value / 1e9);
        self.limits.push(format!(
            "limits with {} threads: reading {} GB/s, int8 {} GOP/s, bf16 {}, f32 {}; memory {memory}",
            limits.threads,
            giga(limits.read_bytes_per_s),
            giga(limits.int8_ops_per_s),
            giga(limits.bf16_ops_per_s),
            giga(limits.f32_ops_per_s),
        ));
    }

    /// The table; on a terminal too narrow for it, what all rows share is said once above it.
    pub(super) fn render(mut self, subject: &Subject, colours: Colours) -> String {
        let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let mut text = String::new();
        if terminal.is_some_and(|width| self.table.width() > width) {
            let Subject { model, size, params, backend } = subject;
            for name in ["model", "size", "params", "backend"] {
                self.table.without(name);
            }
            let heading = format!("{model}, {size}, {} parameters, cpu {backend}", count(*params));
            text.push_str(&colours.bold(&heading));
            text.push('\n');
        }
        text += &self.table.render(colours);
        for line in &self.limits {
            text.push('\n');
            text.push_str(&colours.dim(line));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_few_is_robust() {
        let spread = Spread::of(vec![3.0, 1.0, 100.0]);
        assert_eq!((spread.median, spread.min, spread.max), (3.0, 1.0, 100.0));
        let even = Spread::of(vec![4.0, 2.0]);
        assert_eq!(even.median, 3.0);
        assert!((even.stddev - 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(vec![5.0]).stddev, 0.0);
    }
}
