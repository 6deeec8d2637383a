//! The search for points: which codes, sub-scales and scale of an IQ1, IQ2 or IQ3 block serve its values.
//!
//! A block's values are `d · unit · (2 s + 1) · (point + shift)`: a whole sub-scale `s` for so many values,
//! a code for so many, and for IQ1 a shift up or down. For a given scale every group looks for the
//! point with the least weighted error. Comparing with all of up to 2048 would be slow: each
//! coordinate is first rounded to its nearest level, which gives a key, and only the [`NEAR`] points nearest to the
//! key's own place are compared (tables built once, on first use).
//!
//! Scales are chosen as in `fit`: candidates, each made the best one for the codes it led to; then whole
//! sub-scales under `d` by the error they leave, and `d` once more.

use std::sync::OnceLock;

use crate::fit::to_f16;

/// How many points are compared for a key.
const NEAR: usize = 24;

/// Points of `DIMS` coordinates, each one of a few levels.
pub(crate) struct Lattice<const DIMS: usize> {
    points: &'static [[i8; DIMS]],
    levels: &'static [i8],
    near: OnceLock<Near<DIMS>>,
}

/// What the search looks up.
struct Near<const DIMS: usize> {
    /// The points, as they are compared.
    points: Vec<[f32; DIMS]>,
    /// For every key, the points nearest to its place.
    codes: Vec<[u16; NEAR]>,
}

/// How a format lays scales and shifts over a block's values.
pub(crate) struct Plan {
    /// Values that share a sub-scale.
    pub(crate) sub: usize,
    /// What a sub-scale step counts: the sub-scale is `unit (2 s + 1)`.
    pub(crate) unit: f32,
    /// The largest `s`.
    pub(crate) top: u8,
    /// The shifts there are, and who chooses one.
    pub(crate) shift: Shift,
}

/// Who chooses the shift of the levels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    /// There is none.
    None,
    /// All values that share a sub-scale, together.
    Sub,
    /// Every group by itself.
    Group,
}

/// A group's choice.
#[derive(Clone, Copy, Default)]
pub(crate) struct Choice {
    /// The point's code.
    pub(crate) point: u16,
    /// Whether the levels are moved down instead of up.
    pub(crate) down: u8,
}

/// What a block becomes; entries past its sub-blocks and groups are unused.
pub(crate) struct Fitted {
    /// The scale, representable as F16.
    pub(crate) d: f32,
    /// The sub-scales `s`.
    pub(crate) scales: [u8; 16],
    /// The choice of each group.
    pub(crate) choices: [Choice; 64],
}

/// What codes do for a scale: `Σ w x a` and `Σ w a²` over their coordinates `a`.
#[derive(Clone, Copy, Default)]
struct Fit {
    along: f32,
    square: f32,
}

impl Fit {
    /// The weighted error with this scale, less the values' own square.
    fn error(self, scale: f32) -> f32 {
        scale * (scale * self.square - 2.0 * self.along)
    }
}

impl<const DIMS: usize> Lattice<DIMS> {
    /// A lattice of `points`, whose coordinates are `levels`, in rising order.
    pub(crate) const fn new(points: &'static [[i8; DIMS]], levels: &'static [i8]) -> Self {
        Self { points, levels, near: OnceLock::new() }
    }

    /// Fits a block of 256 `values`; without shifts, they are magnitudes and their signs are the caller's.
    pub(crate) fn fit(&self, values: &[f32; 256], weights: &[f32; 256], plan: &Plan) -> Fitted {
        let (x, w) = (values.chunks_exact(plan.sub), weights.chunks_exact(plan.sub));
        let mut wanted = [0.0f32; 16];
        for ((wanted, x), w) in wanted.iter_mut().zip(x).zip(w) {
            *wanted = self.scale(x, w, plan);
        }
        let largest = wanted.iter().copied().fold(0.0, f32::max);
        let d = to_f16(largest / (plan.unit * f32::from(2 * plan.top + 1)));
        let (mut best, mut least, mut fit) = self.round(d, values, weights, &wanted, plan);
        for _ in 0..2 {
            if fit.square <= 0.0 || fit.along <= 0.0 {
                break;
            }
            let (next, error, next_fit) =
                self.round(to_f16(fit.along / fit.square), values, weights, &wanted, plan);
            if error >= least {
                break;
            }
            (best, least, fit) = (next, error, next_fit);
        }
        best
    }

