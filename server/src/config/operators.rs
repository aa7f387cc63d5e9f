//! What operators reach: words, ports, the circuit breaker, planted defects.

use std::collections::BTreeSet;

use wire::frame::FourLetter;

use super::ConfigError;
use super::lines::Lines;
use crate::{BreakerSettings, Mutant};

impl Lines<'_> {
    pub(super) fn four_letter_words(&self) -> Result<BTreeSet<FourLetter>, ConfigError> {
        let mut words = BTreeSet::from([FourLetter::Srvr, FourLetter::Mntr, FourLetter::Ruok]);
        let Some((line, value)) = self.entry("4lw.commands.whitelist") else {
            return Ok(words);
        };
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match FourLetter::ALL.iter().find(|word| word.word() == name) {
                _ if name == "*" => words.extend(FourLetter::ALL),
                Some(word) => _ = words.insert(*word),
                None => {
                    let all: Vec<&str> = FourLetter::ALL.iter().map(|word| word.word()).collect();
                    let all = all.join(", ");
                    let what =
                        format!("4lw.commands.whitelist: no {name:?}; there are {all} and *");
                    return Err(self.at(line, what));
                }
            }
        }
        Ok(words)
    }

    pub(super) fn admin(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let port = self.property("admin.serverPort", 8080, 1..=65_535)? as u16;
        let host = self.get("admin.serverAddress").unwrap_or("0.0.0.0");
        Ok(self.flag("admin.enableServer")?.then(|| (host.to_owned(), port)))
    }

    pub(super) fn metrics(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let port = self.number("metricsProvider.httpPort", 7000, 1..=65_535)? as u16;
        let host = self.get("metricsProvider.httpHost").unwrap_or("0.0.0.0");
        let class = self.get("metricsProvider.className");
        let asked = match class {
            Some(class) => class.ends_with("PrometheusMetricsProvider"),
            None => self.get("metricsProvider.httpPort").is_some(),
        };
        Ok(asked.then(|| (host.to_owned(), port)))
    }

    pub(super) fn breaker(&self) -> Result<Option<BreakerSettings>, ConfigError> {
        let key = |name: &str| format!("circuitBreaker.{name}");
        let settings = BreakerSettings {
            volume: self.number(&key("requestVolumeThreshold"), 100, 1..=1 << 20)? as usize,
            failure_permille: self.ratio(&key("failureRatio"), 500)?,
            late_ms: self.number(&key("minimumResponseTime"), 500, 1..=3_600_000)?,
            sleep_ms: self.number(&key("sleepWindowSize"), 60, 1..=86_400)? * 1000,
            open_ms: self.number(&key("openCircuitDuration"), 300, 1..=86_400)? * 1000,
        };
        if settings.open_ms < settings.sleep_ms {
            return Err(self.wrong(
                "circuitBreaker.openCircuitDuration is shorter than circuitBreaker.sleepWindowSize",
            ));
        }
        Ok(self.flag("circuitBreaker.enabled")?.then_some(settings))
    }

    pub(super) fn mutant(&self) -> Result<Option<Mutant>, ConfigError> {
        let Some((line, value)) = self.entry("mutant") else { return Ok(None) };
        value.parse().map(Some).map_err(|error| self.at(line, format!("mutant: {error}")))
    }
}
