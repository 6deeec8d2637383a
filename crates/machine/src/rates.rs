//! What the program's own loops were measured to do, and how long a step of a model takes by that.
//!
//! [`Limits`](crate::Limits) are walls; a forecast needs what is reached. So the very loops a model
//! will run are timed on data of the size a model has: for each number format a matrix times one row,
//! read from memory (writing an answer), and times many rows (reading a prompt); attention over a
//! cache likewise; what a parallel region and a small operation cost whatever their size. Times add
//! up, since a step does one thing after another; within one product reading and arithmetic
//! overlap, so the longer counts.

mod probe;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Cpu, Error, kept};
pub use probe::RateProbe;

/// Measured rates with one instruction set and number of threads; formats are added as they are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// The instruction set of the loops.
    pub isa: String,
    /// The threads at work.
    pub threads: usize,
    /// Products, by the name of the weights' format.
    pub products: BTreeMap<String, Rate>,
    /// Attention, by the name of the cache's format.
    pub attention: BTreeMap<String, Rate>,
    /// What does not depend on formats.
    pub overhead: Option<Overhead>,
}

/// How fast one kind of work goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Bytes of packed weights, or of the cache, that one row's work gets through per second.
    pub bytes_per_s: f64,
    /// Multiplications and additions per second with many rows.
    pub ops_per_s: f64,
}

/// What operations cost beside their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// Seconds of one product so small that only starting it counts.
    pub product_s: f64,
    /// Seconds of one small operation on a row: a norm, an addition.
    pub small_s: f64,
    /// Bytes of activations that such operations get through per second.
    pub activation_bytes_per_s: f64,
}

/// What a step of a model does, by the loops that do it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work<'a> {
    /// Products: `(format, bytes of weights, operations)`.
    pub products: Vec<(&'a str, u64, u64)>,
    /// The cache's format.
    pub cache: &'a str,
    /// Bytes of the cache that are read.
    pub cache_bytes: u64,
    /// Operations of attention.
    pub attention_ops: u64,
    /// Parallel regions of products.
    pub regions: u64,
    /// Operations that are no products.
    pub small: u64,
    /// Bytes of activations they write.
    pub activation_bytes: u64,
}

impl Rates {
    /// Those kept in `folder` of this processor; none yet if there are none.
    pub fn kept(folder: &Path, cpu: &Cpu, isa: &str, threads: usize) -> Rates {
        let none = Rates { isa: isa.to_owned(), threads: threads.max(1), ..Rates::default() };
        let found: Option<Rates> = kept::read(&file(folder, isa, threads.max(1)), cpu);
        let same = |rates: &Rates| (&rates.isa, rates.threads) == (&none.isa, none.threads);
        found.filter(|rates| same(rates) && rates.is_sound()).unwrap_or(none)
    }

    /// Keeps them in `folder`.
    pub fn keep(&self, folder: &Path, cpu: &Cpu) -> Result<(), Error> {
        kept::write(&file(folder, &self.isa, self.threads), cpu, self)
    }

    /// Whether everything `work` does was measured.
    pub fn cover(&self, work: &Work<'_>) -> bool {
        self.seconds(work).is_some()
    }

    /// How long `work` takes; `None` when a part of it was not measured.
    pub fn seconds(&self, work: &Work<'_>) -> Option<f64> {
        let overhead = self.overhead?;
        let mut seconds = overhead.product_s * work.regions as f64
            + overhead.small_s * work.small as f64
            + work.activation_bytes as f64 / overhead.activation_bytes_per_s;
        for (format, bytes, ops) in &work.products {
            seconds += self.products.get(*format)?.seconds(*bytes, *ops);
        }
        if work.cache_bytes > 0 {
            seconds +=
                self.attention.get(work.cache)?.seconds(work.cache_bytes, work.attention_ops);
        }
        Some(seconds)
    }

    fn is_sound(&self) -> bool {
        let all = self.products.values().chain(self.attention.values());
        let numbers = all.flat_map(|rate| [rate.bytes_per_s, rate.ops_per_s]);
        let overhead = self.overhead.iter();
        let more = overhead.flat_map(|o| [o.product_s, o.small_s, o.activation_bytes_per_s]);
        numbers.chain(more).all(|number| number.is_finite() && number > 0.0)
    }
}

impl Rate {
    fn seconds(self, bytes: u64, ops: u64) -> f64 {
        (bytes as f64 / self.bytes_per_s).max(ops as f64 / self.ops_per_s)
    }
}

fn file(folder: &Path, isa: &str, threads: usize) -> PathBuf {
    let isa: String = isa.chars().filter(char::is_ascii_alphanumeric).collect();
    folder.join(format!("rates-{isa}-{threads}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let rate = Rate { bytes_per_s: 10.0, ops_per_s: 100.0 };
        Rates {
            isa: "avx2".to_owned(),
            threads: 2,
            products: [("Q8_0".to_owned(), rate)].into(),
            attention: [("f16".to_owned(), rate)].into(),
            overhead: Some(Overhead { product_s: 0.5, small_s: 0.25, activation_bytes_per_s: 1.0 }),
        }
    }

    #[test]
    fn times_add_up_and_within_a_product_the_longer_counts() {
        let reading = Work { products: vec![("Q8_0", 20, 100)], ..Work::default() };
        assert_eq!(rates().seconds(&reading), Some(2.0));
        let computing = Work { products: vec![("Q8_0", 20, 400)], ..Work::default() };
        assert_eq!(rates().seconds(&computing), Some(4.0));
        let all = Work {
            cache: "f16",
            cache_bytes: 10,
            regions: 2,
            small: 4,
            activation_bytes: 3,
            ..reading
        };
        assert_eq!(rates().seconds(&all), Some(2.0 + 1.0 + 1.0 + 1.0 + 3.0));
        let unknown = Work { products: vec![("Q4_0", 1, 1)], ..Work::default() };
        assert!(!rates().cover(&unknown) && rates().cover(&all));
    }

    #[test]
    fn kept_rates_are_those_of_the_same_processor_and_sound() {
        let folder = std::env::temp_dir().join(format!("freehold-rates-{}", std::process::id()));
        let cpu = Cpu { name: "one".to_owned(), ..Cpu::default() };
        rates().keep(&folder, &cpu).unwrap();
        assert_eq!(Rates::kept(&folder, &cpu, "avx2", 2), rates());
        let other = Cpu { name: "two".to_owned(), ..Cpu::default() };
        assert!(Rates::kept(&folder, &other, "avx2", 2).products.is_empty());
        assert!(Rates::kept(&folder, &cpu, "avx2", 1).products.is_empty());
        let mut broken = rates();
        broken.products.insert("F16".to_owned(), Rate { bytes_per_s: 0.0, ops_per_s: 1.0 });
        broken.keep(&folder, &cpu).unwrap();
        assert!(Rates::kept(&folder, &cpu, "avx2", 2).products.is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
