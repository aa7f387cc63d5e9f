//! `key=value` lines, and errors that name the line.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use super::{ConfigError, Ignored, unmet};

/// The `key=value` lines of a file.
pub(super) struct Lines<'a> {
    path: &'a Path,
    entries: BTreeMap<&'a str, (usize, &'a str)>,
    /// The keys that were asked for: the others mean nothing to this server.
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Lines<'a> {
    pub(super) fn split(path: &'a Path, text: &'a str) -> Result<Lines<'a>, ConfigError> {
        let mut lines = Lines { path, entries: BTreeMap::new(), asked: RefCell::default() };
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| lines.at(number, format!("expected key=value, found {line:?}")))?;
            let key = key.trim();
            if let Some((first, _)) = lines.entries.insert(key, (number, value.trim())) {
                return Err(lines.at(number, format!("{key} is set already in line {first}")));
            }
        }
        Ok(lines)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Line and value of a key.
    pub(super) fn entry(&self, key: &str) -> Option<(usize, &'a str)> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries.get(key).copied()
    }

    /// What follows the prefix in a key, with the key's line and value; by key.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<(&'a str, usize, &'a str)> {
        let mut found = Vec::new();
        for (key, (line, value)) in &self.entries {
            if let Some(rest) = key.strip_prefix(prefix) {
                self.asked.borrow_mut().insert((*key).to_owned());
                found.push((rest, *line, *value));
            }
        }
        found
    }

    pub(super) fn required(&self, key: &str) -> Result<&'a str, ConfigError> {
        self.get(key).ok_or_else(|| self.wrong(format!("{key} is missing")))
    }

    /// A decimal number.
    pub(super) fn number(
        &self,
        key: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        self.parsed(key, default, allowed, |value| value.parse().ok())
    }

    /// A number that ZooKeeper reads from a system property of Java: octal after `0`, hexadecimal
    /// after `0x` or `#` (`Integer.decode`).
    pub(super) fn property(
        &self,
        key: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        self.parsed(key, default, allowed, decode)
    }

    /// The same as [`Lines::number`], where -1 is the default too.
    pub(super) fn number_or_minus_one(
        &self,
        key: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        match self.get(key) {
            Some("-1") => Ok(default),
            _ => self.number(key, default, allowed),
        }
    }

    fn parsed(
        &self,
        key: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
        parse: fn(&str) -> Option<u64>,
    ) -> Result<u64, ConfigError> {
        let Some((line, value)) = self.entry(key) else { return Ok(default) };
        parse(value).filter(|number| allowed.contains(number)).ok_or_else(|| {
            let (low, high) = (allowed.start(), allowed.end());
            self.at(line, format!("{key}: expected a number from {low} to {high}, found {value:?}"))
        })
    }

    /// A number above 0 and up to 1, in thousandths.
    pub(super) fn ratio(&self, key: &str, default_permille: u32) -> Result<u32, ConfigError> {
        let Some((line, value)) = self.entry(key) else { return Ok(default_permille) };
        let ratio = value.parse::<f64>().ok().filter(|ratio| *ratio >= 0.001 && *ratio <= 1.0);
        let ratio = ratio.ok_or_else(|| {
            let what = format!("{key}: expected a number from 0.001 to 1, found {value:?}");
            self.at(line, what)
        })?;
        Ok((ratio * 1000.0).round() as u32)
    }

    /// `true` or `false`, in letters of any case; false when absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        self.flag_or(key, false)
    }

    /// `true` or `false`, in letters of any case.
    pub(super) fn flag_or(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let Some((line, value)) = self.entry(key) else { return Ok(default) };
        match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.at(line, format!("{key}: expected true or false, found {value:?}"))),
        }
    }

    /// Line and key of what nobody has asked for; so this comes last.
    pub(super) fn ignored(&self) -> Vec<Ignored> {
        let asked = self.asked.borrow();
        self.entries
            .iter()
            .filter(|(key, _)| !asked.contains(**key))
            .map(|(key, (line, _))| Ignored {
                line: *line,
                key: (*key).to_owned(),
                reason: unmet::reason(key),
            })
            .collect()
    }

    pub(super) fn at(&self, line: usize, what: String) -> ConfigError {
        ConfigError::Line { path: self.path.to_owned(), line, what }
    }

    pub(super) fn wrong(&self, what: impl Into<String>) -> ConfigError {
        ConfigError::File { path: self.path.to_owned(), what: what.into() }
    }
}

/// As `Integer.decode` of Java reads what is not negative.
fn decode(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    let (digits, radix) = match (hexadecimal, unsigned.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        (None, _) => (unsigned, 10),
    };
    // A second sign would be taken for a part of the number.
    let is_number = digits.starts_with(|first: char| first.is_ascii_hexdigit());
    u64::from_str_radix(digits, radix).ok().filter(|_| is_number)
}