    /// The best whole sub-scales and choices under `d`, the error they leave, and what they do for `d`.
    fn round(
        &self,
        d: f32,
        values: &[f32; 256],
        weights: &[f32; 256],
        wanted: &[f32; 16],
        plan: &Plan,
    ) -> (Fitted, f32, Fit) {
        let mut fitted = Fitted { d, scales: [0; 16], choices: [Choice::default(); 64] };
        let (mut total, mut whole) = (0.0, Fit::default());
        if d == 0.0 {
            return (fitted, total, whole);
        }
        let groups = plan.sub / DIMS;
        let subs = values.chunks_exact(plan.sub).zip(weights.chunks_exact(plan.sub));
        for (sub, (x, w)) in subs.enumerate() {
            let middle = (0.5 * (wanted[sub] / (d * plan.unit) - 1.0))
                .round()
                .clamp(0.0, f32::from(plan.top)) as u8;
            let mut least = f32::INFINITY;
            let mut chosen = Fit::default();
            for s in middle.saturating_sub(1)..=(middle + 1).min(plan.top) {
                let step = plan.unit * f32::from(2 * s + 1);
                let mut choices = [Choice::default(); 8];
                let fit = self.choose(x, w, d * step, plan.shift, &mut choices);
                let error = fit.error(d * step);
                if error < least {
                    least = error;
                    chosen = Fit { along: fit.along * step, square: fit.square * step * step };
                    fitted.scales[sub] = s;
                    fitted.choices[sub * groups..(sub + 1) * groups]
                        .copy_from_slice(&choices[..groups]);
                }
            }
            total += least;
            whole = Fit { along: whole.along + chosen.along, square: whole.square + chosen.square };
        }
        (fitted, total, whole)
    }

    /// The scale that serves the values of one sub-block best.
    fn scale(&self, x: &[f32], w: &[f32], plan: &Plan) -> f32 {
        let peak = x.iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
        if peak < 1e-30 {
            return 0.0;
        }
        let top = f32::from(self.levels[self.levels.len() - 1]);
        let (mut best, mut most) = (0.0, 0.0);
        let mut attempt = |scale: f32| {
            let fit = self.choose(x, w, scale, plan.shift, &mut [Choice::default(); 8]);
            if fit.square > 0.0 && fit.along > 0.0 && fit.along * fit.along > most * fit.square {
                most = fit.along * fit.along / fit.square;
                best = fit.along / fit.square;
            }
            best
        };
        for step in 0..16 {
            attempt(peak / top * (0.35 + 0.05 * step as f32));
        }
        for _ in 0..2 {
            let refined = attempt(peak / top);
            attempt(refined);
        }
        best
    }

    /// Chooses points (and shifts) for all groups of one sub-block under `scale`.
    fn choose(
        &self,
        x: &[f32],
        w: &[f32],
        scale: f32,
        shift: Shift,
        choices: &mut [Choice; 8],
    ) -> Fit {
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        match shift {
            Shift::None => self.choose_shifted(x, w, inverse, &[0.0], choices),
            Shift::Group => self.choose_shifted(x, w, inverse, &[0.125, -0.125], choices),
            Shift::Sub => {
                let up = self.choose_shifted(x, w, inverse, &[0.125], choices);
                let mut lower = [Choice::default(); 8];
                let down = self.choose_shifted(x, w, inverse, &[-0.125], &mut lower);
                if down.error(scale) < up.error(scale) {
                    *choices = lower.map(|choice| Choice { down: 1, ..choice });
                    down
                } else {
                    up
                }
            }
        }
    }

