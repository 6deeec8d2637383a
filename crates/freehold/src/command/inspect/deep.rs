//! `--deep`: every number of every tensor, read once.

use serde::Serialize;
use weights::{Checkpoint, Kind};

use crate::program::App;

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Scan {
    pub(super) values: u64,
    pub(super) nans: u64,
    pub(super) infinities: u64,
    pub(super) tensors: Vec<Tensor>,
    /// Tensors whose types cannot be computed with here.
    pub(super) not_read: Vec<String>,
}

/// One tensor's statistics; of the finite values where the rest would spoil them.
#[derive(Debug, Serialize)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) min: f32,
    pub(super) max: f32,
    pub(super) mean: f64,
    pub(super) std: f64,
    pub(super) zeros: u64,
    pub(super) subnormals: u64,
    pub(super) nans: u64,
    pub(super) infinities: u64,
}

impl Scan {
    /// Values that are not finite.
    pub(super) fn non_finite(&self) -> u64 {
        self.nans + self.infinities
    }
}

/// Reads everything, with a progress bar.
pub(super) fn scan(checkpoint: &Checkpoint, app: &App) -> anyhow::Result<Scan> {
    let mut scan = Scan { values: 0, nans: 0, infinities: 0, tensors: vec![], not_read: vec![] };
    let total = checkpoint.tensor_bytes();
    let progress = app.output.progress("reading", total);
    let mut done = 0;
    for logical in checkpoint.logical_tensors().values() {
        done += crate::formats::bytes(checkpoint, logical);
        let name = logical.name.to_string();
        if matches!(logical.kind, Kind::Plain(dtype) if dtype.format().is_none()) {
            scan.not_read.push(name);
            continue;
        }
        let found = checkpoint.scan(&logical.name)?;
        scan.values += found.count;
        scan.nans += found.nans;
        scan.infinities += found.infinities;
        scan.tensors.push(Tensor {
            name,
            count: found.count,
            min: found.min,
            max: found.max,
            mean: found.mean,
            std: found.std,
            zeros: found.zeros,
            subnormals: found.subnormals,
            nans: found.nans,
            infinities: found.infinities,
        });
        progress.set(done, total);
    }
    progress.finish();
    Ok(scan)
}
