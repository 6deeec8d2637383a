//! The reference backend: plain loops over `f32`, the meaning of every operation.
//!
//! Slow and simple on purpose. Every other backend is held against it, and it against the
//! reference implementations' golden logits. Sums are accumulated in `f64`.

use std::sync::Arc;

use kernels::PAGE_TOKENS;
use model::{
    Graph, Op,
    graph::Node,
    op::{Activation, Attention, GroupBy, Mask, Renormalise, Routing, Score, ValueStore},
    rope::{Frequencies, RopeStyle},
};

use crate::{
    Backend, Capacity, Error, Executor, Memory, ModelFile, Params,
    batch::{Batch, Span},
    executor::Progress,
};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

struct Running {
    file: Arc<ModelFile>,
    params: Vec<Arc<Vec<f32>>>,
    /// Keys and values of every position of every page, by attention in graph order.
    cache: Vec<(Vec<f32>, Vec<f32>)>,
    values: Vec<Vec<f32>>,
    pages: usize,
}

impl Backend for Reference {
    fn plan(&self, file: &ModelFile, capacity: &Capacity) -> Result<Memory, Error> {
        let counts = model::plan::counts(&file.model().graph);
        let graph = &file.model().graph;
        let entries: usize = graph.nodes.iter().map(|n| n.width * n.rows_per_token).sum();
        Ok(Memory {
            weights: 4 * counts.params as usize,
            kv_cache: 4 * counts.kv_per_token as usize * capacity.pages * PAGE_TOKENS,
            activations: 4 * entries * capacity.rows,
        })
    }

    fn load(
        &self,
        file: Arc<ModelFile>,
        capacity: &Capacity,
        progress: Progress<'_>,
    ) -> Result<Box<dyn Executor>, Error> {
        let graph = &file.model().graph;
        let mut params: Vec<Arc<Vec<f32>>> = vec![];
        for (id, param) in graph.params.iter().enumerate() {
            progress(id as u64, graph.params.len() as u64);
            if let Some(other) = param.tied_to {
                params.push(Arc::clone(&params[other]));
                continue;
            }
            let [experts, out, width] = param.shape;
            let mut numbers = vec![0.0; param.elements()];
            file.rows(id, 0..experts * out, &mut numbers)?;
            debug_assert_eq!(numbers.len(), experts * out * width, "rows are whole");
            params.push(Arc::new(numbers));
        }
        let tokens = capacity.pages * PAGE_TOKENS;
        let cache = graph.attentions().map(|a| {
            let own = if a.value == ValueStore::Own { a.value_dim } else { 0 };
            (vec![0.0; tokens * a.kv_heads * a.key_dim], vec![0.0; tokens * a.kv_heads * own])
        });
        let cache = cache.collect();
        Ok(Box::new(Running { params, cache, values: vec![], pages: capacity.pages, file }))
    }
}

impl Executor for Running {
    fn run(&mut self, batch: &Batch) -> Result<&[f32], Error> {
        let file = Arc::clone(&self.file);
        let graph = &file.model().graph;
        self.values.clear();
        let mut attention = 0;
        for node in &graph.nodes {
            let value = if let Op::Attend { attention: a, sinks } = &node.op {
                let sinks = sinks.map(|id| self.params[id].as_slice());
                let (keys, values) = &mut self.cache[attention];
                attention += 1;
                let input = |i: usize| &self.values[node.inputs[i]];
                let own = (a.value == ValueStore::Own).then(|| input(2).as_slice());
                store(a, batch, input(1), own, keys, values);
                attend(a, batch, input(0), sinks, keys, values)
            } else {
                self.compute(graph, node, batch)
            };
            self.values.push(value);
        }
        Ok(self.values.last().map_or(&[], Vec::as_slice))
    }

    fn memory(&self) -> Memory {
        let of = |lists: &[(Vec<f32>, Vec<f32>)]| {
            lists.iter().map(|(k, v)| 4 * (k.len() + v.len())).sum()
        };
        let graph = &self.file.model().graph;
        let own = self.params.iter().zip(&graph.params).filter(|(_, p)| p.tied_to.is_none());
        Memory {
            weights: own.map(|(numbers, _)| 4 * numbers.len()).sum(),
            kv_cache: of(&self.cache),
            activations: self.values.iter().map(|v| 4 * v.len()).sum(),
        }
    }

    fn describe(&self) -> String {
        format!("reference, 1 thread, {} pages", self.pages)
    }
}

