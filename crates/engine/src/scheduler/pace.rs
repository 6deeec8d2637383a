//! How long a row of a prompt takes, as measured, so that running answers don't wait too long for it.

use std::time::Duration;

/// Steps with fewer rows say more about weights than about rows.
const ROWS_MIN: usize = 16;
/// The share of a new measurement.
const NEW: f64 = 0.2;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    seconds_per_row: Option<f64>,
}

impl Pace {
    /// A step of `rows` took `seconds`.
    pub(crate) fn record(&mut self, rows: usize, seconds: f64) {
        if rows >= ROWS_MIN {
            let new = seconds / rows as f64;
            let old = self.seconds_per_row.unwrap_or(new);
            self.seconds_per_row = Some(old + NEW * (new - old));
        }
    }

    /// How many rows such a time allows; `None` before anything is measured.
    pub(crate) fn rows_within(&self, target: Duration) -> Option<usize> {
        self.seconds_per_row.filter(|s| *s > 0.0).map(|s| (target.as_secs_f64() / s) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_what_is_measured() {
        let mut pace = Pace::default();
        assert_eq!(pace.rows_within(Duration::from_secs(1)), None);
        pace.record(1, 5.0);
        assert_eq!(pace.rows_within(Duration::from_secs(1)), None);
        pace.record(100, 1.0);
        assert_eq!(pace.rows_within(Duration::from_secs(1)), Some(100));
        for _ in 0..50 {
            pace.record(100, 2.0);
        }
        assert_eq!(pace.rows_within(Duration::from_secs(1)), Some(50));
    }
}
