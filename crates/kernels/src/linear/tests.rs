//! The laws, for every format on every instruction set of this machine.

use quant::Format;

use super::layout::*;
use super::*;
use crate::{Error, Isa};

/// Formats whose blocks hold weights.
fn formats() -> impl Iterator<Item = &'static Format> {
    let weights = |format: &&Format| format.block > 1 || format.name.contains('F');
    quant::FORMATS.iter().copied().filter(weights)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// About normal, with a large value now and then.
    fn value(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| (self.next() % 2001) as f32 / 1000.0 - 1.0).sum();
        if self.next().is_multiple_of(97) { sum * 20.0 } else { sum }
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }

    /// Random blocks whose values are finite and not absurd.
    fn weights(&mut self, format: &Format, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut values = vec![0.0; format.block];
        while bytes.len() < count / format.block * format.bytes {
            let block: Vec<u8> = if format.block == 1 && format.bytes > 1 && format.can_encode() {
                let mut block = vec![0; format.bytes];
                format.encode(&[self.value()], &mut block).unwrap();
                block
            } else {
                (0..format.bytes).map(|_| self.next() as u8).collect()
            };
            format.decode(&block, &mut values).unwrap();
            if values.iter().all(|v| v.abs() < 1e3) {
                bytes.extend(block);
            }
        }
        bytes
    }
}

fn decoded(format: &Format, raw: &[u8], count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    format.decode(raw, &mut values).unwrap();
    values
}

/// `x` as its codes mean it.
fn coded(x: &[f32]) -> Vec<f32> {
    let mut blocks = vec![Block::ZERO; x.len() / BLOCK];
    crate::scalar::linear::quantize(x, &mut blocks);
    blocks.iter().flat_map(|b| b.codes.map(|c| f32::from(c) * b.scale)).collect()
}

fn run(kernels: &Kernels, weights: &Packed, x: &[f32], rows: usize) -> Vec<f32> {
    let mut activations = Activations::new();
    kernels.activations(x, rows, weights.ins(), weights.needs(), &mut activations);
    let mut out = vec![f32::NAN; rows * weights.outs()];
    kernels.linear(weights, activations.input(x), &mut out, weights.outs(), None);
    out
}

/// Columns that make whole, odd and single units of a format.
fn widths(format: &Format) -> Vec<usize> {
    match (format.block, Layout::of(format).kind()) {
        (1, _) => vec![1, 7, 256, 523],
        (32 | 64 | 128, _) => [1, 3, 17].map(|blocks| blocks * format.block.max(32)).to_vec(),
        (block, _) => vec![block, 5 * block],
    }
}

