//! Attention against its definition in `f64`, and the determinism law, for every instruction set.

use super::*;
use crate::kv::tests::read;
use crate::{Isa, KvFormat, Slot, ValueStore};

#[derive(Clone, Copy)]
struct Case {
    shape: KvShape,
    heads: usize,
    window: Option<usize>,
    softcap: Option<f32>,
    mask: Mask,
    sinks: bool,
}

fn case(format: KvFormat, kv_heads: usize, heads: usize, key_dim: usize, value_dim: usize) -> Case {
    let shape = KvShape { kv_heads, key_dim, value_dim, format, value: ValueStore::Own };
    Case { shape, heads, window: None, softcap: None, mask: Mask::Causal, sinks: false }
}

fn noise(seed: usize, len: usize) -> Vec<f32> {
    let mut state = seed as u64 * 0x9e37_79b9 + 12345;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Sequences of `lens` tokens, all stored, in pages dealt out backwards; what no token fills is not a
/// number.
struct World {
    case: Case,
    cache: Vec<u8>,
    pages: Vec<Vec<u32>>,
    /// Per sequence `[tokens, heads, key_dim]`.
    q: Vec<Vec<f32>>,
    sinks: Vec<f32>,
}

impl World {
    fn new(case: Case, lens: &[usize]) -> Self {
        let shape = &case.shape;
        let kernels = Kernels::new(Isa::Scalar, 1).unwrap();
        let total: usize = lens.iter().map(|l| l.div_ceil(PAGE_TOKENS)).sum();
        let mut cache = vec![0xffu8; (total + 1) * shape.page_bytes()];
        let mut free = (1..=total as u32).rev();
        let pages: Vec<Vec<u32>> =
            lens.iter().map(|l| free.by_ref().take(l.div_ceil(PAGE_TOKENS)).collect()).collect();
        let mut q = Vec::new();
        for (s, (len, pages)) in lens.iter().zip(&pages).enumerate() {
            let keys = noise(s * 3 + 1, len * shape.kv_heads * shape.key_dim);
            let values = noise(s * 3 + 2, len * shape.kv_heads * shape.value_dim);
            let slots: Vec<Slot> =
                (0..*len).map(|t| Slot { page: pages[t / 32], offset: (t % 32) as u32 }).collect();
            kernels.kv_store(shape, &mut cache, &keys, &values, &slots);
            q.push(noise(s * 3 + 3, len * case.heads * shape.key_dim));
        }
        let sinks = noise(77, case.heads).iter().map(|x| x * 4.0).collect();
        Self { case, cache, pages, q, sinks }
    }

    fn params(&self) -> Attend<'_> {
        let Case { heads, window, softcap, mask, sinks, .. } = self.case;
        Attend { heads, scale: 0.7, window, softcap, mask, sinks: sinks.then_some(&self.sinks) }
    }

    /// The outputs of the given rows of each sequence, in one call.
    fn run(&self, kernels: &Kernels, steps: &[(usize, Range<usize>)]) -> Vec<f32> {
        let (heads, shape) = (self.case.heads, &self.case.shape);
        let (mut q, mut seqs) = (Vec::new(), Vec::new());
        let mut row = 0;
        for (s, range) in steps {
            q.extend_from_slice(
                &self.q[*s][range.start * heads * shape.key_dim..range.end * heads * shape.key_dim],
            );
            seqs.push(Sequence {
                pages: &self.pages[*s],
                rows: row..row + range.len(),
                first_position: range.start,
            });
            row += range.len();
        }
        let mut out = vec![f32::NAN; row * heads * shape.value_dim];
        kernels.attend(shape, &self.params(), &self.cache, &q, &seqs, &mut out);
        out
    }

    /// The definition, in `f64`, for a sequence of `len` tokens.
    fn reference(&self, s: usize, len: usize) -> Vec<f32> {
        let (heads, shape, params) = (self.case.heads, &self.case.shape, self.params());
        let mut out = Vec::new();
        let at = |t: usize| Slot { page: self.pages[s][t / 32], offset: (t % 32) as u32 };
        let stored: Vec<Vec<_>> = (0..shape.kv_heads)
            .map(|h| (0..len).map(|t| read(shape, &self.cache, at(t), h)).collect())
            .collect();
        for row in 0..len {
            for head in 0..heads {
                let q = &self.q[s][(row * heads + head) * shape.key_dim..][..shape.key_dim];
                let tokens = &stored[head / (heads / shape.kv_heads)];
                let window = params.window.unwrap_or(usize::MAX);
                let sees = |t: usize| match params.mask {
                    Mask::Causal => t <= row && row - t < window,
                    Mask::Full => row.abs_diff(t) < window,
                };
                let score = |t: usize| {
                    let dot: f64 = q
                        .iter()
                        .zip(&tokens[t].0)
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum();
                    let score = dot * f64::from(params.scale);
                    params.softcap.map_or(score, |c| f64::from(c) * (score / f64::from(c)).tanh())
                };
                let weights: Vec<f64> =
                    (0..len).map(|t| if sees(t) { score(t).exp() } else { 0.0 }).collect();
                let sink = params.sinks.map_or(0.0, |s| f64::from(s[head]).exp());
                let sum = weights.iter().sum::<f64>() + sink;
                for d in 0..shape.value_dim {
                    let values = weights.iter().zip(tokens).filter(|(w, _)| **w > 0.0);
                    out.push(
                        (values.map(|(w, t)| w * f64::from(t.1[d])).sum::<f64>() / sum) as f32,
                    );
                }
            }
        }
        out
    }
}

