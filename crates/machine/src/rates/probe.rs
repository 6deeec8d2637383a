//! Times the loops of `kernels` as a model's step runs them.

use std::{hint::black_box, time::Instant};

use kernels::{
    Activations, Attend, Isa, Kernels, KvFormat, KvShape, Mask, Needs, PAGE_TOKENS, Packed,
    Sequence, Slot, ValueStore,
};
use quant::Format;

use super::{Overhead, Rate};
use crate::{Bytes, Error, Machine};

/// Rows and columns of the matrices that are read from memory.
const WIDE: usize = 4096;
/// Rows of activations that stand for a prompt.
const ROWS: usize = 128;
/// Rows and columns of the matrix they are multiplied with.
const PROMPT: [usize; 2] = [1024, 2048];
/// Tokens in the cache when attention is timed.
const DEPTH: usize = 2048;
/// A byte that reads as small whole codes and small, ordinary scales in every format.
const BYTE: u8 = 0x11;
/// Of so many tries the best counts: others share the machine, none makes it faster.
const TRIES: usize = 3;
/// How long one try goes on, at the least.
const SECONDS: f64 = 0.03;

/// Measures with one instruction set and number of threads.
#[derive(Debug)]
pub struct RateProbe {
    kernels: Kernels,
    /// Bytes that no cache holds.
    buffer: Bytes,
}

impl RateProbe {
    /// Threads are started, nothing is measured yet.
    pub fn new(isa: Isa, threads: usize, machine: &Machine) -> Result<Self, Error> {
        let caches = &machine.cpu.caches;
        let last = caches.iter().map(|cache| cache.level).max().unwrap_or(0);
        let last_level = caches.iter().filter(|cache| cache.level == last);
        let cached: Bytes = last_level.map(|cache| cache.size * cache.count as u64).sum();
        let wanted = (cached * 4).max(Bytes::mib(64));
        let buffer = wanted.min(Bytes(machine.memory.free().get() / 4)).max(Bytes::mib(1));
        let kernels = Kernels::new(isa, threads.max(1)).map_err(fault("rates"))?;
        Ok(Self { kernels, buffer })
    }

    /// Products with weights in `format`.
    pub fn product(&self, format: &'static Format) -> Result<Rate, Error> {
        let one = self.matrix(format, [WIDE, WIDE])?;
        let count = (self.buffer.get() as usize).div_ceil(one.bytes()).max(1);
        let mut all = vec![one];
        while all.len() < count {
            all.push(self.matrix(format, [WIDE, WIDE])?);
        }
        let bytes = (all[0].bytes() * all.len()) as f64;
        let (values, mut out) = (vec![0.5; WIDE], vec![0.0; WIDE]);
        let mut codes = Activations::new();
        let reading = best(&mut || {
            self.kernels.activations(&values, 1, WIDE, all[0].needs(), &mut codes);
            for matrix in &all {
                self.kernels.linear(matrix, codes.input(&values), &mut out, WIDE, None);
            }
            black_box(&mut out);
        });
        drop(all);
        let [outs, ins] = PROMPT;
        let matrix = self.matrix(format, PROMPT)?;
        let (values, mut out) = (vec![0.5; ROWS * ins], vec![0.0; ROWS * outs]);
        let computing = best(&mut || {
            self.kernels.activations(&values, ROWS, ins, matrix.needs(), &mut codes);
            self.kernels.linear(&matrix, codes.input(&values), &mut out, outs, None);
            black_box(&mut out);
        });
        let ops = (2 * ROWS * outs * ins) as f64;
        sound(Rate { bytes_per_s: bytes / reading, ops_per_s: ops / computing })
    }

    /// Attention over a cache in `format`: eight heads of keys of 128 entries, four queries each.
    pub fn attention(&self, format: KvFormat) -> Result<Rate, Error> {
        let (kv_heads, dim, heads) = (8, 128, 32);
        let shape =
            KvShape { kv_heads, key_dim: dim, value_dim: dim, format, value: ValueStore::Own };
        let layers =
            (self.buffer.get() as usize).div_ceil(shape.page_bytes() * DEPTH / PAGE_TOKENS);
        let per_layer = DEPTH / PAGE_TOKENS;
        let pages: Vec<Vec<u32>> = (0..layers.max(1))
            .map(|layer| (layer * per_layer..(layer + 1) * per_layer).map(|p| p as u32).collect())
            .collect();
        let mut cache = kernels::AlignedBytes::zeroed(shape.page_bytes() * per_layer * pages.len())
            .map_err(fault("attention"))?;
        // One token in every page makes its memory real.
        let slots: Vec<Slot> = (0..per_layer * pages.len())
            .map(|page| Slot { page: page as u32, offset: 0 })
            .collect();
        let some = vec![0.25; slots.len() * kv_heads * dim];
        self.kernels.kv_store(&shape, cache.as_mut_slice(), &some, &some, &slots);
        let params = Attend {
            heads,
            scale: 0.088,
            window: None,
            softcap: None,
            mask: Mask::Causal,
            sinks: None,
        };
        let width = heads * dim;
        let run = |rows: usize, over: &[Vec<u32>]| {
            let (q, mut out) = (vec![0.5; rows * width], vec![0.0; rows * width]);
            best(&mut || {
                for pages in over {
                    let sequence = Sequence { pages, rows: 0..rows, first_position: DEPTH - rows };
                    let bytes = cache.as_slice();
                    self.kernels.attend(&shape, &params, bytes, &q, &[sequence], &mut out);
                }
                black_box(&mut out);
            })
        };
        let bytes = (shape.page_bytes() * per_layer * pages.len()) as f64;
        let reading = run(1, &pages);
        let rows = ROWS / 4;
        let seen = DEPTH - rows / 2;
        let ops = (2 * rows * seen * heads * 2 * dim) as f64;
        let computing = run(rows, &pages[..1]);
        sound(Rate { bytes_per_s: bytes / reading, ops_per_s: ops / computing })
    }