#[test]
fn panels_mean_what_the_format_says() {
    let kernels = Kernels::new(Isa::Scalar, 1).unwrap();
    for format in formats() {
        let layout = Layout::of(format);
        let Some(kind) = layout.kind() else { continue };
        let (outs, ins) = (37, 512);
        let raw = Random(7).weights(format, outs * ins);
        let expected = decoded(format, &raw, outs * ins);
        let packed = kernels.pack(format, 1, outs, ins, &raw).unwrap();
        let mut blocks = vec![Expanded::ZERO; ins / BLOCK];
        for panel in 0..2 {
            crate::scalar::linear::expand(layout, packed.panel(0, panel), 0, &mut blocks);
            for row in 0..PANEL.min(outs - panel * PANEL) {
                for k in 0..ins {
                    let block = &blocks[k / BLOCK];
                    let code = f32::from(block.codes[k % BLOCK / 4][row * 4 + k % 4]);
                    let half = k % BLOCK / 16;
                    let (value, size) = match kind {
                        Kind::Plain { offset } => {
                            (block.scale[0][row] * (code - offset as f32), 0.0)
                        }
                        Kind::Halves { offset } => {
                            (block.scale[half][row] * (code - offset as f32), 0.0)
                        }
                        Kind::Min => {
                            (block.scale[0][row] * code - block.min[0][row], block.min[0][row])
                        }
                        Kind::HalvesMin => (
                            block.scale[half][row] * code - block.min[half][row],
                            block.min[half][row],
                        ),
                    };
                    let expected = expected[(panel * PANEL + row) * ins + k];
                    let off = (value - expected).abs();
                    assert!(
                        off <= 2e-7 * (expected.abs() + size.abs()),
                        "{format} {k}: {value} for {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn scalar_is_the_product() {
    let kernels = Kernels::new(Isa::Scalar, 1).unwrap();
    let mut random = Random(1);
    for format in formats() {
        for ins in widths(format) {
            let (outs, rows) = (35, 3);
            let raw = random.weights(format, outs * ins);
            let weights = decoded(format, &raw, outs * ins);
            let packed = kernels.pack(format, 1, outs, ins, &raw).unwrap();
            let x = random.values(rows * ins);
            let meant = if packed.needs() == Needs::CODES { coded(&x) } else { x.clone() };
            let out = run(&kernels, &packed, &x, rows);
            for (i, out) in out.iter().enumerate() {
                let (row, o) = (i / outs, i % outs);
                let terms = weights[o * ins..][..ins].iter().zip(&meant[row * ins..][..ins]);
                let terms = terms.map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
                let off = (f64::from(*out) - sum).abs();
                assert!(off <= 2e-6 * size, "{format} {ins}: {out} for {sum}, terms {size}");
            }
        }
    }
}

#[test]
fn every_set_computes_what_scalar_computes() {
    let scalar = Kernels::new(Isa::Scalar, 1).unwrap();
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 2).unwrap();
        let mut random = Random(3);
        for format in formats() {
            for ins in widths(format) {
                for (outs, rows) in [(1, 1), (33, 2), (96, 3), (70, 5), (31, 6), (64, 13)] {
                    let raw = random.weights(format, outs * ins);
                    let packed = kernels.pack(format, 1, outs, ins, &raw).unwrap();
                    let x = random.values(rows * ins);
                    let expected = run(&scalar, &packed, &x, rows);
                    let found = run(&kernels, &packed, &x, rows);
                    if packed.needs() == Needs::CODES {
                        assert_eq!(found, expected, "{isa} {format} [{outs}, {ins}] by {rows}");
                        continue;
                    }
                    let weights = decoded(format, &raw, outs * ins);
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let (row, o) = (i / outs, i % outs);
                        let terms = weights[o * ins..][..ins].iter().zip(&x[row * ins..][..ins]);
                        let size: f32 = terms.map(|(w, x)| (w * x).abs()).sum();
                        assert!(
                            (found - expected).abs() <= 2e-6 * size,
                            "{isa} {format}: {found} for {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_is_the_same_alone_in_a_batch_and_on_any_threads() {
    for isa in Isa::available() {
        let one = Kernels::new(isa, 1).unwrap();
        let three = Kernels::new(isa, 3).unwrap();
        let mut random = Random(5);
        for format in formats() {
            let (outs, ins) = (100, if format.block == 1 { 600 } else { 1024 });
            let rows = if isa == Isa::Scalar { 8 } else { 2 * ROWS_AT_ONCE / 3 };
            let packed =
                one.pack(format, 1, outs, ins, &random.weights(format, outs * ins)).unwrap();
            let x = random.values(rows * ins);
            let together = run(&three, &packed, &x, rows);
            for row in (0..rows).step_by(5) {
                let alone = run(&one, &packed, &x[row * ins..][..ins], 1);
                assert_eq!(alone, together[row * outs..][..outs], "{isa} {format} row {row}");
            }
            for rows in 2..8 {
                let few = run(&one, &packed, &x[..rows * ins], rows);
                assert_eq!(few, together[..rows * outs], "{isa} {format} {rows} rows");
            }
        }
    }
}

#[test]
fn experts_give_each_row_what_it_gets_alone() {
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 2).unwrap();
        let mut random = Random(9);
        for format in [&quant::Q4_K, &quant::MXFP4, &quant::BF16] {
            let (experts, outs, ins, rows, stride) = (5, 40, 256, 9, 50);
            let raw = random.weights(format, experts * outs * ins);
            let stack = kernels.pack(format, experts, outs, ins, &raw).unwrap();
            let each = raw.len() / experts;
            let bias = random.values(experts * outs);
            let x = random.values(rows * ins);
            let mut activations = Activations::new();
            kernels.activations(&x, rows, ins, stack.needs(), &mut activations);
            let groups = [
                Group { expert: 3, rows: &[0, 2, 3, 4, 5, 7, 8] },
                Group { expert: 0, rows: &[1] },
                Group { expert: 1, rows: &[] },
                Group { expert: 4, rows: &[0, 8] },
            ];
            let total: usize = groups.iter().map(|g| g.rows.len()).sum();
            let mut out = vec![7.0; total * stride];
            kernels.linear_experts(
                &stack,
                activations.input(&x),
                &groups,
                &mut out,
                stride,
                Some(&bias),
            );
            let mut at = 0;
            for group in groups {
                let single = kernels
                    .pack(format, 1, outs, ins, &raw[group.expert * each..][..each])
                    .unwrap();
                for row in group.rows {
                    let x = &x[*row as usize * ins..][..ins];
                    let mut alone = run(&kernels, &single, x, 1);
                    alone.iter_mut().zip(&bias[group.expert * outs..]).for_each(|(o, b)| *o += b);
                    assert_eq!(
                        alone,
                        out[at * stride..][..outs],
                        "{isa} {format} expert {} row {row}",
                        group.expert
                    );
                    assert!(out[at * stride + outs..][..stride - outs].iter().all(|v| *v == 7.0));
                    at += 1;
                }
            }
        }
    }
}

#[test]
fn several_matrices_at_once_are_each_of_them_alone() {
    let kernels = Kernels::new(Isa::best(), 2).unwrap();
    let mut random = Random(11);
    let (ins, rows) = (256, 3);
    let formats = [
        &quant::Q4_0,
        &quant::Q6_K,
        &quant::F32,
        &quant::Q8_0,
        &quant::F16,
        &quant::Q5_K,
        &quant::Q2_K,
    ];
    let packed: Vec<Packed> = (0..11)
        .map(|i| (formats[i % 7], 16 + 9 * i))
        .map(|(format, outs)| {
            kernels.pack(format, 1, outs, ins, &random.weights(format, outs * ins)).unwrap()
        })
        .collect();
    let x = random.values(rows * ins);
    let mut activations = Activations::with_capacity(rows, ins);
    kernels.activations(&x, rows, ins, Needs::VALUES.and(Needs::CODES), &mut activations);
    let mut outs: Vec<Vec<f32>> = packed.iter().map(|w| vec![0.0; rows * w.outs()]).collect();
    let mut jobs: Vec<Job<'_>> = packed
        .iter()
        .zip(&mut outs)
        .map(|(weights, out)| Job {
            weights,
            input: activations.input(&x),
            out,
            out_stride: weights.outs(),
            bias: None,
        })
        .collect();
    kernels.linear_many(&mut jobs);
    for (weights, out) in packed.iter().zip(outs) {
        assert_eq!(out, run(&kernels, weights, &x, rows), "{}", weights.format());
    }
}

#[test]
fn rows_put_in_pieces_make_the_same_matrix_of_the_size_foretold() {
    let kernels = Kernels::new(Isa::best(), 2).unwrap();
    let mut random = Random(13);
    for format in formats() {
        let (outs, ins) = (75, if format.block == 1 { 33 } else { 256 });
        let raw = random.weights(format, outs * ins);
        let whole = kernels.pack(format, 1, outs, ins, &raw).unwrap();
        assert_eq!(whole.bytes(), kernels.packed_bytes(format, 1, outs, ins).unwrap());
        if format.block > 1 && Layout::of(format) != Layout::Int8 {
            assert_eq!(
                kernels.packed_bytes(format, 3, 64, ins).unwrap(),
                3 * 64 * ins / format.block * format.bytes
            );
        }
        let row = raw.len() / outs;
        let mut packing = kernels.packer(format, 1, outs, ins).unwrap();
        for (from, to) in [(40, 75), (0, 3), (3, 40)] {
            packing.put_rows(&kernels, 0, from, &raw[from * row..to * row]).unwrap();
        }
        let pieces = packing.finish().unwrap();
        for panel in 0..3 {
            assert_eq!(pieces.panel(0, panel), whole.panel(0, panel), "{format}");
        }
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 1).unwrap();
        for format in [&quant::Q8_0, &quant::Q4_K, &quant::Q6_K, &quant::F16] {
            let raw = Random(17).weights(format, 4 * 256);
            let packed = kernels.pack(format, 1, 4, 256, &raw).unwrap();
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = vec![1.0; 256];
                x[77] = bad;
                assert!(
                    run(&kernels, &packed, &x, 1).iter().all(|v| !v.is_finite()),
                    "{isa} {format} {bad}"
                );
            }
            for tiny in [0.0, 1e-38, 1e-45] {
                assert!(
                    run(&kernels, &packed, &[tiny; 256], 1).iter().all(|v| v.abs() < 1e-30),
                    "{isa} {tiny}"
                );
            }
        }
    }
}

#[test]
fn codes_are_the_same_on_every_set() {
    let mut random = Random(19);
    let mut x = random.values(32 * 50);
    x[40] = f32::NAN;
    x[100] = f32::INFINITY;
    x[128..160].fill(0.0);
    x[160..192].fill(1e-38);
    x[192] = 0.5;
    x[193] = 127.0;
    let mut expected = vec![Block::ZERO; 50];
    crate::scalar::linear::quantize(&x, &mut expected);
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 1).unwrap();
        let mut found = vec![Block::ZERO; 50];
        // SAFETY: the handle's table is one this machine can run.
        unsafe { (kernels.table.linear.quantize)(&x, &mut found) };
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.codes, expected.codes, "{isa}");
            assert_eq!(
                found.scale.to_bits() & 0x7fff_ffff,
                expected.scale.to_bits() & 0x7fff_ffff,
                "{isa}"
            );
            assert_eq!(
                (found.minus_sum, found.minus_half),
                (expected.minus_sum, expected.minus_half),
                "{isa}"
            );
        }
    }
}

