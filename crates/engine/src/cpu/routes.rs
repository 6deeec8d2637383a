//! Where rows go among experts: grouped by expert, so that each expert's weights are read once.

use std::ops::Range;

use kernels::Group;

/// The routes of one step at one router.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// The node that made them.
    pub(super) node: usize,
    /// Experts of a row.
    pub(super) k: usize,
    /// Chosen experts `[rows, k]`.
    pub(super) ids: Vec<u32>,
    /// Their weights `[rows, k]`.
    pub(super) weights: Vec<f32>,
    /// For each place in order of experts, the row it came from.
    rows: Vec<u32>,
    /// 0, 1, 2, …: rows that already lie in order of experts.
    places: Vec<u32>,
    /// For each `[rows, k]`, its place in order of experts.
    pub(super) order: Vec<u32>,
    groups: Vec<(usize, Range<usize>)>,
}

impl Routes {
    /// Room for `k` experts of each of `rows` rows, chosen by `node`.
    pub(super) fn new(node: usize, rows: usize, k: usize) -> Self {
        let (ids, weights) = (vec![0; rows * k], vec![0.0; rows * k]);
        Routes { node, k, ids, weights, ..Routes::default() }
    }

    /// Sorts rows by expert; within an expert they stay in order.
    pub(super) fn sort(&mut self, experts: usize) {
        let total = self.ids.len();
        let mut starts = vec![0usize; experts + 1];
        for id in &self.ids {
            starts[*id as usize + 1] += 1;
        }
        for expert in 0..experts {
            starts[expert + 1] += starts[expert];
        }
        self.groups = (0..experts)
            .filter(|expert| starts[*expert] < starts[expert + 1])
            .map(|expert| (expert, starts[expert]..starts[expert + 1]))
            .collect();
        self.rows = vec![0; total];
        self.order = vec![0; total];
        self.places = (0..total as u32).collect();
        for (at, id) in self.ids.iter().enumerate() {
            let place = &mut starts[*id as usize];
            self.rows[*place] = (at / self.k) as u32;
            self.order[at] = *place as u32;
            *place += 1;
        }
    }

    /// Each expert's rows: of the tokens, or of what already lies in order of experts.
    pub(super) fn groups(&self, sorted: bool) -> Vec<Group<'_>> {
        let rows = if sorted { &self.places } else { &self.rows };
        let group = |(expert, range): &(usize, Range<usize>)| Group {
            expert: *expert,
            rows: &rows[range.clone()],
        };
        self.groups.iter().map(group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_by_expert_in_order() {
        let mut routes = Routes {
            k: 2,
            ids: vec![3, 0, 0, 1, 3, 1],
            weights: vec![1.0; 6],
            ..Routes::default()
        };
        routes.sort(4);
        let groups: Vec<(usize, Vec<u32>)> =
            routes.groups(false).iter().map(|g| (g.expert, g.rows.to_vec())).collect();
        assert_eq!(groups, [(0, vec![0, 1]), (1, vec![1, 2]), (3, vec![0, 2])]);
        assert_eq!(routes.order, [4, 0, 1, 2, 5, 3]);
    }
}
