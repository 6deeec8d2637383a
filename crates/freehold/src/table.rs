//! Tables on a terminal: columns as wide as their widest cell, numbers to the right.

use crate::output::Colours;

/// Which side of its column a cell leans on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table that is being filled.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings; headings may be empty.
    pub(crate) fn new<T: Into<String>>(columns: impl IntoIterator<Item = (T, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.into(), align)).collect();
        Table { columns, rows: vec![] }
    }

    /// Adds a row; cells that are missing stay empty.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Without a column; what stood in it is given back where all its rows agree.
    pub(crate) fn without(&mut self, name: &str) -> Option<String> {
        let at = self.columns.iter().position(|(column, _)| column == name)?;
        let first = self.rows.first()?[at].clone();
        if self.rows.iter().any(|row| row[at] != first) {
            return None;
        }
        self.columns.remove(at);
        for row in &mut self.rows {
            row.remove(at);
        }
        Some(first)
    }

    /// Characters of its longest line.
    pub(crate) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
    }

    /// Its lines, the headings dim.
    pub(crate) fn render(&self, colours: Colours) -> String {
        let widths = self.widths();
        let headings: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut lines = vec![];
        if headings.iter().any(|name| !name.is_empty()) {
            lines.push(colours.dim(&self.line(&headings, &widths)));
        }
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            lines.push(self.line(&cells, &widths));
        }
        lines.join("\n")
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |at: usize| self.rows.iter().map(move |row| row[at].chars().count());
        let width = |(at, (name, _)): (usize, &(String, Align))| {
            cells(at).max().unwrap_or(0).max(name.chars().count())
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn line(&self, cells: &[&str], widths: &[usize]) -> String {
        let cells = cells.iter().zip(widths).zip(&self.columns);
        let padded = cells.map(|((cell, width), (_, align))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    }
}

/// A count as people say it: `1.24 B`, `494 M`, `260 K`, `812`.
pub(crate) fn count(number: u64) -> String {
    let number = number as f64;
    let (value, unit) = match number {
        n if n >= 999.5e9 => (n / 1e12, " T"),
        n if n >= 999.5e6 => (n / 1e9, " B"),
        n if n >= 999.5e3 => (n / 1e6, " M"),
        n if n >= 10e3 => (n / 1e3, " K"),
        n => return format!("{n:.0}"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$}{unit}")
}

/// A rate with three digits or so: `0.482`, `46.1`, `512`.
pub(crate) fn rate(value: f64) -> String {
    let digits = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("", Align::Left)]);
        table.row(["a", "1"]);
        table.row(["blé", "20", "x"]);
        let text = table.render(Colours::Off);
        assert_eq!(text, "name   n\na      1\nblé   20  x");
        assert_eq!(table.width(), 11);
        assert_eq!(table.without("name"), None);
        assert_eq!(table.without("nothing"), None);
    }

    #[test]
    fn a_column_of_one_value_can_be_said_once() {
        let mut table = Table::new([("model", Align::Left), ("n", Align::Right)]);
        table.row(["m", "1"]);
        table.row(["m", "2"]);
        assert_eq!(table.without("model").as_deref(), Some("m"));
        assert_eq!(table.render(Colours::Off), "n\n1\n2");
    }

    #[test]
    fn an_empty_first_cell_keeps_its_place() {
        let mut table = Table::new([("a", Align::Left), ("b", Align::Left)]);
        table.row(["", "x"]);
        table.row(["", ""]);
        assert_eq!(table.render(Colours::Off), "a  b\n   x\n");
    }

    #[test]
    fn numbers_keep_three_digits() {
        for (number, text) in
            [(812, "812"), (260_032, "260 K"), (494_032_768, "494 M"), (1_235_814_432, "1.24 B")]
        {
            assert_eq!(count(number), text);
        }
        assert_eq!([rate(0.4821), rate(46.12), rate(512.4)], ["0.482", "46.1", "512"]);
        assert_eq!([percent(0.731), percent(0.012)], ["73%", "1.2%"]);
    }
}
