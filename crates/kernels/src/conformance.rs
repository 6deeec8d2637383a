//! Every loop of every instruction set of this machine against scalar, odd sizes included, and the
//! law that a row's result does not depend on its neighbours or the threads.

use crate::*;

const WIDTHS: [usize; 12] = [1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 127, 2050];

fn noise(seed: usize, len: usize, scale: f32) -> Vec<f32> {
    let mut state = seed as u64 * 0x9e37_79b9 + 999;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next() * scale).collect()
}

fn near(what: &str, isa: Isa, got: &[f32], want: &[f32], relative: f32, absolute: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        let close = a.to_bits() == b.to_bits() || (a - b).abs() <= absolute + relative * b.abs();
        assert!(close, "{what} {isa} of {}: [{i}] {a} for {b}", want.len());
    }
}

/// Runs `f` with every instruction set and thread count: near scalar, and bit-equal between threads and
/// between a batch and its rows one by one.
fn law(
    what: &str,
    rows: usize,
    relative: f32,
    absolute: f32,
    f: impl Fn(&Kernels, std::ops::Range<usize>) -> Vec<f32>,
) {
    let want = f(&Kernels::new(Isa::Scalar, 1).unwrap(), 0..rows);
    for isa in Isa::available() {
        let one = Kernels::new(isa, 1).unwrap();
        let got = f(&one, 0..rows);
        near(what, isa, &got, &want, relative, absolute);
        let many = f(&Kernels::new(isa, 3).unwrap(), 0..rows);
        assert_eq!(bits(&many), bits(&got), "{what} {isa} on three threads");
        let alone: Vec<f32> = (0..rows).flat_map(|r| f(&one, r..r + 1)).collect();
        assert_eq!(bits(&alone), bits(&got), "{what} {isa} row by row");
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn norms() {
    for width in WIDTHS {
        let rows = 19;
        let x = noise(1, rows * width, 3.0);
        let add = noise(4, rows * width, 1.0);
        let (gain, bias) = (noise(2, width, 2.0), noise(3, width, 1.0));
        for gain in [None, Some(&gain[..])] {
            law("rms_norm", rows, 2e-6, 0.0, |k, r| {
                let mut out = vec![f32::NAN; r.len() * width];
                k.rms_norm(&x[r.start * width..r.end * width], gain, 1e-6, width, &mut out);
                out
            });
            law("add_rms_norm", rows, 4e-6, 1e-6, |k, r| {
                let mut out = vec![f32::NAN; r.len() * width];
                let mut x = x[r.start * width..r.end * width].to_vec();
                k.add_rms_norm(
                    &mut x,
                    &add[r.start * width..r.end * width],
                    gain,
                    1e-6,
                    width,
                    &mut out,
                );
                x.iter().zip(out).flat_map(|(a, b)| [*a, b]).collect()
            });
            law("layer_norm", rows, 4e-6, 4e-6, |k, r| {
                let mut out = vec![f32::NAN; r.len() * width];
                let bias = gain.map(|_| &bias[..]);
                k.layer_norm(&x[r.start * width..r.end * width], gain, bias, 1e-5, width, &mut out);
                out
            });
            law("rms_norm_heads", rows, 2e-6, 0.0, |k, r| {
                let stride = 3 * width + 5;
                let mut wide =
                    noise(9, rows * stride, 2.0)[r.start * stride..r.end * stride].to_vec();
                let at = HeadRows { row_stride: stride, first: 2, heads: 3, head_dim: width };
                k.rms_norm_heads(&mut wide, at, gain, 1e-6);
                wide
            });
        }
    }
}

#[test]
fn rotation() {
    for style in [RopeStyle::Halves, RopeStyle::Interleaved] {
        for dims in [2, 6, 16, 20, 32, 64, 128] {
            let (rows, head_dim, heads) = (13, dims + 4, 3);
            let stride = heads * head_dim + 7;
            let x = noise(1, rows * stride, 2.0);
            let angles = noise(2, rows * dims / 2, 3.0);
            let cos: Vec<f32> = angles.iter().map(|a| a.cos()).collect();
            let sin: Vec<f32> = angles.iter().map(|a| a.sin()).collect();
            law("rope", rows, 2e-6, 5e-7, |k, r| {
                let mut x = x[r.start * stride..r.end * stride].to_vec();
                let at = HeadRows { row_stride: stride, first: 3, heads, head_dim };
                let half = r.start * dims / 2..r.end * dims / 2;
                k.rope(
                    &mut x,
                    at,
                    Rope { style, first_dim: 1, dims },
                    &cos[half.clone()],
                    &sin[half],
                );
                x
            });
        }
    }
}

#[test]
fn rotation_by_a_quarter_turn_is_what_the_pairs_say() {
    let kernels = Kernels::new(Isa::best(), 1).unwrap();
    let at = HeadRows { row_stride: 4, first: 0, heads: 1, head_dim: 4 };
    for (style, want) in [
        (RopeStyle::Halves, [-3.0, -4.0, 1.0, 2.0]),
        (RopeStyle::Interleaved, [-2.0, 1.0, -4.0, 3.0]),
    ] {
        let mut x = [1.0, 2.0, 3.0, 4.0];
        kernels.rope(&mut x, at, Rope { style, first_dim: 0, dims: 4 }, &[0.0, 0.0], &[1.0, 1.0]);
        assert_eq!(x, want);
    }
}

#[test]
fn activations() {
    for kind in Activation::ALL {
        for width in WIDTHS {
            let rows = 7;
            let gate = noise(1, rows * width, 12.0);
            let up = noise(2, rows * width, 2.0);
            law("activate", rows, 2e-6, 3e-7, |k, r| {
                let mut out = vec![f32::NAN; r.len() * width];
                k.activate(kind, &gate[r.start * width..r.end * width], &mut out);
                out
            });
            law("activate_mul", rows, 2e-6, 6e-7, |k, r| {
                let mut out = vec![f32::NAN; r.len() * width];
                let at = GateRows { width, stride: width };
                let r = r.start * width..r.end * width;
                k.activate_mul_rows(kind, at, &gate[r.clone()], &up[r], &mut out);
                out
            });
        }
        let edges = [
            0.0,
            -0.0,
            1e-30,
            -1e-30,
            80.0,
            -80.0,
            100.0,
            -100.0,
            1e4,
            -1e4,
            f32::INFINITY,
            f32::MIN_POSITIVE,
        ];
        law("activate at the edges", 1, 2e-6, 3e-7, |k, _| {
            let mut out = vec![f32::NAN; edges.len()];
            k.activate(kind, &edges, &mut out);
            out
        });
        for isa in Isa::available() {
            let mut out = [0.0; 1];
            Kernels::new(isa, 1).unwrap().activate(kind, &[f32::NAN], &mut out);
            let relu = matches!(kind, Activation::Relu | Activation::Relu2);
            assert!(relu || out[0].is_nan(), "{kind:?} {isa} of what is not a number: {}", out[0]);
        }
    }
}

#[test]
fn activations_densely() {
    let x: Vec<f32> = (-200_000..200_000).map(|i| i as f32 * 1e-4).collect();
    for kind in Activation::ALL {
        law("activate", 1, 1.5e-6, 2e-7, |k, _| {
            let mut out = vec![f32::NAN; x.len()];
            k.activate(kind, &x, &mut out);
            out
        });
    }
}

#[test]
fn clamped_gate() {
    for width in WIDTHS {
        let rows = 5;
        let (gate, up) = (noise(1, rows * width, 12.0), noise(2, rows * width, 12.0));
        law("swiglu_clamped", rows, 3e-6, 1e-6, |k, r| {
            let mut out = vec![f32::NAN; r.len() * width];
            let r = r.start * width..r.end * width;
            let at = GateRows { width, stride: width };
            k.swiglu_clamped(
                SwigluClamp { limit: 7.0, alpha: 1.702 },
                at,
                &gate[r.clone()],
                &up[r],
                &mut out,
            );
            out
        });
    }
}

type InPlace<'a> = dyn Fn(&Kernels, &mut [f32], &[f32]) + 'a;

#[test]
fn sums_products_caps_and_softmax() {
    for width in WIDTHS {
        let rows = 9;
        let (x, y) = (noise(1, rows * width, 40.0), noise(2, rows * width, 2.0));
        let each = |what: &str, relative, absolute, f: &InPlace<'_>| {
            law(what, rows, relative, absolute, |k, r| {
                let r = r.start * width..r.end * width;
                let mut x = x[r.clone()].to_vec();
                f(k, &mut x, &y[r]);
                x
            });
        };
        each("add", 0.0, 0.0, &|k, x, y| k.add(x, y));
        each("mul", 0.0, 0.0, &|k, x, y| k.mul(x, y));
        each("add_scaled", 0.0, 0.0, &|k, x, y| k.add_scaled(x, 0.37, y));
        each("add_bias", 0.0, 0.0, &|k, x, _| k.add_bias(x, &y[..width]));
        each("scale", 0.0, 0.0, &|k, x, _| k.scale(x, 0.37));
        each("softcap", 2e-6, 3e-6, &|k, x, _| k.softcap(x, 30.0));
        each("softmax", 4e-6, 1e-12, &|k, x, _| k.softmax(x, width));
    }
}

#[test]
fn softmax_of_nothing_is_nothing() {
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 1).unwrap();
        let mut x = vec![f32::NEG_INFINITY; 40];
        x[20] = 3.0;
        kernels.softmax(&mut x, 20);
        assert!(x[..20].iter().all(|v| *v == 0.0), "{isa}");
        assert_eq!(x[20], 1.0, "{isa}");
        assert!(x[21..].iter().all(|v| *v == 0.0), "{isa}");
    }
}

