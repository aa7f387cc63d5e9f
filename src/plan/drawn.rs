//! What settings and their seed fix before anything starts.

use std::time::Duration;

use history::Settings;
use nemesis::fault::UnknownKind;
use nemesis::{Kind, Scheduled};

/// The znodes of a run: `/r0`, `/r1`, ….
#[must_use]
pub fn znodes(settings: &Settings) -> Vec<String> {
    (0..settings.keys).map(|n| format!("/r{n}")).collect()
}

/// The faults of a run, in order of time.
///
/// # Errors
/// When the settings name a kind of fault that this version does not know: they were not resolved
/// by it.
pub fn schedule(settings: &Settings) -> Result<Vec<Scheduled>, UnknownKind> {
    let kinds: Result<Vec<Kind>, _> = settings.faults.iter().map(|kind| kind.parse()).collect();
    let time = Duration::from_secs_f64(settings.time_s);
    let interval = Duration::from_secs_f64(settings.interval_s);
    Ok(nemesis::schedule::generate(settings.seed, &kinds?, time, interval))
}
