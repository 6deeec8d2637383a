//! The tokens still in question, always in ascending order of id.
//!
//! At first all of the vocabulary, kept as plain logits (`Dense`); the first step that drops
//! tokens turns it into a short list. No step reorders: a step finds a cut and drops what lies
//! beyond it, so the outcome never depends on a sorting routine's habits, and the draw at the end
//! walks ids upwards. Order of preference everywhere: higher logit first, then lower id.
//! Buffers are kept between tokens, so a warm sampler does not allocate.

use super::math;

/// A token in question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub id: u32,
    /// Its logit as the steps so far left it.
    pub logit: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Dense,
    Listed,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Candidates {
    form: Form,
    dense: Vec<f32>,
    list: Vec<Candidate>,
    ranks: Vec<u64>,
    weights: Vec<f64>,
    measured: Option<f64>,
}

impl Candidates {
    pub(crate) fn new() -> Self {
        Self {
            form: Form::Dense,
            dense: Vec::new(),
            list: Vec::new(),
            ranks: Vec::new(),
            weights: Vec::new(),
            measured: None,
        }
    }

    /// Starts over with all of the vocabulary. `logits` `[vocab]`
    pub(crate) fn load(&mut self, logits: &[f32]) {
        self.form = Form::Dense;
        self.measured = None;
        self.dense.clear();
        self.dense.extend_from_slice(logits);
    }

    /// All logits, by id, for the steps that change them; minus infinity forbids a token.
    /// Only before the first step that drops tokens.
    pub(crate) fn logits_mut(&mut self) -> &mut [f32] {
        debug_assert_eq!(self.form, Form::Dense, "edits come before cuts");
        &mut self.dense
    }

    /// The highest logit; minus infinity when no token is left.
    pub(crate) fn max(&self) -> f32 {
        match self.form {
            Form::Dense => math::max(&self.dense),
            Form::Listed => self.list.iter().fold(f32::NEG_INFINITY, |m, c| m.max(c.logit)),
        }
    }

    /// The best token: highest logit, then lowest id.
    pub(crate) fn best(&self) -> Option<u32> {
        let max = self.max();
        if max == f32::NEG_INFINITY {
            return None;
        }
        match self.form {
            Form::Dense => self.dense.iter().position(|&x| x == max).map(|id| id as u32),
            Form::Listed => self.list.iter().find(|c| c.logit == max).map(|c| c.id),
        }
    }

    /// The tokens left, ascending by id.
    pub(crate) fn list(&mut self) -> &mut Vec<Candidate> {
        if self.form == Form::Dense {
            self.keep_at_least(f32::NEG_INFINITY);
        }
        &mut self.list
    }

    /// Keeps tokens with at least this logit.
    pub(crate) fn keep_at_least(&mut self, threshold: f32) {
        match self.form {
            Form::Dense => {
                self.list.clear();
                self.list.extend(
                    self.dense
                        .iter()
                        .enumerate()
                        .filter(|&(_, &logit)| logit >= threshold && logit != f32::NEG_INFINITY)
                        .map(|(id, &logit)| Candidate { id: id as u32, logit }),
                );
                self.form = Form::Listed;
            }
            Form::Listed => self.list.retain(|c| c.logit >= threshold),
        }
    }

    /// Keeps the `k` best (at least one).
    pub(crate) fn keep_top(&mut self, k: usize) {
        self.rank(k.max(1));
        self.list.clear();
        self.list.extend(self.ranks.iter().map(|&rank| unrank(rank)));
        self.list.sort_unstable_by_key(|c| c.id);
        self.form = Form::Listed;
    }

    /// Keeps the best while `more(weight)` says so, where weights are e^(logit - max); the one for
    /// which it first says no is the last kept. Looks at few tokens when few suffice.
    pub(crate) fn keep_best_while(&mut self, mut more: impl FnMut(f64) -> bool) {
        let max = f64::from(self.max());
        let all = match self.form {
            Form::Dense => self.dense.len(),
            Form::Listed => self.list.len(),
        };
        let (mut kept, mut asked) = (0, 256.min(all));
        loop {
            self.rank(asked);
            self.ranks.sort_unstable_by(|a, b| b.cmp(a));
            let mut done = self.ranks.len() < asked || asked == all;
            for &rank in self.ranks.iter().skip(kept) {
                kept += 1;
                if !more(math::exp(f64::from(unrank(rank).logit) - max)) {
                    done = true;
                    break;
                }
            }
            if done {
                break;
            }
            asked = (asked * 8).min(all);
        }
        self.ranks.truncate(kept);
        self.list.clear();
        self.list.extend(self.ranks.iter().map(|&rank| unrank(rank)));
        self.list.sort_unstable_by_key(|c| c.id);
        self.form = Form::Listed;
    }