fn routed(
    kernels: &Kernels,
    logits: &[f32],
    experts: usize,
    routing: &Routing<'_>,
) -> (Vec<u32>, Vec<f32>) {
    let rows = logits.len() / experts;
    let (mut ids, mut weights) =
        (vec![u32::MAX; rows * routing.k], vec![f32::NAN; rows * routing.k]);
    kernels.route(&mut logits.to_vec(), experts, routing, &mut ids, &mut weights);
    (ids, weights)
}

fn plain(k: usize, score: RouteScore) -> Routing<'static> {
    Routing { k, score, select_bias: None, groups: None, renormalise: Renormalise::No, scale: 1.0 }
}

#[test]
fn routes_are_the_best_in_order() {
    let logits = [0.0, 2.0, 1.0, 2.0, f32::NAN, -1.0];
    for isa in Isa::available() {
        let kernels = Kernels::new(isa, 2).unwrap();
        let (ids, weights) = routed(&kernels, &logits, 6, &plain(3, RouteScore::SoftmaxOfChosen));
        assert_eq!(ids, [1, 3, 2], "{isa}");
        let sum = 2.0 + (-1f32).exp();
        near("weights", isa, &weights, &[1.0 / sum, 1.0 / sum, (-1f32).exp() / sum], 2e-6, 0.0);
        let bias = [0.0, -5.0, 0.5, 0.0, 0.0, 0.0];
        let routing = Routing {
            select_bias: Some(&bias),
            renormalise: Renormalise::Yes,
            scale: 2.5,
            ..plain(2, RouteScore::Sigmoid)
        };
        let (ids, weights) = routed(&kernels, &logits, 6, &routing);
        assert_eq!(ids, [2, 3], "{isa}");
        let s = |x: f32| 1.0 / (1.0 + (-x).exp());
        let sum = s(1.0) + s(2.0);
        near("weights", isa, &weights, &[2.5 * s(1.0) / sum, 2.5 * s(2.0) / sum], 2e-6, 0.0);
    }
}