#[test]
fn unpacking_is_the_same_on_every_set() {
    let scalar = Kernels::new(Isa::Scalar, 1).unwrap();
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 1).unwrap();
        for format in formats() {
            let Some(kind) = Layout::of(format).kind() else { continue };
            let raw = Random(23).weights(format, 32 * 512);
            let packed = scalar.pack(format, 1, 32, 512, &raw).unwrap();
            let mut expected = vec![Expanded::ZERO; 13];
            crate::scalar::linear::expand(packed.layout, packed.panel(0, 0), 3, &mut expected);
            let mut found = vec![Expanded::ZERO; 13];
            // SAFETY: the handle's table is one this machine can run; the panel has 16 blocks.
            unsafe {
                (kernels.table.linear.expand)(packed.layout, packed.panel(0, 0), 3, &mut found);
            };
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.codes, expected.codes, "{isa} {format}");
                assert_eq!(found.scale[0], expected.scale[0], "{isa} {format}");
                if matches!(kind, Kind::Halves { .. } | Kind::HalvesMin) {
                    assert_eq!(found.scale[1], expected.scale[1], "{isa} {format}");
                }
                if matches!(kind, Kind::Min | Kind::HalvesMin) {
                    assert_eq!(found.min[0], expected.min[0], "{isa} {format}");
                }
                if kind == Kind::HalvesMin {
                    assert_eq!(found.min[1], expected.min[1], "{isa} {format}");
                }
            }
        }
    }
}

