//! Statistics of a tensor's values, for `inspect --deep`: what no header can tell.

use super::Checkpoint;
use crate::{Error, Logical};

/// Values decoded at a time.
const CHUNK: usize = 1 << 16;

/// What the values of a tensor are like. Minimum, maximum, mean and deviation are of the finite ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// All values.
    pub count: u64,
    /// Values that are not numbers.
    pub nans: u64,
    /// Values that are infinite.
    pub infinities: u64,
    /// Values that are zero, of either sign.
    pub zeros: u64,
    /// Values too small for full precision in f32.
    pub subnormals: u64,
    /// The smallest; 0 when there is none.
    pub min: f32,
    /// The largest; 0 when there is none.
    pub max: f32,
    /// The mean.
    pub mean: f64,
    /// The standard deviation (of the population).
    pub std: f64,
}

impl Statistics {
    /// Values that are not finite.
    pub fn non_finite(&self) -> u64 {
        self.nans + self.infinities
    }
}

impl Checkpoint {
    /// Reads every value of a logical tensor once, in pieces, and releases what it has read.
    pub fn scan(&self, name: &str) -> Result<Statistics, Error> {
        let logical = self.logical(name)?;
        let mut running = Running::default();
        let rows_at_once = (CHUNK / logical.width().max(1)).max(1);
        let mut values = Vec::new();
        let mut row = 0;
        while row < logical.rows() && logical.width() > 0 {
            let end = (row + rows_at_once).min(logical.rows());
            self.scan_rows(logical, row..end, &mut values)?;
            for &value in &values {
                running.add(value);
            }
            row = end;
        }
        self.release_logical(name);
        Ok(running.finish())
    }

    fn scan_rows(
        &self,
        logical: &Logical,
        rows: std::ops::Range<usize>,
        values: &mut Vec<f32>,
    ) -> Result<(), Error> {
        values.resize(rows.len() * logical.width(), 0.0);
        self.rows_f32(&logical.name, rows, values)
    }
}

/// Welford's running mean and sum of squares (1962), which does not cancel.
#[derive(Default)]
struct Running {
    so_far: Statistics,
    finite: u64,
    squares: f64,
}

impl Running {
    fn add(&mut self, value: f32) {
        let so_far = &mut self.so_far;
        so_far.count += 1;
        if value.is_nan() {
            so_far.nans += 1;
            return;
        }
        if value.is_infinite() {
            so_far.infinities += 1;
            return;
        }
        so_far.zeros += u64::from(value == 0.0);
        so_far.subnormals += u64::from(value.is_subnormal());
        if self.finite == 0 {
            (so_far.min, so_far.max) = (value, value);
        }
        so_far.min = so_far.min.min(value);
        so_far.max = so_far.max.max(value);
        self.finite += 1;
        let delta = f64::from(value) - so_far.mean;
        so_far.mean += delta / self.finite as f64;
        self.squares += delta * (f64::from(value) - so_far.mean);
    }

    fn finish(mut self) -> Statistics {
        if self.finite > 0 {
            self.so_far.std = (self.squares / self.finite as f64).sqrt();
        }
        self.so_far
    }
}
