//! Mixture of experts: which experts a row goes to, with what weight, and adding up what they return.

use std::ops::Range;

use crate::Kernels;
use crate::buffer::SharedMut;

/// How a logit becomes a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteScore {
    /// Softmax over all experts (Mixtral, Qwen, DeepSeek-V2).
    Softmax,
    /// Sigmoid of each (DeepSeek-V3).
    Sigmoid,
    /// Softmax over the chosen experts only (gpt-oss).
    SoftmaxOfChosen,
}

/// What a group of experts is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupScore {
    /// Its best expert (DeepSeek-V2).
    Max,
    /// The sum of its two best (DeepSeek-V3).
    TopTwoSum,
}

/// Experts may be chosen from the best groups only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteGroups {
    /// How many equal groups the experts form.
    pub count: usize,
    /// How many of them are kept.
    pub keep: usize,
    /// How they are judged.
    pub by: GroupScore,
}

/// How rows are routed.
#[derive(Debug, Clone, Copy)]
pub struct Routing<'a> {
    /// Experts of a row.
    pub k: usize,
    /// From logit to score.
    pub score: RouteScore,
    /// Added to scores while choosing, `[experts]`; not part of the weights.
    pub select_bias: Option<&'a [f32]>,
    /// Choose from the best groups only.
    pub groups: Option<RouteGroups>,
    /// Divide the chosen weights by their sum?
    pub renormalise: Renormalise,
    /// Factor on the weights, last.
    pub scale: f32,
}

/// Whether the chosen weights are made to sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renormalise {
    /// As scored.
    No,
    /// Divided by their sum.
    Yes,
}

impl Kernels {
    /// Chooses `k` experts for every row of `logits` `[rows, experts]`: `ids` and `weights` `[rows, k]`,
    /// best first; of equals, the lower id. A logit that is not a number comes last.
    ///
    /// Panics when lengths do not fit or `k` experts are not to be had.
    pub fn route(
        &self,
        logits: &mut [f32],
        experts: usize,
        routing: &Routing<'_>,
        ids: &mut [u32],
        weights: &mut [f32],
    ) {
        let k = routing.k;
        assert!(experts > 0 && logits.len().is_multiple_of(experts), "logits are [rows, experts]");
        let rows = logits.len() / experts;
        assert!(
            ids.len() == rows * k && weights.len() == rows * k,
            "ids and weights are [rows, k]"
        );
        assert!(routing.select_bias.is_none_or(|b| b.len() == experts), "a bias is [experts]");
        let open = routing.groups.map_or(experts, |g| {
            assert!(
                g.count > 0 && experts.is_multiple_of(g.count) && g.keep <= g.count,
                "{g:?} of {experts}"
            );
            experts / g.count * g.keep
        });
        assert!(k > 0 && k <= open, "{k} experts of {open}");
        let (logits, ids, weights) =
            (SharedMut::new(logits), SharedMut::new(ids), SharedMut::new(weights));
        self.over_rows(rows, experts * (k + 4), &|range| {
            for row in range {
                // SAFETY: rows are disjoint.
                let (scores, ids, weights) = unsafe {
                    let chosen = row * k..(row + 1) * k;
                    (
                        logits.part(row * experts..(row + 1) * experts),
                        ids.part(chosen.clone()),
                        weights.part(chosen),
                    )
                };
                self.route_row(scores, routing, ids, weights);
            }
        });
    }

    fn route_row(
        &self,
        scores: &mut [f32],
        routing: &Routing<'_>,
        ids: &mut [u32],
        weights: &mut [f32],
    ) {
        match routing.score {
            // SAFETY: as above.
            RouteScore::Softmax => unsafe { (self.table.softmax)(scores) },
            // SAFETY: as above.
            RouteScore::Sigmoid => unsafe { (self.table.sigmoid)(scores) },
            RouteScore::SoftmaxOfChosen => {}
        }
        choose(scores, routing, ids);
        for (weight, id) in weights.iter_mut().zip(&*ids) {
            *weight = scores[*id as usize];
        }
        if routing.score == RouteScore::SoftmaxOfChosen {
            // SAFETY: as above.
            unsafe { (self.table.softmax)(weights) };
        }
        if routing.renormalise == Renormalise::Yes {
            let sum: f32 = weights.iter().sum::<f32>() + 1e-20;
            for weight in weights.iter_mut() {
                *weight /= sum;
            }
        }
        for weight in weights {
            *weight *= routing.scale;
        }
    }

