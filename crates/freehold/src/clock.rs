//! The time, as files and policies write it. Nothing below the program looks at a clock for these.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use policy::Date;

const DAY: u64 = 86_400;

/// Today, in UTC.
pub(crate) fn today() -> Date {
    let (year, month, day) = civil(seconds(SystemTime::now()) / DAY);
    Date::new(year, month, day).expect("the calendar has every day that passes")
}

/// Now, as RFC 3339 in UTC: `2026-11-21T11:30:00Z`.
pub(crate) fn timestamp() -> String {
    stamp(SystemTime::now())
}

/// A moment as RFC 3339 in UTC.
pub(crate) fn stamp(time: SystemTime) -> String {
    let seconds = seconds(time);
    let (year, month, day) = civil(seconds / DAY);
    let rest = seconds % DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A duration as people say it: `40 s`, `12 min`, `3.5 h`.
pub(crate) fn words(time: Duration) -> String {
    match time.as_secs() {
        s if s < 100 => format!("{s} s"),
        s if s < 6000 => format!("{} min", s.div_ceil(60)),
        s => format!("{:.1} h", s as f64 / 3600.0),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Year, month and day of a day since 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms", 2013: years that begin in March, eras of 400 of them).
fn civil(days: u64) -> (u16, u8, u8) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    (u16::try_from(year).unwrap_or(u16::MAX), month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_260_645, "2026-11-21T11:30:45Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert!(today() > "2026-01-01".parse().unwrap());
    }

    #[test]
    fn durations_are_told_in_the_unit_one_would_use() {
        let told = [40, 100, 601, 12_600].map(|s| words(Duration::from_secs(s)));
        assert_eq!(told, ["40 s", "2 min", "11 min", "3.5 h"]);
    }
}
