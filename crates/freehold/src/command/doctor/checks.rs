//! What is worth a person's attention, and what to do about it.

use kernels::Isa;
use machine::Bytes;
use serde::Serialize;

use super::Report;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Keeps models from running.
    Problem,
    /// Makes them slow, or keeps large ones from running.
    Warning,
    /// Good to know.
    Note,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) what: String,
    pub(super) advice: String,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a check gives a finding or none; this is the finding"
)]
fn finding(level: Level, what: impl Into<String>, advice: impl Into<String>) -> Option<Finding> {
    Some(Finding { level, what: what.into(), advice: advice.into() })
}

/// All findings, the worst first.
pub(super) fn findings(report: &Report, chosen: Isa) -> Vec<Finding> {
    let checks = [
        memory(report),
        container(report),
        instruction_set(chosen, Isa::best()),
        threads(report),
        quota(report),
        home(report),
        disk(report),
        gpu(report),
    ];
    let mut found: Vec<Finding> = checks.into_iter().flatten().collect();
    found.sort_by_key(|finding| match finding.level {
        Level::Problem => 0,
        Level::Warning => 1,
        Level::Note => 2,
    });
    found
}

fn memory(report: &Report) -> Option<Finding> {
    let free = report.machine.memory.free();
    let advice =
        "close other programs, or take a small model in Q4_K; `freehold plan MODEL` says what fits";
    match free {
        free if free < Bytes::mib(512) => {
            finding(Level::Problem, format!("only {free} of memory can be had"), advice)
        }
        free if free < Bytes::gib(4) => finding(
            Level::Warning,
            format!("{free} of memory can be had: enough for small models"),
            advice,
        ),
        _ => None,
    }
}

fn container(report: &Report) -> Option<Finding> {
    let memory = &report.machine.memory;
    let limit = memory.limit.as_ref().filter(|limit| limit.left() < memory.available)?;
    finding(
        Level::Note,
        format!("a container limits memory to {}, {} of it left", limit.limit, limit.left()),
        "raise the container's limit for larger models",
    )
}

fn instruction_set(chosen: Isa, best: Isa) -> Option<Finding> {
    if chosen != best {
        return finding(
            Level::Warning,
            format!("FREEHOLD_ISA chooses {chosen}, the best of this machine is {best}"),
            "unset FREEHOLD_ISA",
        );
    }
    if best == Isa::Scalar {
        return finding(
            Level::Warning,
            "this processor has none of the vector instructions there are fast loops for",
            "models run, slowly; use a machine with AVX2, AVX-512 or NEON",
        );
    }
    None
}

fn threads(report: &Report) -> Option<Finding> {
    let (threads, usable) = (report.threads, report.machine.cpu.usable_threads.max(1));
    if threads <= usable {
        return None;
    }
    let what = format!("FREEHOLD_THREADS is {threads}, this process may use {usable}");
    finding(
        Level::Warning,
        what,
        "unset FREEHOLD_THREADS: threads beyond the processor's wait for one another",
    )
}

fn quota(report: &Report) -> Option<Finding> {
    let cpu = &report.machine.cpu;
    let quota = cpu.quota.filter(|quota| *quota < cpu.usable_cores as f64)?;
    let cores = cpu.usable_cores;
    finding(
        Level::Note,
        format!("a container grants the time of {quota:.2} threads on {cores} cores"),
        "raise the container's processor limit for more speed",
    )
}

fn home(report: &Report) -> Option<Finding> {
    let home = &report.home;
    let error = home.error.as_deref()?;
    let advice = "set FREEHOLD_HOME to a folder you may write to";
    match &home.path {
        None => finding(Level::Warning, "no home folder is known: nothing can be kept", advice),
        Some(path) => {
            let path = weights::shown(path);
            finding(Level::Warning, format!("{path} cannot be written to: {error}"), advice)
        }
    }
}

fn disk(report: &Report) -> Option<Finding> {
    let free = report.home.free_bytes.filter(|free| *free < Bytes::gib(5))?;
    let what = format!("only {free} are free where Freehold keeps its files");
    finding(Level::Warning, what, "make room, or set FREEHOLD_HOME to a larger disk")
}

fn gpu(report: &Report) -> Option<Finding> {
    let gpu = report.machine.gpus.first()?;
    let name = weights::shown(&gpu.name);
    finding(
        Level::Note,
        format!("{name} is seen and not used"),
        "this version computes on the processor",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_choice_is_pointed_out() {
        assert_eq!(instruction_set(Isa::Avx2, Isa::Avx2), None);
        let found = instruction_set(Isa::Scalar, Isa::Avx2).unwrap();
        assert_eq!((found.level, found.advice.as_str()), (Level::Warning, "unset FREEHOLD_ISA"));
        assert_eq!(instruction_set(Isa::Scalar, Isa::Scalar).unwrap().level, Level::Warning);
    }
}
