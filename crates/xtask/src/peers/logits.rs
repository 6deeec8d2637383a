//! How far two engines agree on the same file: the next token after the same ids.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::{Ask, freehold::Freehold, llama::Llama};

/// How many of the best are compared.
const TOP: usize = 10;

/// What one precision of ours and llama.cpp's agree on.
#[derive(Debug, Serialize)]
pub(super) struct Agreement {
    precision: &'static str,
    /// Of the ten best.
    shared: usize,
    same_best: bool,
    /// Greatest difference of log-probabilities among its ten best, in nats.
    worst_nats: f64,
}

impl Agreement {
    /// As a line.
    pub(super) fn text(&self) -> String {
        format!(
            "logits, {}: {} of the {TOP} best shared, the best {}, log-probabilities within {:.3} nats",
            self.precision,
            self.shared,
            if self.same_best { "the same" } else { "another" },
            self.worst_nats,
        )
    }
}

/// Both of our precisions against llama.cpp as it comes.
pub(super) fn compare(ours: &Freehold, llama: &Llama, ask: &Ask) -> anyhow::Result<Vec<Agreement>> {
    let ids = ids();
    let theirs = llama.serve(ask, &[])?.complete(&ids, TOP as u32)?;
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ["fast", "exact"]
        .into_iter()
        .map(|precision| {
            let args = ["--ids", &ids.join(","), "--top", "4000", "--precision", precision];
            let answer = ours.json("logits", ask, &args)?;
            agreement(precision, &best(&answer)?, &theirs)
        })
        .collect()
}

/// Ids that every vocabulary has, none of them special in any we know.
fn ids() -> Vec<u32> {
    (0..24).map(|n: u32| 300 + n.wrapping_mul(2_654_435_761) % 200).collect()
}

/// Ids and log-probabilities, best first.
fn best(answer: &[Value]) -> anyhow::Result<Vec<(u64, f64)>> {
    let last = answer.first().and_then(|answer| answer["positions"].as_array()?.last());
    let top = last.and_then(|position| position["top"].as_array());
    let one = |entry: &Value| Some((entry["id"].as_u64()?, entry["logprob"].as_f64()?));
    top.and_then(|top| top.iter().map(one).collect()).context("freehold logits gave no top")
}

fn agreement(
    precision: &'static str,
    ours: &[(u64, f64)],
    theirs: &[(u64, f64)],
) -> anyhow::Result<Agreement> {
    let first = theirs.first().context("llama-server gave no log-probabilities")?;
    let ten = &ours[..ours.len().min(TOP)];
    let logprob = |id: u64| ours.iter().find(|(other, _)| *other == id).map(|(_, value)| *value);
    let apart =
        |(id, value): &(u64, f64)| logprob(*id).map_or(f64::INFINITY, |ours| (ours - value).abs());
    Ok(Agreement {
        precision,
        shared: theirs.iter().filter(|(id, _)| ten.iter().any(|(other, _)| other == id)).count(),
        same_best: ten.first().is_some_and(|(id, _)| *id == first.0),
        worst_nats: theirs.iter().map(apart).fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_counts_ids_and_nats() {
        let ours = [(1, -0.5), (2, -1.0), (3, -2.0)];
        let found = agreement("fast", &ours, &[(1, -0.25), (3, -2.0)]).expect("compared");
        assert_eq!((found.shared, found.same_best, found.worst_nats), (2, true, 0.25));
        let found = agreement("fast", &ours, &[(9, -0.25)]).expect("compared");
        assert_eq!((found.shared, found.same_best), (0, false));
        assert!(found.worst_nats.is_infinite());
        assert!(agreement("fast", &ours, &[]).is_err());
        assert!(ids().iter().all(|id| (300..500).contains(id)));
    }
}