    /// `out[row] = Σ weights[row, i] · y[order[row, i]]`, added in order of `i`. `y` is
    /// `[rows · k, width]` in any order of rows, `order` `[rows, k]` says where each is (None: row by
    /// row); `weights` `[rows, k]`, `out` `[rows, width]`, overwritten.
    pub fn combine(
        &self,
        y: &[f32],
        order: Option<&[u32]>,
        weights: &[f32],
        k: usize,
        out: &mut [f32],
    ) {
        assert!(k > 0 && weights.len().is_multiple_of(k), "weights are [rows, k]");
        let rows = weights.len() / k;
        if rows == 0 {
            return;
        }
        let width = out.len() / rows;
        assert!(
            out.len() == rows * width && y.len() == weights.len() * width,
            "y is [rows * k, width]"
        );
        assert!(order.is_none_or(|o| o.len() == weights.len()), "order is [rows, k]");
        let out = SharedMut::new(out);
        self.over_rows(rows, width * k, &|range| {
            for row in range {
                // SAFETY: rows are disjoint.
                let out = unsafe { out.part(row * width..(row + 1) * width) };
                out.fill(0.0);
                for i in row * k..(row + 1) * k {
                    let from = order.map_or(i, |o| o[i] as usize);
                    // SAFETY: the table's instructions are present.
                    unsafe {
                        (self.table.add_scaled)(out, weights[i], &y[from * width..][..width]);
                    };
                }
            }
        });
    }
}

/// The ids of the `k` best, best first.
fn choose(scores: &[f32], routing: &Routing<'_>, ids: &mut [u32]) {
    let score = |i: usize| rank(scores[i] + routing.select_bias.map_or(0.0, |b| b[i]));
    let mut kept = [(0, 0); GROUPS_MAX];
    let open = match routing.groups {
        None => {
            kept[0] = (0, scores.len());
            &kept[..1]
        }
        Some(groups) => keep_groups(scores.len(), groups, &score, &mut kept),
    };
    for chosen in 0..ids.len() {
        let mut best: Option<(f32, usize)> = None;
        for i in open.iter().flat_map(|(start, end)| *start..*end) {
            let better = best.is_none_or(|(s, id)| score(i) > s || (score(i) == s && i < id));
            if better && !ids[..chosen].contains(&(i as u32)) {
                best = Some((score(i), i));
            }
        }
        ids[chosen] = best.map_or(0, |(_, i)| i as u32);
    }
}

/// More groups than any model has.
const GROUPS_MAX: usize = 64;

/// The experts of the best groups, as ranges.
fn keep_groups<'a>(
    experts: usize,
    groups: RouteGroups,
    score: &dyn Fn(usize) -> f32,
    kept: &'a mut [(usize, usize); GROUPS_MAX],
) -> &'a [(usize, usize)] {
    assert!(groups.count <= GROUPS_MAX, "{} groups of experts", groups.count);
    let size = experts / groups.count;
    let judge = |range: Range<usize>| {
        let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
        for s in range.map(score) {
            if s > first {
                (first, second) = (s, first);
            } else if s > second {
                second = s;
            }
        }
        if groups.by == GroupScore::Max || size < 2 { first } else { first + second }
    };
    let mut taken = [false; GROUPS_MAX];
    for slot in kept.iter_mut().take(groups.keep) {
        let mut best: Option<(f32, usize)> = None;
        for group in (0..groups.count).filter(|g| !taken[*g]) {
            let s = judge(group * size..(group + 1) * size);
            if best.is_none_or(|(b, _)| s > b) {
                best = Some((s, group));
            }
        }
        let (_, group) = best.expect("no more groups are kept than there are");
        taken[group] = true;
        *slot = (group * size, (group + 1) * size);
    }
    &kept[..groups.keep]
}

/// A score to compare by: what is not a number is worst.
fn rank(score: f32) -> f32 {
    if score.is_nan() { f32::NEG_INFINITY } else { score }
}