impl Running {
    fn compute(&self, graph: &Graph, node: &Node, batch: &Batch) -> Vec<f32> {
        let input = |i: usize| self.values[node.inputs[i]].as_slice();
        let param = |id: usize| self.params[id].as_slice();
        let width = node.width;
        let rows_of = |i: usize| {
            let from = &graph.nodes[node.inputs[i]];
            input(i).chunks_exact(from.width)
        };
        match &node.op {
            Op::Embed { table } => batch
                .ids
                .iter()
                .flat_map(|id| &param(*table)[*id as usize * width..][..width])
                .copied()
                .collect(),
            Op::EmbedPosition { table } => batch
                .positions
                .iter()
                .flat_map(|position| &param(*table)[*position as usize * width..][..width])
                .copied()
                .collect(),
            Op::RmsNorm { gain, eps, group } => {
                let norm = |(i, x): (usize, &[f32])| {
                    let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / *group as f64;
                    let factor = (mean + f64::from(*eps)).sqrt().recip();
                    let gain = gain.map(|id| part(param(id), i, *group));
                    each(x, move |j, x| {
                        (f64::from(x) * factor * gain.map_or(1.0, |g| f64::from(g[j]))) as f32
                    })
                };
                input(0).chunks_exact(*group).enumerate().flat_map(norm).collect()
            }
            Op::LayerNorm { gain, bias, eps, group } => {
                let norm = |(i, x): (usize, &[f32])| {
                    let n = *group as f64;
                    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
                    let variance =
                        x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
                    let factor = (variance + f64::from(*eps)).sqrt().recip();
                    let gain = gain.map(|id| part(param(id), i, *group));
                    let bias = bias.map(|id| part(param(id), i, *group));
                    each(x, move |j, x| {
                        let normed = (f64::from(x) - mean) * factor;
                        let gained = normed * gain.map_or(1.0, |g| f64::from(g[j]));
                        (gained + bias.map_or(0.0, |b| f64::from(b[j]))) as f32
                    })
                };
                input(0).chunks_exact(*group).enumerate().flat_map(norm).collect()
            }
            Op::Linear { weight, bias } => {
                let bias = bias.map(param);
                rows_of(0).flat_map(|x| matvec(param(*weight), x, bias)).collect()
            }
            Op::HeadLinear { weight } => {
                let [heads, out, dim] = graph.params[*weight].shape;
                let heads =
                    input(0).chunks_exact(dim).enumerate().map(move |(i, x)| (i % heads, x));
                heads
                    .flat_map(|(head, x)| {
                        matvec(&param(*weight)[head * out * dim..][..out * dim], x, None)
                    })
                    .collect()
            }
            Op::ExpertLinear { weight, bias } => {
                let [_, out, dim] = graph.params[*weight].shape;
                let k = node.rows_per_token;
                let repeat = k / graph.nodes[node.inputs[0]].rows_per_token;
                let xs = rows_of(0).flat_map(|x| std::iter::repeat_n(x, repeat));
                let routes = input(1).chunks_exact(2);
                xs.zip(routes)
                    .flat_map(|(x, route)| {
                        let expert = route[0] as usize;
                        let bias = bias.map(|id| &param(id)[expert * out..][..out]);
                        matvec(&param(*weight)[expert * out * dim..][..out * dim], x, bias)
                    })
                    .collect()
            }
            Op::Rope { rope, heads, first } => {
                let mut out = input(0).to_vec();
                let rope = &graph.ropes[*rope];
                for span in &batch.spans {
                    let frequencies = rope.frequencies(span.rope_length);
                    for row in span.rows.clone() {
                        let heads = out[row * width..][..width].chunks_exact_mut(width / heads);
                        heads.for_each(|head| {
                            turn(
                                &mut head[*first..],
                                &frequencies,
                                rope.style,
                                batch.positions[row],
                            );
                        });
                    }
                }
                out
            }
            Op::Activate(f) => input(0).iter().map(|x| activate(*f, *x)).collect(),
            Op::ActivateMul(f) => zip(input(0), input(1), |gate, up| activate(*f, gate) * up),
            Op::SwigluClamped { alpha, limit } => zip(input(0), input(1), |gate, up| {
                let (gate, up) = (gate.min(*limit), up.clamp(-limit, *limit));
                (up + 1.0) * gate * activate(Activation::Sigmoid, alpha * gate)
            }),
            Op::Softcap { cap } => input(0).iter().map(|x| cap * (x / cap).tanh()).collect(),
            Op::Add => zip(input(0), input(1), |a, b| a + b),
            Op::Mul if graph.nodes[node.inputs[1]].width == width => {
                zip(input(0), input(1), |a, b| a * b)
            }
            Op::Mul => {
                rows_of(0).zip(input(1)).flat_map(|(x, b)| each(x, move |_, x| x * b)).collect()
            }
            Op::Scale { factor } => input(0).iter().map(|x| x * factor).collect(),
            Op::Slice { start, len, group } => input(0)
                .chunks_exact(*group)
                .flat_map(|part| &part[*start..start + len])
                .copied()
                .collect(),
            Op::Concat { parts } => {
                let (left, right) = (width_of(graph, node, 0), width_of(graph, node, 1));
                let a = left / parts;
                let b = width / parts - a;
                let shared = right == b;
                let join = |(row, x): (usize, &[f32])| {
                    let (at, other) = (row / parts, row % parts);
                    let y = &input(1)[at * right + if shared { 0 } else { other * b }..][..b];
                    [x, y].concat()
                };
                input(0).chunks_exact(a).enumerate().flat_map(join).collect()
            }
            Op::Route { routing, select_bias } => {
                let bias = select_bias.map(param);
                rows_of(0).flat_map(|logits| route(logits, routing, bias)).collect()
            }
            Op::Combine => {
                let k = graph.nodes[node.inputs[0]].rows_per_token;
                let tokens = input(0).chunks_exact(k * width).zip(input(1).chunks_exact(2 * k));
                tokens
                    .flat_map(|(rows, routes)| {
                        let mut sum = vec![0.0; width];
                        for (row, route) in rows.chunks_exact(width).zip(routes.chunks_exact(2)) {
                            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += route[1] * x);
                        }
                        sum
                    })
                    .collect()
            }
            Op::Wanted => batch
                .wanted
                .iter()
                .flat_map(|row| &input(0)[*row as usize * width..][..width])
                .copied()
                .collect(),
            Op::Attend { .. } => unreachable!("run handles attention, which needs the cache"),
        }
    }
}

