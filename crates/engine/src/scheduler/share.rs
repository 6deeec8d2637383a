//! How a step's rows are divided among unfinished prompts.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{Priority, Tenant};

/// A prompt that wants rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// Whose, as the caller counts.
    pub(crate) index: usize,
    pub(crate) tenant: Tenant,
    pub(crate) weight: usize,
    pub(crate) priority: Priority,
    /// Rows it could use.
    pub(crate) left: usize,
}

/// Divides `budget` rows among claims, which come in order of arrival: `(index, rows)` in that order.
/// Higher priorities come first; tenants of one share by weight, those that want less leaving the rest
/// to the others; a tenant's rows go half to its first prompt and half to the one with the least left.
pub(crate) fn split(budget: usize, claims: &[Claim]) -> Vec<(usize, usize)> {
    let mut rows = vec![0; claims.len()];
    let mut left = budget;
    let mut classes: BTreeMap<Reverse<Priority>, BTreeMap<Tenant, Vec<usize>>> = BTreeMap::new();
    for (at, claim) in claims.iter().enumerate() {
        let class = classes.entry(Reverse(claim.priority)).or_default();
        class.entry(claim.tenant).or_default().push(at);
    }
    for tenants in classes.values() {
        let weight = |of: &[usize]| of.first().map_or(1, |at| claims[*at].weight).max(1);
        let demand = |of: &[usize]| of.iter().map(|at| claims[*at].left).sum::<usize>();
        let mut tenants: Vec<&Vec<usize>> = tenants.values().collect();
        // Who wants least for its weight is served whole if its share suffices.
        tenants.sort_by_key(|of| demand(of).div_ceil(weight(of)));
        let mut weights: usize = tenants.iter().map(|of| weight(of)).sum();
        for of in tenants {
            let share = (left * weight(of)).div_ceil(weights.max(1)).min(demand(of));
            weights -= weight(of);
            left -= share;
            within(share, of, claims, &mut rows);
        }
    }
    claims.iter().zip(rows).map(|(claim, rows)| (claim.index, rows)).collect()
}

/// Divides a tenant's share among its claims.
fn within(share: usize, of: &[usize], claims: &[Claim], rows: &mut [usize]) {
    let mut left = share;
    let mut give = |at: usize, most: usize, left: &mut usize| {
        let more = (claims[at].left - rows[at]).min(most).min(*left);
        rows[at] += more;
        *left -= more;
    };
    let mut half = share.div_ceil(2);
    for at in of {
        let before = left;
        give(*at, half, &mut left);
        half -= before - left;
    }
    let mut shortest = of.to_vec();
    shortest.sort_by_key(|at| claims[*at].left);
    for at in shortest {
        give(at, usize::MAX, &mut left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(index: usize, tenant: u64, left: usize) -> Claim {
        Claim { index, tenant: Tenant(tenant), weight: 1, priority: Priority::Normal, left }
    }

    fn rows(budget: usize, claims: &[Claim]) -> Vec<usize> {
        split(budget, claims).into_iter().map(|(_, rows)| rows).collect()
    }

    #[test]
    fn a_long_prompt_leaves_half_to_a_short_one() {
        assert_eq!(rows(64, &[claim(0, 0, 10_000), claim(1, 0, 100)]), [32, 32]);
        assert_eq!(rows(64, &[claim(0, 0, 10_000), claim(1, 0, 10)]), [54, 10]);
        assert_eq!(rows(64, &[claim(0, 0, 100), claim(1, 0, 10_000)]), [64, 0]);
    }

    #[test]
    fn tenants_share_by_weight_and_leave_what_they_do_not_need() {
        let claims = [claim(0, 1, 500), claim(1, 1, 500), claim(2, 2, 500)];
        assert_eq!(rows(100, &claims), [50, 0, 50]);
        let small = [claim(0, 1, 500), claim(1, 2, 10)];
        assert_eq!(rows(100, &small), [90, 10]);
        let mut heavy = [claim(0, 1, 500), claim(1, 2, 500)];
        heavy[1].weight = 3;
        assert_eq!(rows(100, &heavy), [25, 75]);
    }

    #[test]
    fn priorities_come_first_and_nothing_is_left_or_invented() {
        let mut claims = [claim(0, 1, 50), claim(1, 2, 50), claim(2, 3, 50)];
        claims[2].priority = Priority::Urgent;
        claims[0].priority = Priority::Background;
        assert_eq!(rows(60, &claims), [0, 10, 50]);
        for budget in 0..200 {
            let given = rows(budget, &claims);
            assert_eq!(given.iter().sum::<usize>(), budget.min(150));
            assert!(given.iter().zip(&claims).all(|(rows, claim)| *rows <= claim.left));
        }
    }
}