    /// Σ e^(logit - max) over the tokens left.
    pub(crate) fn total_weight(&self) -> f64 {
        let max = self.max();
        match self.form {
            Form::Dense => math::sum_exp(&self.dense, max),
            Form::Listed => {
                self.list.iter().map(|c| math::exp(f64::from(c.logit) - f64::from(max))).sum()
            }
        }
    }

    /// Notes the distribution as it is now as the one in which [`Candidates::surprise`] measures.
    pub(crate) fn measure(&mut self) {
        self.measured = Some(self.total_weight());
    }

    /// -log2 of a token's probability in the measured distribution; cuts since then must have
    /// left the best token and all logits alone.
    pub(crate) fn surprise(&self, logit: f32) -> Option<f64> {
        let distance = f64::from(self.max()) - f64::from(logit);
        self.measured.map(|total| (math::ln(total) + distance) / std::f64::consts::LN_2)
    }

    /// The tokens left and their probabilities, both ascending by id.
    pub(crate) fn softmax(&mut self) -> (&mut Vec<Candidate>, &mut Vec<f64>) {
        let max = f64::from(self.max());
        self.list();
        self.weights.clear();
        self.weights.extend(self.list.iter().map(|c| f64::from(c.logit) - max));
        math::exp_all(&mut self.weights);
        let total: f64 = self.weights.iter().sum();
        for weight in &mut self.weights {
            *weight /= total;
        }
        (&mut self.list, &mut self.weights)
    }

    /// Keeps the tokens whose probability `keep(id, p)` accepts; when it accepts none, the best.
    pub(crate) fn keep_probable(&mut self, mut keep: impl FnMut(u32, f64) -> bool) {
        let best = self.best();
        let (list, probabilities) = self.softmax();
        let mut of = probabilities.iter();
        let any = probabilities.iter().zip(list.iter()).any(|(&p, c)| keep(c.id, p));
        list.retain(|c| {
            let p = of.next().copied().unwrap_or(0.0);
            if any { keep(c.id, p) } else { Some(c.id) == best }
        });
    }

    /// Fills `ranks` with the `k` best tokens left, unordered.
    fn rank(&mut self, k: usize) {
        let mut top = Top { k, ranks: &mut self.ranks, floor: 0 };
        top.ranks.clear();
        match self.form {
            Form::Dense => {
                for (id, &logit) in self.dense.iter().enumerate() {
                    if logit != f32::NEG_INFINITY {
                        top.offer(id as u32, logit);
                    }
                }
            }
            Form::Listed => self.list.iter().for_each(|c| top.offer(c.id, c.logit)),
        }
        top.finish();
    }
}

/// The `n` best of all logits, best first. `logits` `[vocab]`
pub(crate) fn best_first(logits: &[f32], n: usize) -> Vec<Candidate> {
    let mut ranks = Vec::new();
    let mut top = Top { k: n, ranks: &mut ranks, floor: 0 };
    if n > 0 {
        logits.iter().enumerate().for_each(|(id, &logit)| top.offer(id as u32, logit));
    }
    top.finish();
    ranks.sort_unstable_by(|a, b| b.cmp(a));
    ranks.into_iter().map(unrank).collect()
}

/// The `k` best of a stream: a buffer of twice that, cut in half by selection when it is full.
struct Top<'a> {
    k: usize,
    ranks: &'a mut Vec<u64>,
    floor: u64,
}

