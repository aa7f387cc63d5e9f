//! Settings that are numbers and times, with their bounds.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::typed::Typed;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Whole<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Whole<MIN, MAX> {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    fn expected() -> String {
        format!("expected a whole number from {MIN} to {MAX}")
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|n| (MIN..=MAX).contains(n));
        number.map(Whole).ok_or_else(Self::expected)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<Typed> for Whole<MIN, MAX> {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Self, String> {
        typed.number().ok_or_else(Self::expected)?.parse()
    }
}

/// A time from `MIN` to `MAX` milliseconds, written in seconds (`30`, `2.5`) or with a unit
/// (`500ms`, `30s`, `2m`, `1h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Time<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Time<MIN, MAX> {
    /// In milliseconds.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    fn expected() -> String {
        let (min, max) = (Millis(MIN), Millis(MAX));
        format!("expected a time from {min} to {max}, such as 2.5, 500ms, 30s, 2m or 1h")
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Time<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = millis(text).filter(|millis| (MIN..=MAX).contains(millis));
        time.map(Time).ok_or_else(Self::expected)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<Typed> for Time<MIN, MAX> {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Self, String> {
        match typed {
            Typed::Text(text) => text.parse(),
            other => other.number().ok_or_else(Self::expected)?.parse(),
        }
    }
}

/// Operations per second, above 0, up to a million.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Rate(f64);

impl Rate {
    /// Operations per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.0
    }

    fn expected() -> String {
        "expected operations per second, above 0 and up to 1000000".to_owned()
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let rate = text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= 1_000_000.0);
        rate.map(Rate).ok_or_else(Rate::expected)
    }
}

impl TryFrom<Typed> for Rate {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Rate, String> {
        typed.number().ok_or_else(Rate::expected)?.parse()
    }
}

/// `2m` as 120000. A negative number becomes 0, an overlarge one the maximum: out of all bounds.
fn millis(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let per_unit = match unit {
        "ms" => 1.0,
        "" | "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    let number: f64 = number.trim_end().parse().ok()?;
    Some((number * per_unit).round() as u64)
}

/// Milliseconds in the largest unit that divides them.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}