    /// What operations cost beside their bytes.
    pub fn overhead(&self) -> Result<Overhead, Error> {
        let (outs, ins) = (128, 256);
        let matrix = self.matrix(&quant::Q8_0, [outs, ins])?;
        let (values, mut out) = (vec![0.5; ins], vec![0.0; outs]);
        let mut codes = Activations::new();
        let many = |run: &mut dyn FnMut()| {
            const TIMES: u32 = 500;
            best(&mut || (0..TIMES).for_each(|_| run())) / f64::from(TIMES)
        };
        let product_s = many(&mut || {
            self.kernels.activations(&values, 1, ins, Needs::CODES, &mut codes);
            self.kernels.linear(&matrix, codes.input(&values), &mut out, outs, None);
            black_box(&mut out);
        });
        let gain = vec![1.0; 2048];
        let mut small = vec![0.0; gain.len()];
        let row = gain.clone();
        let small_s = many(&mut || {
            self.kernels.rms_norm(&row, Some(&gain), 1e-6, gain.len(), &mut small);
            black_box(&mut small);
        });
        let rows = vec![0.5; ROWS * gain.len()];
        let mut normed = vec![0.0; rows.len()];
        let seconds = best(&mut || {
            self.kernels.rms_norm(&rows, Some(&gain), 1e-6, gain.len(), &mut normed);
            black_box(&mut normed);
        });
        let activation_bytes_per_s = (4 * rows.len()) as f64 / seconds;
        Ok(Overhead { product_s, small_s, activation_bytes_per_s })
    }

    fn matrix(&self, format: &'static Format, [outs, ins]: [usize; 2]) -> Result<Packed, Error> {
        let wrong = fault("products");
        let row = ins / format.block * format.bytes;
        let piece = vec![BYTE; row * 64];
        let mut packing = self.kernels.packer(format, 1, outs, ins).map_err(fault("products"))?;
        for first in (0..outs).step_by(64) {
            let rows = (outs - first).min(64);
            let bytes = &piece[..rows * row];
            packing.put_rows(&self.kernels, 0, first, bytes).map_err(fault("products"))?;
        }
        packing.finish().map_err(wrong)
    }
}

/// Seconds of one run at its best: the median within a try, the least of the tries.
fn best(run: &mut dyn FnMut()) -> f64 {
    run();
    let once = |_| {
        let start = Instant::now();
        let mut times = vec![];
        while times.is_empty() || start.elapsed().as_secs_f64() < SECONDS {
            let from = Instant::now();
            run();
            times.push(from.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    (0..TRIES).map(once).fold(f64::INFINITY, f64::min).max(1e-12)
}

fn sound(rate: Rate) -> Result<Rate, Error> {
    let numbers = [("bytes of a product", rate.bytes_per_s), ("its operations", rate.ops_per_s)];
    match numbers.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        Some((what, value)) => Err(Error::Measurement { what, value }),
        None => Ok(rate),
    }
}

fn fault(what: &'static str) -> impl Fn(kernels::Error) -> Error {
    move |source| Error::Kernels { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_can_be_timed() {
        let machine = Machine::detect();
        for isa in Isa::available() {
            let probe = RateProbe::new(isa, 2, &machine).unwrap();
            let probe = RateProbe { buffer: Bytes::mib(4), ..probe };
            let products = [probe.product(&quant::Q4_0), probe.product(&quant::BF16)];
            let attention = probe.attention(KvFormat::F16);
            for rate in products.into_iter().chain([attention]) {
                let rate = rate.unwrap();
                assert!((1e7..1e14).contains(&rate.bytes_per_s), "{isa} {rate:?}");
                assert!((1e7..1e16).contains(&rate.ops_per_s), "{isa} {rate:?}");
            }
            let overhead = probe.overhead().unwrap();
            assert!((1e-9..1e-1).contains(&overhead.product_s), "{isa} {overhead:?}");
        }
    }
}