#[test]
fn groups_limit_the_choice() {
    let logits = [5.0, -9.0, 4.0, 3.5, 4.5, -8.0];
    let kernels = Kernels::new(Isa::best(), 1).unwrap();
    let with = |by| Routing {
        groups: Some(RouteGroups { count: 3, keep: 1, by }),
        ..plain(2, RouteScore::Softmax)
    };
    assert_eq!(routed(&kernels, &logits, 6, &with(GroupScore::Max)).0, [0, 1]);
    assert_eq!(routed(&kernels, &logits, 6, &with(GroupScore::TopTwoSum)).0[..], [0, 1]);
    let sigmoid = Routing { score: RouteScore::Sigmoid, ..with(GroupScore::TopTwoSum) };
    assert_eq!(routed(&kernels, &logits, 6, &sigmoid).0, [2, 3]);
}

#[test]
fn routes_do_not_depend_on_the_batch() {
    let (rows, experts) = (200, 64);
    let logits = noise(5, rows * experts, 4.0);
    for isa in Isa::available() {
        for score in [RouteScore::Softmax, RouteScore::Sigmoid, RouteScore::SoftmaxOfChosen] {
            let routing = Routing { renormalise: Renormalise::Yes, ..plain(6, score) };
            let one = Kernels::new(isa, 1).unwrap();
            let (ids, weights) = routed(&one, &logits, experts, &routing);
            let (many_ids, many_weights) =
                routed(&Kernels::new(isa, 3).unwrap(), &logits, experts, &routing);
            assert_eq!((&ids, bits(&weights)), (&many_ids, bits(&many_weights)));
            for row in [0, 77, 199] {
                let (i, w) = routed(&one, &logits[row * experts..][..experts], experts, &routing);
                assert_eq!(
                    (&i[..], bits(&w)),
                    (&ids[row * 6..][..6], bits(&weights[row * 6..][..6]))
                );
            }
        }
    }
}

#[test]
fn combining_adds_in_order() {
    let (rows, k, width) = (11, 4, 37);
    let y = noise(1, rows * k * width, 1.0);
    let weights = noise(2, rows * k, 1.0);
    let order: Vec<u32> = (0..rows * k).map(|i| ((i * 5 + 3) % (rows * k)) as u32).collect();
    let mut want = vec![0f32; rows * width];
    for (i, from) in order.iter().enumerate() {
        for d in 0..width {
            let to = &mut want[i / k * width + d];
            *to = weights[i].mul_add(y[*from as usize * width + d], *to);
        }
    }
    for isa in Isa::available() {
        for threads in [1, 3] {
            let mut out = vec![f32::NAN; rows * width];
            Kernels::new(isa, threads).unwrap().combine(&y, Some(&order), &weights, k, &mut out);
            assert_eq!(bits(&out), bits(&want), "{isa}");
        }
    }
}