#[test]
fn shapes_that_contradict_are_refused() {
    let kernels = Kernels::new(Isa::Scalar, 1).unwrap();
    let shape = |result: crate::Result<usize>| matches!(result, Err(Error::Shape { .. }));
    assert!(shape(kernels.packed_bytes(&quant::Q4_0, 1, 32, 33)));
    assert!(shape(kernels.packed_bytes(&quant::Q4_K, 1, 32, 128)));
    assert!(shape(kernels.packed_bytes(&quant::F32, 0, 32, 32)));
    let huge = kernels.packed_bytes(&quant::F32, usize::MAX / 64, 1 << 40, 1 << 40);
    assert!(matches!(huge, Err(Error::OutOfMemory { .. })));
    assert!(kernels.pack(&quant::Q8_0, 1, 2, 32, &[0; 67]).is_err());
    let mut packing = kernels.packer(&quant::Q8_0, 2, 2, 32).unwrap();
    assert!(packing.put_rows(&kernels, 2, 0, &[0; 34]).is_err());
    assert!(packing.put_rows(&kernels, 0, 1, &[0; 68]).is_err());
    assert!(packing.put_rows(&kernels, 0, 0, &[0; 35]).is_err());
    assert!(packing.put_rows(&kernels, 0, 0, &[0; 68]).is_ok());
    assert!(packing.finish().unwrap_err().to_string().contains("found 2, expected 4"));
}

#[test]
#[should_panic(expected = "need codes")]
fn codes_that_were_not_made_are_missed() {
    let kernels = Kernels::new(Isa::Scalar, 1).unwrap();
    let packed = kernels.pack(&quant::Q8_0, 1, 1, 32, &[0; 34]).unwrap();
    kernels.linear(&packed, Input::values(&[0.0; 32], 32), &mut [0.0], 1, None);
}