impl Top<'_> {
    #[inline]
    fn offer(&mut self, id: u32, logit: f32) {
        let rank = rank(id, logit);
        if rank > self.floor {
            self.ranks.push(rank);
            if self.ranks.len() >= self.k.saturating_mul(2).max(256) {
                self.finish();
                self.floor = self.ranks.iter().copied().min().unwrap_or(0);
            }
        }
    }

    fn finish(&mut self) {
        if self.ranks.len() > self.k {
            if self.k > 0 {
                self.ranks.select_nth_unstable_by(self.k - 1, |a, b| b.cmp(a));
            }
            self.ranks.truncate(self.k);
        }
    }
}

/// A number that grows with preference: logit above, inverted id below. Never zero for a finite
/// logit. Minus zero counts as zero, so that equal logits tie.
#[inline]
fn rank(id: u32, logit: f32) -> u64 {
    let bits = (logit + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(ordered) << 32 | u64::from(u32::MAX - id)
}

fn unrank(rank: u64) -> Candidate {
    let ordered = (rank >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Candidate { id: u32::MAX - rank as u32, logit: f32::from_bits(bits) }
}

#[cfg(test)]
mod tests {
    use super::super::rng::{Purpose, Rng};
    use super::*;

    fn random(n: usize, seed: u64, levels: f64) -> Vec<f32> {
        let rng = Rng::new(seed, 0);
        let draw =
            |i| (rng.uniform(i, Purpose::Choice) * levels).floor() as f32 - levels as f32 / 2.0;
        (0..n as u64).map(draw).collect()
    }

    fn sorted(logits: &[f32]) -> Vec<Candidate> {
        let pair = |(id, &logit): (usize, &f32)| Candidate { id: id as u32, logit };
        let mut all: Vec<_> = logits.iter().enumerate().map(pair).collect();
        all.sort_by(|a, b| b.logit.partial_cmp(&a.logit).unwrap().then(a.id.cmp(&b.id)));
        all
    }

    #[test]
    fn ranks_order_like_logits_and_come_back() {
        let values = [f32::MIN, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, f32::MAX];
        for (i, &a) in values.iter().enumerate() {
            assert_eq!(unrank(rank(9, a)), Candidate { id: 9, logit: a });
            for &b in &values[i + 1..] {
                assert_eq!(rank(3, a) < rank(3, b), a < b);
            }
        }
        assert!(rank(1, 0.0) > rank(2, -0.0), "a tie goes to the lower id");
    }

    #[test]
    fn the_best_k_with_ties_for_every_form() {
        for (seed, levels) in [(1, 8.0), (2, 1e6)] {
            let logits = random(5000, seed, levels);
            let order = sorted(&logits);
            for k in [1, 2, 40, 255, 256, 257, 1000, 4999, 5000, 9000] {
                let mut expected = order[..k.min(5000)].to_vec();
                assert_eq!(best_first(&logits, k), expected);
                expected.sort_by_key(|c| c.id);
                let mut candidates = Candidates::new();
                candidates.load(&logits);
                candidates.keep_top(k);
                assert_eq!(*candidates.list(), expected);
                candidates.load(&logits);
                candidates.list();
                candidates.keep_top(k);
                assert_eq!(*candidates.list(), expected);
            }
        }
        assert!(best_first(&[1.0], 0).is_empty());
    }

    #[test]
    fn best_while_takes_any_number() {
        let logits = random(5000, 3, 100.0);
        let order = sorted(&logits);
        for wanted in [1, 255, 256, 257, 2048, 2049, 4999, 5000, 6000] {
            let mut candidates = Candidates::new();
            candidates.load(&logits);
            let mut count = 0;
            candidates.keep_best_while(|_| {
                count += 1;
                count < wanted
            });
            let mut expected = order[..wanted.min(5000)].to_vec();
            expected.sort_by_key(|c| c.id);
            assert_eq!(*candidates.list(), expected, "{wanted}");
        }
    }

    #[test]
    fn forbidden_tokens_are_gone_in_every_way() {
        let mut candidates = Candidates::new();
        candidates.load(&[1.0, f32::NEG_INFINITY, 1.0, 0.5]);
        assert_eq!(candidates.best(), Some(0));
        candidates.keep_top(10);
        assert_eq!(candidates.list().len(), 3);
        candidates.load(&[f32::NEG_INFINITY; 3]);
        assert_eq!(candidates.best(), None);
        assert!(candidates.list().is_empty());
    }
}
