//! Metrics in Prometheus' text format, under our own names and under the vLLM names that routers and
//! dashboards read. Labels are models and routes of the table: nothing a client can invent.

mod text;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{model::Model, usage::Record};
use text::{Page, Type};

/// Upper bounds of the buckets, in seconds.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0,
    160.0, 320.0,
];

/// Everything counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    models: BTreeMap<String, Counts>,
    /// Requests by route and status.
    requests: BTreeMap<(&'static str, u16), u64>,
}

#[derive(Debug, Default)]
struct Counts {
    prompt_tokens: u64,
    cached_tokens: u64,
    completion_tokens: u64,
    outcomes: BTreeMap<&'static str, u64>,
    refused: u64,
    first_token: Histogram,
    between_tokens: Histogram,
    whole: Histogram,
    queued: Histogram,
}

/// Counts by bucket, and the sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Histogram {
    buckets: [u64; SECONDS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let at = SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(SECONDS.len());
        self.buckets[at] += 1;
        self.sum += seconds;
    }
}

impl Metrics {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, model: &str, change: impl FnOnce(&mut Counts)) {
        let mut inner = self.inner();
        if let Some(counts) = inner.models.get_mut(model) {
            return change(counts);
        }
        change(inner.models.entry(model.to_owned()).or_default());
    }

    pub(crate) fn queued(&self, model: &str, waited: Duration) {
        self.of(model, |counts| counts.queued.add(waited));
    }

    pub(crate) fn first_token(&self, model: &str, after: Duration) {
        self.of(model, |counts| counts.first_token.add(after));
    }

    pub(crate) fn between_tokens(&self, model: &str, after: Duration) {
        self.of(model, |counts| counts.between_tokens.add(after));
    }

    pub(crate) fn refused(&self, model: &str) {
        self.of(model, |counts| counts.refused += 1);
    }

    pub(crate) fn answered(&self, record: &Record, took: Duration) {
        self.of(&record.model, |counts| {
            counts.prompt_tokens += record.prompt_tokens as u64;
            counts.cached_tokens += record.cached_tokens as u64;
            counts.completion_tokens += record.completion_tokens as u64;
            *counts.outcomes.entry(record.outcome).or_default() += 1;
            counts.whole.add(took);
        });
    }

    pub(crate) fn request(&self, route: &'static str, status: u16) {
        *self.inner().requests.entry((route, status)).or_default() += 1;
    }

    /// The page, with gauges as the loaded models tell them.
    pub(crate) fn page(&self, loaded: &[std::sync::Arc<Model>], connections: usize) -> String {
        let inner = self.inner();
        let mut page = Page::default();
        page.family(
            "freehold_http_requests_total",
            Type::Counter,
            "Requests, by route and status.",
        );
        for ((route, status), count) in &inner.requests {
            page.number(&[("route", route), ("status", &status.to_string())], *count as f64);
        }
        page.family("freehold_connections", Type::Gauge, "Connections that are open.");
        page.number(&[], connections as f64);
        for name in NAMES {
            page.family(name.own, name.kind, name.help);
            (name.write)(&mut page, "model", &inner, loaded);
            for alias in name.vllm {
                page.family(alias, name.kind, name.help);
                (name.write)(&mut page, "model_name", &inner, loaded);
            }
        }
        page.family("vllm:cache_config_info", Type::Gauge, "How the cache is cut.");
        for model in loaded {
            let pages = model.runner().metrics().pages.to_string();
            let labels = [
                ("model_name", model.name()),
                ("block_size", "32"),
                ("num_gpu_blocks", &pages[..]),
            ];
            page.number(&labels, 1.0);
        }
        page.family("vllm:lora_requests_info", Type::Gauge, "Adapters running and waiting.");
        page.number(
            &[("max_lora", "0"), ("running_lora_adapters", ""), ("waiting_lora_adapters", "")],
            crate::key::now() as f64,
        );
        page.into_text()
    }
}

type Write = fn(&mut Page, &'static str, &Inner, &[std::sync::Arc<Model>]);

/// One family and its other names.
struct Name {
    own: &'static str,
    vllm: &'static [&'static str],
    kind: Type,
    help: &'static str,
    write: Write,
}

macro_rules! gauge {
    ($own:literal, $vllm:expr, $help:literal, $value:expr) => {
        Name {
            own: $own,
            vllm: $vllm,
            kind: Type::Gauge,
            help: $help,
            write: |page, label, _, loaded| {
                for model in loaded {
                    let value: fn(&engine::Metrics) -> f64 = $value;
                    page.number(&[(label, model.name())], value(&model.runner().metrics()));
                }
            },
        }
    };
}

macro_rules! counter {
    ($own:literal, $vllm:expr, $help:literal, $value:expr) => {
        Name {
            own: $own,
            vllm: $vllm,
            kind: Type::Counter,
            help: $help,
            write: |page, label, inner, _| {
                for (model, counts) in &inner.models {
                    let value: fn(&Counts) -> u64 = $value;
                    page.number(&[(label, model)], value(counts) as f64);
                }
            },
        }
    };
}

macro_rules! histogram {
    ($own:literal, $vllm:expr, $help:literal, $value:expr) => {
        Name {
            own: $own,
            vllm: $vllm,
            kind: Type::Histogram,
            help: $help,
            write: |page, label, inner, _| {
                for (model, counts) in &inner.models {
                    let value: fn(&Counts) -> &Histogram = $value;
                    let histogram = value(counts);
                    page.histogram(&[(label, model)], &SECONDS, &histogram.buckets, histogram.sum);
                }
            },
        }
    };
}

