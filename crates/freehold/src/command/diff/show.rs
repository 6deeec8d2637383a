//! Differences as a page on a terminal. Text from the files is escaped.

use serde_json::Value;
use weights::shown;

use super::{Report, numbers::Measure};
use crate::{
    output::Colours,
    table::{Align, Table},
};

/// Changes of a kind that are listed unless all are asked for.
const LISTED: usize = 20;

/// The page.
pub(super) fn page(report: &Report, all: bool, colours: Colours) -> String {
    let most = if all { usize::MAX } else { LISTED };
    let mut page = Page { lines: vec![], colours, most };
    page.lines.push(format!("A  {}\nB  {}", shown(&report.a), shown(&report.b)));
    page.config(report);
    page.tokenizer(report);
    page.templates(report);
    page.tensors(report);
    for note in &report.notes {
        page.lines.push(colours.yellow(&format!("note: {}", shown(note))));
    }
    if report.identical {
        page.lines.push(colours.green("nothing differs"));
    }
    page.lines.join("\n")
}

struct Page {
    lines: Vec<String>,
    colours: Colours,
    most: usize,
}

impl Page {
    fn head(&mut self, text: &str) {
        let text = format!("\n{}", self.colours.bold(text));
        self.lines.push(text);
    }

    /// As many of `items` as are listed, and how many are not.
    fn list<T>(&mut self, items: &[T], line: impl Fn(&T) -> String) {
        self.lines.extend(items.iter().take(self.most).map(line));
        let more = items.len().saturating_sub(self.most);
        if more > 0 {
            self.lines.push(format!("  and {more} more (--all lists them)"));
        }
    }

    fn config(&mut self, report: &Report) {
        if report.config.is_empty() {
            return;
        }
        self.head("configuration");
        self.list(&report.config, |change| {
            format!(
                "  {}: {} -> {}",
                shown(&change.key),
                value(change.a.as_ref()),
                value(change.b.as_ref())
            )
        });
    }

    fn tokenizer(&mut self, report: &Report) {
        let found = &report.tokenizer;
        if found.same() {
            return;
        }
        self.head("tokenizer");
        let size =
            |size: Option<usize>| size.map_or_else(|| "none".to_owned(), |size| size.to_string());
        self.lines.push(format!("  tokens: {} -> {}", size(found.vocab_a), size(found.vocab_b)));
        if found.changed_count > 0 {
            self.lines.push(format!("  ids that changed: {}", found.changed_count));
        }
        let text =
            |text: Option<&String>| text.map_or_else(|| "(none)".to_owned(), |text| shown(text));
        self.list(&found.changed, |token| {
            format!("  {:>8}  {} -> {}", token.id, text(token.a.as_ref()), text(token.b.as_ref()))
        });
        if let Some(merges) =
            found.merges.as_ref().filter(|merges| merges.first_difference.is_some())
        {
            self.lines.push(format!(
                "  merges: {} -> {}, {} only in A, {} only in B, first difference at rank {}",
                merges.a,
                merges.b,
                merges.only_in_a,
                merges.only_in_b,
                merges.first_difference.unwrap_or_default()
            ));
        }
    }

    fn templates(&mut self, report: &Report) {
        for change in &report.templates {
            self.head(&format!("template {}", shown(&change.name)));
            let colours = self.colours;
            let lines: Vec<String> = change.diff.lines().map(escaped).collect();
            self.list(&lines, |line| match line.as_bytes().first() {
                Some(b'+') => colours.green(line),
                Some(b'-') => colours.red(line),
                _ => line.clone(),
            });
        }
    }

    fn tensors(&mut self, report: &Report) {
        let found = &report.tensors;
        self.head("tensors");
        let counts = [
            ("equal", found.equal),
            ("changed", found.changed.len()),
            ("only in A", found.only_in_a.len()),
            ("only in B", found.only_in_b.len()),
            ("reshaped", found.reshaped.len()),
            ("in another format", found.reformatted.len()),
            ("not read", found.not_read),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(what, count)| format!("{count} {what}")).collect();
        self.lines.push(format!(
            "  {}",
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
        ));
        self.list(&found.only_in_a, |name| format!("  - {}", shown(name)));
        self.list(&found.only_in_b, |name| format!("  + {}", shown(name)));
        self.list(&found.reshaped, |pair| {
            format!("  {}: {:?} -> {:?}", shown(&pair.name), pair.a, pair.b)
        });
        if found.changed.is_empty() {
            self.list(&found.reformatted, |pair| {
                format!("  {}: {} -> {}", shown(&pair.name), pair.a, pair.b)
            });
            return;
        }
        let mut table = Table::new(columns("tensor"));
        for change in found.changed.iter().take(self.most) {
            table.row(cells(shown(&change.name), &change.measure));
        }
        self.table(&table);
        let more = found.changed.len().saturating_sub(self.most);
        if more > 0 {
            self.lines.push(format!("and {more} more (--all lists them)"));
        }
        let mut table = Table::new(columns("layer"));
        for layer in &found.layers {
            let name = layer.layer.map_or_else(|| "none".to_owned(), |layer| layer.to_string());
            table.row(cells(name, &layer.measure));
        }
        if let Some(all) = &found.all {
            table.row(cells("all".to_owned(), all));
        }
        self.table(&table);
    }

    fn table(&mut self, table: &Table) {
        self.lines.push(format!("\n{}", table.render(self.colours)));
    }
}

fn columns(first: &'static str) -> [(&'static str, Align); 5] {
    let right = Align::Right;
    [(first, Align::Left), ("rel", right), ("max", right), ("cos", right), ("not finite", right)]
}

fn cells(name: String, measure: &Measure) -> [String; 5] {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [
        name,
        or_none(measure.relative.map(|relative| format!("{relative:.3e}"))),
        format!("{:.3e}", measure.max_abs),
        or_none(measure.cosine.map(|cosine| format!("{cosine:.6}"))),
        measure.non_finite.to_string(),
    ]
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(Value::String(text)) => shown(text),
        Some(other) => shown(&other.to_string()),
    }
}

/// A line of any length with nothing in it that moves a cursor.
fn escaped(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    letters.chunks(120).map(|part| shown(&part.iter().collect::<String>())).collect()
}