fn width_of(graph: &Graph, node: &Node, input: usize) -> usize {
    graph.nodes[node.inputs[input]].width
}

/// The part of a gain that group `i` uses: one gain for all groups, or one for each of a row's.
fn part(gain: &[f32], i: usize, group: usize) -> &[f32] {
    &gain[i % (gain.len() / group) * group..][..group]
}

fn each(x: &[f32], f: impl Fn(usize, f32) -> f32) -> Vec<f32> {
    x.iter().enumerate().map(|(i, x)| f(i, *x)).collect()
}

fn zip(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn matvec(weight: &[f32], x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let rows = weight.chunks_exact(x.len()).enumerate();
    rows.map(|(i, row)| (dot(row, x) + bias.map_or(0.0, |b| f64::from(b[i]))) as f32).collect()
}

/// The function of [`Activation`] on one number.
pub(crate) fn activate(f: Activation, x: f32) -> f32 {
    let wide = f64::from(x);
    let sigmoid = |x: f64| (1.0 + (-x).exp()).recip();
    let value = match f {
        Activation::Silu => wide * sigmoid(wide),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            0.5 * wide * (1.0 + inner.tanh())
        }
        Activation::GeluErf => 0.5 * wide * (1.0 + erf(wide / std::f64::consts::SQRT_2)),
        Activation::GeluQuick => wide * sigmoid(1.702 * wide),
        Activation::Relu => wide.max(0.0),
        Activation::Relu2 => wide.max(0.0).powi(2),
        Activation::Sigmoid => sigmoid(wide),
        Activation::Tanh => wide.tanh(),
    };
    value as f32
}

/// The error function by its series, or by the continued fraction of its complement where that
/// converges sooner (Abramowitz & Stegun 7.1.6 and 7.1.14). Good to 1e-14.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > 1e-17 * sum {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() * sum
    } else if a > 6.0 {
        1.0
    } else {
        let mut fraction = 0.0;
        for n in (1..=60).rev() {
            fraction = f64::from(n) / 2.0 / (a + fraction);
        }
        1.0 - (-a * a).exp() / std::f64::consts::PI.sqrt() / (a + fraction)
    };
    value.copysign(x)
}

fn turn(head: &mut [f32], frequencies: &Frequencies, style: RopeStyle, position: u32) {
    let half = frequencies.turns.len();
    for (i, turns) in frequencies.turns.iter().enumerate() {
        let (a, b) = match style {
            RopeStyle::Halves => (i, i + half),
            RopeStyle::Interleaved => (2 * i, 2 * i + 1),
        };
        let (cos, sin) = crate::angles(position, *turns, frequencies.attention);
        let (x, y) = (head[a], head[b]);
        (head[a], head[b]) = (x * cos - y * sin, x * sin + y * cos);
    }
}

fn store(
    a: &Attention,
    batch: &Batch,
    k: &[f32],
    v: Option<&[f32]>,
    keys: &mut [f32],
    values: &mut [f32],
) {
    let (key, value) = (a.kv_heads * a.key_dim, a.kv_heads * a.value_dim);
    for (row, slot) in batch.slots.iter().enumerate() {
        let at = slot.page as usize * PAGE_TOKENS + slot.offset as usize;
        keys[at * key..][..key].copy_from_slice(&k[row * key..][..key]);
        if let Some(v) = v {
            values[at * value..][..value].copy_from_slice(&v[row * value..][..value]);
        }
    }
}

