//! This machine's measured limits: kept under `FREEHOLD_HOME`, measured when they are first needed.

use std::path::PathBuf;

use kernels::KvFormat;
use machine::{KernelProbe, Limits, Machine, RateProbe, Rates};
use quant::Format;

use crate::{cost::kv_name, program::App};

/// The limits with so many threads: those kept, else measured now (with a remark) and kept.
pub(crate) fn of(app: &App, machine: &Machine, threads: usize) -> anyhow::Result<Limits> {
    match kept(app, machine, threads) {
        Some(limits) => Ok(limits),
        None => measured(app, machine, threads),
    }
}

/// The limits kept from an earlier measurement.
pub(crate) fn kept(app: &App, machine: &Machine, threads: usize) -> Option<Limits> {
    Limits::kept(&folder(app)?, &machine.cpu, app.settings.isa.name(), threads)
}

/// Measures now, and keeps of each number the better of now and before: a machine that others use
/// looks slower than it is, and none looks faster.
pub(crate) fn measured(app: &App, machine: &Machine, threads: usize) -> anyhow::Result<Limits> {
    app.output.note(format!(
        "measuring what this machine can do with {threads} thread{} (a few seconds) ...",
        if threads == 1 { "" } else { "s" }
    ));
    let limits = Limits::measure(&KernelProbe::new(app.settings.isa, machine), threads)?;
    let limits = match kept(app, machine, threads) {
        Some(before) => limits.or_better(&before),
        None => limits,
    };
    // That they cannot be kept is no reason not to use them.
    match folder(app).map(|folder| limits.keep(&folder, &machine.cpu)) {
        Some(Ok(())) => {}
        Some(Err(error)) => app.output.note(format!("the limits are not kept: {error}")),
        None => {
            app.output.note("the limits are not kept: no home folder is known; set FREEHOLD_HOME");
        }
    }
    Ok(limits)
}

/// What the program's own loops reach with these formats of weights and cache: kept from earlier, and
/// measured now (with a remark) as far as they were not.
pub(crate) fn rates(
    app: &App,
    machine: &Machine,
    threads: usize,
    formats: &[&'static Format],
    cache: KvFormat,
) -> anyhow::Result<Rates> {
    let home = folder(app);
    let isa = app.settings.isa;
    let kept = home.as_deref().map(|home| Rates::kept(home, &machine.cpu, isa.name(), threads));
    let mut rates =
        kept.unwrap_or(Rates { isa: isa.name().to_owned(), threads, ..Rates::default() });
    let missing: Vec<_> =
        formats.iter().filter(|format| !rates.products.contains_key(format.name)).collect();
    let known = rates.overhead.is_some() && rates.attention.contains_key(kv_name(cache));
    if missing.is_empty() && known {
        return Ok(rates);
    }
    app.output.note("timing this program's own loops (once, some seconds) ...");
    let probe = RateProbe::new(isa, threads, machine)?;
    for format in missing {
        rates.products.insert(format.name.to_owned(), probe.product(format)?);
    }
    if !rates.attention.contains_key(kv_name(cache)) {
        rates.attention.insert(kv_name(cache).to_owned(), probe.attention(cache)?);
    }
    if rates.overhead.is_none() {
        rates.overhead = Some(probe.overhead()?);
    }
    if let Some(Err(error)) = home.map(|home| rates.keep(&home, &machine.cpu)) {
        app.output.note(format!("the timings are not kept: {error}"));
    }
    Ok(rates)
}

/// Forgets timings and limits, so that they are measured again.
pub(crate) fn forget(app: &App) -> anyhow::Result<()> {
    match folder(app).map(std::fs::remove_dir_all) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Where limits are kept.
pub(crate) fn folder(app: &App) -> Option<PathBuf> {
    app.settings.home().ok().map(|home| home.join("machine"))
}
