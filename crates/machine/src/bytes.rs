//! Sizes in bytes: exact inside, in binary units for people.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};
use std::str::FromStr;

/// A number of bytes. `{}` prints three digits and a binary unit (`1.50 GiB`), `{:#}` the exact
/// number too (`1.50 GiB (1610612736 bytes)`); JSON holds the exact number. Sums and products
/// stop at the largest number instead of wrapping.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

impl Bytes {
    /// No bytes.
    pub const ZERO: Bytes = Bytes(0);

    /// `n` times 2^10.
    pub const fn kib(n: u64) -> Bytes {
        Bytes(n.saturating_mul(1 << 10))
    }

    /// `n` times 2^20.
    pub const fn mib(n: u64) -> Bytes {
        Bytes(n.saturating_mul(1 << 20))
    }

    /// `n` times 2^30.
    pub const fn gib(n: u64) -> Bytes {
        Bytes(n.saturating_mul(1 << 30))
    }

    /// The exact number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What is left after taking `other` away; zero if it is more.
    pub const fn saturating_sub(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_sub(other.0))
    }

    /// The sum, if it is still a number of 64 bits.
    pub const fn checked_add(self, other: Bytes) -> Option<Bytes> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Bytes(sum)),
            None => None,
        }
    }

    fn human(self) -> String {
        if self.0 < 1024 {
            return format!("{} B", self.0);
        }
        let mut value = self.0 as f64;
        let mut unit = 0;
        // 999.5 and more would print as 1000.
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.digits$} {}", UNITS[unit])
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() && self.0 >= 1024 {
            f.pad(&format!("{} ({} bytes)", self.human(), self.0))
        } else {
            f.pad(&self.human())
        }
    }
}

impl Add for Bytes {
    type Output = Bytes;

    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Bytes) {
        *self = *self + other;
    }
}

impl Mul<u64> for Bytes {
    type Output = Bytes;

    fn mul(self, n: u64) -> Bytes {
        Bytes(self.0.saturating_mul(n))
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Bytes>>(parts: I) -> Bytes {
        parts.fold(Bytes::ZERO, Add::add)
    }
}

impl FromStr for Bytes {
    type Err = Error;

    /// Reads `1024`, `8G`, `8GiB` (binary), `8GB` (decimal), `1.5 GiB`; letters in either case.
    fn from_str(text: &str) -> Result<Bytes, Error> {
        let wrong = || Error::Size { found: text.chars().take(40).collect() };
        let trimmed = text.trim();
        let split =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let factor = factor(&unit.trim().to_ascii_lowercase()).ok_or_else(wrong)?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Bytes).ok_or_else(wrong);
        }
        let value = number.parse::<f64>().map_err(|_| wrong())? * factor as f64;
        if (0.0..=u64::MAX as f64 / 2.0).contains(&value) {
            Ok(Bytes(value.round() as u64))
        } else {
            Err(wrong())
        }
    }
}

fn factor(unit: &str) -> Option<u64> {
    let power = |letter: &str| "kmgtpe".find(letter).map(|at| at as u32 + 1);
    match unit {
        "" | "b" => Some(1),
        _ if unit.len() == 1 => power(unit).map(|power| 1024_u64.pow(power)),
        _ => {
            let (letter, rest) = unit.split_at_checked(1)?;
            match rest {
                "ib" => power(letter).map(|power| 1024_u64.pow(power)),
                "b" => power(letter).map(|power| 1000_u64.pow(power)),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_three_digits_and_the_exact_number_on_request() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_239, "10.0 KiB"),
            (1_022_976, "999 KiB"),
            (1_023_999, "0.98 MiB"),
            (1_610_612_736, "1.50 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:#}", Bytes::mib(512)), "512 MiB (536870912 bytes)");
        assert_eq!(format!("{:>10}|", Bytes(5)), "       5 B|");
        assert_eq!(serde_json::to_string(&Bytes::gib(2)).unwrap(), "2147483648");
    }

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("1024", 1024),
            ("8G", 8 << 30),
            ("8 GiB", 8 << 30),
            ("8gb", 8_000_000_000),
            ("1.5GiB", 3 << 29),
            (" 512m ", 512 << 20),
            ("0", 0),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "1.2.3G", "5 parsecs", "99999999E", "1e9", "ééé", "1é", "nan"]
        {
            assert!(matches!(text.parse::<Bytes>(), Err(Error::Size { .. })), "{text}");
        }
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        assert_eq!(Bytes(u64::MAX) + Bytes(1), Bytes(u64::MAX));
        assert_eq!(Bytes::gib(u64::MAX), Bytes(u64::MAX));
        assert_eq!([Bytes(1), Bytes(2)].into_iter().sum::<Bytes>(), Bytes(3));
        assert_eq!(Bytes(1).saturating_sub(Bytes(2)), Bytes::ZERO);
    }
}
