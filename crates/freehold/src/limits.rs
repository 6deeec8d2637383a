//! This machine's measured limits: kept under `FREEHOLD_HOME`, measured when they are first needed.

use std::path::PathBuf;

use machine::{KernelProbe, Limits, Machine};

use crate::program::App;

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

/// Where limits are kept.
pub(crate) fn folder(app: &App) -> Option<PathBuf> {
    app.settings.home().ok().map(|home| home.join("machine"))
}