const NAMES: &[Name] = &[
    gauge!(
        "freehold_requests_running",
        &["vllm:num_requests_running"],
        "Requests whose answers are being computed.",
        |m| m.running as f64
    ),
    gauge!(
        "freehold_requests_waiting",
        &["vllm:num_requests_waiting"],
        "Requests that wait for a place.",
        |m| m.waiting as f64
    ),
    gauge!(
        "freehold_kv_cache_usage_ratio",
        &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
        "Share of the cache's pages that running requests hold.",
        |m| m.pages_held as f64 / (m.pages as f64).max(1.0)
    ),
    gauge!("freehold_kv_cache_pages", &[], "Pages of the cache.", |m| m.pages as f64),
    gauge!("freehold_kv_cache_pages_free", &[], "Pages nobody holds.", |m| m.pages_free as f64),
    gauge!("freehold_kv_cache_pages_cached", &[], "Pages kept for prompts to come.", |m| m
        .pages_cached
        as f64),
    gauge!("freehold_step_rows", &[], "Rows of the last step.", |m| m.last_step_rows as f64),
    Name {
        own: "freehold_preemptions_total",
        vllm: &["vllm:num_preemptions_total"],
        kind: Type::Counter,
        help: "Answers that made room and were resumed.",
        write: |page, label, _, loaded| {
            for model in loaded {
                page.number(&[(label, model.name())], model.runner().metrics().preemptions as f64);
            }
        },
    },
    counter!(
        "freehold_prompt_tokens_total",
        &["vllm:prompt_tokens_total", "vllm:prefix_cache_queries_total"],
        "Tokens of prompts.",
        |c| c.prompt_tokens
    ),
    counter!(
        "freehold_prompt_tokens_cached_total",
        &["vllm:prefix_cache_hits_total"],
        "Tokens of prompts that did not have to be computed.",
        |c| c.cached_tokens
    ),
    counter!(
        "freehold_completion_tokens_total",
        &["vllm:generation_tokens_total"],
        "Tokens of answers.",
        |c| c.completion_tokens
    ),
    counter!(
        "freehold_requests_refused_total",
        &[],
        "Requests the engine refused: queue full, or senseless.",
        |c| c.refused
    ),
    Name {
        own: "freehold_requests_total",
        vllm: &[],
        kind: Type::Counter,
        help: "Answered requests, by how they ended.",
        write: |page, label, inner, _| {
            for (model, counts) in &inner.models {
                for (outcome, count) in &counts.outcomes {
                    page.number(&[(label, model), ("outcome", outcome)], *count as f64);
                }
            }
        },
    },
    Name {
        own: "vllm:request_success_total",
        vllm: &[],
        kind: Type::Counter,
        help: "Answered requests, by how they ended.",
        write: |page, _, inner, _| {
            for (model, counts) in &inner.models {
                for (outcome, count) in counts
                    .outcomes
                    .iter()
                    .filter(|(o, _)| ["stop", "length", "tool_calls"].contains(o))
                {
                    page.number(
                        &[("model_name", model), ("finished_reason", outcome)],
                        *count as f64,
                    );
                }
            }
        },
    },
    histogram!(
        "freehold_time_to_first_token_seconds",
        &["vllm:time_to_first_token_seconds"],
        "From a request to its first token.",
        |c| &c.first_token
    ),
    histogram!(
        "freehold_inter_token_seconds",
        &["vllm:inter_token_latency_seconds", "vllm:request_time_per_output_token_seconds"],
        "Between two tokens.",
        |c| &c.between_tokens
    ),
    histogram!(
        "freehold_request_seconds",
        &["vllm:e2e_request_latency_seconds"],
        "From a request to its last token.",
        |c| &c.whole
    ),
    histogram!(
        "freehold_queue_seconds",
        &["vllm:request_queue_time_seconds"],
        "Spent waiting for a place.",
        |c| &c.queued
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_text_with_both_names() {
        let metrics = Metrics::default();
        metrics.request("/v1/models", 200);
        let record =
            Record { model: "a\"b".into(), prompt_tokens: 7, outcome: "stop", ..Record::default() };
        metrics.answered(&record, Duration::from_millis(30));
        metrics.first_token("a\"b", Duration::from_secs(1000));
        let page = metrics.page(&[], 2);
        for line in [
            "freehold_http_requests_total{route=\"/v1/models\",status=\"200\"} 1",
            "freehold_connections 2",
            "freehold_prompt_tokens_total{model=\"a\\\"b\"} 7",
            "vllm:prompt_tokens_total{model_name=\"a\\\"b\"} 7",
            "vllm:request_success_total{model_name=\"a\\\"b\",finished_reason=\"stop\"} 1",
            "freehold_time_to_first_token_seconds_bucket{model=\"a\\\"b\",le=\"320\"} 0",
            "freehold_time_to_first_token_seconds_bucket{model=\"a\\\"b\",le=\"+Inf\"} 1",
            "freehold_request_seconds_count{model=\"a\\\"b\"} 1",
        ] {
            assert!(page.lines().any(|have| have == line), "{line}\n{page}");
        }
        let mut seen = std::collections::HashSet::new();
        for line in page.lines().filter(|line| line.starts_with("# TYPE")) {
            assert!(seen.insert(line.to_owned()), "{line} twice");
        }
    }
}
