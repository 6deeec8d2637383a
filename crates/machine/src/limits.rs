//! What this machine was measured to do, kept so that it is measured once.
//!
//! The numbers are the walls every prediction and every benchmark is held against: bytes read from
//! memory and operations done per second. They are measured with the loops of `kernels` and kept
//! as JSON in a folder the caller names, one file per number of threads, with what they depend on
//! (processor, microcode, instruction set, threads). When any of that changes, or the file is not
//! whole, they are measured again.

use crate::{Cpu, Error, Probe, kept};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What this machine was measured to do with a number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The threads at work, but for `read_bytes_per_s_one_thread`.
    pub threads: usize,
    /// The instruction set of the loops.
    pub isa: String,
    /// Bytes one thread reads from memory per second.
    pub read_bytes_per_s_one_thread: f64,
    /// Bytes all threads read from memory per second.
    pub read_bytes_per_s: f64,
    /// Multiplications and additions of eight-bit whole numbers per second; as many as of F32 where
    /// the instruction set has nothing of its own for them.
    pub int8_ops_per_s: f64,
    /// The same of BF16; likewise.
    pub bf16_ops_per_s: f64,
    /// The same of F32.
    pub f32_ops_per_s: f64,
}

impl Limits {
    /// Measures now: a few seconds, best on a quiet machine.
    pub fn measure(probe: &dyn Probe, threads: usize) -> Result<Limits, Error> {
        let threads = threads.max(1);
        let one = probe.read_bytes_per_s(1)?;
        let all = if threads == 1 { one } else { probe.read_bytes_per_s(threads)?.max(one) };
        let f32_ops_per_s = probe.f32_ops_per_s(threads);
        let limits = Limits {
            threads,
            isa: probe.isa(),
            read_bytes_per_s_one_thread: one,
            read_bytes_per_s: all,
            int8_ops_per_s: probe.int8_ops_per_s(threads).unwrap_or(f32_ops_per_s),
            bf16_ops_per_s: probe.bf16_ops_per_s(threads).unwrap_or(f32_ops_per_s),
            f32_ops_per_s,
        };
        match limits.numbers().into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            Some((what, value)) => Err(Error::Measurement { what, value }),
            None => Ok(limits),
        }
    }

    /// The limits kept in `folder` if they are of this processor, else measured and kept there.
    /// That they cannot be kept is no error: the second value says why.
    pub fn cached(
        folder: &Path,
        cpu: &Cpu,
        probe: &dyn Probe,
        threads: usize,
    ) -> Result<(Limits, Option<Error>), Error> {
        if let Some(limits) = Limits::kept(folder, cpu, &probe.isa(), threads) {
            return Ok((limits, None));
        }
        let limits = Limits::measure(probe, threads)?;
        let unkept = limits.keep(folder, cpu).err();
        Ok((limits, unkept))
    }

    /// The limits kept in `folder`, if there are any of this processor; measures nothing.
    pub fn kept(folder: &Path, cpu: &Cpu, isa: &str, threads: usize) -> Option<Limits> {
        let path = file(folder, isa, threads.max(1));
        let limits: Limits = kept::read(&path, cpu)?;
        let positive = limits.numbers().iter().all(|(_, value)| value.is_finite() && *value > 0.0);
        let asked = limits.isa == isa && limits.threads == threads.max(1);
        (positive && asked).then_some(limits)
    }

    /// The higher of each number: a limit measured while others used the machine is too low, so
    /// a second measurement can only improve on it. Of two instruction sets or numbers of threads
    /// there is no common limit: then these stay as they are.
    pub fn or_better(self, other: &Limits) -> Limits {
        if (self.threads, &self.isa) != (other.threads, &other.isa) {
            return self;
        }
        Limits {
            read_bytes_per_s_one_thread: self
                .read_bytes_per_s_one_thread
                .max(other.read_bytes_per_s_one_thread),
            read_bytes_per_s: self.read_bytes_per_s.max(other.read_bytes_per_s),
            int8_ops_per_s: self.int8_ops_per_s.max(other.int8_ops_per_s),
            bf16_ops_per_s: self.bf16_ops_per_s.max(other.bf16_ops_per_s),
            f32_ops_per_s: self.f32_ops_per_s.max(other.f32_ops_per_s),
            ..self
        }
    }

    /// Keeps the limits in `folder`.
    pub fn keep(&self, folder: &Path, cpu: &Cpu) -> Result<(), Error> {
        kept::write(&file(folder, &self.isa, self.threads), cpu, self)
    }

    fn numbers(&self) -> [(&'static str, f64); 5] {
        [
            ("read bandwidth of one thread", self.read_bytes_per_s_one_thread),
            ("read bandwidth", self.read_bytes_per_s),
            ("int8 operations", self.int8_ops_per_s),
            ("bf16 operations", self.bf16_ops_per_s),
            ("f32 operations", self.f32_ops_per_s),
        ]
    }
}