fn attend(
    a: &Attention,
    batch: &Batch,
    q: &[f32],
    sinks: Option<&[f32]>,
    keys: &[f32],
    values: &[f32],
) -> Vec<f32> {
    let mut out = vec![0.0; batch.rows() * a.heads * a.value_dim];
    let key_of =
        |at: usize, head: usize| &keys[(at * a.kv_heads + head) * a.key_dim..][..a.key_dim];
    for span in &batch.spans {
        for row in span.rows.clone() {
            let seen = seen(a, span, row);
            for head in 0..a.heads {
                let kv = head * a.kv_heads / a.heads;
                let q = &q[(row * a.heads + head) * a.key_dim..][..a.key_dim];
                let score = |at: &usize| {
                    let score = f64::from(a.scale) * dot(q, key_of(*at, kv));
                    a.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                };
                let mut scores: Vec<f64> = seen.iter().map(score).collect();
                softmax(&mut scores, sinks.map(|s| f64::from(s[head])));
                let out = &mut out[(row * a.heads + head) * a.value_dim..][..a.value_dim];
                for (i, out) in out.iter_mut().enumerate() {
                    let one = |(at, share): (&usize, &f64)| {
                        let value = match a.value {
                            ValueStore::Own => values[(at * a.kv_heads + kv) * a.value_dim + i],
                            ValueStore::PrefixOfKey => key_of(*at, kv)[i],
                        };
                        share * f64::from(value)
                    };
                    *out = seen.iter().zip(&scores).map(one).sum::<f64>() as f32;
                }
            }
        }
    }
    out
}

/// The cache places a row may see, in order of position.
fn seen(a: &Attention, span: &Span, row: usize) -> Vec<usize> {
    let position = span.first_position + row - span.rows.start;
    let first = match a.mask {
        Mask::Causal => 0,
        Mask::Window(n) => (position + 1).saturating_sub(n),
    };
    let place = |p: usize| span.pages[p / PAGE_TOKENS] as usize * PAGE_TOKENS + p % PAGE_TOKENS;
    (first..=position).map(place).collect()
}

fn softmax(scores: &mut [f64], sink: Option<f64>) {
    let top = scores.iter().copied().chain(sink).fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - top).exp());
    let sum = scores.iter().sum::<f64>() + sink.map_or(0.0, |sink| (sink - top).exp());
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// Pairs (expert, weight), best first.
fn route(logits: &[f32], routing: &Routing, bias: Option<&[f32]>) -> Vec<f32> {
    let mut scores: Vec<f64> = logits.iter().map(|x| f64::from(*x)).collect();
    match routing.score {
        Score::Softmax => softmax(&mut scores, None),
        Score::Sigmoid => scores.iter_mut().for_each(|x| *x = (1.0 + (-*x).exp()).recip()),
        Score::SoftmaxOfChosen => {}
    }
    let choose: Vec<f64> = (scores.iter().enumerate())
        .map(|(i, score)| score + bias.map_or(0.0, |b| f64::from(b[i])))
        .collect();
    let open = open_groups(&choose, routing);
    let mut order: Vec<usize> = (0..choose.len()).filter(|expert| open[*expert]).collect();
    order.sort_by(|a, b| choose[*b].total_cmp(&choose[*a]).then(a.cmp(b)));
    order.truncate(routing.k);
    let mut weights: Vec<f64> = order.iter().map(|expert| scores[*expert]).collect();
    if routing.score == Score::SoftmaxOfChosen {
        softmax(&mut weights, None);
    }
    if routing.renormalise == Renormalise::Yes {
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    let pair = |(expert, weight): (&usize, &f64)| {
        [*expert as f32, (weight * f64::from(routing.scale)) as f32]
    };
    order.iter().zip(&weights).flat_map(pair).collect()
}

/// Which experts lie in a group that stays.
fn open_groups(choose: &[f64], routing: &Routing) -> Vec<bool> {
    let Some(groups) = routing.groups else { return vec![true; choose.len()] };
    let size = choose.len() / groups.count;
    let judge = |group: &[f64]| {
        let mut best: Vec<f64> = group.to_vec();
        best.sort_by(|a, b| b.total_cmp(a));
        match groups.by {
            GroupBy::Max => best[0],
            GroupBy::TopTwoSum => best.iter().take(2).sum(),
        }
    };
    let values: Vec<f64> = choose.chunks_exact(size).map(judge).collect();
    let mut order: Vec<usize> = (0..groups.count).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let kept = &order[..groups.keep];
    (0..choose.len()).map(|expert| kept.contains(&(expert / size))).collect()
}
