//! Our program, asked as anyone would ask it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Ask, BATCH, Found, Test, process};

/// What our columns are called.
pub(super) const NAME: &str = "freehold";

/// The ids of the prompt whose first token is waited for.
pub(super) const SHORT: &str = "1,300,301,302,303,304,305,306";

/// Our program.
#[derive(Debug)]
pub(super) struct Freehold(PathBuf);

impl Freehold {
    /// This program, or one built now.
    pub(super) fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            return Ok(Freehold(path));
        }
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--package", "freehold"])
            .status()
            .context("cargo does not run")?;
        ensure!(status.success(), "cargo ended with {status}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Ok(Freehold(root.join("target/release/freehold").canonicalize()?))
    }

    /// Runs it and reads every line of its JSON.
    pub(super) fn json(
        &self,
        command: &str,
        ask: &Ask,
        args: &[&str],
    ) -> anyhow::Result<Vec<Value>> {
        let done = process::run(self.command(command, ask).args(args).arg("--json"))?;
        let lines = done.printed.lines().filter(|line| !line.trim().is_empty());
        let values: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
        // Reports that are not one object a line are one object over several.
        values.or_else(|_| Ok(vec![serde_json::from_str(&done.printed)?]))
    }

    fn command(&self, command: &str, ask: &Ask) -> Command {
        let mut program = Command::new(&self.0);
        program.arg(command).arg(&ask.model).args(["--threads", &ask.threads.to_string()]);
        program
    }

    /// Prompts and generation of one sequence.
    pub(super) fn speed(&self, ask: &Ask) -> anyhow::Result<Vec<Found>> {
        let repetitions = ask.repetitions.to_string();
        let generate = ask.sizes.generate;
        let mut found = vec![];
        let prompts: Vec<String> = ask.sizes.prompt.iter().map(u32::to_string).collect();
        if !prompts.is_empty() {
            let args = ["-n", "0", "-r", &repetitions, "-p", &prompts.join(",")];
            let rows = self.json("bench", ask, &args)?;
            for prompt in &ask.sizes.prompt {
                found.push(row(&rows, Test::Prompt(*prompt))?);
            }
        }
        for depth in &ask.sizes.depth {
            let (tokens, depth_text) = (generate.to_string(), depth.to_string());
            let args = ["-p", "0", "-r", &repetitions, "-n", &tokens, "-d", &depth_text];
            let rows = self.json("bench", ask, &args)?;
            found.push(row(&rows, Test::Generate { tokens: generate, depth: *depth })?);
        }
        Ok(found)
    }

    /// Several sequences at once.
    pub(super) fn batch(&self, ask: &Ask) -> anyhow::Result<Vec<Found>> {
        let batch: Vec<String> = ask.sizes.batch.iter().map(u32::to_string).collect();
        let [depth, tokens] = [BATCH.0, BATCH.1].map(|n| n.to_string());
        let repetitions = ask.repetitions.to_string();
        let batch = batch.join(",");
        let args = ["-p", "0", "-r", &repetitions, "-n", &tokens, "-d", &depth, "-b", &batch];
        let rows = self.json("bench", ask, &args)?;
        ask.sizes.batch.iter().map(|sequences| row(&rows, Test::Batch(*sequences))).collect()
    }

    /// From the program's start to its end after one token, and the memory that took.
    pub(super) fn start(&self, ask: &Ask) -> anyhow::Result<Vec<Found>> {
        let args =
            ["--raw", "--ids", SHORT, "--max-tokens", "1", "--temperature", "0", "--ctx", "512"];
        let done = process::run(self.command("run", ask).args(args).arg("--json"))?;
        let mut found = vec![Found::of(Test::FirstToken, &[done.seconds])];
        found.extend(done.peak_mb.map(|peak| Found::of(Test::Memory, &[peak])));
        Ok(found)
    }
}

/// A test's row in what `freehold bench --json` printed.
fn row(rows: &[Value], test: Test) -> anyhow::Result<Found> {
    let mut name = test.name();
    if test == Test::Batch(1) {
        name = name.trim_end_matches("@b1").to_owned();
    }
    let row = rows.iter().find(|row| row["test"] == name.as_str());
    let row = row.with_context(|| format!("freehold bench said nothing of {name}"))?;
    let number = |key: &str| {
        let value = row["tokens_per_s"][key].as_f64();
        value.with_context(|| format!("freehold bench gave no {key} of {name}"))
    };
    let share = row["share_of_limit"].as_f64();
    Ok(Found { median: number("median")?, min: number("min")?, max: number("max")?, share, test })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_found_by_its_name() {
        let rows = [
            json!({"test": "pp64", "tokens_per_s": {"median": 2.0, "min": 1.0, "max": 3.0}, "share_of_limit": 0.5}),
            json!({"test": "tg32@d16", "tokens_per_s": {"median": 4.0, "min": 4.0, "max": 4.0}}),
        ];
        let found = row(&rows, Test::Prompt(64)).expect("there");
        assert_eq!((found.median, found.min, found.max, found.share), (2.0, 1.0, 3.0, Some(0.5)));
        assert_eq!(row(&rows, Test::Batch(1)).expect("there").median, 4.0);
        assert!(row(&rows, Test::Batch(2)).is_err());
    }
}
