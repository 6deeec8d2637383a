//! `freehold doctor`: what this machine is, what it can do, and what would keep a model from running.

mod checks;

use clap::Args;
use kernels::Isa;
use machine::{Bytes, Limits, Machine};
use serde::Serialize;

use super::Command;
use crate::{
    limits,
    output::Colours,
    program::App,
    table::{Align, Table},
};
use checks::{Finding, Level};

/// Width of lines where the terminal does not say.
const WIDTH: usize = 80;
/// Where the text of a line begins, after its label.
const INDENT: usize = 9;

/// Arguments of `freehold doctor`.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Measure the machine's limits again, even if they are known
    #[arg(long)]
    measure: bool,
    /// List the bounds that model files are held to
    #[arg(long, conflicts_with = "measure")]
    limits: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Everything found: what `--json` prints.
#[derive(Serialize)]
pub(super) struct Report {
    version: &'static str,
    machine: Machine,
    instruction_sets: InstructionSets,
    threads: usize,
    limits: Limits,
    home: Home,
    terminal: Terminal,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct InstructionSets {
    /// Those with loops of their own that this machine has, plainest first.
    available: Vec<&'static str>,
    chosen: &'static str,
}

/// The folder with Freehold's own files.
#[derive(Default, Serialize)]
struct Home {
    path: Option<String>,
    writable: bool,
    free_bytes: Option<Bytes>,
    total_bytes: Option<Bytes>,
    /// Why it cannot be used.
    error: Option<String>,
}

#[derive(Serialize)]
struct Terminal {
    stdout: bool,
    columns: Option<u16>,
    rows: Option<u16>,
    colours: bool,
}

impl Command for Doctor {
    const NAME: &'static str = "doctor";
    const ABOUT: &'static str = "Check this machine: processor, limits, memory, store, what would keep a model from running";
    const DETAILS: &'static str = "The limits (bytes read and operations a second) are measured at the first use and kept under \
        FREEHOLD_HOME; plan and bench hold against them. Every finding says what to do. The exit code is 0 whatever is found.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold doctor",
        "freehold doctor --measure",
        "freehold doctor --json",
        "freehold doctor --limits",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        if self.limits {
            return bounds(app, self.json);
        }
        let machine = Machine::detect();
        let threads = app.settings.threads(None);
        let limits = if self.measure {
            limits::measured(app, &machine, threads)?
        } else {
            limits::of(app, &machine, threads)?
        };
        let home = home(app);
        let size = terminal_size::terminal_size();
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION"),
            instruction_sets: InstructionSets {
                available: Isa::available().into_iter().map(Isa::name).collect(),
                chosen: app.settings.isa.name(),
            },
            threads,
            limits,
            home,
            terminal: Terminal {
                stdout: size.is_some(),
                columns: size.map(|(width, _)| width.0),
                rows: size.map(|(_, height)| height.0),
                colours: app.output.styles() == Colours::On,
            },
            machine,
            findings: vec![],
        };
        report.findings = checks::findings(&report, app.settings.isa);
        if self.json {
            app.output.json(&report)
        } else {
            app.output.line(page(&report, app.output.styles()))
        }
    }
}

/// Tries the folder: makes it, writes a file into it, takes that away.
fn home(app: &App) -> Home {
    let path = match app.settings.home() {
        Ok(path) => path,
        Err(error) => return Home { error: Some(error.to_string()), ..Home::default() },
    };
    let tried = std::fs::create_dir_all(path)
        .and_then(|()| tempfile::NamedTempFile::new_in(path).map(drop));
    let space = machine::space(path).ok();
    Home {
        path: Some(path.to_string_lossy().into_owned()),
        writable: tried.is_ok(),
        free_bytes: space.map(|space| space.free),
        total_bytes: space.map(|space| space.total),
        error: tried.err().map(|error| error.to_string()),
    }
}

fn bounds(app: &App, json: bool) -> anyhow::Result<()> {
    let bounds = weights::Limits::DEFAULT.table();
    if json {
        let map: serde_json::Map<String, serde_json::Value> =
            bounds.into_iter().map(|(name, most)| (name.to_owned(), most.into())).collect();
        return app.output.json(&map);
    }
    let mut table = Table::new([("bound", Align::Left), ("at most", Align::Right)]);
    for (name, most) in bounds {
        table.row([name.to_owned(), most.to_string()]);
    }
    app.output.line(table.render(app.output.styles()))
}

fn page(report: &Report, colours: Colours) -> String {
    let mut lines: Vec<String> = vec![format!("freehold {}", report.version)];
    lines.extend(report.machine.to_string().lines().map(str::to_owned));
    let sets = &report.instruction_sets;
    let label = |name: &str, text: String| format!("{name:<INDENT$}{text}");
    let available = sets.available.join(", ");
    lines.push(label(
        "loops",
        format!("{} chosen of {available}, {} threads", sets.chosen, report.threads),
    ));
    lines.extend(report.limits.to_string().lines().map(str::to_owned));
    let home = &report.home;
    let place = home.path.as_deref().map_or_else(|| "none is known".to_owned(), weights::shown);
    let room = home.free_bytes.map(|free| format!(", {free} free")).unwrap_or_default();
    let state = if home.writable { "writable" } else { "NOT writable" };
    lines.push(label("home", format!("{place} ({state}{room})")));
    let terminal = &report.terminal;
    let colour = if terminal.colours { "colours" } else { "no colours" };
    lines.push(label(
        "terminal",
        match terminal.columns.zip(terminal.rows) {
            Some((columns, rows)) => format!("{columns} x {rows}, {colour}"),
            None => format!("none, {colour}"),
        },
    ));
    let width = usize::from(terminal.columns.unwrap_or(WIDTH as u16)).max(40);
    let mut text: Vec<String> = lines.iter().map(|line| wrap(line, width, INDENT)).collect();
    text.push(String::new());
    if report.findings.is_empty() {
        text.push(colours.green("nothing here keeps a model from running"));
    }
    for finding in &report.findings {
        let level = match finding.level {
            Level::Problem => colours.red("problem"),
            Level::Warning => colours.yellow("warning"),
            Level::Note => colours.dim("note"),
        };
        text.push(format!("{level}: {}", wrap(&finding.what, width - 10, 2)));
        text.push(format!("  {}", wrap(&finding.advice, width - 2, 2)));
    }
    text.join("\n")
}

/// Breaks a line at spaces so that no part is wider than `width` where that can be; parts after the
/// first are indented.
fn wrap(line: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for (at, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && used + 1 + length > width {
            out = out.trim_end().to_owned();
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if at > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(wrap("label    aa bb cc", 12, 9), "label    aa\n         bb\n         cc");
        assert_eq!(wrap("short", 80, 9), "short");
        assert_eq!(wrap("a    b", 80, 9), "a    b");
        assert_eq!(wrap(&"x".repeat(20), 10, 2), "x".repeat(20));
    }
}
