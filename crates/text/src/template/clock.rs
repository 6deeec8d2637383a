//! A date and time given by the caller, and Python's `strftime` of it. The library reads no clock.

use super::fault::{Res, value_error};

/// A moment as a calendar and a wall clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Year of the common era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl DateTime {
    /// The moment so many seconds after 1970 began, in the time zone `offset_s` seconds east.
    pub fn from_unix(seconds: i64, offset_s: i64) -> Self {
        let local = seconds.saturating_add(offset_s);
        let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        // Days since 0000-03-01, counted in eras of 400 years (Howard Hinnant's "chrono-compatible
        // low-level date algorithms").
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: year as i32,
            month: month as u8,
            day: day as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }

    /// Day of the year, 1 to 366.
    fn ordinal(&self) -> i32 {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let month = usize::from(self.month.clamp(1, 12)) - 1;
        before[month] + i32::from(self.day) + i32::from(leap && month > 1)
    }

    /// Day of the week, Sunday 0.
    fn weekday(&self) -> usize {
        let last = i64::from(self.year) - 1;
        let days = last * 365 + last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400);
        ((days + i64::from(self.ordinal())).rem_euclid(7)) as usize
    }
}

/// Python's `now.strftime(format)`.
pub(super) fn strftime(now: &DateTime, format: &str) -> Res<String> {
    if format.len() > 4096 {
        return value_error("a date format of more than 4096 bytes");
    }
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut letter = chars.next();
        let plain = letter == Some('-');
        if plain {
            letter = chars.next();
        }
        let mut number = |value: i32, width: usize| {
            let width = if plain { 0 } else { width };
            let text = format!("{value:0width$}");
            out.push_str(&text);
        };
        let hour12 = i32::from(now.hour).rem_euclid(12);
        let hour12 = if hour12 == 0 { 12 } else { hour12 };
        let month = MONTHS[usize::from(now.month.clamp(1, 12)) - 1];
        let weekday = now.weekday();
        match letter {
            Some('Y') => number(now.year, 4),
            Some('y') => number(now.year.rem_euclid(100), 2),
            Some('m') => number(i32::from(now.month), 2),
            Some('d') => number(i32::from(now.day), 2),
            Some('H') => number(i32::from(now.hour), 2),
            Some('I') => number(hour12, 2),
            Some('M') => number(i32::from(now.minute), 2),
            Some('S') => number(i32::from(now.second), 2),
            Some('f') => number(0, 6),
            Some('j') => number(now.ordinal(), 3),
            Some('w') => number(weekday as i32, 1),
            Some('u') => number(if weekday == 0 { 7 } else { weekday as i32 }, 1),
            Some('U') => number((now.ordinal() + 6 - weekday as i32) / 7, 2),
            Some('W') => number((now.ordinal() + 6 - (weekday as i32 + 6) % 7) / 7, 2),
            Some('e') => {
                let day = format!("{:>2}", now.day);
                out.push_str(&day);
            }
            Some('B') => out.push_str(month),
            Some('b' | 'h') => out.push_str(&month[..3]),
            Some('A') => out.push_str(DAYS[weekday]),
            Some('a') => out.push_str(&DAYS[weekday][..3]),
            Some('p') => out.push_str(if now.hour < 12 { "AM" } else { "PM" }),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('%') => out.push('%'),
            Some('z' | 'Z') => {}
            Some('F') => out.push_str(&strftime(now, "%Y-%m-%d")?),
            Some('T' | 'X') => out.push_str(&strftime(now, "%H:%M:%S")?),
            Some('R') => out.push_str(&strftime(now, "%H:%M")?),
            Some('D' | 'x') => out.push_str(&strftime(now, "%m/%d/%y")?),
            Some('c') => out.push_str(&strftime(now, "%a %b %e %H:%M:%S %Y")?),
            Some(other) => return value_error(format!("Invalid format string: %{other}")),
            None => return value_error("Invalid format string: % at its end"),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        let now = DateTime::from_unix(1_767_323_045, 0);
        let text = strftime(&now, "%Y-%m-%d %H:%M:%S %A %d %b %Y %B %-d %j %p %U %W %e").unwrap();
        assert_eq!(text, "2026-01-02 03:04:05 Friday 02 Jan 2026 January 2 002 AM 00 00  2");
        let leap = DateTime::from_unix(1_709_164_800, 3600);
        assert_eq!(strftime(&leap, "%F %T %a %j %y").unwrap(), "2024-02-29 01:00:00 Thu 060 24");
        assert!(strftime(&leap, "%Q").is_err());
    }
}
