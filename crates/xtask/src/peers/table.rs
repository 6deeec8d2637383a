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

    /// As a table for a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for row in self.rows() {
            let _ = write!(text, "{:<20}", row.test);
            for cell in &row.engines {
                let digits = if cell.median < 10.0 { 2 } else { 1 };
                let _ = write!(
                    text,
                    "  {} {:.digits$} ({:.digits$}-{:.digits$}) {}",
                    cell.engine, cell.median, cell.min, cell.max, row.unit
                );
                if let Some(share) = cell.share_of_limit {
                    let _ = write!(text, " = {:.0} % of limit", share * 100.0);
                }
                text.push(';');
            }
            if let (Some(ratio), Some(peer)) = (row.ratio, row.best_peer) {
                let _ = write!(text, "  {ratio:.2} x {peer}");
            }
            text.push('\n');
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
        assert!(table.text().contains("2.00 x b"), "{}", table.text());
    }
}
