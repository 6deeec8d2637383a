//! The running softmax of some query vectors: maximum, sum and weighted values so far.

/// Partial sums kept for each query vector, so that no loop has to add across lanes for each block.
pub(crate) const LANES: usize = 16;

/// Entries of a value, padded to whole vectors.
pub(crate) fn padded(value_dim: usize) -> usize {
    value_dim.next_multiple_of(LANES)
}

/// The states of `queries` query vectors over the tokens seen so far.
pub(crate) struct State<'a> {
    /// The greatest score, `[queries]`; −∞ before the first token.
    pub(crate) max: &'a mut [f32],
    /// Σ exp(score − max), `[queries, LANES]`, to be added up.
    pub(crate) sum: &'a mut [f32],
    /// Σ exp(score − max) · value, `[queries, value_dim]`, rows padded to whole vectors.
    pub(crate) acc: &'a mut [f32],
}

impl<'a> State<'a> {
    /// Floats that the states of `queries` query vectors take.
    pub(crate) fn floats(queries: usize, value_dim: usize) -> usize {
        (queries * (padded(value_dim) + LANES + 1)).next_multiple_of(LANES)
    }

    /// Lays the states out in `buffer`, as found there.
    pub(crate) fn carve(buffer: &'a mut [f32], queries: usize, value_dim: usize) -> Self {
        let (acc, rest) = buffer.split_at_mut(queries * padded(value_dim));
        let (sum, rest) = rest.split_at_mut(queries * LANES);
        Self { max: &mut rest[..queries], sum, acc }
    }

    /// No tokens seen.
    pub(crate) fn reset(&mut self) {
        self.max.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
        self.acc.fill(0.0);
    }

    /// Entries from one query vector's values to the next.
    pub(crate) fn dims(&self) -> usize {
        self.acc.len() / self.max.len()
    }

    /// Adds the tokens that `next` has seen, which follow those seen here.
    pub(crate) fn merge(&mut self, next: &State<'_>) {
        let dims = self.dims();
        for i in 0..self.max.len() {
            let (old, new) = (self.max[i], next.max[i]);
            if new == f32::NEG_INFINITY {
                continue;
            }
            let sums =
                self.sum[i * LANES..][..LANES].iter_mut().zip(&next.sum[i * LANES..][..LANES]);
            let accs = self.acc[i * dims..][..dims].iter_mut().zip(&next.acc[i * dims..][..dims]);
            if old == f32::NEG_INFINITY {
                self.max[i] = new;
                sums.chain(accs).for_each(|(to, x)| *to = *x);
                continue;
            }
            let max = old.max(new);
            let (keep, add) = ((old - max).exp(), (new - max).exp());
            self.max[i] = max;
            sums.chain(accs).for_each(|(to, x)| *to = *to * keep + *x * add);
        }
    }

    /// The output `[value_dim]` of query vector `i`; a sink takes part in the sum only.
    pub(crate) fn finish(&mut self, i: usize, sink: Option<f32>, out: &mut [f32]) {
        let dims = self.dims();
        let acc = &self.acc[i * dims..][..dims];
        let mut sum: f32 = self.sum[i * LANES..][..LANES].iter().sum();
        let mut keep = 1.0;
        if let Some(sink) = sink {
            let max = self.max[i].max(sink);
            keep = (self.max[i] - max).exp();
            sum = sum * keep + (sink - max).exp();
        }
        // A row that sees nothing gives nothing.
        let factor = if sum == 0.0 { 0.0 } else { keep / sum };
        for (to, x) in out.iter_mut().zip(acc) {
            *to = x * factor;
        }
    }
}
