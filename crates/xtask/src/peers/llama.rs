//! llama.cpp's own tools, in each of the ways that may be its fastest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::process::{self, Running};
use super::{Ask, BATCH, Found, Test, freehold::SHORT};

/// A way to run it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    /// For `llama-bench`.
    bench: &'static [&'static str],
    /// For the other tools.
    rest: &'static [&'static str],
}

/// The ways.
pub(super) const WAYS: &[Way] = &[
    Way { name: "llama.cpp", bench: &[], rest: &[] },
    Way { name: "llama.cpp, no repack", bench: &["--repack", "0"], rest: &["--no-repack"] },
    Way { name: "llama.cpp, -fa off", bench: &["-fa", "off"], rest: &["-fa", "off"] },
];

/// The folder of its tools.
#[derive(Debug)]
pub(super) struct Llama(PathBuf);

impl Llama {
    /// The folder, if the tools are there.
    pub(super) fn new(folder: PathBuf) -> anyhow::Result<Self> {
        for tool in ["llama-bench", "llama-batched-bench", "llama-server"] {
            let path = folder.join(tool);
            ensure!(path.is_file(), "{} is not there", path.display());
        }
        Ok(Llama(folder))
    }

    fn tool(&self, name: &str, ask: &Ask) -> Command {
        let mut tool = Command::new(self.0.join(name));
        // Its libraries lie beside it.
        tool.env("LD_LIBRARY_PATH", &self.0).arg("-m").arg(&ask.model);
        tool.args(["-t", &ask.threads.to_string()]);
        tool
    }

    /// Prompts and generation of one sequence.
    pub(super) fn speed(&self, ask: &Ask, way: &Way) -> anyhow::Result<Vec<Found>> {
        let prompts: Vec<String> = ask.sizes.prompt.iter().map(u32::to_string).collect();
        let mut found = vec![];
        if !prompts.is_empty() {
            let runs = self.bench(ask, way, &["-n", "0", "-p", &prompts.join(",")])?;
            found.extend(runs.into_iter().map(|run| (Test::Prompt(run.prompt), run.samples)));
        }
        let tokens = ask.sizes.generate;
        for depth in &ask.sizes.depth {
            let args = ["-p", "0", "-n", &tokens.to_string(), "-d", &depth.to_string()];
            let runs = self.bench(ask, way, &args)?;
            let test = Test::Generate { tokens, depth: *depth };
            found.extend(runs.into_iter().map(|run| (test.clone(), run.samples)));
        }
        Ok(found.into_iter().map(|(test, samples)| Found::of(test, &samples)).collect())
    }

    fn bench(&self, ask: &Ask, way: &Way, args: &[&str]) -> anyhow::Result<Vec<Run>> {
        let mut tool = self.tool("llama-bench", ask);
        tool.args(["-o", "json", "-r", &ask.repetitions.to_string()]).args(args).args(way.bench);
        runs(&process::run(&mut tool)?.printed)
    }

    /// Several sequences at once.
    pub(super) fn batch(&self, ask: &Ask, way: &Way) -> anyhow::Result<Vec<Found>> {
        let most = ask.sizes.batch.iter().max().copied().unwrap_or(1);
        let context = (most * (BATCH.0 + BATCH.1)).max(256);
        let batch: Vec<String> = ask.sizes.batch.iter().map(u32::to_string).collect();
        let mut samples: Vec<(u32, Vec<f64>)> =
            ask.sizes.batch.iter().map(|batch| (*batch, vec![])).collect();
        for _ in 0..ask.repetitions {
            let mut tool = self.tool("llama-batched-bench", ask);
            tool.args(["-c", &context.to_string(), "-npp", &BATCH.0.to_string()]);
            tool.args(["-ntg", &BATCH.1.to_string(), "-npl", &batch.join(",")]);
            tool.args(["--output-format", "jsonl"]).args(way.rest);
            let printed = process::run(&mut tool)?.printed;
            for line in printed.lines().filter(|line| line.starts_with('{')) {
                let row: Value = serde_json::from_str(line)?;
                let speed =
                    row["speed_tg"].as_f64().context("llama-batched-bench gave no speed_tg")?;
                let batch = samples.iter_mut().find(|(batch, _)| row["pl"] == *batch);
                batch.context("llama-batched-bench measured something else")?.1.push(speed);
            }
        }
        let sure = samples.iter().all(|(_, samples)| !samples.is_empty());
        ensure!(sure, "llama-batched-bench left out a test");
        Ok(samples.iter().map(|(batch, s)| Found::of(Test::Batch(*batch), s)).collect())
    }

