//! What was found, by test and engine; for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Found, Test, freehold, median};

/// All turns of all engines.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order in which tests and engines first came.
    cells: Vec<(Test, Vec<Turns>)>,
}

/// An engine's name and what its turns found.
type Turns = (String, Vec<Found>);

/// One engine on one test.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    engine: String,
    median: f64,
    min: f64,
    max: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_limit: Option<f64>,
}

/// One test.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    test: String,
    unit: &'static str,
    engines: Vec<Cell>,
    best_peer: Option<String>,
    /// How many times better than the best peer we are: faster, sooner, smaller.
    ratio: Option<f64>,
}

impl Table {
    /// Adds what one turn of an engine found.
    pub(super) fn add(&mut self, engine: &str, found: Vec<Found>) {
        for found in found {
            let row = match self.cells.iter().position(|(test, _)| *test == found.test) {
                Some(at) => at,
                None => {
                    self.cells.push((found.test.clone(), vec![]));
                    self.cells.len() - 1
                }
            };
            let engines = &mut self.cells[row].1;
            match engines.iter_mut().find(|(name, _)| name == engine) {
                Some((_, turns)) => turns.push(found),
                None => engines.push((engine.to_owned(), vec![found])),
            }
        }
    }

    /// Every test's row.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.cells.iter().map(|(test, engines)| row(test, engines)).collect()
    }

    /// As a table for a terminal: ours beside the best peer. (Every peer is in the JSON.)
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{:<20} {:>28} {:>7} {:>28} {:>7}  best peer\n",
            "test", "freehold (least-greatest)", "limit", "peer (least-greatest)", "ratio"
        );
        for row in self.rows() {
            let cell = |cell: Option<&Cell>| {
                let digits = if row.unit == "s" { 2 } else { 1 };
                cell.map_or("-".to_owned(), |Cell { median, min, max, .. }| {
                    format!("{median:.digits$} ({min:.digits$}-{max:.digits$}) {}", row.unit)
                })
            };
            let engine = |name: &str| row.engines.iter().find(|cell| cell.engine == name);
            let ours = engine(freehold::NAME);
            let share = ours.and_then(|cell| cell.share_of_limit);
            let best = row.best_peer.as_deref();
            let _ = writeln!(
                text,
                "{:<20} {:>28} {:>7} {:>28} {:>7}  {}",
                row.test,
                cell(ours),
                share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
                cell(best.and_then(engine)),
                row.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                best.unwrap_or("-"),
            );
        }
        text
    }
}

fn row(test: &Test, engines: &[Turns]) -> Row {
    let cells: Vec<Cell> = engines.iter().map(|(name, turns)| cell(name, turns)).collect();
    let better = |a: &Cell, b: &Cell| {
        let order = a.median.total_cmp(&b.median);
        if test.is_cost() { order.reverse() } else { order }
    };
    let ours = cells.iter().find(|cell| cell.engine == freehold::NAME);
    let peers = cells.iter().filter(|cell| cell.engine != freehold::NAME);
    let best = peers.max_by(|a, b| better(a, b));
    let ratio = ours.zip(best).map(|(ours, peer)| {
        if test.is_cost() { peer.median / ours.median } else { ours.median / peer.median }
    });
    Row {
        test: test.name(),
        unit: test.unit(),
        best_peer: best.map(|cell| cell.engine.clone()),
        ratio,
        engines: cells,
    }
}

fn cell(engine: &str, turns: &[Found]) -> Cell {
    let of = |value: fn(&Found) -> f64| turns.iter().map(value).collect::<Vec<f64>>();
    let shares: Vec<f64> = turns.iter().filter_map(|found| found.share).collect();
    Cell {
        engine: engine.to_owned(),
        median: median(&of(|found| found.median)),
        min: of(|found| found.min).into_iter().fold(f64::INFINITY, f64::min),
        max: of(|found| found.max).into_iter().fold(f64::NEG_INFINITY, f64::max),
        share_of_limit: (!shares.is_empty()).then(|| median(&shares)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_peer_of_a_row_is_the_measure() {
        let mut table = Table::default();
        for (engine, runs) in [("freehold", [30.0, 34.0]), ("a", [10.0, 14.0]), ("b", [15.0, 17.0])]
        {
            table.add(engine, vec![Found::of(Test::Prompt(64), &runs[..1])]);
            table.add(engine, vec![Found::of(Test::Prompt(64), &runs[1..])]);
            table.add(engine, vec![Found::of(Test::FirstToken, &runs)]);
        }
        let rows = table.rows();
        assert_eq!((rows[0].ratio, rows[0].best_peer.as_deref()), (Some(2.0), Some("b")));
        assert_eq!((rows[0].engines[0].min, rows[0].engines[0].max), (30.0, 34.0));
        // Later is worse.
        assert_eq!((rows[1].ratio, rows[1].best_peer.as_deref()), (Some(0.375), Some("a")));
        let text = table.text();
        let line = text.lines().find(|line| line.starts_with("pp64")).expect("a line");
        assert!(line.contains("32.0 (30.0-34.0) t/s") && line.ends_with("2.00  b"), "{text}");
    }
}