fn cases() -> Vec<(Case, usize)> {
    let mut cases = Vec::new();
    for format in [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0] {
        cases.push((case(format, 2, 4, 64, 64), 101));
        cases.push((case(format, 1, 3, 80, 48), 70));
        cases.push((
            Case { window: Some(37), softcap: Some(5.0), ..case(format, 2, 2, 32, 32) },
            150,
        ));
        cases.push((Case { sinks: true, window: Some(40), ..case(format, 1, 5, 16, 16) }, 99));
        let mut latent = case(format, 1, 50, 72, 64);
        latent.shape.value = ValueStore::PrefixOfKey;
        cases.push((latent, 45));
    }
    cases.push((Case { mask: Mask::Full, ..case(KvFormat::F16, 2, 4, 24, 40) }, 70));
    cases.push((Case { mask: Mask::Full, window: Some(9), ..case(KvFormat::F32, 2, 4, 8, 8) }, 70));
    // more than two spans
    cases.push((case(KvFormat::F16, 1, 2, 16, 16), 1100));
    cases.push((Case { window: Some(600), ..case(KvFormat::Q8_0, 1, 1, 16, 16) }, 1300));
    cases
}

#[test]
fn it_is_what_the_definition_says() {
    for (i, (case, len)) in cases().into_iter().enumerate() {
        let world = World::new(case, &[len]);
        let want = world.reference(0, len);
        for isa in Isa::available() {
            let got = world.run(&Kernels::new(isa, 2).unwrap(), &[(0, 0..len)]);
            let worst = got
                .iter()
                .zip(&want)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, |m: f32, e| if e.is_nan() { e } else { m.max(e) });
            assert!(worst < 4e-6, "case {i} {isa}: {worst}");
        }
    }
}

#[test]
fn whole_or_in_chunks_alone_or_in_a_batch_one_thread_or_many() {
    for (i, (case, len)) in cases().into_iter().enumerate() {
        let other = len / 2 + 3;
        let world = World::new(case, &[len, other]);
        let width = case.heads * case.shape.value_dim;
        for isa in Isa::available() {
            let one = Kernels::new(isa, 1).unwrap();
            let whole = world.run(&one, &[(0, 0..len)]);
            for threads in [2, 5] {
                let many = Kernels::new(isa, threads).unwrap();
                assert_eq!(
                    bits(&world.run(&many, &[(0, 0..len)])),
                    bits(&whole),
                    "case {i} {isa} {threads} threads"
                );
                let both = world.run(&many, &[(1, 0..other), (0, 0..len)]);
                assert_eq!(bits(&both[other * width..]), bits(&whole), "case {i} {isa} in a batch");
            }
            if case.mask == Mask::Full {
                continue;
            }
            for kernels in [&one, &Kernels::new(isa, 3).unwrap()] {
                for cut in [1, 31, 32, 33, len / 2, len - 1] {
                    let mut parts = world.run(kernels, &[(0, 0..cut)]);
                    parts.extend(world.run(kernels, &[(0, cut..len)]));
                    assert_eq!(bits(&parts), bits(&whole), "case {i} {isa} cut at {cut}");
                }
                for row in [0, len / 3, len - 2, len - 1] {
                    let alone = world.run(kernels, &[(0, row..row + 1)]);
                    assert_eq!(
                        bits(&alone),
                        bits(&whole[row * width..][..width]),
                        "case {i} {isa} row {row}"
                    );
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "pages where")]
fn missing_pages_are_named() {
    let mut world = World::new(case(KvFormat::F16, 1, 1, 8, 8), &[40]);
    world.pages[0].pop();
    world.run(&Kernels::new(Isa::Scalar, 1).unwrap(), &[(0, 0..40)]);
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}