fn file(folder: &Path, isa: &str, threads: usize) -> PathBuf {
    let isa: String = isa.chars().filter(char::is_ascii_alphanumeric).collect();
    folder.join(format!("limits-{isa}-{threads}.json"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::Cell;

    /// Those of a small server (two threads of a Zen 5).
    pub(crate) fn limits() -> Limits {
        Limits {
            threads: 2,
            isa: "avx512".to_owned(),
            read_bytes_per_s_one_thread: 31e9,
            read_bytes_per_s: 66e9,
            int8_ops_per_s: 1.79e12,
            bf16_ops_per_s: 900e9,
            f32_ops_per_s: 450e9,
        }
    }

    struct Counting(Cell<u32>, f64);

    impl Probe for Counting {
        fn isa(&self) -> String {
            "avx512".to_owned()
        }
        fn read_bytes_per_s(&self, threads: usize) -> Result<f64, Error> {
            self.0.set(self.0.get() + 1);
            Ok(self.1 * threads as f64)
        }
        fn int8_ops_per_s(&self, _: usize) -> Option<f64> {
            Some(4.0)
        }
        fn bf16_ops_per_s(&self, _: usize) -> Option<f64> {
            None
        }
        fn f32_ops_per_s(&self, _: usize) -> f64 {
            2.0
        }
    }

    #[test]
    fn measured_once_and_again_when_the_processor_changes_or_the_file_is_broken() {
        let folder = std::env::temp_dir().join(format!("freehold-limits-{}", std::process::id()));
        let mut cpu = Cpu { name: "one".to_owned(), usable_threads: 2, ..Cpu::default() };
        let probe = Counting(Cell::new(0), 5.0);
        let measured = |cpu: &Cpu, threads| {
            let before = probe.0.get();
            let (limits, unkept) = Limits::cached(&folder, cpu, &probe, threads).unwrap();
            assert!(unkept.is_none());
            assert_eq!(limits.read_bytes_per_s, 5.0 * threads as f64);
            assert_eq!((limits.int8_ops_per_s, limits.bf16_ops_per_s), (4.0, 2.0));
            probe.0.get() - before
        };
        assert_eq!(measured(&cpu, 2), 2);
        assert_eq!(measured(&cpu, 2), 0);
        assert_eq!(measured(&cpu, 1), 1);
        cpu.microcode = Some("0x7".to_owned());
        assert_eq!(measured(&cpu, 2), 2);
        assert_eq!(measured(&cpu, 2), 0);
        let path = file(&folder, "avx512", 2);
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in [
            &good[..good.len() / 2],
            "",
            "{}",
            &good.replace("10.0", "-10.0"),
            &good.replace("\"version\": 2", "\"version\": 0"),
        ] {
            assert_ne!(bad, good);
            std::fs::write(&path, bad).unwrap();
            assert_eq!(measured(&cpu, 2), 2, "{bad}");
        }
        let left: Vec<_> =
            std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left.len(), 2, "nothing is left beside the files: {left:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_second_measurement_can_only_improve() {
        let mut again = limits();
        again.read_bytes_per_s = 50e9;
        again.f32_ops_per_s = 460e9;
        let best = limits().or_better(&again);
        assert_eq!(best, Limits { f32_ops_per_s: 460e9, ..limits() });
        again.threads = 1;
        assert_eq!(limits().or_better(&again), limits());
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_only_the_keeping() {
        let probe = Counting(Cell::new(0), 5.0);
        let path = std::env::temp_dir().join(format!("freehold-file-{}", std::process::id()));
        std::fs::write(&path, "not a folder").unwrap();
        let (_, unkept) = Limits::cached(&path, &Cpu::default(), &probe, 1).unwrap();
        assert!(matches!(unkept, Some(Error::Io { .. })));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_measurement_of_nothing_is_an_error() {
        for nothing in [0.0, f64::NAN, f64::INFINITY, -1.0] {
            let found = Limits::measure(&Counting(Cell::new(0), nothing), 2);
            assert!(matches!(found, Err(Error::Measurement { .. })));
        }
    }
}
