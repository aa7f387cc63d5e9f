//! The ways in which a link can be bad.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::switch::Quality;

/// What is wrong with a link. [`Weather::quality`] has the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weather {
    /// Packets take long, some longer than others.
    Slow,
    /// Some vanish.
    Lossy,
    /// Good and bad times alternate; in bad ones packets are late, and half of them vanish.
    Flaky,
    /// Some arrive twice.
    Duplicate,
    /// Some are overtaken.
    Reorder,
    /// Some arrive damaged, and are discarded because of their checksum.
    Corrupt,
    /// Little fits through; the rest queues up, and some of it is dropped.
    Narrow,
}

impl Weather {
    /// Bad enough to be felt by every connection, and so that a correct ensemble still makes progress.
    pub fn quality(self) -> Quality {
        let perfect = Quality::default();
        match self {
            Weather::Slow => Quality { delay_ms: 30, jitter_ms: 20, ..perfect },
            Weather::Lossy => Quality { loss: 50, ..perfect },
            Weather::Flaky => Quality {
                loss: 500,
                delay_ms: 20,
                jitter_ms: 20,
                bad_ms: 300,
                good_ms: 500,
                ..perfect
            },
            Weather::Duplicate => Quality { duplicate: 200, ..perfect },
            Weather::Reorder => Quality { reorder: 100, delay_ms: 2, jitter_ms: 1, ..perfect },
            Weather::Corrupt => Quality { corrupt: 30, ..perfect },
            Weather::Narrow => Quality { rate_kbit: 512, ..perfect },
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weather::Slow => "slow",
            Weather::Lossy => "lossy",
            Weather::Flaky => "flaky",
            Weather::Duplicate => "duplicate",
            Weather::Reorder => "reorder",
            Weather::Corrupt => "corrupt",
            Weather::Narrow => "narrow",
        })
    }
}