    /// From the server's start to its first token, and the memory that took.
    pub(super) fn start(&self, ask: &Ask, way: &Way) -> anyhow::Result<Vec<Found>> {
        let ids: Vec<u32> = SHORT.split(',').filter_map(|id| id.parse().ok()).collect();
        let started = Instant::now();
        let server = self.serve(ask, way.rest)?;
        server.complete(&ids, 0)?;
        let seconds = started.elapsed().as_secs_f64();
        let mut found = vec![Found::of(Test::FirstToken, &[seconds])];
        let peak = process::peak_of(&server.child.0);
        found.extend(peak.map(|peak| Found::of(Test::Memory, &[peak])));
        Ok(found)
    }

    /// Its server with a context of 512, ready.
    pub(super) fn serve(&self, ask: &Ask, args: &[&str]) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut tool = self.tool("llama-server", ask);
        tool.args(["--port", &port.to_string(), "-c", "512", "-np", "1", "--no-warmup"]).args(args);
        tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Running(tool.spawn().context("llama-server does not start")?);
        let mut server = Server { child, port };
        for _ in 0..60_000 {
            if let Some(status) = server.child.0.try_wait()? {
                bail!("llama-server ended with {status}");
            }
            if server.ask("GET", "/health", "").is_ok_and(|(status, _)| status == 200) {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(2));
        }
        bail!("llama-server was not ready in two minutes")
    }
}

/// A server that is up.
#[derive(Debug)]
pub(super) struct Server {
    child: Running,
    port: u16,
}

impl Server {
    /// The next token of these ids, greedily, with the `top` best and their log-probabilities.
    pub(super) fn complete(&self, ids: &[u32], top: u32) -> anyhow::Result<Vec<(u64, f64)>> {
        let body = json!({"prompt": ids, "n_predict": 1, "n_probs": top, "temperature": 0,
            "cache_prompt": false});
        let (status, answer) = self.ask("POST", "/completion", &body.to_string())?;
        ensure!(status == 200, "llama-server answered {status}: {answer}");
        let answer: Value = serde_json::from_str(&answer)?;
        let best = answer["completion_probabilities"][0]["top_logprobs"].as_array();
        let best = best.map_or(&[][..], |list| list);
        let one = |entry: &Value| Some((entry["id"].as_u64()?, entry["logprob"].as_f64()?));
        Ok(best.iter().filter_map(one).collect())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_mins(10)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        Ok((status.context("an answer without a status")?, body.to_owned()))
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A test of llama-bench.
#[derive(Debug, PartialEq)]
struct Run {
    prompt: u32,
    samples: Vec<f64>,
}

fn runs(printed: &str) -> anyhow::Result<Vec<Run>> {
    let all: Vec<Value> = serde_json::from_str(printed).context("llama-bench printed no JSON")?;
    let one = |run: &Value| {
        let samples = run["samples_ts"].as_array()?;
        let samples: Option<Vec<f64>> = samples.iter().map(Value::as_f64).collect();
        let prompt = run["n_prompt"].as_u64()? as u32;
        Some(Run { prompt, samples: samples.filter(|samples| !samples.is_empty())? })
    };
    all.iter().map(|run| one(run).context("llama-bench's samples are not there")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_llama_bench_prints_is_read() {
        let printed = r#"[{"n_prompt": 8, "n_gen": 0, "samples_ts": [2.0, 4.0]}]"#;
        assert_eq!(runs(printed).expect("read"), [Run { prompt: 8, samples: vec![2.0, 4.0] }]);
        for bad in ["", "[{}]", r#"[{"n_prompt": 8, "samples_ts": []}]"#] {
            assert!(runs(bad).is_err(), "{bad}");
        }
    }
}