    /// Chooses for every group one of `shifts` and a point.
    #[inline(always)]
    fn choose_shifted(
        &self,
        x: &[f32],
        w: &[f32],
        inverse: f32,
        shifts: &[f32],
        choices: &mut [Choice; 8],
    ) -> Fit {
        let near = self.near();
        let mut fit = Fit::default();
        for ((x, w), choice) in
            x.as_chunks::<DIMS>().0.iter().zip(w.as_chunks::<DIMS>().0).zip(choices)
        {
            let (mut least, mut chosen) = (f32::INFINITY, [0.0; DIMS]);
            for (down, &shift) in shifts.iter().enumerate() {
                let place: [f32; DIMS] = std::array::from_fn(|i| x[i] * inverse - shift);
                for &code in &near.codes[self.key(&place)] {
                    let point = &near.points[usize::from(code)];
                    let error = sum(std::array::from_fn::<_, DIMS, _>(|i| {
                        let off = point[i] - place[i];
                        w[i] * off * off
                    }));
                    if error < least {
                        least = error;
                        chosen = point.map(|coordinate| coordinate + shift);
                        *choice = Choice { point: code, down: down as u8 };
                    }
                }
            }
            for i in 0..DIMS {
                fit.along += w[i] * x[i] * chosen[i];
                fit.square += w[i] * chosen[i] * chosen[i];
            }
        }
        fit
    }

    /// The number of the place whose coordinates are the levels nearest to `place`.
    #[inline(always)]
    fn key(&self, place: &[f32; DIMS]) -> usize {
        place.iter().rev().fold(0, |key, &value| {
            let level = self
                .levels
                .windows(2)
                .map(|pair| usize::from(2.0 * value > f32::from(pair[0]) + f32::from(pair[1])));
            key * self.levels.len() + level.sum::<usize>()
        })
    }

    /// The tables of the search.
    fn near(&self) -> &Near<DIMS> {
        self.near.get_or_init(|| {
            let count = self.levels.len();
            let mut order = Vec::with_capacity(self.points.len());
            let mut nearest = |key: usize| {
                let mut rest = key;
                let place: [i32; DIMS] = std::array::from_fn(|_| {
                    let level = i32::from(self.levels[rest % count]);
                    rest /= count;
                    level
                });
                order.clear();
                order.extend(self.points.iter().zip(0u16..).map(|(point, code)| {
                    let apart = |i: usize| (i32::from(point[i]) - place[i]).pow(2);
                    ((0..DIMS).map(apart).sum::<i32>(), code)
                }));
                order.select_nth_unstable(NEAR - 1);
                order[..NEAR].sort_unstable();
                std::array::from_fn(|i| order[i].1)
            };
            Near {
                codes: (0..count.pow(DIMS as u32)).map(&mut nearest).collect(),
                points: self.points.iter().map(|point| point.map(f32::from)).collect(),
            }
        })
    }
}

/// The sum of a power of two of terms, by halves, so that it vectorises.
#[inline(always)]
fn sum<const DIMS: usize>(mut terms: [f32; DIMS]) -> f32 {
    let mut half = DIMS / 2;
    while half > 0 {
        for i in 0..half {
            terms[i] += terms[i + half];
        }
        half /= 2;
    }
    terms[0]
}

/// Splits 256 values into magnitudes and a byte of signs for every eight.
pub(crate) fn split_signs(values: &[f32; 256]) -> ([f32; 256], [u8; 32]) {
    let signs = std::array::from_fn(|group| {
        (0..8).fold(0, |signs, i| signs | u8::from(values[group * 8 + i] < 0.0) << i)
    });
    (values.map(f32::abs), signs)
}

/// As [`split_signs`], with an even number of minus signs in every eight: where there are too many or
/// too few, the value that matters least takes the other sign and a negative magnitude.
pub(crate) fn split_even_signs(
    values: &[f32; 256],
    weights: &[f32; 256],
) -> ([f32; 256], [u8; 32]) {
    let (mut magnitudes, mut signs) = split_signs(values);
    for (group, signs) in signs.iter_mut().enumerate() {
        if signs.count_ones() % 2 == 1 {
            let matters = |i: usize| {
                weights[group * 8 + i] * magnitudes[group * 8 + i] * magnitudes[group * 8 + i]
            };
            let least =
                (1..8).fold(0, |least, i| if matters(i) < matters(least) { i } else { least });
            *signs ^= 1 << least;
            magnitudes[group * 8 + least] = -magnitudes[group * 8 + least];
        }
    }
    (magnitudes, signs)
}
