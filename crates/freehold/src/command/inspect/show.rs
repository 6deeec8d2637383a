//! A report as a page on a terminal. Text from the files is escaped.

use machine::Bytes;
use weights::shown;

use super::{Report, Tensor, deep::Scan, model::Facts};
use crate::{
    output::Colours,
    table::{Align, Table, count, percent},
};

/// Width of the labels.
const LABEL: usize = 14;

/// The page.
pub(super) fn page(report: &Report, colours: Colours) -> String {
    let mut page = Page { text: String::new(), colours };
    page.head(report);
    page.model(report);
    page.formats(report);
    page.words(report);
    page.about(report);
    page.findings(report);
    if let Some(tensors) = &report.tensors {
        page.tensors(tensors);
    }
    if let Some(scan) = &report.deep {
        page.scan(scan);
    }
    page.text.trim_end().to_owned()
}

struct Page {
    text: String,
    colours: Colours,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    fn fact(&mut self, label: &str, value: impl std::fmt::Display) {
        let label = self.colours.dim(&format!("{label:<LABEL$}"));
        self.line(&format!("{label}{value}"));
    }

    fn stated(&mut self, label: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.fact(label, shown(value));
        }
    }

    fn table(&mut self, table: &Table) {
        let text = table.render(self.colours);
        self.line("");
        self.line(&text);
    }

    fn head(&mut self, report: &Report) {
        self.line(&self.colours.bold(&shown(&report.path)));
        let files = match report.files.len() {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        let size = Bytes(report.size_bytes);
        let tensors = report.tensor_count;
        self.line(&format!("{}, {size} in {files}, {tensors} tensors", report.container));
        if report.files.len() > 1 {
            for file in &report.files {
                let name = file.path.rsplit(['/', '\\']).next().unwrap_or_default();
                self.line(&format!("  {}  {}", shown(name), Bytes(file.bytes)));
            }
        }
        self.line("");
    }

    fn model(&mut self, report: &Report) {
        let architecture =
            report.architecture.as_deref().map_or_else(|| "not stated".to_owned(), shown);
        let Some(model) = &report.model else {
            self.fact("architecture", architecture);
            let numbers: u64 = report.formats.iter().map(|share| share.elements).sum();
            self.fact("numbers", format!("{} in all tensors", count(numbers)));
            let why = report.why_not.as_deref().unwrap_or_default();
            let cannot = self.colours.red("cannot be run");
            self.fact("model", format!("{cannot}: {why}"));
            return;
        };
        self.fact("model", format!("{} (architecture {architecture})", model.family));
        let active = if model.active_params < model.params * 9 / 10 {
            format!(", {} active for a token", count(model.active_params))
        } else {
            String::new()
        };
        self.fact("parameters", format!("{} ({}){active}", count(model.params), model.params));
        self.fact("context", format!("{} tokens", model.context));
        self.fact("layers", format!("{} of width {}", model.layers, model.hidden));
        self.attention(model);
        if let Some(experts) = &model.experts {
            self.fact("experts", format!("{}, {} for a token", experts.count, experts.used));
        }
        self.fact("vocabulary", format!("{} rows", model.vocab));
        let cache = Bytes(2 * model.kv_numbers_per_token);
        self.fact("cache", format!("{cache} a token in F16"));
        if !report.unused.is_empty() {
            let listed: Vec<String> =
                report.unused.iter().take(4).map(|name| shown(name)).collect();
            let more = if report.unused.len() > 4 { ", ..." } else { "" };
            self.fact("not used", format!("{}: {}{more}", report.unused.len(), listed.join(", ")));
        }
    }

    fn attention(&mut self, model: &Facts) {
        for (at, kind) in model.attention.iter().enumerate() {
            let window = kind.window.map(|window| format!(", window {window}")).unwrap_or_default();
            let layers = if model.attention.len() > 1 {
                format!(", {} layers", kind.layers)
            } else {
                String::new()
            };
            let value = if kind.value_dim == kind.head_dim {
                String::new()
            } else {
                format!(" (values {})", kind.value_dim)
            };
            let label = if at == 0 { "attention" } else { "" };
            let (heads, kv_heads, dim) = (kind.heads, kind.kv_heads, kind.head_dim);
            self.fact(
                label,
                format!("{heads} heads, {kv_heads} of keys, of {dim}{value}{window}{layers}"),
            );
        }
    }

    fn formats(&mut self, report: &Report) {
        let mut table = Table::new([
            ("format", Align::Left),
            ("tensors", Align::Right),
            ("bytes", Align::Right),
            ("share", Align::Right),
            ("bits a number", Align::Right),
        ]);
        for share in &report.formats {
            table.row([
                share.format.clone(),
                share.tensors.to_string(),
                Bytes(share.bytes).to_string(),
                percent(share.share),
                format!("{:.2}", share.bits_per_weight),
            ]);
        }
        let all = [
            "all".to_owned(),
            report.formats.iter().map(|share| share.tensors).sum::<usize>().to_string(),
            Bytes(report.tensor_bytes).to_string(),
            String::new(),
            format!("{:.2}", report.bits_per_weight),
        ];
        if report.formats.len() > 1 {
            table.row(all);
        }
        self.table(&table);
        self.line("");
    }

    fn words(&mut self, report: &Report) {
        let tokenizer = &report.tokenizer;
        let kind = tokenizer.kind.as_deref().map_or_else(|| "none".to_owned(), shown);
        let vocab = tokenizer.vocab.map(|vocab| format!(", {vocab} tokens")).unwrap_or_default();
        self.fact("tokenizer", format!("{kind}{vocab}"));
        if let Some(error) = &tokenizer.error {
            let error = self.colours.yellow(&shown(error));
            self.fact("", error);
        }
        let ends: Vec<String> = tokenizer.ends.iter().map(|end| shown(end)).collect();
        if tokenizer.vocab.is_some() {
            let begin = tokenizer.begin.as_deref().map_or_else(|| "none".to_owned(), shown);
            self.fact(
                "",
                format!(
                    "begin {begin}, end {}",
                    if ends.is_empty() { "none".into() } else { ends.join(" ") }
                ),
            );
        }
        if report.templates.is_empty() {
            self.fact("template", "none: the model can continue text (--raw), not chat");
        }
        for (at, template) in report.templates.iter().enumerate() {
            let label = if at == 0 { "template" } else { "" };
            let mut what = format!("{}, {}", shown(&template.name), Bytes(template.bytes as u64));
            for (knows, word) in [(template.tools, "tools"), (template.thinking, "thinking")] {
                if knows {
                    what.push_str(", ");
                    what.push_str(word);
                }
            }
            if let Some(error) = &template.error {
                what = format!("{}: {}", shown(&template.name), self.colours.yellow(&shown(error)));
            }
            self.fact(label, what);
            if let Some(sha256) = &template.sha256 {
                self.fact("  sha256", sha256);
            }
        }
    }

    fn about(&mut self, report: &Report) {
        let about = &report.about;
        self.line("");
        self.stated("name", about.name.as_ref());
        self.stated("author", about.author.as_ref());
        self.stated("organization", about.organization.as_ref());
        if about.licence.is_none() && about.licence_name.is_none() {
            let files = if about.licence_files.is_empty() {
                "not stated"
            } else {
                "stated only by its files"
            };
            let files = self.colours.yellow(files);
            self.fact("licence", files);
        }
        self.stated("licence", about.licence.as_ref());
        self.stated("licence name", about.licence_name.as_ref());
        self.stated("licence link", about.licence_link.as_ref());
        for file in &about.licence_files {
            self.fact("licence file", shown(file));
        }
        let relation =
            about.base_model_relation.as_deref().map(|relation| format!(" ({})", shown(relation)));
        for base in &about.base_models {
            self.fact(
                "base model",
                format!("{}{}", shown(base), relation.as_deref().unwrap_or_default()),
            );
        }
        self.stated("quantized by", about.quantized_by.as_ref());
        self.stated("source", about.source.as_ref());
        if !about.languages.is_empty() {
            self.fact("languages", shown(&about.languages.join(", ")));
        }
    }

    fn findings(&mut self, report: &Report) {
        self.line("");
        if report.findings.is_empty() {
            self.fact("findings", "none");
        }
        for (at, finding) in report.findings.iter().enumerate() {
            let label = if at == 0 { "findings" } else { "" };
            let about = self.colours.yellow(finding.about);
            self.fact(label, format!("{about}: {}", shown(&finding.what)));
        }
    }

    fn tensors(&mut self, tensors: &[Tensor]) {
        let columns = [
            ("tensor", Align::Left),
            ("shape", Align::Left),
            ("format", Align::Left),
            ("bytes", Align::Right),
        ];
        let mut table = Table::new(columns);
        for tensor in tensors {
            let shape = tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
            let bytes = Bytes(tensor.bytes).to_string();
            table.row([shown(&tensor.name), shape, tensor.format.to_owned(), bytes]);
        }
        self.table(&table);
    }

    fn scan(&mut self, scan: &Scan) {
        let names = ["min", "max", "mean", "std", "zeros", "not finite"];
        let numbers = names.map(|name| (name, Align::Right));
        let mut table = Table::new([("tensor", Align::Left)].into_iter().chain(numbers));
        for t in &scan.tensors {
            table.row([
                shown(&t.name),
                number(f64::from(t.min)),
                number(f64::from(t.max)),
                number(t.mean),
                number(t.std),
                percent(t.zeros as f64 / t.count.max(1) as f64),
                (t.nans + t.infinities).to_string(),
            ]);
        }
        self.table(&table);
        self.line("");
        let verdict = if scan.non_finite() == 0 {
            self.colours.green(&format!("all {} numbers are finite", scan.values))
        } else {
            let (nans, infinities) = (scan.nans, scan.infinities);
            self.colours.red(&format!(
                "{} of {} numbers are NOT FINITE ({nans} NaN, {infinities} infinite): this model is damaged",
                scan.non_finite(),
                scan.values
            ))
        };
        self.line(&verdict);
        for name in &scan.not_read {
            self.line(&format!("{}: of a type that is not computed with here", shown(name)));
        }
    }
}

/// Four digits, in scientific notation where few zeros would not do.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e4).contains(&size) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_short_whatever_their_size() {
        let shown = [0.0, 1.0, -0.02, 12.5, 1e-9, -3.25e7].map(number);
        assert_eq!(shown, ["0", "1", "-0.02", "12.5", "1.00e-9", "-3.25e7"]);
    }
}
